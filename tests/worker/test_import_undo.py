"""Undoing an import: everything is as before, and whoever was touched since is left and told."""
import json

import pytest
from support.outbox import rounds, wait_settled
from support.waiting import wait_until

from support.imports import apply, csv_of, dry_run, ended, faults, outcomes, renewed, rows, undo

PEOPLE = ["E-mail", "First name", "Last name"]
# What is no user's, or remembers what was: the audit, the import itself, mails that were cancelled, who was there.
HISTORY = {"audit", "audit_value", "import", "import_row", "import_mapping", "file_part", "job", "outbox", "deleted_user", "session", "login_throttle", "idempotency", "worker"}
# What moves with any change, and what the clock writes when it starts.
MOVING = {"users": {"version", "updated_at", "last_active_at", "idle_check_at", "idle_due_at"}, "policy": {"idle_applied"}}


@pytest.fixture
def rollcall(shared_rollcall):
    yield from renewed(shared_rollcall)


def policy(system, **values):
    system.admin.patch("/v1/policy", values).ok(200)


def everything(system):
    """All rows of all tables but those of history, without what moves with any change: {table: {(key, column, value)}}."""
    tables = system.sql("SELECT relname::text FROM pg_class WHERE relnamespace = 'rollcall'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname")
    assert {"users", "group_member", "position", "credential", "invitation", "email_change"} <= set(tables)
    found = {}
    for table in set(tables) - HISTORY:
        lines = system.sql(f"SELECT to_jsonb(t) FROM rollcall.{table} t")
        found[table] = {(line.get("user_id", line.get("id")), name, json.dumps(value, sort_keys=True)) for line in lines
                        for name, value in line.items() if name not in MOVING.get(table, ())}
    return found


def assert_as_before(system, before):
    assert {table: cells ^ before[table] for table, cells in everything(system).items() if cells != before[table]} == {}


def one(system, address):
    (user,) = system.admin.get("/v1/users", email=address).items
    return user


def one_field(system, key):
    (field,) = [field for field in system.admin.get("/v1/fields").items if field["key"] == key]
    return field


@pytest.fixture
def organization(rollcall):
    """Departments, groups, roles, fields, positions, and somebody who has something of each."""
    policy(rollcall, import_on_duplicate="update", username_change="admin", user_kinds=["employee", "external"])
    ids = rollcall.ids = {
        "old": rollcall.admin.post("/v1/departments", {"name": "Old"}).ok(201)["id"], "new": rollcall.admin.post("/v1/departments", {"name": "New"}).ok(201)["id"],
        "night": rollcall.admin.post("/v1/groups", {"name": "Night"}).ok(201)["id"], "day": rollcall.admin.post("/v1/groups", {"name": "Day"}).ok(201)["id"],
        "clerk": rollcall.make_role("users:read", name="Clerk"), "driver": rollcall.make_role("users:read", "x:y", name="Driver")}
    for key in ("hub", "shoe"):
        rollcall.admin.post("/v1/fields", {"key": key, "label": key.title(), "type": "text"}).ok(201)
    rollcall.known = rollcall.create_active(
        email="known@people.example", username="known", first_name="Old", last_name="Name", phone="+380441111111", external_id="E-1", kind="employee", role_id=ids["clerk"],
        department_id=ids["old"], position="Captain", group_ids=[ids["night"]], attributes={"hub": "Kyiv"}, locale="uk")
    rollcall.bare = rollcall.create_user(email="bare@people.example", first_name="Bare", last_name="Name")
    wait_settled(rollcall)
    rollcall.known, rollcall.bare = rollcall.user(rollcall.known), rollcall.user(rollcall.bare)
    return rollcall


HEADERS = [*PEOPLE, "Username", "Phone", "Kind", "Role", "Department", "Position", "Groups", "Language", "Hub", "Shoe"]


def full(address, name):
    return [address, name, "Changed", name.lower(), "+380449999999", "external", "Driver", "New", "Mate", "Day; Night", "en", "Lviv", "42"]


