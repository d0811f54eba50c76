"""Choosing users by a filter: who is counted, the number to repeat, and what is told of it."""
import json

import pytest
from support.selections import add_users, confirm, look, select
from test_deletion import wrong

FIELDS = {"id", "op", "state", "code", "count", "done", "failed", "problem", "created_at", "expires_at"}


def state(system, selection):
    return system.value("SELECT state FROM rollcall.selection WHERE id = %s", selection["id"])


def jobs(system, selection):
    return system.sql("SELECT kind FROM rollcall.job WHERE id = %s", selection["id"])


# --- asking

@pytest.mark.parametrize("op", ["activate", "inactivate", "invite"])
def test_the_first_call_counts_who_is_chosen_and_does_nothing_to_them(standing, op):
    department = add_users(standing, 3)
    selection = select(standing, op, department_id=department).ok(201).body
    assert set(selection) == FIELDS
    assert (selection["op"], selection["state"], selection["count"], selection["done"], selection["failed"]) == (op, "pending", 3, 0, 0)
    assert selection["code"].isdigit() and len(selection["code"]) == 6 and selection["problem"] is None
    assert look(standing, selection) == selection and jobs(standing, selection) == []
    assert standing.value("SELECT expires_at - created_at = interval '10 minutes' FROM rollcall.selection WHERE id = %s", selection["id"])
    chosen = set(standing.sql("SELECT user_id FROM rollcall.selection_user WHERE selection_id = %s", selection["id"]))
    assert chosen == set(standing.sql("SELECT id FROM rollcall.users WHERE department_id = %s", department))
    audited = standing.audit("selection.created")[0]
    assert audited["subject"] == {"kind": "selection", "id": selection["id"], "name": None} and audited["changes"] == {"op": [None, op], "count": [None, 3]}


@pytest.mark.parametrize("filter", [
    {"status": "active,locked"}, {"kind": "employee"}, {"q": "koval"}, {"q": "nobody at all"}, {"email": "ADMIN@example.org"}, {"vacation": "on"},
    {"assignable": True}, {"assignable": "true", "at": "2026-11-22T02:33:12Z"}, {"incomplete": True}, {"incomplete": False}, {"updated_since": "2020-01-01T00:00:00Z"}, {},
    {"role_id": None}])
def test_a_filter_chooses_whom_the_list_shows(standing, filter):
    add_users(standing, 2)
    params = {name: str(value).lower() if isinstance(value, bool) else value for name, value in filter.items() if value is not None}
    listed = standing.admin.pages("/v1/users", limit=200, **params)
    selection = select(standing, **filter).ok(201)
    assert selection["count"] == len(listed)
    assert {str(id) for id in standing.sql("SELECT user_id FROM rollcall.selection_user WHERE selection_id = %s", selection["id"])} == {user["id"] for user in listed}
    confirm(standing, selection, code="1")
    standing.sql("DELETE FROM rollcall.selection")


def test_all_faults_of_a_selection_are_answered_at_once(standing):
    answer = select(standing, "delete", status="gone", kind=7, role_id="x", at="2026-11-22T02:33:12Z", limit="3", q="q" * 101).refused(422, "invalid_body")
    assert answer.faults() == {"/op": "invalid", "/filter/status": "invalid", "/filter/kind": "wrong_type", "/filter/role_id": "unknown_id",
                               "/filter/at": "invalid", "/filter/limit": "unknown_field", "/filter/q": "too_long"}
    answer = standing.admin.post("/v1/users/selections", {"filter": [], "code": "1"}).refused(422, "invalid_body")
    assert answer.faults() == {"/op": "required", "/filter": "wrong_type", "/code": "unknown_field"}
    assert standing.admin.post("/v1/users/selections", {}).refused(422).faults() == {"/op": "required", "/filter": "required"}


def test_more_users_than_go_into_a_selection_are_refused_with_their_number(server_only):
    department = add_users(server_only, 100001, email=False)
    answer = select(server_only, department_id=department).refused(422, "invalid_body")
    assert answer.faults() == {"/filter": "too_long"} and "100001" in answer["errors"][0]["detail"]
    assert server_only.value("SELECT count(*) FROM rollcall.selection") == server_only.value("SELECT count(*) FROM rollcall.selection_user") == 0
    server_only.sql("DELETE FROM rollcall.users WHERE department_id = %s AND username LIKE 'u1.%%'", department)
    assert select(server_only, department_id=department).ok(201)["count"] == 100000


def test_so_many_selections_wait_for_their_number_and_no_more(server_only):
    for _ in range(20):
        select(server_only, q="nobody").ok(201)
    select(server_only, q="nobody").refused(409, "state_conflict")
    server_only.sql("UPDATE rollcall.selection SET expires_at = now() WHERE id IN (SELECT id FROM rollcall.selection LIMIT 1)")
    select(server_only, q="nobody").ok(201)


def test_permissions_are_those_of_what_is_done(standing):
    for permissions, op, is_allowed in ((["imports:write"], "activate", False), (["users:write"], "activate", False), (["imports:write", "users:write"], "inactivate", False), (["imports:write", "users:write", "users:read"], "inactivate", True),
                                        (["imports:write", "users:write", "users:read"], "invite", False), (["imports:write", "users:write", "users:read", "users:invite"], "invite", True)):
        answer = select(standing, op, client=standing.client(standing.make_key(*permissions)), q="nobody")
        if is_allowed:
            answer.ok(201)
        else:
            answer.refused(403, "permission_missing")
    standing.sql("DELETE FROM rollcall.selection")


