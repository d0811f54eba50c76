"""PUT /v1/users/by-external-id/{external_id}: another system says what it knows of one of its people."""
import threading
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.system import numbers

PERSON = {"first_name": "Olena", "last_name": "Koval"}


def path_of(external_id):
    return f"/v1/users/by-external-id/{urllib.parse.quote(external_id, safe='')}"


def fresh():
    return f"hr-{next(numbers)}"


def put(system, external_id, body, **more):
    return system.admin.put(path_of(external_id), body, **more)


def test_who_is_not_there_is_made_and_invited(standing):
    external_id = fresh()
    made = put(standing, external_id, {**PERSON, "email": f"{external_id}@example.org", "locale": "uk"}).ok(201)
    assert made["external_id"] == external_id and made["status"] == "pending" and made["invitation"]["state"] == "pending"
    assert made.headers["Location"] == f"/v1/users/{made['id']}" and made.headers["ETag"] == f'"{made["version"]}"'
    assert standing.admin.get(f"/v1/users/{made['id']}").ok(200)["external_id"] == external_id
    assert [row["action"] for row in standing.audit(user=made.body)] == ["user.created"]


def test_who_is_there_is_edited_and_what_is_absent_stays(standing):
    external_id = fresh()
    made = put(standing, external_id, {**PERSON, "email": f"{external_id}@example.org", "phone": "+380441234567"}).ok(201)
    changed = put(standing, external_id, {"last_name": "Шевченко", "phone": None}).ok(200)
    assert (changed["id"], changed["first_name"], changed["last_name"], changed["phone"], changed["email"]) == (
        made["id"], "Olena", "Шевченко", None, made["email"])
    assert changed["version"] == made["version"] + 1
    again = put(standing, external_id, {"last_name": "Шевченко"}).ok(200)
    assert again["version"] == changed["version"], "the same once more changes nothing"
    assert len(standing.outbox(user=made.body)) == 1


def test_an_invitation_follows_the_policy(standing):
    standing.set_policy(invite_on_create="ask")
    external_id = fresh()
    made = put(standing, external_id, {**PERSON, "email": f"{external_id}@example.org"}).ok(201)
    assert made["invitation"] is None and not standing.outbox(user=made.body)
    standing.set_policy(invite_on_create="always")


@pytest.mark.parametrize("external_id", ["A/1", "№ 5", "a b+c%2F", "..x", "ünïcode-" + "x" * 190, "?#&", "1"])
def test_an_external_id_may_be_anything(standing, external_id):
    made = put(standing, external_id, {**PERSON, "email": f"any{next(numbers)}@example.org"}).ok(201)
    assert made["external_id"] == external_id
    assert put(standing, external_id, {"first_name": "Ада"}).ok(200)["id"] == made["id"]
    assert [user["id"] for user in standing.admin.get("/v1/users", external_id=external_id).ok(200).items] == [made["id"]]


def test_a_name_that_is_none_is_not_found(standing):
    put(standing, "x" * 201, PERSON).refused(404, "not_found")
    standing.admin.put("/v1/users/by-external-id/", PERSON).refused(404, "not_found")
    for dots in (".", "%2E%2E"):
        answer = standing.admin.raw("PUT", f"/v1/users/by-external-id/{dots}", headers={"Content-Type": "application/json"}, data=b"{}")
        answer.refused(404, "not_found")


def test_faults_come_at_once_and_change_nothing(standing):
    external_id = fresh()
    answer = put(standing, external_id, {"email": "nobody", "status": "active", "password": "violet tractor under seven moons", "invite": True,
                                         "external_id": "other", "colour": 1}).refused(422, "invalid_body")
    assert answer.faults() == {"/email": "invalid", "/status": "read_only", "/password": "read_only", "/invite": "read_only",
                               "/external_id": "read_only", "/colour": "unknown_field", "/first_name": "required", "/last_name": "required"}
    assert standing.admin.get("/v1/users", external_id=external_id).ok(200).items == []
    made = put(standing, external_id, {**PERSON, "email": f"{external_id}@example.org"}).ok(201)
    answer = put(standing, external_id, {"role_id": made["id"], "role": {"name": "X", "permissions": []}}).refused(422, "invalid_body")
    assert answer.faults() == {"/role_id": "unknown_id", "/role": "read_only"}


