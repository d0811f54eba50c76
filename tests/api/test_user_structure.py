"""A user's department, position, groups and kind: made with him, edited, listed, and audited."""
import itertools
import uuid

import pytest

from support.system import numbers

mails = itertools.count(1)


def path(user):
    return f"/v1/users/{user['id']}"


def body(**more):
    return {"email": f"structure{next(mails)}@example.org", "first_name": "Olena", "last_name": "Koval", **more}


def department(system, **fields):
    return system.admin.post("/v1/departments", {"name": f"Depot {next(numbers)}", **fields}).ok(201).body


def group(system):
    return system.admin.post("/v1/groups", {"name": f"Riders {next(numbers)}"}).ok(201).body


def position(system, title=None):
    return system.admin.post("/v1/positions", {"title": title or f"Courier {next(numbers)}"}).ok(201).body


def titles(system, word):
    return [row["title"] for row in system.admin.get("/v1/positions", q=word).ok(200).items]


def where(user):
    return user["department_id"], user["position"], user["group_ids"]


def test_a_user_is_made_where_he_stands(standing):
    depot, riders, drivers, courier = department(standing), group(standing), group(standing), position(standing)
    wanted = body(department_id=depot["id"], position=courier["title"].upper(), group_ids=[drivers["id"], riders["id"].upper()])
    user = standing.admin.post("/v1/users", wanted).ok(201).body
    assert where(user) == (depot["id"], courier["title"], sorted([riders["id"], drivers["id"]]))
    assert standing.admin.get(f"/v1/positions/{courier['id']}").ok(200)["users"] == 1
    assert where(standing.create_user(department_id=None, position="", group_ids=[])) == (None, None, [])


def test_a_position_that_nobody_has_heard_of_is_made_and_puts_nobody_into_a_department(standing):
    """S1-23 and S1-25."""
    title = f"Комірник {next(numbers)}"
    user = standing.create_user(position=title)
    assert where(user) == (None, title, []) and titles(standing, title) == [title]
    depot = department(standing)
    other = standing.create_user(department_id=depot["id"])
    assert where(standing.admin.patch(path(other), {"position": title.upper()}).ok(200)) == (depot["id"], title, [])
    newer = f"Senior {next(numbers)}"
    assert where(standing.admin.patch(path(other), {"position": newer}).ok(200)) == (depot["id"], newer, [])
    assert standing.admin.patch(path(other), {"position": ""}).ok(200)["position"] is None
    assert standing.admin.patch(path(user), {"position": None}).ok(200)["position"] is None
    made = [row for row in standing.audit("position.created") if row["changes"]["title"][1] in (title, newer)]
    assert [row["changes"] for row in made] == [{"title": [None, newer]}, {"title": [None, title]}]
    assert all(row["actor"]["id"] == standing.admin_id and row["subject"]["id"] for row in made)
    assert [row["changes"] for row in standing.audit("user.edited", other)] == [
        {"position": [newer, None]}, {"position": [title, newer]}, {"position": [None, title]}]


def test_a_position_under_a_new_title_shows_with_its_users_at_once(standing):
    courier = position(standing)
    user = standing.create_user(position=courier["title"])
    standing.admin.patch(f"/v1/positions/{courier['id']}", {"title": "Кур'єр"}).ok(200)
    assert standing.user(user) == {**user, "position": "Кур'єр"}
    assert "Somebody has" in standing.admin.delete(f"/v1/positions/{courier['id']}").refused(409, "state_conflict")["detail"]
    standing.admin.patch(path(user), {"position": None}).ok(200)
    standing.admin.delete(f"/v1/positions/{courier['id']}").ok(204)


