"""Assignments: what applications give to users and departments, and to whom they may not."""
import concurrent.futures
import json
import uuid

import pytest

UNKNOWN = "01900000-0000-7000-8000-000000000000"


@pytest.fixture
def path():
    """A resource of its own for each test."""
    return f"/v1/assignments/crm/deal/{uuid.uuid4()}"


@pytest.fixture(scope="module")
def worker(shared_server):
    """Somebody who may be given anything."""
    user = shared_server.create_user(first_name="Worker")
    shared_server.move("users", user, status="'active'")
    return user


def active(standing):
    user = standing.create_user()
    standing.move("users", user, status="'active'")
    return user


def department(standing, name):
    """Departments are another test's: a row of the table."""
    id = str(uuid.uuid4())
    standing.sql("INSERT INTO rollcall.department (org_id, id, name) VALUES (%s, %s, %s)", standing.org_id, id, name + id)
    return id


def test_one_is_given_moved_and_taken_away_and_the_audit_tells_it(standing, worker, path):
    other = active(standing)
    made = standing.admin.put(path, {"user_id": worker["id"].upper()}).ok(200)
    app, type, resource = path.split("/")[3:]
    assert made.body | {"app": app, "type": type, "resource": resource, "relation": "assignee", "user_id": worker["id"], "department_id": None,
                        "version": 1} == made.body
    assert made.headers["ETag"] == '"1"'
    assert standing.admin.get(path).ok(200).body == {"items": [made.body], "next_cursor": None}
    assert standing.admin.put(path, {"user_id": worker["id"], "relation": "assignee"}).ok(200).body == made.body, "it is his already"
    moved = standing.admin.put(path, {"user_id": other["id"]}).ok(200)
    assert (moved["id"], moved["user_id"], moved["version"]) == (made["id"], other["id"], 2)
    standing.admin.delete(path).ok(204)
    standing.admin.delete(path).refused(404, "not_found")
    assert standing.admin.get(path).items == []
    told = [(row["action"], row["changes"]) for row in standing.audit() if row["subject"]["id"] == made["id"]]
    name = f"{app}/{type}/{resource}"
    assert told == [
        ("assignment.removed", {"resource": [name, None], "relation": ["assignee", None], "user_id": [other["id"], None]}),
        ("assignment.set", {"resource": [name, name], "relation": ["assignee", "assignee"], "user_id": [worker["id"], other["id"]]}),
        ("assignment.set", {"resource": [None, name], "relation": [None, "assignee"], "user_id": [None, worker["id"]]})]


def test_each_relation_has_a_holder_of_its_own(standing, worker, path):
    here = department(standing, "Sales")
    for relation, holder in (("reviewer", {"user_id": worker["id"]}), ("assignee", {"department_id": here}), ("owner.of_it-2", {"user_id": worker["id"]})):
        standing.admin.put(path, {**holder, "relation": relation}).ok(200)
    found = {item["relation"]: (item["user_id"], item["department_id"]) for item in standing.admin.get(path).items}
    assert found == {"assignee": (None, here), "owner.of_it-2": (worker["id"], None), "reviewer": (worker["id"], None)}
    to_user = standing.admin.put(path, {"user_id": worker["id"], "department_id": None}).ok(200)
    assert (to_user["user_id"], to_user["department_id"], to_user["version"]) == (worker["id"], None, 2)
    standing.admin.call("DELETE", path, params={"relation": "owner.of_it-2"}).ok(204)
    standing.admin.call("DELETE", path, params={"relation": "owner.of_it-2"}).refused(404)
    assert [item["relation"] for item in standing.admin.get(path).items] == ["assignee", "reviewer"]
    standing.admin.delete(path).ok(204)
    assert standing.admin.get(path).items == []