@pytest.mark.parametrize("deletion", ["forbidden", "anonymise", "erase"])
def test_after_an_import_and_its_undoing_the_database_is_as_before(organization, deletion):
    policy(organization, deletion=deletion)
    before, queued = everything(organization), organization.sql("SELECT id FROM rollcall.outbox")
    made = dry_run(organization.admin, csv_of(HEADERS, full("known@people.example", "Known2"), full("bare@people.example", "Bare2"),
                                              *[full(f"p{n}@people.example", f"P{n}") for n in range(20)]))
    organization.sink.behave("*", "450 4.2.0 later")
    done = apply(organization.admin, made, invite=True)
    assert done["counts"]["applied"] == 22, rows(organization.admin, done)
    changed = organization.user(organization.known)
    assert (changed["role"], changed["department_id"], changed["position"], changed["kind"], changed["attributes"]) == (
        "Driver", organization.ids["new"], "Mate", "external", {"hub": "Lviv", "shoe": "42"}) and len(changed["group_ids"]) == 2
    links = [organization.link(one(organization, f"p{n}@people.example")) for n in range(3)]
    organization.inspect(links[0]).ok(200)
    undone = undo(organization.admin, done)
    assert undone["state"] == "undone" and (undone["counts"]["undone"], undone["counts"]["left"], undone["counts"]["applied"]) == (22, 0, 22), rows(organization.admin, undone)
    assert set(outcomes(organization.admin, undone).values()) == {"undone"} and faults(organization.admin, undone) == []
    assert_as_before(organization, before)
    assert organization.user(organization.known) | {"version": 0, "updated_at": 0} == organization.known | {"version": 0, "updated_at": 0}
    for link in links:
        assert organization.inspect(link).status in (404, 410)
        assert organization.accept(link).status in (404, 410)
    mails = [row for row in organization.sql("SELECT id, state, recipient, kind FROM rollcall.outbox") if row[0] not in queued]
    assert {row[1:] for row in mails if row[3] == "invitation"} == {("cancelled", None, "invitation")} and len(mails) == 21
    assert [event["actor"]["id"] for event in organization.audit("import.undone")] == [organization.admin_id]
    assert len(organization.audit("user.import_undone")) == 20
    organization.admin.post(f"/v1/imports/{made['id']}/undo").refused(409, "state_conflict")


def test_an_address_that_waits_to_be_confirmed_is_withdrawn(organization):
    policy(organization, email_change="admin", import_on_duplicate="update")
    before = everything(organization)
    made = dry_run(organization.admin, csv_of(["External ID", "E-mail"], ["E-1", "next@people.example"]))
    apply(organization.admin, made)
    assert organization.user(organization.known)["email_pending"] == "next@people.example"
    link = organization.email_link(organization.known)
    undone = undo(organization.admin, made)
    assert undone["counts"]["undone"] == 1, rows(organization.admin, undone)
    user = organization.user(organization.known)
    assert user["email"] == "known@people.example" and user["email_pending"] is None
    organization.confirm_email(link).refused(410)
    before["email_change"] = everything(organization)["email_change"]
    assert_as_before(organization, before)


def test_an_address_of_a_pending_user_comes_back_and_his_link_with_it(organization):
    made = dry_run(organization.admin, csv_of(["ID", "E-mail"], [organization.bare["id"], "next@people.example"]), mapping=json.dumps({"ID": "id"}))
    apply(organization.admin, made)
    organization.wait_mail("next@people.example")
    link = organization.link(organization.bare)
    undo(organization.admin, made)
    assert organization.user(organization.bare)["email"] == "bare@people.example"
    organization.inspect(link).refused(410)
    assert organization.inspect(organization.mail_link("bare@people.example")).status in (200, 410)
    organization.accept(organization.link(organization.bare)).ok(200)


@pytest.mark.parametrize("header, cell, user, policy_after", [
    ("Username", "later", {}, {}),
    ("Role", "Clerk", {}, {"role_required": True}),
    ("Shoe", "42", {"attributes": {"hub": "Kyiv"}}, {"required_fields": "block"}),
    ("Kind", "employee", {"kind": "external"}, {"user_kinds": ["employee"]}),
    ("E-mail", "later@people.example", {"email": None, "username": "early"}, {"email_change": "never"}),
], ids=lambda value: value if isinstance(value, str) and value.isalpha() else "")
@pytest.mark.parametrize("is_active", [False, True], ids=["pending", "active"])
def test_values_of_before_come_back_past_policies_of_edits(organization, header, cell, user, policy_after, is_active):
    """Rows that nobody had touched were left: a username is never changed here, a role is required."""
    policy(organization, username_change="never", email_required=False, login_identifier="either", initial_status="chosen_by_admin", invite_on_create="ask")
    user = organization.create_user(**{"email": "early@people.example"} | user, external_id="E-2", phone="+380443333333",
                                    role_id=None if header == "Role" else organization.ids["clerk"], status="active" if is_active else "pending")
    made = dry_run(organization.admin, csv_of(["External ID", "Phone", header], ["E-2", "+380449999999", cell]))
    assert apply(organization.admin, made)["counts"]["applied"] == 1, rows(organization.admin, made)
    policy(organization, **policy_after)
    field = one_field(organization, "shoe")
    organization.admin.patch(f"/v1/fields/{field['id']}", {"required_for_roles": [organization.ids["clerk"]]}).ok(200)
    undone = undo(organization.admin, made)
    assert undone["counts"]["undone"] == 1, rows(organization.admin, undone)
    moving = {"version": 0, "updated_at": 0, "incomplete": []}
    assert organization.user(user) | moving == user | moving


