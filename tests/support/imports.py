"""Files of people, and what tests of imports do with them."""
import csv
import io

from .outbox import due_now
from .waiting import wait_until

UNDER_WAY = ("uploading", "parsing", "applying", "undoing")
MIB = 1024 * 1024
MADE_BY_TESTS = ("import_row", "import", "import_mapping", "file_part", "job", "export", "outbox", "invitation", "email_change", "assignment", "group_member", "user_group",
                 "day_off", "field", "department", "position", "deleted_user", "audit", "audit_value", "deletion")


def renewed(system):
    """One system for the tests of a file, which has nothing but its administrator before each of them:
    for a fixture to yield from."""
    system.sink.forgive()
    wait_until(lambda: due_now(system) == 0 and system.value("SELECT count(*) FROM rollcall.outbox WHERE state = 'queued'") == 0, because="all mails are settled")
    with system.cluster.connect(system.database) as db:
        db.execute("SET session_replication_role = replica")
        for table in MADE_BY_TESTS:
            db.execute(f"DELETE FROM rollcall.{table}")
        for table, key in (("credential", "user_id"), ("session", "user_id"), ("users", "id")):
            db.execute(f"DELETE FROM rollcall.{table} WHERE {key} <> %s", [system.admin_id])
        db.execute("DELETE FROM rollcall.role WHERE permissions <> '{*}'")
        db.execute("DELETE FROM rollcall.policy WHERE org_id <> %s", [system.org_id])
        db.execute("DELETE FROM rollcall.organization WHERE id <> %s", [system.org_id])
    system.admin.post("/v1/policy/preset", {"preset": "default"}).ok()
    system.allowed = []
    yield system
    system.check_logs()


def csv_of(headers, *rows, delimiter=",", encoding="utf-8"):
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\r\n")
    writer.writerows([headers, *rows])
    return out.getvalue().encode(encoding)


def upload(client, data, **params):
    """Whole, or in parts where it is too long for that; its dry run has begun."""
    if len(data) <= MIB:
        return client.call("POST", "/v1/imports", data=data, params=params, headers={"Content-Type": "application/octet-stream"}).ok(202)["id"]
    made = client.post("/v1/imports", {"file_name": params.pop("file_name", "people.csv"), "size": len(data)}).ok(202)["id"]
    for number, start in enumerate(range(0, len(data), MIB)):
        client.call("PUT", f"/v1/imports/{made}/parts/{number}", data=data[start:start + MIB],
                    headers={"Content-Type": "application/octet-stream"}).ok(204)
    client.post(f"/v1/imports/{made}/parse", {}).ok(202)
    return made


def ended(client, import_id, patience_s=60):
    """What became of the stage under way."""
    return wait_until(lambda: (lambda made: made if made["state"] not in UNDER_WAY else None)(client.get(f"/v1/imports/{import_id}").ok(200).body),
                      patience_s, 0.02, f"import {import_id} comes to an end")


def dry_run(client, data, **params):
    return ended(client, upload(client, data, **params))


def apply(client, made, patience_s=15, **wishes):
    client.post(f"/v1/imports/{made['id']}/apply", wishes).ok(202)
    return ended(client, made["id"], patience_s)


def undo(client, made):
    client.post(f"/v1/imports/{made['id']}/undo").ok(202)
    return ended(client, made["id"])


def rows(client, made, **params):
    return list(client.pages(f"/v1/imports/{made['id']}/rows", **params))


def outcomes(client, made):
    return {row["row"]: row["outcome"] for row in rows(client, made)}


def faults(client, made):
    """What is wrong: (row, column, code) of each."""
    return [(row["row"], error["column"], error["code"]) for row in rows(client, made) for error in row["errors"]]