def test_a_stale_version_is_refused(standing, worker, path):
    other = active(standing)
    standing.admin.put(path, {"user_id": worker["id"]}, headers={"If-Match": '"1"'}).refused(412, "version_mismatch")
    tag = {"If-Match": standing.admin.put(path, {"user_id": worker["id"]}).ok(200).headers["ETag"]}
    standing.admin.put(path, {"user_id": other["id"]}, headers=tag).ok(200)
    standing.admin.put(path, {"user_id": worker["id"]}, headers=tag).refused(412, "version_mismatch")
    standing.admin.delete(path, headers=tag).refused(412, "version_mismatch")
    assert standing.admin.get(path).items[0]["user_id"] == other["id"]


FAULTS = {
    "nobody": ({}, {"/user_id": "required"}),
    "nulls": ({"user_id": None, "department_id": None}, {"/user_id": "required"}),
    "an unknown user": ({"user_id": UNKNOWN}, {"/user_id": "unknown_id"}),
    "an unknown department": ({"department_id": UNKNOWN}, {"/department_id": "unknown_id"}),
    "no ids": ({"user_id": "me", "department_id": 7}, {"/user_id": "unknown_id", "/department_id": "wrong_type"}),
    "both, and unknown": ({"user_id": UNKNOWN, "department_id": UNKNOWN}, {"/user_id": "unknown_id", "/department_id": "invalid"}),
    "a relation that is no word": ({"user_id": UNKNOWN, "relation": "the Owner"}, {"/user_id": "unknown_id", "/relation": "invalid"}),
    "an empty relation": ({"relation": ""}, {"/user_id": "required", "/relation": "invalid"}),
    "a long relation": ({"user_id": UNKNOWN, "relation": "x" * 65}, {"/user_id": "unknown_id", "/relation": "too_long"}),
    "what is not said here": ({"app": "x", "version": 1, "colour": 1}, {"/user_id": "required", "/app": "read_only", "/version": "read_only", "/colour": "unknown_field"}),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_named_all_at_once(standing, path, name):
    body, faults = FAULTS[name]
    assert faults.items() <= standing.admin.put(path, body).refused(422, "invalid_body").faults().items()
    assert standing.admin.get(path).items == []


def test_somebody_of_another_organization_is_unknown(standing, worker, path):
    other = standing.other_organization()
    foreign = standing.admin.put(path, {"user_id": other["user_id"]}).refused(422, "invalid_body")
    assert foreign["errors"] == standing.admin.put(path, {"user_id": UNKNOWN}).refused(422)["errors"]
    standing.admin.put(path, {"user_id": worker["id"]}).ok(200)
    stranger = standing.client(other["key"])
    assert stranger.get(path).ok(200).items == []
    stranger.delete(path).refused(404, "not_found")
    stranger.put(path, {"user_id": worker["id"]}).refused(422)
    stranger.get(f"/v1/users/{worker['id']}/assignments").refused(404, "not_found")
    assert len(standing.admin.get(path).items) == 1


@pytest.mark.parametrize("status,columns", [
    ("pending", {}), ("inactive", {"status": "'inactive'"}), ("locked", {"status": "'locked'", "status_before_lock": "'active'"})])
def test_only_the_active_are_given_anything(standing, path, status, columns):
    """S0-16, S0-20, S3-17."""
    user = standing.create_user()
    if columns:
        standing.move("users", user, **columns)
    assert status in standing.admin.put(path, {"user_id": user["id"]}).refused(409, "state_conflict")["detail"]
    assert standing.user(user)["assignable"] is False and standing.admin.get(path).items == []


def test_who_is_away_is_given_nothing_unless_the_policy_says_so(standing, path):
    user = active(standing)
    standing.add_day_off(user)
    answer = standing.admin.put(path, {"user_id": user["id"]}).refused(409, "state_conflict", policy="assignable_on_day_off")
    assert "day off" in answer["detail"]
    standing.admin.patch("/v1/policy", {"assignable_on_day_off": True}).ok(200)
    standing.admin.put(path, {"user_id": user["id"]}).ok(200)
    standing.admin.patch("/v1/policy", {"assignable_on_day_off": False}).ok(200)
    assert standing.admin.get(path).items[0]["user_id"] == user["id"], "what he has he keeps"


NAMES = {
    "crm/deal/4711": True, "a/b/c": True, "x.y-z_1/2/%D0%A1%D0%BF%D1%80%D0%B0%D0%B2%D0%B0%20%E2%84%961": True, "crm/deal/" + "x" * 200: True,
    "crm/deal/" + "%D1%84" * 200: True, f"crm/deal/{UNKNOWN}": True, "crm/deal/%25": True, "crm/deal/a%3Fb%23c": True, "x" * 64 + "/" + "y" * 64 + "/z": True,
    "crm/deal/" + "x" * 201: False, "crm/deal/" + "%D1%84" * 201: False, "CRM/deal/1": False, "crm/De%20al/1": False, "x" * 65 + "/y/z": False,
    "crm/deal": False, "crm/deal/": False, "crm/deal/a/b": False, "crm/deal/a%2Fb": False, "crm//a": False,
    # A client or a proxy would make another path of these on the way.
    "crm/deal/.": False, "crm/deal/%2E%2E": False, "crm/../1": False, "./deal/1": False, "crm/deal/...": True, "crm/.x/1": True,
    "crm/%D1%84/1": False,
}


@pytest.mark.parametrize("name", NAMES)
def test_names_are_words_and_a_resource_is_anything_that_can_be_read(standing, worker, name):
    path = "/v1/assignments/" + name
    headers = {"Content-Type": "application/json"}
    answer = standing.admin.raw("PUT", path, headers=headers, data=json.dumps({"user_id": worker["id"]}).encode())
    if not NAMES[name]:
        answer.refused(404, "not_found")
        standing.admin.raw("GET", path).refused(404, "not_found")
        return
    assert standing.admin.raw("GET", path).ok(200).items == [answer.ok(200).body]
    assert "/" not in answer["resource"] and "%" not in answer["resource"].replace("%", "", "%25" in name)
    standing.admin.raw("DELETE", path).ok(204)


def test_a_path_with_control_characters_is_none(standing):
    for name in ("crm/deal/a%00", "crm/deal/a%0A", "crm/deal/%C2%85", "crm/deal/%FF"):
        assert standing.admin.raw("GET", "/v1/assignments/" + name).status == 400


def test_what_a_user_holds_is_a_list(standing, path):
    user = active(standing)
    for number in range(5):
        standing.admin.put(f"{path}-{number}", {"user_id": user["id"]}).ok(200)
    listed = f"/v1/users/{user['id']}/assignments"
    whole = standing.admin.get(listed, count="true").ok(200)
    assert whole["total"] == 5 and [item["resource"][-1] for item in whole.items] == list("01234")
    assert standing.admin.pages(listed, limit=2) == whole.items
    standing.admin.get(listed, cursor="x", limit=0).refused(400, "invalid_query")
    standing.admin.get(f"/v1/users/{UNKNOWN}/assignments").refused(404, "not_found")


def test_reading_and_giving_need_their_permissions(standing, worker, path):
    reader, writer = (standing.client(standing.make_key(*words)) for words in (["users:read"], ["users:read", "users:write"]))
    reader.put(path, {"user_id": worker["id"]}).refused(403, "permission_missing")
    # An application gives its tasks to whom it likes: that takes nothing from an administrator.
    writer.put(path, {"user_id": standing.admin_id}).ok(200)
    assert len(reader.get(path).ok(200).items) == 1
    reader.delete(path).refused(403, "permission_missing")
    writer.call("DELETE", path, params={"relation": "The Owner"}).refused(400, "invalid_query")
    writer.delete(path).ok(204)


@pytest.mark.parametrize("policy,stays", [("keep", True), ("detach", False)])
def test_whoever_is_inactivated_keeps_or_leaves_what_he_was_given(standing, path, policy, stays):
    """S3-27, S4-24's little sister: the same statement takes the status and the assignments."""
    standing.admin.patch("/v1/policy", {"assignments_on_inactivate": policy}).ok(200)
    user, other = active(standing), active(standing)
    for number in range(3):
        standing.admin.put(f"{path}-{number}", {"user_id": user["id"]}).ok(200)
    standing.admin.put(f"{path}-other", {"user_id": other["id"]}).ok(200)
    standing.admin.put(f"{path}-0", {"user_id": other["id"], "relation": "reviewer"}).ok(200)
    standing.admin.post(f"/v1/users/{user['id']}/inactivate").ok(200)
    assert len(standing.admin.get(f"/v1/users/{user['id']}/assignments").items) == (3 if stays else 0)
    assert [item["relation"] for item in standing.admin.get(f"{path}-0").items] == (["assignee", "reviewer"] if stays else ["reviewer"])
    assert len(standing.admin.get(f"/v1/users/{other['id']}/assignments").items) == 2
    event, = standing.audit("user.inactivated", user)
    if stays:
        assert "assignments" not in event["changes"]
    else:
        name = path.removeprefix("/v1/assignments/")
        assert event["changes"]["assignments"] == [[f"{name}-{number}#assignee" for number in range(3)], None]
        assert event["changes"]["assignment_count"] == [3, 0]
    standing.admin.patch("/v1/policy", {"assignments_on_inactivate": "keep"}).ok(200)


def test_a_lock_takes_nothing_away(standing, path):
    standing.set_policy(assignments_on_inactivate="detach")
    user = standing.create_active()
    standing.admin.put(path, {"user_id": user["id"]}).ok(200)
    for _ in range(10):
        standing.login(user["email"], "quite another password").refused(401)
    assert standing.user(user)["status"] == "locked" and len(standing.admin.get(path).items) == 1
    standing.set_policy(assignments_on_inactivate="keep")


def test_giving_and_inactivating_at_once_leave_nobody_inactive_with_something(standing, path):
    """Either he was given it and it was taken away, or he was inactive and it was refused."""
    standing.set_policy(assignments_on_inactivate="detach")
    giver, admin = standing.client(standing.admin_token), standing.client(standing.admin_token)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for number in range(25):
            user = active(standing)
            giving = pool.submit(lambda user=user, number=number: [giver.put(f"{path}-{number}-{n}", {"user_id": user["id"]}).status for n in range(4)])
            inactivating = pool.submit(lambda user=user: admin.post(f"/v1/users/{user['id']}/inactivate").status)
            assert set(giving.result()) <= {200, 409} and inactivating.result() in (200, 409)
            if standing.user(user)["status"] == "inactive":
                assert standing.admin.get(f"/v1/users/{user['id']}/assignments").items == []
    standing.set_policy(assignments_on_inactivate="keep")


def test_of_many_who_give_it_at_once_one_is_the_last(standing, path):
    users = [active(standing) for _ in range(6)]
    clients = [standing.client(standing.admin_token) for _ in users]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(lambda pair: pair[0].put(path, {"user_id": pair[1]["id"]}).status, zip(clients, users)))
    assert set(statuses) <= {200, 409}
    holder, = standing.admin.get(path).items
    assert holder["version"] == statuses.count(200)
    rows = [row["changes"]["user_id"] for row in standing.audit() if row["subject"]["id"] == holder["id"]]
    # In the order of the writing, which is not that of the ids: those were made before each waited for his turn.
    after = {before: after for before, after in rows}
    assert len(after) == len(rows), "each tells what it really found"
    chain = [after[None]]
    while chain[-1] in after:
        chain.append(after[chain[-1]])
    assert len(chain) == len(rows) and chain[-1] == holder["user_id"]
