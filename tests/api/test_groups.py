"""Groups and their members (S4-04, S4-05, S4-13). What groups share with other resources: test_resources.py."""
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.system import numbers
from support.waiting import wait_until


def make(system, *members):
    group = system.admin.post("/v1/groups", {"name": f"Riders {next(numbers)}"}).ok(201).body
    if members:
        system.admin.post(members_of(group), {"user_ids": [user["id"] for user in members]}).ok(200)
    return group


def members_of(group):
    return f"/v1/groups/{group['id']}/members"


def ids(*users):
    return {"user_ids": [user["id"] for user in users]}


def inside(system, group):
    return {row["id"] for row in system.admin.pages(members_of(group))}


@pytest.fixture(scope="module")
def people(shared_server):
    return [shared_server.create_user(last_name=name) for name in ("Авраменко", "Бойко", "Adams", "adler", "Ґедзь")]


def test_members_come_by_post_are_replaced_by_put_and_go_by_delete(standing, people):
    group = make(standing)
    assert standing.admin.post(members_of(group), ids(*people[:2])).ok(200)["users"] == 2
    answer = standing.admin.post(members_of(group), ids(*people[1:3])).ok(200)
    assert answer["users"] == 3 and answer.body == standing.admin.get(f"/v1/groups/{group['id']}").ok(200).body
    assert standing.admin.put(members_of(group), ids(*people[2:])).ok(200)["users"] == 3
    assert inside(standing, group) == {user["id"] for user in people[2:]}
    gone = f"{members_of(group)}/{people[2]['id']}"
    standing.admin.delete(gone, headers={"If-Match": '"99"'}).refused(412, "version_mismatch")
    standing.admin.delete(gone).ok(204)
    standing.admin.delete(gone).refused(404, "not_found")
    assert standing.admin.put(members_of(group), {"user_ids": []}).ok(200)["users"] == 0


def test_a_user_may_be_in_many_groups(standing):
    user = standing.create_user()
    groups = [make(standing, user) for _ in range(3)]
    assert standing.user(user)["group_ids"] == sorted(group["id"] for group in groups)


def test_members_are_paged_by_name(standing, people):
    group = make(standing, *people)
    whole = standing.admin.get(f"{members_of(group)}?count=true").ok(200)
    assert whole["total"] == 5 and whole["next_cursor"] is None
    assert [row["last_name"] for row in whole.items] == ["Adams", "adler", "Авраменко", "Бойко", "Ґедзь"]
    assert whole.items[0].keys() == {"id", "first_name", "last_name", "email", "status"}
    assert standing.admin.pages(members_of(group), limit=2) == whole.items
    standing.admin.get(members_of(group), limit=0, cursor="x").refused(400, "invalid_query")


def test_coming_and_going_is_an_edit_of_the_user_and_stands_in_his_history(standing):
    user, still = standing.create_user(), standing.create_user()
    first, second = sorted([make(standing), make(standing)], key=lambda group: group["id"])
    standing.admin.post(members_of(second), ids(user, still)).ok(200)
    standing.admin.put(members_of(first), ids(user)).ok(200)
    standing.admin.put(members_of(second), ids(still)).ok(200)
    assert standing.user(user)["version"] == user["version"] + 3 and standing.user(still)["version"] == still["version"] + 1
    assert [row["changes"]["group_ids"] for row in standing.audit("user.edited", user)] == [
        [[first["id"], second["id"]], [first["id"]]], [[second["id"]], [first["id"], second["id"]]], [[], [second["id"]]]]
    stale = {"If-Match": f'"{user["version"]}"'}
    standing.admin.patch(f"/v1/users/{user['id']}", {"first_name": "Stale"}, headers=stale).refused(412, "version_mismatch")


def test_a_change_that_changes_nobody_moves_no_version(standing):
    user = standing.create_user()
    group = make(standing, user)
    before = standing.user(user)
    standing.admin.post(members_of(group), ids(user)).ok(200)
    standing.admin.put(members_of(group), ids(user)).ok(200)
    standing.admin.post(members_of(group), {"user_ids": []}).ok(200)
    assert standing.user(user) == before


