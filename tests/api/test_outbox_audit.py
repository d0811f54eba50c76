"""What was mailed and what happened: lists for those who may see them, with no secret anywhere."""
import uuid

import pytest

PASSWORD = "violet tractor under seven moons"
OTHER = "another tractor of the moon"


# --- the outbox

def test_a_mail_in_the_outbox_has_the_fields_that_clients_rely_on(standing):
    user = standing.create_user()
    row = standing.outbox(user)[0]
    assert set(row) >= {"id", "kind", "user_id", "recipient", "state", "attempts", "next_attempt_at", "last_reply", "created_at", "sent_at"}
    assert (row["kind"], row["recipient"], row["state"], row["attempts"], row["sent_at"]) == ("invitation", user["email"], "queued", 0, None)
    assert row["next_attempt_at"]


def test_mails_are_found_by_state_kind_and_user(server_only):
    user = server_only.create_user()
    server_only.create_user()
    server_only.ask_reset(user)
    server_only.sql("UPDATE rollcall.outbox SET state = 'failed', last_reply = '550 5.1.1 no such user' WHERE user_id = %s AND kind = 'invitation'", user["id"])
    get = lambda **params: [(row["kind"], row["user_id"] == user["id"]) for row in server_only.admin.get("/v1/outbox", **params).ok(200).items]
    assert get(state="failed") == [("invitation", True)]
    assert get(kind="password_reset") == [("password_reset", True)]
    assert get(user_id=user["id"]) == [("password_reset", True), ("invitation", True)]
    assert len(get(state="failed,queued")) == 3
    assert server_only.admin.get("/v1/outbox", count="true", state="queued").ok(200)["total"] == 2
    assert server_only.user(user)["invitation"]["delivery"]["last_reply"] == "550 5.1.1 no such user"
    server_only.admin.get("/v1/outbox", state="lost").refused(400, "invalid_query")
    server_only.admin.get("/v1/outbox", user_id="x").refused(400, "invalid_query")


STATES = {"queued": 202, "failed": 202, "bounced": 202, "sent": 409, "cancelled": 409}


@pytest.mark.parametrize("state", STATES)
def test_a_mail_is_tried_again_unless_it_is_over(standing, state):
    user = standing.create_user()
    mail = standing.outbox(user)[0]
    standing.sql("UPDATE rollcall.outbox SET state = %s, run_at = now() + interval '1 hour' WHERE id = %s", state, mail["id"])
    answer = standing.admin.post(f"/v1/outbox/{mail['id']}/retry")
    if STATES[state] == 409:
        answer.refused(409, "state_conflict")
    else:
        assert (answer.ok(202)["id"], answer["state"]) == (mail["id"], "queued")
        assert standing.value("SELECT run_at <= now() FROM rollcall.outbox WHERE id = %s", mail["id"])
        rows = standing.sql("SELECT action FROM rollcall.audit WHERE subject_id = %s", mail["id"])
        assert rows == ["mail.retried"]


def test_a_mail_that_is_with_a_sender_is_not_tried_again(standing):
    mail = standing.outbox(standing.create_user())[0]
    standing.sql("UPDATE rollcall.outbox SET leased_by = 'somebody', run_at = now() + interval '180 seconds', attempts = 1 WHERE id = %s", mail["id"])
    standing.admin.post(f"/v1/outbox/{mail['id']}/retry").refused(409, "state_conflict")


def test_a_mail_of_nobody_or_of_another_organization_is_not_found(server_only):
    other = server_only.other_organization()
    foreign = str(server_only.value("SELECT id FROM rollcall.outbox WHERE org_id = %s", other["id"]))
    for mail_id in (foreign, str(uuid.uuid4()), "x"):
        server_only.admin.post(f"/v1/outbox/{mail_id}/retry").refused(404, "not_found")


def test_retry_needs_its_own_permission(standing):
    mail = standing.outbox(standing.create_user())[0]
    standing.client(standing.make_key("users:read")).post(f"/v1/outbox/{mail['id']}/retry").refused(403, "permission_missing")


# --- the audit

def test_the_audit_says_who_what_whom_and_what_was_before(server_only):
    server_only.set_policy(user_kinds=["employee", "external"])
    user = server_only.create_user(first_name="Olena")
    answer = server_only.admin.patch(f"/v1/users/{user['id']}", {"first_name": "Ольга", "kind": "external", "own_permissions": ["a:b"]}).ok(200)
    row = server_only.audit("user.edited", user)[0]
    assert set(row) >= {"id", "at", "actor", "action", "subject", "changes", "ip", "request_id"}
    assert row["actor"] == {"kind": "user", "id": server_only.admin_id, "name": "Ada Administrator"}
    assert row["subject"] == {"kind": "user", "id": user["id"], "name": "Ольга Koval"}
    assert row["changes"] == {"first_name": ["Olena", "Ольга"], "kind": ["employee", "external"], "own_permissions": [[], ["a:b"]]}
    assert row["ip"] == "127.0.0.1"
    assert row["request_id"] == answer.headers["X-Request-Id"]


def test_what_has_a_name_goes_by_it_until_it_is_gone(server_only):
    things = {"role": ("/v1/roles", {"name": "Porter", "permissions": []}), "group": ("/v1/groups", {"name": "Night shift"}),
              "department": ("/v1/departments", {"name": "Dispatch"}), "position": ("/v1/positions", {"title": "Driver"}),
              "field": ("/v1/fields", {"key": "hub", "label": "Hub", "type": "text"}), "api_key": ("/v1/api-keys", {"name": "Sync", "permissions": []})}
    for kind, (path, body) in things.items():
        made = server_only.admin.post(path, body).ok(201)
        name = body.get("name") or body.get("title") or body["key"]
        assert [row["subject"] for row in server_only.audit(f"{kind}.created", made["id"])] == [{"kind": kind, "id": made["id"], "name": name}]
        if kind != "api_key":
            server_only.admin.delete(f"{path}/{made['id']}").ok(204)
            assert [row["subject"]["name"] for row in server_only.audit(f"{kind}.deleted", made["id"])] == [None], kind


