"""Idempotency-Key: a request that is sent twice is done once, and answered the same."""
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.imports import csv_of
from support.system import numbers
from support.waiting import wait_until

PERSON = {"first_name": "Olena", "last_name": "Koval"}


def fresh(word="k"):
    return f"{word}{next(numbers)}"


def person(**more):
    return {"email": f"{fresh()}@example.org", **PERSON, **more}


def keyed(key=None, **more):
    return {"Idempotency-Key": key or str(uuid.uuid4()), **more}


def send(client, method, path, body=None, headers=None, **more):
    return client.call(method, path, json=body, headers=headers, **more)


def twice(client, method, path, body=None, status=200, headers=None, **more):
    """The same request two times; the first answer, once the second was found to be the same."""
    headers = keyed(**(headers or {}))
    first = send(client, method, path, body, headers, **more).ok(status)
    again = send(client, method, path, body, headers, **more).ok(status)
    assert "Idempotency-Replayed" not in first.headers and again.headers["Idempotency-Replayed"] == "true"
    assert again.body == first.body
    assert {name: again.headers.get(name) for name in ("Location", "ETag")} == {name: first.headers.get(name) for name in ("Location", "ETag")}
    return first


def kept(system):
    return system.value("SELECT count(*) FROM rollcall.idempotency")


def wrong(asked):
    return "0" * len(asked["code"]) if asked["code"] != "0" * len(asked["code"]) else "1" * len(asked["code"])


# -- What is sent twice.

def test_a_user_is_made_once_and_invited_once(standing):
    made = twice(standing.admin, "POST", "/v1/users", person(), 201)
    assert len(standing.outbox(made.body, kind="invitation")) == 1
    assert len(standing.audit("user.created", made.body)) == 1


def test_the_answer_is_the_object_as_it_is_now(standing):
    headers, body = keyed(), person()
    made = send(standing.admin, "POST", "/v1/users", body, headers).ok(201)
    standing.admin.patch(f"/v1/users/{made['id']}", {"last_name": "Shevchenko"}).ok(200)
    again = send(standing.admin, "POST", "/v1/users", body, headers).ok(201)
    assert (again["id"], again["last_name"], again.headers["ETag"]) == (made["id"], "Shevchenko", '"2"')


@pytest.mark.parametrize("action, body, status, lines", [
    ("inactivate", {}, 200, ["user.inactivated"]), ("invite", None, 202, ["user.invited"]), ("password", {"password": "a long enough one 1"}, 200, None)])
def test_an_action_is_carried_out_once(standing, action, body, status, lines):
    user = standing.create_user(**person())
    before = len(standing.audit(user=user))
    twice(standing.admin, "POST", f"/v1/users/{user['id']}/{action}", body, status)
    assert len(standing.audit(user=user)) == before + 1


def test_the_brake_is_released_once(standing):
    before = len(standing.audit("idle_sweep.released"))
    assert twice(standing.admin, "POST", "/v1/idle-sweeps/release")["released_until"]
    assert len(standing.audit("idle_sweep.released")) == before + 1


def test_an_edit_with_if_match_is_answered_again_though_the_version_has_moved(standing):
    user = standing.create_user(**person())
    twice(standing.admin, "PATCH", f"/v1/users/{user['id']}", {"first_name": "Maria"}, headers={"If-Match": '"1"'})
    assert standing.admin.get(f"/v1/users/{user['id']}").ok()["version"] == 2


def test_an_upsert_answers_201_again_for_whom_it_made_and_200_for_whom_it_edited(standing):
    path = f"/v1/users/by-external-id/{fresh()}"
    made = twice(standing.admin, "PUT", path, person(), 201)
    assert twice(standing.admin, "PUT", path, {"first_name": "Maria"}, 200)["id"] == made["id"]


