"""Deleting users: asking for it, the number to repeat, and what is left of them.

WeTrack deletes (S4-23 to S4-25); Hesh, Urbantz and KeyCRM never do (S1-31, S2-14, S3-24).
"""
import itertools
import uuid

import pytest

PASSWORD = "violet tractor under seven moons"
MODES = ["erase", "anonymise"]
numbers = itertools.count(1)
both_modes = pytest.mark.parametrize("mode", MODES)


@pytest.fixture
def system(standing):
    set_policy(standing)
    return standing


def set_policy(system, mode="erase", confirmation="typed_number", references="detach"):
    system.set_policy(deletion=mode, deletion_confirmation=confirmation, deletion_references=references)


def ask(system, *users, client=None):
    return (client or system.admin).post("/v1/users/deletions", {"user_ids": [user["id"] for user in users]})


def confirm(system, deletion, code=None, client=None):
    return (client or system.admin).post(f"/v1/users/deletions/{deletion['id']}/confirm", {"code": code or deletion["code"]})


def delete(system, *users):
    return confirm(system, ask(system, *users).ok(201)).ok(200)


def wrong(deletion):
    return "100000" if deletion["code"] != "100000" else "100001"


def assign(system, user, app="jobs", type="route", resource=None):
    system.sql("INSERT INTO rollcall.assignment (id, org_id, app, type, resource, relation, user_id) VALUES (gen_random_uuid(), %s, %s, %s, %s, 'driver', %s)",
               system.org_id, app, type, resource or f"r{next(numbers)}", user["id"])


def exists(system, user):
    return system.value("SELECT count(*) FROM rollcall.users WHERE id = %s AND anonymised_at IS NULL", user["id"]) == 1


def state(system, deletion):
    return system.value("SELECT state FROM rollcall.deletion WHERE id = %s", deletion["id"])


# --- asking

def test_nobody_is_deleted_where_the_policy_forbids_it(system):
    user = system.create_user()
    system.set_policy(deletion="forbidden")
    ask(system, user).refused(403, "refused_by_policy", policy="deletion")
    row = next(row for row in system.admin.get(f"/v1/users/{user['id']}/actions").ok(200).items if row["action"] == "delete")
    assert row == {"action": "delete", "menu": "other", "allowed": False, "reason": "refused_by_policy", "policy": "deletion"}
    assert exists(system, user)


def test_the_first_call_says_what_would_go_and_deletes_nobody(system):
    first, second = system.create_user(), system.create_active()
    for app, type, resource in (("jobs", "route", "1"), ("jobs", "route", "2"), ("crm", "order", "7")):
        assign(system, second, app, type, f"{second['id']}-{resource}")
    deletion = ask(system, second, first).ok(201).body
    assert set(deletion) == {"id", "state", "code", "count", "references", "expires_at"}
    assert deletion["state"] == "pending" and deletion["count"] == 2
    assert deletion["code"].isdigit() and 4 <= len(deletion["code"]) <= 6
    assert deletion["references"] == [{"user_id": second["id"], "app": "crm", "type": "order", "count": 1},
                                      {"user_id": second["id"], "app": "jobs", "type": "route", "count": 2}]
    assert system.value("SELECT expires_at - created_at = interval '10 minutes' FROM rollcall.deletion WHERE id = %s", deletion["id"])
    assert system.user(first) == first and system.user(second) == second
    audited = system.audit("deletion.created")[0]
    assert audited["subject"] == {"kind": "deletion", "id": deletion["id"], "name": None}
    assert audited["changes"] == {"count": [None, 2], "mode": [None, "erase"]}
    row = next(row for row in system.admin.get(f"/v1/users/{first['id']}/actions").ok(200).items if row["action"] == "delete")
    assert row == {"action": "delete", "menu": "other", "allowed": True}


