"""A user's history and the audit: who, what, before and after, when, from where; also of those who are gone (S2-14, S2-18)."""
import uuid

import psycopg
import pytest


def history(system, user, client=None, **params):
    return (client or system.admin).get(f"/v1/users/{user['id']}/history", **params)


@pytest.fixture
def lived(standing):
    """A user to whom some things were done, by an administrator and by a key."""
    standing.set_policy(deletion="erase", deletion_confirmation="none", user_kinds=["employee", "external"])
    user = standing.create_user(first_name="Olena")
    edited = standing.admin.patch(f"/v1/users/{user['id']}", {"first_name": "Ольга", "kind": "external"}).ok(200)
    standing.machine.post(f"/v1/users/{user['id']}/inactivate", {"reason": "left"}).ok(200)
    return standing, user, edited


def test_a_history_says_who_what_before_and_after_when_and_from_where(lived):
    system, user, edited = lived
    rows = history(system, user).ok(200).items
    assert [row["action"] for row in rows] == ["user.inactivated", "user.edited", "user.created"]
    assert rows[1]["actor"] == {"kind": "user", "id": system.admin_id, "name": "Ada Administrator"}
    assert rows[1]["subject"] == {"kind": "user", "id": user["id"], "name": "Ольга Koval"}
    assert rows[1]["changes"] == {"first_name": ["Olena", "Ольга"], "kind": ["employee", "external"]}
    assert (rows[1]["ip"], rows[1]["request_id"]) == ("127.0.0.1", edited.headers["X-Request-Id"])
    assert rows[0]["actor"] == {"kind": "api_key", "id": system.api_key_id, "name": "tests"}
    assert rows[0]["changes"]["status"] == ["pending", "inactive"] and rows[0]["changes"]["note"] == [None, "left"]
    assert [row["changes"].get("status_reason") for row in rows] == [["invited", "by_admin"], None, [None, "invited"]]
    assert [row["at"] for row in rows] == sorted((row["at"] for row in rows), reverse=True)
    assert rows == system.admin.get("/v1/audit", subject_id=user["id"]).ok(200).items


PERSONAL = {"email": "whole@example.org", "username": "whole", "first_name": "Olena", "last_name": "Koval", "phone": "+380441234567",
            "external_id": "hr-whole", "attributes.salary": 1200.5}


def test_a_history_begins_with_all_that_a_user_was_given(server_only):
    system = server_only
    system.set_policy(user_kinds=["employee", "external"], deletion="erase", deletion_confirmation="none")
    make = lambda path, **body: system.admin.post(path, body).ok(201)["id"]
    make("/v1/fields", key="salary", label="Salary", type="number")
    role = system.make_role("users:read")
    department, groups = make("/v1/departments", name="Dispatch"), sorted(make("/v1/groups", name=name) for name in ("Days", "Nights"))
    user = system.create_user(**{**PERSONAL, "attributes.salary": None, "phone": "+380 44 123-45-67"}, kind="external", role_id=role,
                              own_permissions=["jobs:view"], department_id=department, position="Courier", group_ids=groups[::-1], locale="uk",
                              attributes={"salary": 1200.5})
    given = {"kind": "external", "role_id": role, "own_permissions": ["jobs:view"], "department_id": department, "position": "Courier",
             "group_ids": groups, "locale": "uk", "status": "pending", "status_reason": "invited", "invitation": "pending"}
    everything = {name: [None, value] for name, value in {**given, **PERSONAL}.items()}
    (row,) = history(system, user).ok(200).items
    assert (row["action"], row["changes"]) == ("user.created", everything)
    assert system.audit("user.created", user) == [row]
    # What is personal lies apart, and goes with him.
    bare = {**{name: [None, value] for name, value in given.items()}, **{name: [] for name in PERSONAL}}
    assert system.value("SELECT changes FROM rollcall.audit WHERE id = %s", row["id"]) == bare
    system.admin.post("/v1/users/deletions", {"user_ids": [user["id"]]}).ok(201)
    assert history(system, user).ok(200).items[-1]["changes"] == bare


def test_a_history_begins_with_nothing_that_nobody_gave(standing):
    user = standing.create_user()
    assert history(standing, user).ok(200).items[-1]["changes"].keys() == {
        "email", "first_name", "last_name", "kind", "status", "status_reason", "invitation"}


def test_what_everybody_starts_with_and_a_role_that_is_made_with_him_were_given_too(server_only):
    server_only.set_policy(default_permissions=["product:view"])
    user = server_only.create_user(role={"name": "Porter", "permissions": ["jobs:carry"]}, password=None)
    changes = history(server_only, user).ok(200).items[-1]["changes"]
    assert (changes["role_id"], changes["own_permissions"]) == ([None, user["role_id"]], [None, ["product:view"]])


def test_it_begins_so_however_a_user_is_made(standing):
    role, group = standing.make_role("users:read"), standing.admin.post("/v1/groups", {"name": "However"}).ok(201)["id"]
    body = {"first_name": "Olena", "last_name": "Koval", "role_id": role, "group_ids": [group]}
    item, = standing.admin.post("/v1/users/bulk", {"operations": [{"op": "create", "email": "however1@example.org", **body}]}).ok(200).items
    users = [item, standing.admin.put("/v1/users/by-external-id/however", {"email": "however2@example.org", **body}).ok(201).body,
             standing.admin.post("/v1/users", {"email": "however3@example.org", "password": "violet tractor under seven moons", **body}).ok(201).body]
    for user in users:
        changes = history(standing, user).ok(200).items[-1]["changes"]
        assert (changes["role_id"], changes["group_ids"], changes["last_name"]) == ([None, role], [None, [group]], [None, "Koval"])