RESOURCES = [
    ("/v1/roles", lambda: {"name": fresh("Role "), "permissions": ["users:read"]}, {"color": "#123456"}),
    ("/v1/groups", lambda: {"name": fresh("Group ")}, {"name": fresh("Group ")}),
    ("/v1/departments", lambda: {"name": fresh("Department ")}, {"name": fresh("Department ")}),
    ("/v1/positions", lambda: {"title": fresh("Position ")}, {"title": fresh("Position ")}),
    ("/v1/fields", lambda: {"key": fresh("field"), "label": "A field", "type": "text"}, {"label": "Another"}),
]


@pytest.mark.parametrize("path, body, patch", RESOURCES, ids=[path for path, _, _ in RESOURCES])
def test_a_small_resource_is_made_edited_and_removed_once(standing, path, body, patch):
    made = twice(standing.admin, "POST", path, body(), 201)
    twice(standing.admin, "PATCH", f"{path}/{made['id']}", patch)
    twice(standing.admin, "DELETE", f"{path}/{made['id']}", status=204)


def test_what_belongs_to_a_user_is_written_once(standing):
    user = standing.create_active()
    path = f"/v1/users/{user['id']}"
    day_off = twice(standing.admin, "POST", f"{path}/day-offs", {"starts_at": "2030-01-01T00:00:00Z", "ends_at": "2030-01-02T00:00:00Z"}, 201)
    twice(standing.admin, "PATCH", f"{path}/day-offs/{day_off['id']}", {"note": "A feast"})
    twice(standing.admin, "DELETE", f"{path}/day-offs/{day_off['id']}", status=204)
    twice(standing.admin, "PUT", f"/v1/assignments/crm/{fresh()}/1", {"user_id": user["id"], "relation": "owner"})
    standing.sign_in(user)
    twice(standing.admin, "DELETE", f"{path}/sessions", status=204)


def test_members_of_a_group_join_once(standing):
    group = standing.admin.post("/v1/groups", {"name": fresh("Group ")}).ok(201)
    users = [standing.create_user(**person())["id"] for _ in range(2)]
    twice(standing.admin, "POST", f"/v1/groups/{group['id']}/members", {"user_ids": users})
    twice(standing.admin, "DELETE", f"/v1/groups/{group['id']}/members/{users[0]}", status=204)


def test_organization_and_policy_are_edited_once(standing):
    twice(standing.admin, "PATCH", "/v1/organization", {"name": fresh("Organization ")})
    twice(standing.admin, "PATCH", "/v1/policy", {"password_min_length": 13})
    twice(standing.admin, "POST", "/v1/policy/preset", {"preset": "default"})


def test_one_edits_oneself_once(standing):
    client = standing.sign_in(standing.create_active())
    twice(client, "PATCH", "/v1/me", {"first_name": fresh("Name")})


def test_a_deletion_is_asked_for_and_confirmed_once(server_only):
    server_only.set_policy(deletion="erase")
    user = server_only.create_user(**person())
    asked = twice(server_only.admin, "POST", "/v1/users/deletions", {"user_ids": [user["id"]]}, 201)
    path = f"/v1/users/deletions/{asked['id']}/confirm"
    again = keyed()
    send(server_only.admin, "POST", path, {"code": wrong(asked)}, again).refused(422, "wrong_code")
    send(server_only.admin, "POST", path, {"code": wrong(asked)}, again).refused(422, "wrong_code")  # a refusal is no effect
    done = twice(server_only.admin, "POST", path, {"code": asked["code"]})
    assert done["state"] == "done"
    server_only.admin.post(path, {"code": asked["code"]}).refused(410, "deletion_dead")


def test_a_selection_is_made_and_confirmed_once_and_one_that_died_is_refused_again(server_only):
    for _ in range(2):
        asked = twice(server_only.admin, "POST", "/v1/users/selections", {"op": "inactivate", "filter": {"q": "nobody"}}, 201)
        path = f"/v1/users/selections/{asked['id']}/confirm"
        confirmed = twice(server_only.admin, "POST", path, {"code": asked["code"]}, 202)
        assert confirmed["state"] == "running" and server_only.value("SELECT count(*) FROM rollcall.job WHERE id = %s", asked["id"]) == 1
    asked = server_only.admin.post("/v1/users/selections", {"op": "inactivate", "filter": {"q": "nobody"}}).ok(201)
    path = f"/v1/users/selections/{asked['id']}/confirm"
    answers = [send(server_only.admin, "POST", path, {"code": wrong(asked)}, keyed("the-same")) for _ in range(4)]
    assert [answer.status for answer in answers] == [422, 422, 410, 410]


