"""Departments: a tree without circles, and without holes. What it shares with other resources: test_resources.py."""
import uuid

import pytest

from support.system import numbers


def make(system, parent=None, name=None):
    body = {"name": name or f"Depot {next(numbers)}", "parent_id": parent and parent["id"]}
    return system.admin.post("/v1/departments", body).ok(201).body


def path(department):
    return f"/v1/departments/{department['id']}"


def read(system, department):
    return system.admin.get(path(department)).ok(200).body


@pytest.fixture
def chain(standing):
    """Three departments, each in the one before."""
    root = make(standing)
    middle = make(standing, root)
    return root, middle, make(standing, middle)


def test_the_path_tells_the_names_from_the_root_down(standing, chain):
    root, middle, leaf = chain
    assert root["path"] == [root["name"]] and root["parent_id"] is None
    assert leaf["path"] == [root["name"], middle["name"], leaf["name"]] and leaf["parent_id"] == middle["id"]
    standing.admin.patch(path(root), {"name": "Київ, центр"}).ok(200)
    assert read(standing, leaf)["path"][0] == "Київ, центр"
    found = standing.admin.get("/v1/departments", q=leaf["name"]).ok(200).items
    assert [item["path"][-1] for item in found] == [leaf["name"]]


def test_a_tree_may_be_deep(standing):
    below = None
    for _ in range(40):
        below = make(standing, below)
    assert len(below["path"]) == 40
    top = standing.admin.get("/v1/departments", q=below["path"][0]).ok(200).items[0]
    standing.admin.patch(path(top), {"parent_id": below["id"]}).refused(422)


def test_a_department_shows_how_much_is_directly_in_it(standing, chain):
    root, middle, leaf = chain
    for department in (middle, middle, leaf):
        standing.create_user(department_id=department["id"])
    assert [(read(standing, one)["departments"], read(standing, one)["users"]) for one in chain] == [(1, 0), (1, 2), (0, 1)]


def test_a_move_takes_all_that_is_below_along(standing, chain):
    root, middle, leaf = chain
    other = make(standing)
    moved = standing.admin.patch(path(middle), {"parent_id": other["id"]}).ok(200)
    assert moved["parent_id"] == other["id"] and moved["version"] == middle["version"] + 1
    assert read(standing, leaf)["path"] == [other["name"], middle["name"], leaf["name"]]
    assert standing.admin.patch(path(middle), {"parent_id": None}).ok(200)["path"] == [middle["name"]]
    told = [row["changes"] for row in standing.audit("department.edited") if row["subject"]["id"] == middle["id"]]
    assert told == [{"parent_id": [other["id"], None]}, {"parent_id": [root["id"], other["id"]]}]


@pytest.mark.parametrize("below", [0, 1, 2], ids=["itself", "its child", "its grandchild"])
def test_a_department_is_not_moved_into(standing, chain, below):
    answer = standing.admin.patch(path(chain[0]), {"parent_id": chain[below]["id"], "name": "New"}).refused(422, "invalid_body")
    assert answer.faults() == {"/parent_id": "invalid"}
    assert read(standing, chain[0])["path"] == chain[0]["path"]


def test_a_parent_that_there_is_not_is_named_with_all_other_faults(standing, chain):
    foreign = str(uuid.uuid4())
    standing.sql("INSERT INTO rollcall.department (org_id, id, name) VALUES (%s, %s, 'Foreign')", standing.other_organization()["id"], foreign)
    for parent in (foreign, str(uuid.uuid4()), "no id"):
        for answer in (standing.admin.post("/v1/departments", {"name": "", "parent_id": parent}),
                       standing.admin.patch(path(chain[0]), {"name": "", "parent_id": parent})):
            assert answer.refused(422, "invalid_body").faults()["/parent_id"] == "unknown_id"
            assert "/name" in answer.faults()


def test_a_name_stands_once_below_the_same_parent(standing, chain):
    root, middle, leaf = chain
    make(standing, leaf, name=middle["name"])
    standing.admin.post("/v1/departments", {"name": middle["name"].upper(), "parent_id": root["id"]}).refused(409, "name_taken")
    same = make(standing, name=middle["name"])
    standing.admin.patch(path(same), {"parent_id": root["id"]}).refused(409, "name_taken")


def test_a_department_with_something_in_it_is_not_deleted(standing, chain):
    root, middle, leaf = chain
    assert "1 departments" in standing.admin.delete(path(root)).refused(409, "state_conflict")["detail"]
    user = standing.create_user(department_id=leaf["id"])
    assert "1 users" in standing.admin.delete(path(leaf)).refused(409, "state_conflict")["detail"]
    standing.admin.patch(f"/v1/users/{user['id']}", {"department_id": None}).ok(200)
    for one in (leaf, middle, root):
        standing.admin.delete(path(one)).ok(204)