def test_every_fault_is_named_and_nobody_comes_in(standing, people):
    group = make(standing)
    foreign = standing.other_organization()["user_id"]
    good = people[0]["id"]
    body = {"user_ids": [good, foreign, "no id", 7, None, str(uuid.uuid4()), good.upper()], "colour": "red"}
    expected = {"/user_ids/1": "unknown_id", "/user_ids/2": "unknown_id", "/user_ids/3": "wrong_type", "/user_ids/4": "wrong_type",
                "/user_ids/5": "unknown_id", "/user_ids/6": "duplicate_id", "/colour": "unknown_field"}
    for method in (standing.admin.post, standing.admin.put):
        assert method(members_of(group), body).refused(422, "invalid_body").faults() == expected
        assert method(members_of(group), {}).refused(422).faults() == {"/user_ids": "required"}
        assert method(members_of(group), {"user_ids": good}).refused(422).faults() == {"/user_ids": "wrong_type"}
    assert inside(standing, group) == set()


def test_a_thousand_come_at_once_and_no_more(standing):
    group = make(standing)
    made = standing.sql("INSERT INTO rollcall.users (org_id, id, first_name, last_name, email, status, status_reason)"
                        " SELECT %s, gen_random_uuid(), 'Many', n::text, 'many' || n || '@example.org', 'pending', 'created'"
                        " FROM generate_series(1, 1001) n RETURNING id::text", standing.org_id)
    assert standing.admin.post(members_of(group), {"user_ids": made}).refused(422).faults() == {"/user_ids": "too_long"}
    assert standing.admin.post(members_of(group), {"user_ids": made[:1000]}).ok(200)["users"] == 1000
    assert standing.admin.put(members_of(group), {"user_ids": made[1000:]}).ok(200)["users"] == 1
    assert standing.value("SELECT count(*) FROM rollcall.audit WHERE subject_id = ANY (%s::uuid[])", made) == 2001


def test_nobody_moves_a_user_who_holds_more_than_he(standing, people):
    """Neither in nor out, and with him nobody else."""
    boss = standing.create_administrator()
    group, empty = make(standing, boss), make(standing)
    helper = standing.client(standing.make_key("users:read", "users:write"))
    helper.post(members_of(empty), ids(people[0], boss)).refused(403, "exceeds_your_permissions")
    helper.put(members_of(group), ids(people[0])).refused(403, "exceeds_your_permissions")
    helper.delete(f"{members_of(group)}/{boss['id']}").refused(403, "exceeds_your_permissions")
    assert (inside(standing, group), inside(standing, empty)) == ({boss["id"]}, set())
    assert helper.post(members_of(group), ids(people[0], boss)).ok(200)["users"] == 2  # the boss stays as he is


def test_what_everybody_starts_with_is_in_nobodys_way(server_only):
    """default_permissions aside (DESIGN.md §4), one rule decides on every way of touching a user; and /actions says what it does."""
    server_only.set_policy(default_permissions=["product:view"], deletion="erase")
    clerk = server_only.client(server_only.make_key("users:read", "users:write", "users:delete", "org:write", "roles:write"))
    user = server_only.create_user()
    assert user["own_permissions"] == ["product:view"]
    group = make(server_only)
    clerk.post(members_of(group), ids(user)).ok(200)
    clerk.delete(f"{members_of(group)}/{user['id']}").ok(204)
    allowed = {item["action"]: item["allowed"] for item in clerk.get(f"/v1/users/{user['id']}/actions").items}
    assert allowed["edit"] and allowed["delete"]
    clerk.post("/v1/users/deletions", {"user_ids": [user["id"]]}).ok(201)
    left, right = server_only.make_role("users:read"), server_only.make_role("product:view")
    clerk.patch(f"/v1/users/{user['id']}", {"role_id": left}).ok(200)
    clerk.delete(f"/v1/roles/{left}?move_to={right}").ok(204)


def test_a_groups_name_and_its_members_are_two_permissions(standing, people):
    group = make(standing)
    standing.client(standing.make_key("org:write")).post(members_of(group), ids(people[0])).refused(403, "permission_missing")
    standing.client(standing.make_key("users:write")).patch(f"/v1/groups/{group['id']}", {"name": "X"}).refused(403, "permission_missing")


def test_who_is_in_a_group_that_is_deleted_leaves_it_first(standing, people):
    """As an edit of each: versions move, histories tell it; without the right to touch them the group stays."""
    group, kept = make(standing, *people[:2]), make(standing, people[0])
    before = {user["id"]: standing.user(user)["version"] for user in people[:2]}
    path = f"/v1/groups/{group['id']}"
    standing.client(standing.make_key("org:write")).delete(path).refused(403, "permission_missing")
    assert inside(standing, group) == set(before)
    standing.admin.delete(path).ok(204)
    standing.admin.get(members_of(group)).refused(404, "not_found")
    for user in people[:2]:
        assert standing.user(user)["version"] == before[user["id"]] + 1 and group["id"] not in standing.user(user)["group_ids"]
        row = standing.audit("user.edited", user)[0]
        assert group["id"] in row["changes"]["group_ids"][0] and group["id"] not in row["changes"]["group_ids"][1]
    assert kept["id"] in standing.user(people[0])["group_ids"]
    boss = standing.create_administrator()
    held = make(standing, boss)
    standing.client(standing.make_key("org:write", "users:write")).delete(f"/v1/groups/{held['id']}").refused(403, "exceeds_your_permissions")
    assert inside(standing, held) == {boss["id"]}