def test_an_import_and_an_export_are_begun_once(server_only):
    data = csv_of(["E-mail", "First name", "Last name"], ["one@example.org", "One", "Person"])
    first, again = (server_only.admin.call("POST", "/v1/imports", data=data, headers=keyed("file", **{"Content-Type": "text/csv"})).ok(202) for _ in range(2))
    assert first["id"] == again["id"] and server_only.value("SELECT count(*) FROM rollcall.import") == 1
    twice(server_only.admin, "POST", "/v1/exports", {"format": "csv"}, 202)
    assert server_only.value("SELECT count(*) FROM rollcall.export") == 1


# -- Bulk.

def test_a_bulk_is_done_once_and_its_outcomes_are_told_again(standing):
    taken = standing.create_user(**person())
    body = {"operations": [{"op": "create", **person()}, {"op": "create", **person(email=taken["email"])}, {"op": "inactivate", "id": taken["id"]}]}
    headers = keyed()
    first = send(standing.admin, "POST", "/v1/users/bulk", body, headers).ok(200)
    assert [item["status"] for item in first.items] == [201, 409, 200]
    again = wait_until(lambda: (lambda answer: answer if answer.status == 200 else None)(send(standing.admin, "POST", "/v1/users/bulk", body, headers)),
                       because="its outcomes are kept")
    assert again.body == first.body
    assert len(standing.audit("user.inactivated", taken)) == 1


def test_a_bulk_that_was_left_in_the_middle_tells_what_was_done_and_what_was_not(server_only):
    """Each makes a role, and two roles go in one round; then nothing more comes to pass."""
    body = {"operations": [{"op": "create", **person(), "role": {"name": fresh("Role "), "permissions": []}} for _ in range(4)]}
    headers = keyed(fresh())
    with server_only.cluster.connect(server_only.database) as other:
        other.autocommit = False
        # The second round waits for its role's name.
        other.execute("INSERT INTO rollcall.role (org_id, id, name, permissions) VALUES (%s, gen_random_uuid(), %s, '{}')",
                      [server_only.org_id, body["operations"][2]["role"]["name"]])
        send(server_only.admin, "POST", "/v1/users/bulk", body, headers)
        other.rollback()
    again = wait_until(lambda: (lambda answer: answer if answer.status == 200 else None)(send(server_only.admin, "POST", "/v1/users/bulk", body, headers)))
    assert [item["status"] for item in again.items][:2] == [201, 201] and again["succeeded"] == len([item for item in again.items if item["status"] == 201])
    assert server_only.value("SELECT count(*) FROM rollcall.users WHERE email LIKE 'k%%'") == again["succeeded"]


def test_the_answer_to_a_create_whose_object_is_gone_names_no_place(standing):
    headers, body = keyed(), {"name": fresh("Group ")}
    made = send(standing.admin, "POST", "/v1/groups", body, headers).ok(201)
    standing.admin.delete(f"/v1/groups/{made['id']}").ok(204)
    assert "Location" not in send(standing.admin, "POST", "/v1/groups", body, headers).refused(409, "state_conflict").headers


def test_a_bulk_whose_outcomes_were_lost_says_that_it_was_done(standing):
    body, headers = {"operations": [{"op": "create", **person()}]}, keyed(fresh())
    send(standing.admin, "POST", "/v1/users/bulk", body, headers).ok(200)
    wait_until(lambda: standing.value("SELECT answer FROM rollcall.idempotency WHERE key = %s", headers["Idempotency-Key"]))
    standing.sql("UPDATE rollcall.idempotency SET answer = NULL WHERE key = %s", headers["Idempotency-Key"])
    answer = send(standing.admin, "POST", "/v1/users/bulk", body, headers).refused(409, "state_conflict")
    assert "done already" in answer["detail"]