def test_a_first_address_is_taken_back_with_the_link_that_went_there(organization):
    policy(organization, email_required=False, login_identifier="either", email_change="never")
    user = organization.create_user(email=None, username="early", external_id="E-2")
    organization.sink.behave("*", "450 4.2.0 later")
    made = dry_run(organization.admin, csv_of(["External ID", "E-mail"], ["E-2", "later@people.example"]))
    apply(organization.admin, made, invite=True)
    link = organization.link(user)
    organization.inspect(link).ok(200)
    undone = undo(organization.admin, made)
    assert undone["counts"]["undone"] == 1, rows(organization.admin, undone)
    organization.inspect(link).refused(410, "link_revoked")
    assert organization.user(user)["email"] is None and organization.user(user)["status"] == "pending"
    assert organization.sql("SELECT state FROM rollcall.outbox WHERE user_id = %s", user["id"]) == ["cancelled"]
    assert [event["action"] for event in organization.audit(user=user)][:2] == ["user.invitation_withdrawn", "user.edited"]


def test_who_gets_his_address_back_is_not_invited(organization):
    """He who had none asked for an invitation as if he were new."""
    policy(organization, email_required=False, login_identifier="either", invite_on_create="ask")
    user = organization.create_user(email="early@people.example", username="early")
    made = dry_run(organization.admin, csv_of(["ID", "E-mail"], [user["id"], ""]), mapping=json.dumps({"ID": "id"}))
    apply(organization.admin, made)
    assert organization.user(user)["email"] is None
    undo(organization.admin, made)
    assert organization.user(user)["email"] == "early@people.example" and organization.user(user)["invitation"] is None


def test_a_text_comes_back_past_the_pattern_of_today(organization):
    made = dry_run(organization.admin, csv_of(["External ID", "Hub"], ["E-1", "42"]))
    apply(organization.admin, made)
    organization.admin.patch(f"/v1/fields/{one_field(organization, 'hub')['id']}", {"pattern": "[0-9]+"}).ok(200)
    assert undo(organization.admin, made)["counts"]["undone"] == 1
    assert organization.user(organization.known)["attributes"] == {"hub": "Kyiv"}


def test_what_a_policy_promises_of_everybody_undoing_does_not_break(organization):
    """A policy that could only be switched on because nobody lacked an address."""
    policy(organization, email_required=False, login_identifier="either")
    organization.create_user(email=None, username="early", external_id="E-2")
    made = dry_run(organization.admin, csv_of(["External ID", "E-mail"], ["E-2", "later@people.example"]))
    apply(organization.admin, made, invite=False)
    policy(organization, email_required=True)
    assert faults(organization.admin, undo(organization.admin, made)) == [(2, "E-mail", "required")]


def test_names_that_others_have_by_now_and_roles_that_one_does_not_hold_are_not_given_back(organization):
    organization.make_role("users:read", "payroll:write", name="Chief")
    (chief,) = [role["id"] for role in organization.admin.get("/v1/roles").items if role["name"] == "Chief"]
    renamed = organization.create_user(email="renamed@people.example", username="renamed", external_id="E-2")
    lowered = organization.create_user(email="lowered@people.example", external_id="E-3", role_id=chief)
    made = dry_run(organization.admin, csv_of(["External ID", "Username", "Role"], ["E-2", "other", "Clerk"], ["E-3", "lowered", "Clerk"]))
    assert apply(organization.admin, made)["counts"]["applied"] == 2
    organization.create_user(email="third@people.example", username="RENAMED")
    client = organization.client(organization.make_key("imports:write", "users:write", "users:delete", "users:read"))
    assert faults(client, undo(client, made)) == [(2, "Username", "username_taken"), (3, None, "exceeds_your_permissions")]
    assert organization.user(renamed)["username"] == "other" and organization.user(lowered)["role"] == "Clerk"