def test_a_history_tells_the_states_of_an_invitation_and_of_each_new_link(server_only):
    """As the user himself shows them: one that has lapsed is expired, whether the clock has come to it or not."""
    system = server_only
    system.set_policy(invitation_resend_to="any")
    user = system.create_user()
    told = lambda: [row["changes"].get(name) for row in history(system, user, limit=1).ok(200).items for name in ("invitation", "invitation_generation")]
    invite = lambda: system.admin.post(f"/v1/users/{user['id']}/invite").ok(202)
    assert told() == [[None, "pending"], None]
    invite()
    assert told() == [["pending", "pending"], [1, 2]]
    system.move("invitation", user, expires_at="now() - interval '1 second'")
    assert system.user(user)["invitation"]["state"] == "expired"
    invite()
    assert told() == [["expired", "pending"], [2, 3]]
    system.accept(system.link(user)).ok(200)
    assert told() == [["pending", "accepted"], None]
    invite()
    assert told() == [["accepted", "pending"], [3, 4]]
    system.admin.post(f"/v1/users/{user['id']}/inactivate").ok(200)
    assert told() == [["pending", "revoked"], None]
    assert system.user(user)["invitation"]["state"] == "revoked"


def test_a_history_is_filtered_and_read_in_pages(lived):
    system, user, _ = lived
    rows = history(system, user).ok(200).items
    assert system.admin.pages(f"/v1/users/{user['id']}/history", limit=1) == rows
    assert history(system, user, action="user.edited").ok(200).items == [rows[1]]
    assert history(system, user, since=rows[1]["at"]).ok(200).items == rows[:2]
    assert history(system, user, until=rows[1]["at"]).ok(200).items == rows[2:]
    counted = history(system, user, count="true", limit=1, action="user.created").ok(200)
    assert (counted["total"], counted["next_cursor"]) == (1, None)
    for params, name in (({"since": "today"}, "since"), ({"until": "x"}, "until"), ({"limit": "0"}, "limit"), ({"cursor": "x"}, "cursor"),
                         ({"subject_id": user["id"]}, "subject_id"), ({"colour": "red"}, "colour")):
        assert name in history(system, user, **params).refused(400, "invalid_query").faults()


def test_a_page_goes_on_behind_what_was_written_meanwhile(lived):
    system, user, _ = lived
    first = history(system, user, limit=2).ok(200)
    system.machine.post(f"/v1/users/{user['id']}/activate").ok(200)
    assert [row["action"] for row in history(system, user, limit=2, cursor=first["next_cursor"]).ok(200).items] == ["user.created"]


@pytest.mark.parametrize("mode", ["erase", "anonymise"])
def test_the_history_of_a_deleted_user_stays_without_his_name(lived, mode):
    system, user, _ = lived
    system.set_policy(deletion=mode)
    before = history(system, user).ok(200).items
    system.admin.post("/v1/users/deletions", {"user_ids": [user["id"]]}).ok(201)
    rows = history(system, user).ok(200).items
    assert [row["action"] for row in rows] == ["user.deleted"] + [row["action"] for row in before]
    assert {row["subject"]["name"] for row in rows} == {f"Deleted user {user['id'][-6:].upper()}"}
    assert rows[2]["changes"] == {"first_name": [], "kind": ["employee", "external"]}
    assert "note" not in rows[1]["changes"] and rows[1]["changes"]["status"] == ["pending", "inactive"]


def test_of_whom_never_was_there_is_no_history(standing):
    history(standing, {"id": str(uuid.uuid4())}).refused(404, "not_found")
    other = standing.other_organization()
    history(standing, {"id": other["user_id"]}).refused(404, "not_found")
    # A user whose every row has been purged still was.
    user = standing.create_user()
    standing.sql("DELETE FROM rollcall.audit WHERE subject_id = %s", user["id"])
    assert history(standing, user).ok(200).body == {"items": [], "next_cursor": None}


def test_a_history_needs_its_permission_and_nothing_else(lived):
    system, user, _ = lived
    history(system, user, client=system.client(system.make_key("audit:read"))).ok(200)
    history(system, user, client=system.client(system.make_key("users:read", "users:write"))).refused(403, "permission_missing")


@pytest.mark.parametrize("statement", ["UPDATE rollcall.audit SET action = 'x'", "DELETE FROM rollcall.audit", "TRUNCATE rollcall.audit",
                                       "DELETE FROM rollcall.audit_value", "DELETE FROM rollcall.deleted_user"])
def test_the_programs_may_only_add_to_the_audit(lived, statement):
    system, _, _ = lived
    with psycopg.connect(system.cluster.url("rollcall", system.database), autocommit=True) as db, pytest.raises(psycopg.errors.InsufficientPrivilege):
        db.execute(statement)


def test_a_month_of_the_audit_cannot_be_reached_around_it(lived):
    system, _, _ = lived
    month = system.value("SELECT tableoid::regclass::text FROM rollcall.audit LIMIT 1")
    for statement in (f"SELECT 1 FROM {month}", f"DELETE FROM {month}", f"DROP TABLE {month}"):
        with psycopg.connect(system.cluster.url("rollcall", system.database), autocommit=True) as db, pytest.raises(psycopg.errors.InsufficientPrivilege):
            db.execute(statement)