def crowd(system, count):
    """A group of many, and their ids in the order in which they leave: before all who were made by the API."""
    group = make(system)
    made = system.sql("INSERT INTO rollcall.users (org_id, id, first_name, last_name, email, status, status_reason, version)"
                      " SELECT %s, overlay(gen_random_uuid()::text placing '00' from 1 for 2)::uuid, 'Many', 'Many',"
                      " gen_random_uuid() || '@example.org', 'pending', 'created', 0 FROM generate_series(1, %s) RETURNING id::text", system.org_id, count)
    system.sql("INSERT INTO rollcall.group_member SELECT org_id, %s, id FROM rollcall.users WHERE id = ANY (%s::uuid[])", group["id"], made)
    # As autovacuum does: plans that were made of empty tables are made anew.
    system.db.execute("ANALYZE rollcall.users, rollcall.group_member")
    return group, sorted(made)


def left_once(system, group, users):
    """How many of them stand in the audit as having left it, each by one edit."""
    return system.value("SELECT count(*) FROM rollcall.users u WHERE u.id = ANY (%s::uuid[]) AND u.version = 1 AND 1 = ("
                        "SELECT count(*) FROM rollcall.audit a WHERE a.org_id = u.org_id AND a.subject_id = u.id AND a.changes -> 'group_ids' -> 0 ? %s)",
                        users, group["id"])


def test_a_group_of_many_goes_a_page_of_them_at_a_time_and_what_was_broken_off_goes_on(standing):
    """One statement changed all of them: past some twenty thousand it never came to its end, and held them at every try."""
    group, crowded = crowd(standing, 1200)
    late = standing.create_user()
    path, headers = f"/v1/groups/{group['id']}", {"Idempotency-Key": group["id"], "If-Match": '"1"'}
    with standing.cluster.connect(standing.database) as other, other.transaction():
        other.execute("SELECT FROM rollcall.users WHERE id = %s FOR UPDATE", [crowded[700]])
        standing.admin.delete(path, headers=headers).refused(503, "unavailable")
    assert inside(standing, group) == set(crowded[500:])
    standing.admin.post(members_of(group), ids({"id": crowded[0]}, late)).ok(200)
    standing.admin.delete(path, headers=headers).ok(204)
    standing.admin.get(path).refused(404, "not_found")
    standing.admin.delete(path, headers=headers).ok(204)
    assert left_once(standing, group, crowded[1:]) == 1199
    assert standing.user(late)["group_ids"] == [] and standing.user(crowded[0])["group_ids"] == []
    assert standing.value("SELECT count(*) FROM rollcall.audit WHERE action = 'group.deleted' AND subject_id = %s", group["id"]) == 1


def test_of_a_group_of_many_nobody_leaves_where_one_may_not_be_touched(standing):
    group, crowded = crowd(standing, 600)
    boss, path = standing.create_administrator(), f"/v1/groups/{group['id']}"
    standing.client(standing.make_key("org:write")).delete(path).refused(403, "permission_missing")
    standing.admin.delete(path, headers={"If-Match": '"9"'}).refused(412, "version_mismatch")
    standing.admin.post(members_of(group), ids(boss)).ok(200)
    standing.client(standing.make_key("org:write", "users:write")).delete(path).refused(403, "exceeds_your_permissions")
    assert len(inside(standing, group)) == 601 and left_once(standing, group, crowded) == 0


def test_a_group_of_many_that_is_deleted_twice_at_once_under_one_key_goes_once(standing):
    group, crowded = crowd(standing, 5000)
    clients, headers = [standing.client(standing.admin.token) for _ in range(3)], {"Idempotency-Key": group["id"]}

    def delete(client):
        return client.delete(f"/v1/groups/{group['id']}", headers=headers)

    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(delete, clients))
    # 503: it goes on, and he is to come back.
    assert {answer.status for answer in answers} <= {204, 503}, answers
    wait_until(lambda: delete(clients[0]).status == 204, timeout=60, pause=1, because="who comes back is told that it is done")
    assert left_once(standing, group, crowded) == 5000
    assert len(standing.audit("group.deleted", group)) == 1