def test_personal_values_lie_apart_from_the_audit_itself(server_only):
    user = server_only.create_user(first_name="Olena")
    server_only.admin.patch(f"/v1/users/{user['id']}", {"first_name": "Ольга", "email": "other@example.org", "phone": "+12025550100"}).ok(200)
    text = str(server_only.sql("SELECT to_jsonb(a) FROM rollcall.audit a"))
    for personal in ("Ольга", "Olena", "other@example.org", user["email"], "12025550100"):
        assert personal not in text
    names = "SELECT changes -> 'first_name' FROM rollcall.audit_value WHERE user_id = %s AND changes ? 'first_name' ORDER BY audit_id"
    assert server_only.sql(names, user["id"]) == [[None, "Olena"], ["Olena", "Ольга"]]


def test_a_life_in_the_audit(server_only):
    user = server_only.create_user()
    server_only.admin.post(f"/v1/users/{user['id']}/invite").ok(202)
    server_only.accept(server_only.link(user)).ok(200)
    client = server_only.sign_in(user)
    client.put("/v1/me/password", {"current_password": PASSWORD, "password": OTHER}).ok(204)
    server_only.machine.post(f"/v1/users/{user['id']}/inactivate").ok(200)
    server_only.machine.post(f"/v1/users/{user['id']}/activate").ok(200)
    server_only.admin.post(f"/v1/users/{user['id']}/password", {"password": PASSWORD}).ok(200)
    server_only.ask_reset(user)
    server_only.complete_reset(server_only.reset_link(user), OTHER).ok(204)
    rows = server_only.audit(user=user)[::-1]
    assert [(row["action"], row["actor"]["kind"]) for row in rows] == [
        ("user.created", "user"), ("user.invited", "user"), ("user.invitation_accepted", "user"), ("user.password_changed", "user"),
        ("user.inactivated", "api_key"), ("user.activated", "api_key"), ("user.password_set", "user"), ("user.reset_requested", "system"),
        ("user.password_reset", "user")]
    assert rows[2]["actor"]["id"] == user["id"] and rows[2]["changes"]["status"] == ["pending", "active"]
    assert rows[4]["actor"]["name"] == "tests"
    assert [row["at"] for row in rows] == sorted(row["at"] for row in rows)


def test_the_audit_is_filtered_by_subject_actor_action_and_time(server_only):
    first, second = server_only.create_user(), server_only.create_user()
    server_only.machine.post(f"/v1/users/{second['id']}/inactivate").ok(200)
    get = lambda **params: server_only.admin.get("/v1/audit", **params).ok(200).items
    assert [row["action"] for row in get(subject_id=second["id"])] == ["user.inactivated", "user.created"]
    assert {row["actor"]["id"] for row in get(actor_id=server_only.api_key_id)} == {server_only.api_key_id}
    assert [row["subject"]["id"] for row in get(action="user.inactivated")] == [second["id"]]
    assert get(since="2999-01-01T00:00:00Z") == [] == get(until="2000-01-01T00:00:00+02:00")
    moment = get(subject_id=second["id"])[0]["at"]
    assert get(since=moment, subject_id=second["id"])[0]["at"] == moment
    assert [row["action"] for row in get(until=moment, subject_id=second["id"])] == ["user.created"]
    for wrong in ({"since": "today"}, {"until": "x"}, {"subject_id": "x"}, {"actor_id": "x"}, {"colour": "red"}, {"cursor": "x"}):
        server_only.admin.get("/v1/audit", **wrong).refused(400, "invalid_query")
    assert get(subject_id=first["id"], actor_id=server_only.api_key_id) == []


def test_a_refused_change_leaves_no_trace(standing):
    user = standing.create_user()
    rows = standing.value("SELECT count(*) FROM rollcall.audit")
    standing.admin.patch(f"/v1/users/{user['id']}", {"kind": "robot"}).refused(422)
    standing.admin.post(f"/v1/users/{standing.admin_id}/inactivate").refused(403)
    standing.admin.post(f"/v1/users/{user['id']}/password", {"password": "x"}).refused(422)
    standing.admin.post(f"/v1/users/{user['id']}/inactivate", headers={"If-Match": '"77"'}).refused(412)
    assert standing.value("SELECT count(*) FROM rollcall.audit") == rows


def test_no_secret_is_anywhere_in_the_database_or_the_log(server_only):
    user = server_only.create_user()
    invitation = server_only.link(user)
    server_only.accept(invitation).ok(200)
    session = server_only.login(user["email"], PASSWORD).ok(201)["token"]
    server_only.login(user["email"], OTHER).refused(401)
    server_only.ask_reset(user)
    reset = server_only.reset_link(user)
    server_only.complete_reset(reset, OTHER).ok(204)
    key = server_only.make_key("users:read")
    tables = server_only.sql("SELECT table_name FROM information_schema.tables WHERE table_schema = 'rollcall' AND table_type = 'BASE TABLE'")
    everything = "".join(str(server_only.sql(f'SELECT to_jsonb(t)::text FROM rollcall."{table}" t')) for table in tables)
    everything += server_only.server.text()
    for secret in (PASSWORD, OTHER, session, session[4:], key, key[4:], server_only.token_of(invitation), server_only.token_of(reset),
                   server_only.api_key, server_only.admin_token):
        assert secret not in everything, f"{secret[:8]}…"
    assert user["email"] not in server_only.server.text()