def test_a_thousand_go_at_once(system):
    people = [{"op": "create", "email": f"gone{n}@thousand.example", "first_name": "Gone", "last_name": str(n)} for n in range(1000)]
    users = system.admin.post("/v1/users/bulk", {"operations": people}).ok(200)["items"]
    deletion = ask(system, *users).ok(201)
    assert deletion["count"] == 1000
    assert confirm(system, deletion).ok(200)["state"] == "done"
    assert system.value("SELECT count(*) FROM rollcall.users WHERE email LIKE '%%@thousand.example'") == 0


def test_every_fault_of_a_set_is_named_by_its_place(system):
    user = system.create_user()
    post = lambda ids: system.admin.post("/v1/users/deletions", {"user_ids": ids}).refused(422, "invalid_body").faults()
    assert post([str(uuid.uuid4()), user["id"], "no id", user["id"], 7, str(uuid.uuid4())]) == {
        "/user_ids/0": "unknown_id", "/user_ids/2": "unknown_id", "/user_ids/3": "duplicate_id", "/user_ids/4": "wrong_type", "/user_ids/5": "unknown_id"}
    assert post([]) == {"/user_ids": "too_short"}
    assert post([str(uuid.uuid4()) for _ in range(1001)])["/user_ids"] == "too_long"
    assert post(user["id"]) == {"/user_ids": "wrong_type"}
    assert post(None) == {"/user_ids": "required"}
    other = system.other_organization()
    assert post([other["user_id"]]) == {"/user_ids/0": "unknown_id"}
    assert system.admin.post("/v1/users/deletions", {}).refused(422).faults() == {"/user_ids": "required"}


def test_who_holds_more_than_the_caller_is_not_deleted_by_him(system):
    modest = system.client(system.make_key("users:write", "users:delete"))
    ask(system, system.create_user(), client=modest).ok(201)
    ask(system, system.create_user(), system.create_user(own_permissions=["audit:read"]), client=modest).refused(403, "exceeds_your_permissions")
    ask(system, system.create_user(), client=system.client(system.make_key("users:write"))).refused(403, "permission_missing")


def test_references_may_stand_in_the_way(system):
    set_policy(system, references="refuse")
    user = system.create_user()
    assign(system, user)
    ask(system, user).refused(409, "state_conflict", policy="deletion_references")
    system.sql("DELETE FROM rollcall.assignment WHERE user_id = %s", user["id"])
    delete(system, user)
    assert not exists(system, user)


@both_modes
def test_without_confirmation_the_first_call_deletes_at_once(system, mode):
    set_policy(system, mode, confirmation="none")
    users = [system.create_user(), system.create_active()]
    deletion = ask(system, *users).ok(201).body
    assert (deletion["state"], deletion["code"], deletion["count"]) == ("done", None, 2)
    assert not any(exists(system, user) for user in users)
    confirm(system, deletion, "100000").refused(410, "deletion_dead")


# --- the last administrator

def test_the_last_administrators_do_not_go_hand_in_hand(server_only):
    set_policy(server_only)
    first = {"id": server_only.admin_id}
    ask(server_only, first).refused(403, "last_administrator")
    second, third = server_only.create_administrator(), server_only.create_user()
    assert f"User {first['id']}:" in ask(server_only, second, first, third).refused(403, "last_administrator")["detail"]
    deletion = ask(server_only, second, third).ok(201).body
    epoch = server_only.value("SELECT admin_epoch FROM rollcall.organization")
    confirm(server_only, deletion).ok(200)
    assert server_only.value("SELECT admin_epoch FROM rollcall.organization") == epoch + 1
    # Announced while there was another administrator, confirmed when there is none.
    fourth = server_only.create_administrator()
    own = server_only.sign_in(fourth)
    deletion = ask(server_only, fourth, client=own).ok(201).body
    server_only.sql("UPDATE rollcall.users SET role_id = NULL WHERE id = %s", first["id"])
    confirm(server_only, deletion, client=own).refused(403, "last_administrator")
    assert exists(server_only, fourth)


def test_who_deletes_himself_is_out(system):
    own = system.sign_in(system.create_administrator())
    me = own.get("/v1/me").ok(200).body
    assert confirm(system, ask(system, me, client=own).ok(201), client=own).ok(200)["state"] == "done"
    own.get("/v1/me").refused(401)