def test_a_group_that_is_renamed_while_it_goes_is_looked_at_anew(standing):
    """Who deletes what he has seen does not delete what became of it."""
    group, crowded = crowd(standing, 600)
    path = f"/v1/groups/{group['id']}"
    with standing.cluster.connect(standing.database) as other, ThreadPoolExecutor(1) as pool:
        with other.transaction():
            other.execute("UPDATE rollcall.user_group SET name = 'Renamed', version = version + 1 WHERE id = %s", [group["id"]])
            answer = pool.submit(standing.admin.delete, path, headers={"If-Match": '"1"'})
            standing.wait_for_lock("the first page waits")
        assert answer.result().status in (412, 503)
    assert inside(standing, group) == set(crowded)


def test_a_list_that_leaves_out_too_many_is_refused(standing):
    group, crowded = crowd(standing, 1001)
    assert "1000" in standing.admin.put(members_of(group), {"user_ids": []}).refused(409, "state_conflict")["detail"]
    assert len(inside(standing, group)) == 1001
    assert standing.admin.put(members_of(group), ids({"id": crowded[0]})).ok(200)["users"] == 1


# What somebody else does in the moment between the group's being looked at and its going: "member" is in it, "other" is not.
MEANWHILE = {
    "the only member leaves": (["member"], ["UPDATE rollcall.users SET version = version + 1 WHERE id = %(member)s",
                                            "DELETE FROM rollcall.group_member WHERE user_id = %(member)s"], []),
    "a member is edited": (["member"], ["UPDATE rollcall.users SET version = version + 1 WHERE id = %(member)s"], ["member"]),
    "one of two leaves": (["member", "other"], ["UPDATE rollcall.users SET version = version + 1 WHERE id = %(other)s",
                                                "DELETE FROM rollcall.group_member WHERE user_id = %(other)s"], ["member"]),
    "the first one joins": ([], ["UPDATE rollcall.users SET version = version + 1 WHERE id = %(member)s",
                                 "INSERT INTO rollcall.group_member (org_id, group_id, user_id) VALUES (%(org)s, %(group)s, %(member)s)"], ["member"]),
    "another one joins": (["member"], ["UPDATE rollcall.users SET version = version + 1 WHERE id = %(other)s",
                                       "INSERT INTO rollcall.group_member (org_id, group_id, user_id) VALUES (%(org)s, %(group)s, %(other)s)"], ["member", "other"]),
}


@pytest.mark.parametrize("with_key", [False, True], ids=["", "with a key"])
@pytest.mark.parametrize("what", MEANWHILE)
def test_a_group_whose_members_change_while_it_is_deleted_is_deleted_once_and_said_to_be(server_only, what, with_key):
    """It was answered 404, though it had just been deleted: the change of its members came to nothing, and its own did not."""
    inside_before, statements, leave = MEANWHILE[what]
    people = {"member": server_only.create_user(), "other": server_only.create_user()}
    group = make(server_only, *[people[name] for name in inside_before])
    names = {"org": server_only.org_id, "group": group["id"], **{name: user["id"] for name, user in people.items()}}
    path, headers = f"/v1/groups/{group['id']}", {"Idempotency-Key": group["id"]} if with_key else {}
    # What they were seen to do waits for nothing here.
    wait_until(lambda: server_only.value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'") == 1)
    with server_only.cluster.connect(server_only.database) as other, ThreadPoolExecutor(1) as pool:
        with other.transaction():
            for statement in statements:
                other.execute(statement, names)
            answer = pool.submit(server_only.admin.delete, path, headers=headers)
            server_only.wait_for_lock("the group waits for who changes it")
        status = answer.result().status
    # 503: the machine was so busy that lock_timeout came first.
    if status == 503:
        status = server_only.admin.delete(path, headers=headers).status
    assert status == 204
    server_only.admin.get(path).refused(404, "not_found")
    if with_key:
        server_only.admin.delete(path, headers=headers).ok(204)
    assert server_only.value("SELECT count(*) FROM rollcall.audit WHERE action = 'group.deleted' AND subject_id = %s", group["id"]) == 1
    for name, user in people.items():
        left = [row for row in server_only.audit("user.edited", user) if group["id"] in row["changes"]["group_ids"][0]]
        assert len(left) == (name in leave), name