# -- At once.

def race(count, call):
    with ThreadPoolExecutor(count) as pool:
        return [future.result() for future in [pool.submit(call) for _ in range(count)]]


def settled(client, *request):
    """As a client does it that follows Retry-After."""
    return wait_until(lambda: (lambda answer: answer if answer.status != 503 else None)(send(client, *request)))


@pytest.mark.parametrize("seed", range(3))
def test_many_at_once_with_one_key_make_one_user(standing, seed):
    body, headers = person(), keyed()
    answers = race(12, lambda: settled(standing.client(standing.api_key), "POST", "/v1/users", body, headers))
    assert {answer.status for answer in answers} == {201} and len({answer["id"] for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    assert len(standing.audit("user.created", answers[0].body)) == 1


@pytest.mark.parametrize("seed", range(3))
def test_many_at_once_with_one_key_inactivate_once_and_nobody_is_refused(standing, seed):
    user, headers = standing.create_active(), keyed()
    answers = race(12, lambda: settled(standing.client(standing.api_key), "POST", f"/v1/users/{user['id']}/inactivate", {}, headers))
    assert {answer.status for answer in answers} == {200}
    assert len(standing.audit("user.inactivated", user)) == 1


def test_many_bulks_at_once_with_one_key_make_everybody_once(standing):
    domain = f"{fresh()}.example"
    body = {"operations": [{"op": "create", "email": f"p{n}@{domain}", **PERSON} for n in range(50)]}
    headers = keyed()
    answers = race(6, lambda: settled(standing.client(standing.api_key), "POST", "/v1/users/bulk", body, headers))
    done = [answer for answer in answers if answer.status == 200]
    assert done and all(answer["succeeded"] == 50 for answer in done), answers
    assert {answer.code for answer in answers if answer.status != 200} <= {"state_conflict"}  # "it was done, and the outcomes are not known yet"
    assert standing.value("SELECT count(*) FROM rollcall.users WHERE email LIKE %s", f"%@{domain}") == 50
    assert standing.value("SELECT count(*) FROM rollcall.outbox WHERE recipient LIKE %s", f"%@{domain}") == 50


def test_what_waits_for_a_locked_row_too_long_keeps_no_key_and_can_be_sent_again(server_only):
    user, headers = server_only.create_active(), keyed()
    with server_only.cluster.connect(server_only.database) as other:
        other.autocommit = False
        other.execute("SELECT FROM rollcall.users WHERE id = %s FOR UPDATE", [user["id"]])
        send(server_only.admin, "POST", f"/v1/users/{user['id']}/inactivate", {}, headers).refused(503, "unavailable")
        other.rollback()
    assert kept(server_only) == 0
    assert "Idempotency-Replayed" not in send(server_only.admin, "POST", f"/v1/users/{user['id']}/inactivate", {}, headers).ok(200).headers


# -- Whose a key is, and what it stands with.

def test_a_key_with_another_request_is_refused(standing):
    headers = keyed()
    send(standing.admin, "POST", "/v1/users", person(), headers).ok(201)
    send(standing.admin, "POST", "/v1/users", person(), headers).refused(422, "idempotency_key_reused")
    user = standing.create_active()
    headers = keyed(**{"If-Match": '"1"'})
    send(standing.admin, "PATCH", f"/v1/users/{user['id']}", {"first_name": "A"}, {**headers, "If-Match": f'"{user["version"]}"'}).ok(200)
    send(standing.admin, "PATCH", f"/v1/users/{user['id']}", {"first_name": "A"}, headers).refused(422, "idempotency_key_reused")


def test_of_another_user_key_or_route_it_is_another(standing):
    key = fresh("shared")
    other = standing.client(standing.make_key("*"))
    ids = {send(client, "POST", "/v1/users", person(), keyed(key)).ok(201)["id"] for client in (standing.admin, standing.machine, other)}
    assert len(ids) == 3
    send(standing.admin, "POST", "/v1/groups", {"name": fresh("Group ")}, keyed(key)).ok(201)


def test_what_is_refused_can_be_sent_again_and_is_decided_anew(standing):
    taken, headers = standing.create_user(**person()), keyed()
    body = person(email=taken["email"])
    send(standing.admin, "POST", "/v1/users", body, headers).refused(409, "email_taken")
    standing.admin.patch(f"/v1/users/{taken['id']}", {"email": f"{fresh()}@example.org"}).ok(200)
    send(standing.admin, "POST", "/v1/users", body, headers).ok(201)


def test_an_edit_that_changes_nothing_keeps_no_key(standing):
    user, headers = standing.create_user(**person()), keyed(fresh())
    for _ in range(2):
        assert "Idempotency-Replayed" not in send(standing.admin, "PATCH", f"/v1/users/{user['id']}", {"first_name": "Olena"}, headers).ok(200).headers
    assert standing.value("SELECT count(*) FROM rollcall.idempotency WHERE key = %s", headers["Idempotency-Key"]) == 0


def test_who_may_no_longer_do_it_is_refused_though_he_did_it(standing):
    client = standing.client(token := standing.make_key("users:write", "users:read", "users:invite"))
    headers, body = keyed(), person()
    send(client, "POST", "/v1/users", body, headers).ok(201)
    standing.sql("UPDATE rollcall.api_key SET permissions = '{users:read}' WHERE key_hash = encode(sha256(%s::bytea), 'hex')", token.encode())
    send(client, "POST", "/v1/users", body, headers).refused(403, "permission_missing")


@pytest.mark.parametrize("key", ["", " ", '""', "a" * 256, "with space"])
def test_a_key_that_is_none_is_named(standing, key):
    answer = standing.admin.raw("POST", "/v1/users", {"Idempotency-Key": key, "Content-Type": "application/json"}, b"{}")
    assert answer.refused(400, "invalid_query").faults() == {"Idempotency-Key": "invalid"}


def test_quotes_about_a_key_are_not_part_of_it(standing):
    body, key = person(), fresh()
    made = send(standing.admin, "POST", "/v1/users", body, keyed(f'"{key}"')).ok(201)
    assert send(standing.admin, "POST", "/v1/users", body, keyed(key)).ok(201)["id"] == made["id"]


def test_without_credentials_and_where_nothing_is_done_it_is_not_looked_at(standing):
    user = standing.create_active()
    body = {"organization": standing.org_id, "login": user["email"], "password": "wrong"}
    for _ in range(2):
        assert "Idempotency-Replayed" not in send(standing.anyone, "POST", "/v1/sessions", body, keyed("login")).headers
    for _ in range(2):
        assert "Idempotency-Replayed" not in send(standing.admin, "POST", "/v1/policy/simulate", {"policy": {}}, keyed("simulate")).ok(200).headers
    assert standing.value("SELECT count(*) FROM rollcall.idempotency WHERE key IN ('login', 'simulate')") == 0


def test_neither_body_nor_anything_personal_lies_with_the_key(standing):
    key, body = fresh(), person()
    send(standing.admin, "POST", "/v1/users", body, keyed(key)).ok(201)
    row = str(standing.sql("SELECT to_jsonb(i)::text FROM rollcall.idempotency i WHERE key = %s", key))
    assert body["email"] not in row and "Koval" not in row


def test_after_a_day_it_is_forgotten(rollcall):
    headers, body = keyed(), {"name": fresh("Group ")}
    send(rollcall.admin, "POST", "/v1/groups", body, headers).ok(201)
    rollcall.sql("UPDATE rollcall.idempotency SET created_at = now() - interval '25 hours'")
    rollcall.restart_worker()
    wait_until(lambda: kept(rollcall) == 0)
    send(rollcall.admin, "POST", "/v1/groups", body, headers).refused(409, "name_taken")