def test_whoever_came_or_was_touched_since_is_left_with_a_reason(organization):
    policy(organization, initial_status="chosen_by_admin")
    made = dry_run(organization.admin, csv_of([*PEOPLE, "Position", "Status"], *[[f"{name}@people.example", "A", "B", "Pilot", "active" if name == "assigned" else ""] for name in (
        "known", "bare", "accepted", "edited", "grouped", "assigned", "reset", "deleted", "inactivated", "quiet")]))
    done = apply(organization.admin, made, invite=True)
    assert done["counts"]["applied"] == 10
    users = {name: one(organization, f"{name}@people.example") for name in ("accepted", "edited", "grouped", "assigned", "reset", "deleted", "inactivated", "quiet")}
    organization.admin.patch(f"/v1/users/{organization.known['id']}", {"phone": "+380442222222"}).ok(200)
    organization.accept(organization.link(users["accepted"])).ok(200)
    organization.admin.patch(f"/v1/users/{users['edited']['id']}", {"first_name": "Edited"}).ok(200)
    organization.admin.patch(f"/v1/users/{users['grouped']['id']}", {"group_ids": [organization.ids["day"]]}).ok(200)
    organization.admin.put("/v1/assignments/app/thing/1", {"user_id": users["assigned"]["id"], "relation": "owner"}).ok()
    organization.admin.post(f"/v1/users/{users['reset']['id']}/password", {"password": "violet tractor under seven moons"}).ok(200)
    policy(organization, deletion="erase", deletion_confirmation="none")
    organization.admin.post("/v1/users/deletions", {"user_ids": [users["deleted"]["id"]]}).ok(201)
    organization.admin.post(f"/v1/users/{users['inactivated']['id']}/inactivate").ok(200)
    undone = undo(organization.admin, done)
    assert undone["state"] == "undone" and (undone["counts"]["undone"], undone["counts"]["left"]) == (2, 8)
    told = {row["values"].get("E-mail", "deleted@").split("@")[0]: (row["outcome"], [error["code"] for error in row["errors"]])
            for row in rows(organization.admin, undone)}
    moved = ("left", ["version_mismatch"])
    assert told == {"known": moved, "bare": ("undone", []), "accepted": moved, "edited": moved, "grouped": moved, "assigned": ("left", ["state_conflict"]), "reset": moved,
                    "deleted": ("left", ["not_found"]), "inactivated": moved, "quiet": ("undone", [])}
    assert all(error["detail"] for row in rows(organization.admin, undone, outcome="left") for error in row["errors"])
    assert organization.user(organization.known)["position"] == "Pilot" and organization.user(organization.bare)["position"] is None
    assert organization.admin.get(f"/v1/users/{users['quiet']['id']}").status == 404
    assert "Pilot" in [position["title"] for position in organization.admin.get("/v1/positions").items], "somebody has it"


def test_who_has_signed_in_with_the_password_of_before_is_left(rollcall):
    hash_of_correct_horse = "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"
    made = dry_run(rollcall.admin, csv_of([*PEOPLE, "Password hash"], *[[f"{name}@people.example", "A", "B", hash_of_correct_horse] for name in ("came", "stayed")]))
    apply(rollcall.admin, made)
    rollcall.login("came@people.example", "correct horse").ok(201)
    undone = undo(rollcall.admin, made)
    assert outcomes(rollcall.admin, undone) == {2: "left", 3: "undone"} and faults(rollcall.admin, undone) == [(2, None, "state_conflict")]
    rollcall.login("stayed@people.example", "correct horse").refused(401)


@pytest.mark.parametrize("wish", ["mail_admin_new_link", "resend_to_user", "nothing"])
def test_what_the_clock_does_to_people_does_not_keep_them(rollcall, wish):
    policy(rollcall, invitation_on_expiry=wish)
    made = dry_run(rollcall.admin, csv_of(PEOPLE, ["a@people.example", "A", "B"]))
    apply(rollcall.admin, made, invite=True)
    user = one(rollcall, "a@people.example")
    wait_settled(rollcall)
    rollcall.move("invitation", user, expires_at="now() - interval '1 second'")
    rounds(rollcall)
    wait_until(lambda: rollcall.user(user)["version"] > user["version"], because="the clock has come to it")
    rollcall.sql("DELETE FROM rollcall.invitation v USING rollcall.users u WHERE u.id = v.user_id AND u.first_name = 'round'")
    undone = undo(rollcall.admin, made)
    assert undone["counts"]["undone"] == 1, (rows(rollcall.admin, undone), rollcall.audit(user=user))
    assert rollcall.admin.get(f"/v1/users/{user['id']}").status == 404