def test_a_role_that_was_made_with_him_may_be_said_again(standing):
    external_id, role = fresh(), {"name": f"Role {fresh()}", "permissions": ["door:open", "users:read"]}
    person = {**PERSON, "email": f"{external_id}@example.org"}
    made = put(standing, external_id, {**person, "role": role}).ok(201)
    again = put(standing, external_id, {**person, "role": {**role, "permissions": ["users:read", "door:open"]}}).ok(200)
    assert (again["role_id"], again["version"]) == (made["role_id"], made["version"])
    standing.admin.patch(f"/v1/users/{made['id']}", {"role_id": None}).ok(200)
    assert put(standing, external_id, {"role": role}).ok(200)["role_id"] == made["role_id"]
    for other in ({**role, "permissions": ["users:read"]}, {**role, "permissions": [*role["permissions"], "a:b"]}, {**role, "name": "No such role"},
                  {"name": role["name"]}, {**role, "colour": 1}, {**role, "color": "#ff0000", "x": 1}, {**role, "permissions": "users:read"}, {**role, "permissions": {"users:read": True}}, {}):
        assert put(standing, external_id, {"role": other}).refused(422, "invalid_body").faults() == {"/role": "read_only"}, other
    assert put(standing, external_id, {"role": None}).ok(200)["role_id"] == made["role_id"]
    assert put(standing, external_id, {"role": role, "role_id": made["role_id"]}).refused(422, "invalid_body").faults() == {"/role": "read_only"}


def test_another_ones_address_is_taken(standing):
    other = standing.create_user()
    put(standing, fresh(), {**PERSON, "email": other["email"]}).refused(409, "email_taken")


def test_versions_are_compared(standing):
    external_id = fresh()
    put(standing, external_id, PERSON, headers={"If-Match": '"1"'}).refused(412, "version_mismatch")
    made = put(standing, external_id, {**PERSON, "email": f"{external_id}@example.org"}).ok(201)
    put(standing, external_id, {"first_name": "A"}, headers={"If-Match": made.headers["ETag"]}).ok(200)
    put(standing, external_id, {"first_name": "B"}, headers={"If-Match": made.headers["ETag"]}).refused(412, "version_mismatch")


def test_it_needs_what_making_and_editing_need(standing):
    external_id = fresh()
    writer = standing.client(standing.make_key("users:write"))
    writer.put(path_of(external_id), {**PERSON, "email": f"{external_id}@example.org"}).refused(403, "permission_missing")
    boss = standing.create_administrator()
    standing.admin.patch(f"/v1/users/{boss['id']}", {"external_id": external_id}).ok(200)
    writer.put(path_of(external_id), {"first_name": "X"}).refused(403, "exceeds_your_permissions")


def test_another_organizations_external_id_is_another(standing):
    external_id = fresh()
    made = put(standing, external_id, {**PERSON, "email": f"{external_id}@example.org"}).ok(201)
    other = standing.client(standing.other_organization()["key"])
    assert other.put(path_of(external_id), {**PERSON, "email": f"{external_id}@example.org"}).ok(201)["id"] != made["id"]


def test_many_who_make_the_same_one_at_once_make_one(standing):
    for _ in range(10):
        external_id, answers = fresh(), []
        clients = [standing.client(standing.admin_token) for _ in range(4)]
        start = threading.Barrier(len(clients))

        def run(client, external_id=external_id, answers=answers, start=start):
            start.wait()
            answers.append(client.put(path_of(external_id), {**PERSON, "email": f"{external_id}@example.org"}))
        threads = [threading.Thread(target=run, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answer.status for answer in answers) == [200, 200, 200, 201], answers
        assert len({answer["id"] for answer in answers}) == 1


def test_who_changes_while_he_is_edited_is_found_again_by_the_same_name(standing):
    """He was looked for by his own id the second time, not found, and so made: a second user."""
    external_id = fresh()
    made = put(standing, external_id, {**PERSON, "email": f"{external_id}@example.org"}).ok(201)
    with standing.cluster.connect(standing.database) as db, ThreadPoolExecutor(1) as pool:
        with db.transaction():
            db.execute("UPDATE rollcall.users SET version = version + 1 WHERE id = %s", (made["id"],))
            answer = pool.submit(put, standing, external_id, {**PERSON, "first_name": "Ада", "email": f"new-{external_id}@example.org"})
            standing.wait_for_lock("the edit waits for us")
        edited = answer.result().ok(200)
    assert (edited["id"], edited["first_name"], edited["external_id"]) == (made["id"], "Ада", external_id)
    assert standing.value("SELECT count(*) FROM rollcall.users WHERE external_id = %s", made["id"]) == 0