def test_where_positions_are_chosen_from_the_list_another_is_refused(server_only):
    courier = position(server_only, "Courier")
    server_only.set_policy(position_free_text=False)
    user = server_only.create_user(position="courier")
    assert user["position"] == "Courier"
    for answer in (server_only.admin.post("/v1/users", body(position="Pilot")), server_only.admin.patch(path(user), {"position": "Pilot"})):
        fault = answer.refused(422, "invalid_body")["errors"][0]
        assert (fault["pointer"], fault["code"]) == ("/position", "invalid") and "position_free_text" in fault["detail"]
    assert titles(server_only, "") == ["Courier"] and server_only.user(user)["position"] == courier["title"]


def test_an_edit_that_is_refused_makes_no_position(standing):
    user = standing.create_user()
    taken = standing.create_user()
    title = f"Ghost {next(numbers)}"
    standing.admin.patch(path(user), {"position": title, "email": taken["email"]}).refused(409, "email_taken")
    standing.admin.patch(path(user), {"position": title}, headers={"If-Match": '"99"'}).refused(412)
    standing.admin.post("/v1/users", body(position=title, email=taken["email"])).refused(409, "email_taken")
    assert titles(standing, title) == []


def test_groups_are_replaced_and_told(standing):
    first, second, third = sorted((group(standing) for _ in range(3)), key=lambda made: made["id"])
    user = standing.create_user(group_ids=[second["id"], first["id"]])
    changed = standing.admin.patch(path(user), {"group_ids": [third["id"], second["id"]], "first_name": "Olha"}).ok(200).body
    assert changed["group_ids"] == [second["id"], third["id"]] and changed["version"] == user["version"] + 1
    assert standing.audit("user.edited", user)[0]["changes"]["group_ids"] == [[first["id"], second["id"]], [second["id"], third["id"]]]
    assert standing.admin.patch(path(user), {"group_ids": []}).ok(200)["group_ids"] == []


def test_what_he_has_already_is_no_change(standing):
    depot, riders, drivers = department(standing), group(standing), group(standing)
    user = standing.create_user(department_id=depot["id"], position="Courier", group_ids=[riders["id"], drivers["id"]])
    same = {"department_id": depot["id"], "position": "COURIER", "group_ids": [drivers["id"], riders["id"]], "kind": "employee"}
    assert standing.admin.patch(path(user), same).ok(200).body == standing.user(user)
    assert standing.user(user)["version"] == user["version"]


def test_a_department_is_told_before_and_after(standing):
    one, other = department(standing), department(standing)
    user = standing.create_user(department_id=one["id"])
    assert standing.admin.patch(path(user), {"department_id": other["id"]}).ok(200)["department_id"] == other["id"]
    assert standing.admin.patch(path(user), {"department_id": None}).ok(200)["department_id"] is None
    assert [row["changes"] for row in standing.audit("user.edited", user)] == [
        {"department_id": [other["id"], None]}, {"department_id": [one["id"], other["id"]]}]


def test_all_that_is_unknown_is_named_at_once(standing):
    riders, foreign = group(standing)["id"], str(uuid.uuid4())
    organization = standing.other_organization()["id"]
    for table in ("department", "user_group"):
        standing.sql(f"INSERT INTO rollcall.{table} (org_id, id, name) VALUES (%s, %s, 'Foreign')", organization, foreign)
    user = standing.create_user()
    bad = {"department_id": foreign, "position": 5, "group_ids": ["x", riders, foreign, riders, str(uuid.uuid4())], "phone": "1", "kind": "external"}
    faults = {"/department_id": "unknown_id", "/position": "wrong_type", "/group_ids/0": "unknown_id", "/group_ids/2": "unknown_id",
              "/group_ids/3": "duplicate_id", "/group_ids/4": "unknown_id", "/phone": "invalid", "/kind": "invalid"}
    for answer in (standing.admin.patch(path(user), bad), standing.admin.post("/v1/users", body(**bad))):
        assert answer.refused(422, "invalid_body").faults() == faults