def test_to_undo_needs_the_permission_and_reaches_nobody_who_may_more(rollcall):
    chief = rollcall.make_role("users:read", "payroll:write", name="Chief")
    made = dry_run(rollcall.admin, csv_of([*PEOPLE, "Role"], ["a@people.example", "A", "B", "Chief"], ["b@people.example", "A", "B", ""]))
    apply(rollcall.admin, made)
    assert one(rollcall, "a@people.example")["role_id"] == chief
    rollcall.client(rollcall.make_key("imports:write")).post(f"/v1/imports/{made['id']}/undo").refused(403, "permission_missing")
    rollcall.client(rollcall.make_key("imports:write", "users:write")).post(f"/v1/imports/{made['id']}/undo").refused(403, "permission_missing")
    client = rollcall.client(rollcall.make_key("imports:write", "users:write", "users:delete", "users:read"))
    undone = undo(client, made)
    assert outcomes(client, undone) == {2: "left", 3: "undone"}
    assert [event["actor"]["kind"] for event in rollcall.audit("import.undone")] == ["api_key"]


def test_administrators_that_an_import_made_are_left(rollcall):
    role = rollcall.value("SELECT name FROM rollcall.role WHERE permissions = '{*}'")
    policy(rollcall, initial_status="chosen_by_admin")
    made = dry_run(rollcall.admin, csv_of([*PEOPLE, "Role", "Status"], ["a@people.example", "A", "B", role, "active"], ["b@people.example", "A", "B", role, ""]))
    apply(rollcall.admin, made)
    assert outcomes(rollcall.admin, undo(rollcall.admin, made)) == {2: "left", 3: "undone"}


def test_undoing_goes_on_where_a_worker_was_killed(rollcall):
    before = everything(rollcall)
    made = dry_run(rollcall.admin, csv_of(PEOPLE, *[[f"p{n}@people.example", "A", "B"] for n in range(3000)]))
    apply(rollcall.admin, made, 30)
    rollcall.admin.post(f"/v1/imports/{made['id']}/undo").ok(202)
    for kill in range(2):
        wait_until(lambda: rollcall.value("SELECT undone FROM rollcall.import") > kill * 1000, 30, 0.001)
        rollcall.worker.kill()
        seen = rollcall.admin.get(f"/v1/imports/{made['id']}").ok()
        assert seen["state"] == "undoing" and seen["progress"] == {"done": seen["counts"]["undone"], "rows": 3000}
        assert rollcall.admin.get("/v1/users", count="true")["total"] == 3001 - seen["counts"]["undone"]
        rollcall.sql("UPDATE rollcall.job SET run_at = now()")
        rollcall.start_worker()
    undone = wait_until(lambda: (found := rollcall.admin.get(f"/v1/imports/{made['id']}").ok().body)["state"] == "undone" and found, 60)
    assert (undone["counts"]["undone"], undone["counts"]["left"]) == (3000, 0)
    assert rollcall.sql("SELECT count(*), count(DISTINCT subject_id) FROM rollcall.audit WHERE action = 'user.import_undone'") == [(3000, 3000)]
    assert_as_before(rollcall, before)


def test_who_is_deleted_while_his_removal_waits_is_told_as_gone(rollcall):
    """He was said to have come, or to administer."""
    made = dry_run(rollcall.admin, csv_of(PEOPLE, *[[f"{name}@people.example", "A", "B"] for name in ("gone", "moved", "removed")]))
    apply(rollcall.admin, made)
    gone, moved = one(rollcall, "gone@people.example"), one(rollcall, "moved@people.example")
    with rollcall.cluster.connect(rollcall.database) as other:
        other.autocommit = False
        other.execute("DELETE FROM rollcall.users WHERE id = %s", [gone["id"]])
        other.execute("UPDATE rollcall.users SET version = version + 1 WHERE id = %s", [moved["id"]])
        rollcall.admin.post(f"/v1/imports/{made['id']}/undo").ok(202)
        rollcall.wait_for_lock()
        other.commit()
    undone = ended(rollcall.admin, made["id"])
    assert faults(rollcall.admin, undone) == [(2, None, "not_found"), (3, None, "version_mismatch")]
    assert outcomes(rollcall.admin, undone) == {2: "left", 3: "left", 4: "undone"}


def test_other_files_forget_whom_undoing_removes_but_not_whom_they_may_yet_make(rollcall):
    people = csv_of(PEOPLE, ["A@people.example", "A", "B"])
    waiting = dry_run(rollcall.admin, people)
    made = dry_run(rollcall.admin, people)
    apply(rollcall.admin, made)
    refused = dry_run(rollcall.admin, people)
    assert outcomes(rollcall.admin, refused) == {2: "error"}
    undo(rollcall.admin, made)
    assert [row["values"] for row in rows(rollcall.admin, refused)] == [{}]
    assert apply(rollcall.admin, waiting)["counts"]["applied"] == 1