# --- confirming

def test_a_wrong_number_is_refused_and_the_third_ends_it(system):
    user = system.create_user()
    deletion = ask(system, user).ok(201).body
    for _ in range(2):
        confirm(system, deletion, wrong(deletion)).refused(422, "wrong_code")
    confirm(system, deletion, wrong(deletion)).refused(410, "deletion_dead")
    confirm(system, deletion).refused(410, "deletion_dead")
    assert exists(system, user) and state(system, deletion) == "dead"
    died = [row for row in system.audit("deletion.died") if row["subject"]["id"] == deletion["id"]]
    assert [row["changes"] for row in died] == [{"reason": [None, "wrong_code"]}]


def test_two_wrong_numbers_are_forgiven(system):
    user = system.create_user()
    deletion = ask(system, user).ok(201).body
    for _ in range(2):
        confirm(system, deletion, wrong(deletion)).refused(422, "wrong_code")
    done = confirm(system, deletion).ok(200).body
    assert (done["id"], done["state"], done["code"], done["count"]) == (deletion["id"], "done", None, 1)
    confirm(system, deletion).refused(410, "deletion_dead")


def test_after_ten_minutes_it_is_over(system):
    user = system.create_user()
    deletion = ask(system, user).ok(201).body
    system.sql("UPDATE rollcall.deletion SET expires_at = now() WHERE id = %s", deletion["id"])
    confirm(system, deletion).refused(410, "deletion_dead")
    assert exists(system, user) and state(system, deletion) == "dead"


@pytest.mark.parametrize("body, fault", [({}, "required"), ({"code": None}, "required"), ({"code": 123456}, "wrong_type"), ({"code": ""}, "required"),
                                         ({"code": "1" * 21}, "too_long")], ids=str)
def test_a_number_is_a_text(system, body, fault):
    deletion = ask(system, system.create_user()).ok(201).body
    answer = system.admin.post(f"/v1/users/deletions/{deletion['id']}/confirm", body).refused(422, "invalid_body")
    assert answer.faults() == {"/code": fault}
    confirm(system, deletion).ok(200)