# --- confirming

def test_the_right_number_makes_it_a_job_once(standing):
    selection = select(standing, q="nobody").ok(201)
    begun = confirm(standing, selection).ok(202).body
    assert set(begun) == FIELDS and begun["state"] == "running" and begun["code"] is None
    assert jobs(standing, selection) == ["selection"]
    confirm(standing, selection).refused(410, "selection_dead")
    assert jobs(standing, selection) == ["selection"] and state(standing, selection) == "running"
    assert standing.audit("selection.confirmed")[0]["subject"]["id"] == selection["id"]


def test_two_wrong_numbers_are_answered_and_the_third_ends_it(standing):
    selection = select(standing, q="nobody").ok(201)
    for _ in range(2):
        confirm(standing, selection, wrong(selection)).refused(422, "wrong_code")
    confirm(standing, selection, wrong(selection)).refused(410, "selection_dead")
    confirm(standing, selection).refused(410, "selection_dead")
    assert look(standing, selection)["state"] == "dead" and jobs(standing, selection) == []
    assert standing.audit("selection.died")[0]["changes"] == {"reason": [None, "wrong_code"]}


def test_after_ten_minutes_it_is_dead_whether_or_not_somebody_tries(standing):
    selection = select(standing, q="nobody").ok(201)
    standing.sql("UPDATE rollcall.selection SET expires_at = now() WHERE id = %s", selection["id"])
    seen = look(standing, selection)
    assert seen["state"] == "dead" and seen["code"] is None
    confirm(standing, selection).refused(410, "selection_dead")
    assert jobs(standing, selection) == []


def test_only_its_maker_confirms_it_and_sees_its_number(standing):
    other = standing.client(standing.api_key)
    selection = select(standing, q="nobody").ok(201)
    assert other.get(f"/v1/users/selections/{selection['id']}").ok(200)["code"] is None
    confirm(standing, selection, client=other).refused(404, "not_found")
    theirs = select(standing, q="nobody", client=other).ok(201)
    confirm(standing, theirs).refused(404, "not_found")
    confirm(standing, theirs, client=other).ok(202)
    assert state(standing, selection) == "pending"


def test_who_may_no_longer_invite_does_not_confirm_an_invitation(standing):
    key = standing.make_key("imports:write", "users:write", "users:read", "users:invite")
    client = standing.client(key)
    selection = select(standing, "invite", client=client, q="nobody").ok(201)
    standing.sql("UPDATE rollcall.api_key SET permissions = '{imports:write,users:read,users:write}' WHERE 'users:invite' = ANY (permissions) AND name = 'a key'")
    confirm(standing, selection, client=client).refused(403, "permission_missing")
    assert state(standing, selection) == "pending"


def test_a_confirmation_names_its_faults(standing):
    selection = select(standing, q="nobody").ok(201)
    path = f"/v1/users/selections/{selection['id']}/confirm"
    assert standing.admin.post(path, {}).refused(422).faults() == {"/code": "required"}
    assert standing.admin.post(path, {"code": 123456, "x": 1}).refused(422).faults() == {"/code": "wrong_type", "/x": "unknown_field"}
    assert standing.value("SELECT wrong_codes FROM rollcall.selection WHERE id = %s", selection["id"]) == 0


# --- looking

def test_its_users_are_shown_in_pages_by_what_became_of_them(standing):
    department = add_users(standing, 5)
    selection = select(standing, department_id=department).ok(201)
    path = f"/v1/users/selections/{selection['id']}/users"
    users = sorted(map(str, standing.sql("SELECT id FROM rollcall.users WHERE department_id = %s", department)))
    problem = {"type": "about:blank", "title": "x", "status": 409, "detail": "y", "code": "state_conflict"}
    standing.sql("UPDATE rollcall.selection_user SET status = 409, problem = %s WHERE user_id = %s", json.dumps(problem), users[0])
    standing.sql("UPDATE rollcall.selection_user SET status = 200 WHERE user_id = %s", users[1])
    assert standing.admin.get(path, status="failed").ok(200).items == [{"user_id": users[0], "status": 409, "problem": problem}]
    assert [row["user_id"] for row in standing.admin.get(path, status="done").ok(200).items] == [users[1]]
    assert [row["user_id"] for row in standing.admin.pages(path, status="open", limit=1)] == users[2:]
    assert [row["user_id"] for row in standing.admin.pages(path, limit=2)] == users
    assert standing.admin.get(path, status="x", limit="0").refused(400, "invalid_query").faults() == {"status": "invalid", "limit": "invalid"}


def test_a_selection_that_is_not_there_is_not_found(standing):
    other = standing.other_organization()
    theirs = select(standing, client=standing.client(other["key"]), q="nobody").ok(201)
    for id in (theirs["id"], standing.admin_id):
        standing.admin.get(f"/v1/users/selections/{id}").refused(404, "not_found")
        standing.admin.get(f"/v1/users/selections/{id}/users").refused(404, "not_found")
        confirm(standing, {"id": id}, code=theirs["code"]).refused(404, "not_found")