MALFORMED = {
    "department no id": ({"department_id": "x"}, {"/department_id": "unknown_id"}),
    "department empty": ({"department_id": ""}, {"/department_id": "invalid"}),
    "department a list": ({"department_id": []}, {"/department_id": "wrong_type"}),
    "position of 201": ({"position": "x" * 201}, {"/position": "too_long"}),
    "position blank": ({"position": " "}, {"/position": "invalid"}),
    "position of two lines": ({"position": "a\nb"}, {"/position": "invalid"}),
    "groups null": ({"group_ids": None}, {"/group_ids": "wrong_type"}),
    "groups a text": ({"group_ids": "x"}, {"/group_ids": "wrong_type"}),
    "groups that are no texts": ({"group_ids": [None, 5]}, {"/group_ids/0": "wrong_type", "/group_ids/1": "wrong_type"}),
    "51 groups": ({"group_ids": ["x"] * 51}, {"/group_ids": "too_long"}),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_one_is_refused(standing, name):
    bad, faults = MALFORMED[name]
    user = standing.create_user()
    for answer in (standing.admin.patch(path(user), bad), standing.admin.post("/v1/users", body(**bad))):
        assert answer.refused(422, "invalid_body").faults() == faults
    assert standing.user(user) == user


def test_kinds_are_those_of_the_policy(server_only):
    user = server_only.create_user()
    assert user["kind"] == "employee"
    for answer in (server_only.admin.patch(path(user), {"kind": "external"}), server_only.admin.post("/v1/users", body(kind="external"))):
        fault = answer.refused(422, "invalid_body")["errors"][0]
        assert (fault["pointer"], fault["code"]) == ("/kind", "invalid") and "user_kinds" in fault["detail"]
    server_only.set_policy(user_kinds=["employee", "external"])
    assert server_only.admin.patch(path(user), {"kind": "external"}).ok(200)["kind"] == "external"
    server_only.set_policy(user_kinds=["employee"])
    assert server_only.admin.patch(path(user), {"kind": "external", "first_name": "Olha"}).ok(200)["kind"] == "external"
    server_only.set_policy(user_kinds=["external"])
    assert server_only.admin.post("/v1/users", body()).refused(422).faults() == {"/kind": "required"}
    assert server_only.create_user(kind="external")["kind"] == "external"


def test_the_list_and_its_count_know_department_and_group(standing):
    depot, below, riders = department(standing), None, group(standing)
    below = department(standing, parent_id=depot["id"])
    first = standing.create_user(department_id=depot["id"], group_ids=[riders["id"]], last_name="A")
    second = standing.create_user(department_id=depot["id"], last_name="B")
    third = standing.create_user(department_id=below["id"], group_ids=[riders["id"]], last_name="C")

    def found(**filters):
        answer = standing.admin.get("/v1/users", count="true", **filters).ok(200)
        assert answer["total"] == len(answer.items) == len(standing.admin.pages("/v1/users", limit=1, **filters))
        return [user["id"] for user in answer.items]

    assert found(department_id=depot["id"]) == [first["id"], second["id"]]
    assert found(group_id=riders["id"], sort="-name") == [third["id"], first["id"]]
    assert found(group_id=riders["id"], department_id=depot["id"], sort="created_at") == [first["id"]]
    assert found(department_id=str(uuid.uuid4())) == [] == found(group_id=str(uuid.uuid4()))
    standing.admin.get("/v1/users", department_id="x", group_id="y").refused(400, "invalid_query")


def test_who_holds_more_is_not_moved(standing):
    boss, depot = standing.create_administrator(), department(standing)
    helper = standing.client(standing.make_key("users:read", "users:write"))
    for patch in ({"department_id": depot["id"]}, {"position": "Courier"}, {"group_ids": []}):
        helper.patch(path(boss), patch).refused(403, "exceeds_your_permissions")


def test_of_oneself_these_are_only_read(standing):
    me = standing.sign_in(standing.create_active())
    answer = me.patch("/v1/me", {"department_id": None, "position": "Boss", "group_ids": []}).refused(422, "invalid_body")
    assert answer.faults() == {"/department_id": "read_only", "/position": "read_only", "/group_ids": "read_only"}