CHANGES = {
    "one of them was edited": lambda system, users: system.admin.patch(f"/v1/users/{users[0]['id']}", {"first_name": "Ольга"}).ok(200),
    "one of them was inactivated": lambda system, users: system.admin.post(f"/v1/users/{users[1]['id']}/inactivate").ok(200),
    "one of them was deleted": lambda system, users: delete(system, users[1]),
    "something was assigned to one": lambda system, users: assign(system, users[0]),
    "something was taken from one": lambda system, users: system.sql("DELETE FROM rollcall.assignment WHERE user_id = %s", users[1]["id"]),
    "the policy forbids it": lambda system, users: system.set_policy(deletion="forbidden"),
    "the policy does otherwise": lambda system, users: system.set_policy(deletion="anonymise"),
    "references are in the way": lambda system, users: system.set_policy(deletion_references="refuse"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_set_that_is_not_what_it_was_kills_the_deletion(system, change):
    users = [system.create_user(), system.create_user()]
    assign(system, users[1])
    deletion = ask(system, *users).ok(201).body
    CHANGES[change](system, users)
    answer = confirm(system, deletion).refused(409, "state_conflict")
    assert answer.body.get("policy") == ("deletion" if change == "the policy forbids it" else None)
    set_policy(system)
    confirm(system, deletion).refused(410, "deletion_dead")
    assert exists(system, users[0])


def test_what_does_not_change_the_set_does_not_stand_in_the_way(system):
    user = system.create_active()
    deletion = ask(system, user).ok(201).body
    system.login(user["email"], PASSWORD).ok(201)
    confirm(system, deletion).ok(200)


def test_only_its_maker_confirms_it(system):
    user = system.create_user()
    deletion = ask(system, user).ok(201).body
    colleague = system.sign_in(system.create_administrator())
    for client in (colleague, system.machine):
        confirm(system, deletion, client=client).refused(404, "not_found")
        confirm(system, deletion, wrong(deletion), client=client).refused(404, "not_found")
    # From another session of his it is still he.
    confirm(system, deletion, client=system.client(system.plant_session({"id": system.admin_id}))).ok(200)
    by_key = ask(system, system.create_user(), client=system.machine).ok(201).body
    confirm(system, by_key).refused(404, "not_found")
    confirm(system, by_key, client=system.machine).ok(200)


# --- what is left

def life(system):
    """A user with something in every table, whose traces can be told from all others'."""
    mark = f"z{uuid.uuid4().hex[:10]}"
    user = system.create_active(first_name=f"{mark}first", last_name=f"{mark}last", email=f"{mark}@example.org", username=f"{mark}name",
                                external_id=f"{mark}external")
    system.admin.patch(f"/v1/users/{user['id']}", {"first_name": f"{mark}other", "phone": "+12025550123"}).ok(200)
    system.admin.post(f"/v1/users/{user['id']}/password-reset").ok(202)
    group_id = str(uuid.uuid4())
    system.sql("INSERT INTO rollcall.user_group (org_id, id, name) VALUES (%s, %s, %s)", system.org_id, group_id, f"Group {next(numbers)}")
    system.sql("INSERT INTO rollcall.group_member (org_id, group_id, user_id) VALUES (%s, %s, %s)", system.org_id, group_id, user["id"])
    assign(system, user)
    system.sql("UPDATE rollcall.users SET attributes = %s WHERE id = %s", f'{{"note": "{mark}"}}', user["id"])
    return mark, system.user(user)


HANGING = ("session", "credential", "invitation", "password_reset", "group_member", "assignment")


@both_modes
def test_all_that_hangs_on_him_goes_with_him(system, mode):
    set_policy(system, mode)
    _, user = life(system)
    client = system.sign_in(user)
    link = system.link(user)
    reset = system.reset_link(user)
    assert all(system.row(table, user) for table in HANGING)
    delete(system, user)
    assert [table for table in HANGING if system.row(table, user)] == []
    client.get("/v1/auth/verify").refused(401)
    system.login(user["email"], PASSWORD).refused(401, "login_failed")
    system.inspect(link).refused(410, "link_revoked")
    system.accept(link).refused(410, "link_revoked")
    system.complete_reset(reset).refused(410, "link_revoked")
    assert {mail["state"] for mail in system.outbox(user)} == {"cancelled"}


def test_everything_that_refers_to_a_user_goes_with_him(system):
    """A table that is added without it would make deleting fail, or outlive him."""
    assert system.sql("SELECT conname FROM pg_constraint WHERE contype = 'f' AND confrelid = 'rollcall.users'::regclass AND confdeltype <> 'c'") == []


@both_modes
def test_no_trace_of_who_he_was_is_left_anywhere(system, mode):
    set_policy(system, mode)
    mark, user = life(system)
    tables = system.sql("SELECT table_name FROM information_schema.tables WHERE table_schema = 'rollcall' AND table_type = 'BASE TABLE'")
    everything = lambda: "".join(str(system.sql(f'SELECT to_jsonb(t)::text FROM rollcall."{table}" t')) for table in tables)
    assert mark in everything()
    delete(system, user)
    left = everything()
    assert mark not in left and "12025550123" not in left
    assert user["id"] in left


@both_modes
def test_his_addresses_are_forgotten_in_mails_about_others_too(system, mode):
    """Of an administrator: a link of somebody else went to him, and a digest."""
    set_policy(system, mode)
    mark = f"postmark{next(numbers)}"
    other, boss = system.create_user(), system.create_user(email=f"{mark}-old@example.org")
    system.admin.patch(f"/v1/users/{boss['id']}", {"email": f"{mark}-new@example.org"}).ok(200)
    for kind, about, to, data in (("invitation_expired", other["id"], "OLD", "{}"), ("lock_digest", None, "new", f'{{"recipient_id": "{boss["id"]}"}}'),
                                  ("invitation_lapsed", boss["id"], "new", "{}")):
        system.sql("INSERT INTO rollcall.outbox (org_id, id, kind, user_id, recipient, data, state, last_reply) VALUES (%s, gen_random_uuid(), %s, %s, %s, %s, 'sent', %s)",
                   system.org_id, kind, about, f"{mark}-{to}@example.org", data, f"250 {mark} has it")
    delete(system, boss)
    assert system.sql("SELECT kind FROM rollcall.outbox m WHERE to_jsonb(m)::text LIKE %s", f"%{mark}%") == []
    assert [mail["state"] for mail in system.outbox(other, "invitation_expired")] == ["sent"]


def test_an_erased_user_is_not_there_any_more(system):
    user = system.create_active()
    delete(system, user)
    system.admin.get(f"/v1/users/{user['id']}").refused(404, "not_found")
    system.admin.patch(f"/v1/users/{user['id']}", {"first_name": "A"}).refused(404)
    assert system.value("SELECT count(*) FROM rollcall.users WHERE id = %s", user["id"]) == 0


def test_an_anonymised_user_keeps_only_his_id(system):
    set_policy(system, "anonymise")
    _, user = life(system)
    delete(system, user)
    left = system.user(user)
    assert (left["id"], left["kind"], left["created_at"]) == (user["id"], user["kind"], user["created_at"])
    assert (left["status"], left["status_reason"], left["assignable"]) == ("inactive", "by_admin", False)
    assert (left["first_name"], left["last_name"]) == ("Deleted user", user["id"][-6:].upper())
    for name in ("email", "username", "phone", "external_id", "role_id", "role", "department_id", "position", "locale", "invitation", "last_login_at"):
        assert left[name] is None, name
    assert (left["permissions"], left["own_permissions"], left["group_ids"], left["attributes"], left["incomplete"]) == ([], [], [], {}, [])
    assert left["version"] > user["version"]


def test_nothing_can_be_done_with_an_anonymised_user(system):
    set_policy(system, "anonymise")
    user = system.create_active()
    delete(system, user)
    before = system.user(user)
    calls = [("activate", {"password": PASSWORD}), ("inactivate", None), ("invite", None), ("password", {"password": PASSWORD}), ("password-reset", None)]
    for action, body in calls:
        system.admin.post(f"/v1/users/{user['id']}/{action}", body).refused(409, "state_conflict")
    system.admin.patch(f"/v1/users/{user['id']}", {"first_name": "A", "email": "back@example.org"}).refused(409, "state_conflict")
    ask(system, user).refused(409, "state_conflict")
    group = system.admin.post("/v1/groups", {"name": f"Group {next(numbers)}"}).ok(201)["id"]
    for method in (system.admin.post, system.admin.put):
        assert method(f"/v1/groups/{group}/members", {"user_ids": [user["id"]]}).refused(422).faults() == {"/user_ids/0": "unknown_id"}
    assert {row["reason"] for row in system.admin.get(f"/v1/users/{user['id']}/actions").ok(200).items} == {"state_conflict"}
    assert system.user(user) == before


def test_an_anonymised_user_is_in_no_list_and_frees_his_names(system):
    set_policy(system, "anonymise")
    names = {"email": "again@example.org", "username": "again", "external_id": "again-1"}
    user = system.create_user(**names)
    delete(system, user)
    pseudonym = system.user(user)["last_name"]
    for params in ({}, {"status": "inactive"}, {"q": pseudonym}, {"q": "Deleted"}, {"email": names["email"]}, {"sort": "-created_at"}):
        assert user["id"] not in [row["id"] for row in system.admin.pages("/v1/users", limit=200, **params)], params
    answer = system.admin.get("/v1/users", count="true", q="again").ok(200)
    assert (answer["total"], answer.items) == (0, [])
    system.create_user(**names)


@both_modes
def test_the_audit_tells_of_him_under_a_pseudonym(system, mode):
    set_policy(system, mode)
    colleague = system.create_administrator(first_name="Walter", last_name="Whistle")
    user = system.create_user()
    system.sign_in(colleague).post(f"/v1/users/{user['id']}/inactivate").ok(200)
    deletion = delete(system, colleague, user).body
    done = next(row for row in system.audit("deletion.done") if row["subject"]["id"] == deletion["id"])
    assert done["changes"] == {"count": [None, 2], "mode": [None, mode]} and done["actor"]["id"] == system.admin_id
    deleted = system.audit("user.deleted", user)
    assert [(row["subject"], row["changes"]) for row in deleted] == [
        ({"kind": "user", "id": user["id"], "name": f"Deleted user {user['id'][-6:].upper()}"}, {"deletion": [None, mode]})]
    row = system.audit("user.inactivated", user)[0]
    assert row["actor"] == {"kind": "user", "id": colleague["id"], "name": f"Deleted user {colleague['id'][-6:].upper()}"}
    assert "Whistle" not in system.admin.get("/v1/audit", limit=200).ok(200).text


@both_modes
def test_the_audit_tells_what_went_with_him(system, mode):
    """As inactivating tells of what it detaches; his grants were in the audit when he got them, and are no more."""
    set_policy(system, mode)
    role = system.make_role("users:read")
    groups = sorted(system.admin.post("/v1/groups", {"name": f"Group {next(numbers)}"}).ok(201)["id"] for _ in range(2))
    user, other = system.create_user(role_id=role, group_ids=groups, own_permissions=["jobs:view"]), system.create_user(role_id=role)
    for resource in ("9", "7"):
        assign(system, user, resource=f"{user['id']}-{resource}")
    delete(system, user, other)
    told = [system.audit("user.deleted", one)[0]["changes"] for one in (user, other)]
    assert told == [
        {"deletion": [None, mode], "role_id": [role, None], "group_ids": [groups, None], "own_permissions": [["jobs:view"], None],
         "assignments": [[f"jobs/route/{user['id']}-{resource}#driver" for resource in "79"], None], "assignment_count": [2, 0]},
        {"deletion": [None, mode], "role_id": [role, None]}]


def test_of_very_many_assignments_the_audit_tells_how_many_and_the_first(system):
    user = system.create_user()
    system.sql("INSERT INTO rollcall.assignment (id, org_id, app, type, resource, relation, user_id)"
               " SELECT gen_random_uuid(), %s, 'jobs', 'route', %s || lpad(n::text, 3, '0'), 'driver', %s FROM generate_series(1, 250) n",
               system.org_id, f"{user['id']}-", user["id"])
    delete(system, user)
    (told,) = system.audit("user.deleted", user)
    assert told["changes"]["assignment_count"] == [250, 0] and told["changes"]["assignments"] == [
        [f"jobs/route/{user['id']}-{n:03}#driver" for n in range(1, 201)], None]


def test_two_hundred_go_at_once_or_none(server_only):
    set_policy(server_only, "anonymise")
    server_only.sql("INSERT INTO rollcall.users (org_id, id, first_name, last_name, status, status_reason, version)"
                    " SELECT %s, gen_random_uuid(), 'A', 'B', 'pending', 'created', 1 FROM generate_series(1, 200)", server_only.org_id)
    users = [{"id": str(one)} for one in server_only.sql("SELECT id FROM rollcall.users WHERE first_name = 'A'")]
    deletion = ask(server_only, *users).ok(201).body
    assert deletion["count"] == 200
    confirm(server_only, deletion).ok(200)
    assert server_only.value("SELECT count(*) FROM rollcall.users WHERE anonymised_at IS NOT NULL") == 200
    assert server_only.value("SELECT count(*) FROM rollcall.audit WHERE action = 'user.deleted'") == 200
    assert len(server_only.admin.pages("/v1/users")) == 1


def test_a_policy_that_counts_users_does_not_count_those_who_are_gone(server_only):
    set_policy(server_only, "anonymise")
    user = server_only.create_user()
    server_only.admin.patch("/v1/policy", {"login_identifier": "username"}).refused(422)
    delete(server_only, user)
    server_only.admin.patch("/v1/policy", {"login_identifier": "username"}).ok(200)
