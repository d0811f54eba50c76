"""Selections: many users of one department, and something that is to be done to all of them."""
import uuid

from .waiting import wait_until


def add_users(system, count, status="active", email=True):
    """So many rows of the table; the id of the department that they are in."""
    department = str(uuid.uuid4())
    system.sql("INSERT INTO rollcall.department (org_id, id, name) VALUES (%s, %s, %s)", system.org_id, department, f"Department {department}")
    system.sql("INSERT INTO rollcall.users (org_id, id, email, username, first_name, last_name, kind, status, status_reason, department_id)"
               " SELECT %s, gen_random_uuid(), CASE WHEN %s THEN 'n' || n || '@' || %s || '.example' END, 'u' || n || '.' || %s, 'Olena', 'Koval', 'employee', %s,"
               " 'created', %s FROM generate_series(1, %s) n", system.org_id, email, department, department, status, department, count)
    return department


def select(system, op="inactivate", client=None, **filter):
    return (client or system.admin).post("/v1/users/selections", {"op": op, "filter": filter}, timeout=60)


def confirm(system, selection, code=None, client=None):
    return (client or system.admin).post(f"/v1/users/selections/{selection['id']}/confirm", {"code": code or selection["code"]})


def begin(system, op="inactivate", client=None, **filter):
    """One that is under way."""
    return confirm(system, select(system, op, client, **filter).ok(201), client=client).ok(202).body


def look(system, selection):
    return system.admin.get(f"/v1/users/selections/{selection['id']}").ok(200).body


def wait_ended(system, selection, timeout=30):
    return wait_until(lambda: (seen := look(system, selection))["state"] not in ("pending", "running") and seen, timeout)
