"""Urbantz, from the top of its page to the end: S2, managing the users of a platform."""
import io
import json

import openpyxl
import pytest

from support.imports import apply, dry_run, faults, outcomes
from support.outbox import nudge
from support.system import ADMIN_EMAIL, PASSWORD, numbers
from support.waiting import wait_until

pytestmark = pytest.mark.preset("urbantz")

SCREENS = {}
DECISIONS = {
    "S2-26": "inactive for being idle is a status with a label of its own, and an administrator brings the user back",
    "S2-27": "users are warned 14 and 3 days before; policy idle_warn_days switches it off",
    "S2-28": "who never logged in counts from the moment when he became active",
}
WRONG = "quite another password"
NEW = "nine copper lanterns at dusk"
ROLES = ["Admin", "Customer care", "Dispatcher", "Driver"]
HUB = {"hub": "Kyiv North"}


@pytest.fixture(scope="module")
def roles(shared_rollcall):
    """The drop-down menu: {name: id}."""
    return {role["name"]: role["id"] for role in shared_rollcall.admin.pages("/v1/roles")}


@pytest.fixture
def make(shared_rollcall, roles):
    """A user of customer care who has set his password."""
    def make(**fields):
        return shared_rollcall.create_active(role_id=roles["Customer care"], **fields)
    return make


def path(user, part=None):
    return f"/v1/users/{user['id']}" + (f"/{part}" if part else "")


def do(system, user, action, body=None, client=None):
    return (client or system.admin).post(path(user, action), body)


def body(role_id=None, **more):
    return {"email": f"platform{next(numbers)}@example.org", "first_name": "Marie", "last_name": "Dupont",
            **({"role_id": role_id} if role_id else {}), **more}


def label(system, user):
    return system.user(user)["status_label"]


def guess(system, user, times):
    for _ in range(times):
        system.login(user["email"], WRONG).refused(401, "login_failed")


def deny(system, user):
    guess(system, user, 10)
    assert label(system, user) == "DENIED"


def quiet_for(system, user, time):
    """His last sign of life was so long ago, and idleness is computed anew."""
    moment = f"now() - interval '{time}'"
    system.move("users", user, last_login_at=moment, last_active_at=moment, status_changed_at=moment)
    compute_idleness(system)


def compute_idleness(system):
    system.sql("UPDATE rollcall.policy SET idle_applied = 'stale'")
    nudge(system)
    wait_until(lambda: system.value("SELECT idle_applied <> 'stale' FROM rollcall.policy"), because="idleness is computed")


def wait_idle(system, user):
    wait_until(lambda: system.user(user)["status_reason"] == "idle", because="the user is idle")


# --- 1. Adding a user

def test_a_user_is_added_with_his_name_address_and_one_role_of_the_list(shared_rollcall, roles):
    """S2-01, S2-02, S2-03: the list is fixed, and nobody is without a role."""
    assert sorted(roles) == ROLES
    for name in ROLES:
        wanted = body(roles[name], attributes=HUB)
        user = shared_rollcall.admin.post("/v1/users", wanted).ok(201)
        assert wanted.items() <= user.body.items() and user["role"] == name
    assert shared_rollcall.admin.post("/v1/users", body()).refused(422).faults() == {"/role_id": "required"}
    assert shared_rollcall.admin.post("/v1/users", body([roles["Admin"], roles["Driver"]])).refused(422).faults() == {"/role_id": "wrong_type"}
    own = {"role": {"name": "Loader", "permissions": ["tasks:read"]}}
    shared_rollcall.admin.post("/v1/users", body(**own)).refused(403, "refused_by_policy", policy="custom_roles")
    shared_rollcall.admin.post("/v1/roles", own["role"]).refused(403, "refused_by_policy", policy="custom_roles")
    client = shared_rollcall.client(shared_rollcall.make_key("users:read"))
    client.post("/v1/users", body(roles["Admin"])).refused(403, "permission_missing")


def test_several_users_are_added_at_once_and_each_by_the_rules_of_his_role(shared_rollcall, roles):
    """S2-08: whose line is wrong is told what is wrong, and the others are made and invited."""
    lines = [body(roles["Driver"], attributes=HUB), body(roles["Driver"]), body(roles["Customer care"]), body()]
    items = shared_rollcall.admin.post("/v1/users/bulk", {"operations": [{"op": "create", **line} for line in lines]}).ok(200).items
    assert [item["status"] for item in items] == [201, 422, 201, 422]
    assert [item["problem"]["errors"][0]["pointer"] for item in items if "problem" in item] == ["/attributes/hub", "/role_id"]
    for line, item in zip(lines, items):
        if item["status"] == 201:
            assert shared_rollcall.wait_mail(line["email"], kind="invitation").link
            assert shared_rollcall.user(item)["invitation"]["state"] == "pending"


def test_a_form_of_many_lines_is_taken_whole_or_says_what_is_wrong_in_each(shared_rollcall, roles):
    """S2-09, S2-05: nobody is made as long as a line is wrong; mended, a line is a user."""
    lines = [body(roles["Driver"], attributes=HUB), body(roles["Driver"], first_name=""), body(roles["Admin"]), body()]

    def send(lines):
        return shared_rollcall.admin.post("/v1/users/bulk", {"atomic": True, "operations": [{"op": "create", **line} for line in lines]}).ok(200)

    answer = send(lines)
    assert (answer["succeeded"], [item["status"] for item in answer.items]) == (0, [424, 422, 424, 422])
    wrong = {item["index"]: {error["pointer"] for error in item["problem"]["errors"]} for item in answer.items if item["status"] == 422}
    assert wrong == {1: {"/first_name", "/attributes/hub"}, 3: {"/role_id"}}
    assert shared_rollcall.admin.get("/v1/users", email=lines[0]["email"]).ok(200).items == []
    lines[1].update(first_name="Marie", attributes=HUB)
    lines[3]["role_id"] = roles["Customer care"]
    answer = send([*lines, body(roles["Admin"])])
    assert (answer["succeeded"], answer["failed"]) == (5, 0)
    for line, item in zip(lines, answer.items):
        assert shared_rollcall.user(item)["email"] == line["email"] and shared_rollcall.wait_mail(line["email"], kind="invitation").link


def test_a_spreadsheet_makes_a_user_of_each_line_by_the_rules_of_his_role(shared_rollcall):
    """S2-10, S2-11: all fields are columns; whoever is made gets the mail as from the form."""
    headers = ["First name", "Last name", "E-mail", "Role", "Phone", "Hub"]
    people = [["Marie", "Curie", f"sheet{next(numbers)}@example.org", role, 33123456789, hub]
              for role, hub in (("Driver", "Lyon"), ("Driver", ""), ("Admin", ""), ("Customer care", "Lyon"), ("", "Lyon"), ("Pilot", ""))]
    book, out = openpyxl.Workbook(), io.BytesIO()
    for row in [headers, *people]:
        book.active.append(row)
    book.save(out)
    made = dry_run(shared_rollcall.admin, out.getvalue(), file_name="users.xlsx")
    assert outcomes(shared_rollcall.admin, made) == {2: "create", 3: "error", 4: "create", 5: "create", 6: "error", 7: "error"}
    assert faults(shared_rollcall.admin, made) == [(3, "Hub", "required"), (6, "Role", "required"), (7, "Role", "unknown_id")]
    assert apply(shared_rollcall.admin, made)["counts"]["applied"] == 3
    for row in (0, 2, 3):
        address, role, hub = people[row][2], people[row][3], people[row][5]
        (user,) = shared_rollcall.admin.get("/v1/users", email=address).ok(200).items
        assert (user["role"], user["phone"], user["attributes"].get("hub", "")) == (role, "+33123456789", hub)
        assert shared_rollcall.wait_mail(address, kind="invitation").link
    assert shared_rollcall.admin.get("/v1/users", email=people[1][2]).ok(200).items == []


def schema_of(system, role_id):
    return json.loads(system.admin.get(f"/v1/roles/{role_id}/schema").ok(200).response.content)


def test_the_role_decides_which_more_fields_a_form_must_have(shared_rollcall, roles):
    """S2-04, S2-11: who dispatches or drives does it for a hub; each role says itself what its users need."""
    required = {name: schema_of(shared_rollcall, roles[name])["properties"]["attributes"]["required"] for name in ROLES}
    assert required == {"Admin": [], "Customer care": [], "Dispatcher": ["hub"], "Driver": ["hub"]}
    form = schema_of(shared_rollcall, roles["Driver"])
    assert form["required"] == ["email", "first_name", "last_name", "role_id", "attributes"]
    assert form["properties"]["attributes"]["properties"]["hub"]["title"] == "Hub"
    same = {name: shared_rollcall.admin.post("/v1/users", body(roles[name])).status for name in ROLES}
    assert same == {"Admin": 201, "Customer care": 201, "Dispatcher": 422, "Driver": 422}


def test_mandatory_fields_are_insisted_on_all_at_once(shared_rollcall, roles):
    """S2-05: and nobody is made as long as one lacks."""
    before = shared_rollcall.value("SELECT count(*) FROM rollcall.users")
    lacking = shared_rollcall.admin.post("/v1/users", {"role_id": roles["Driver"]}).refused(422, "invalid_body")
    assert lacking.faults() == {"/email": "required", "/first_name": "required", "/last_name": "required", "/attributes/hub": "required"}
    empty = body(roles["Driver"], first_name=" ", attributes={"hub": None})
    assert shared_rollcall.admin.post("/v1/users", empty).refused(422).faults().keys() == {"/first_name", "/attributes/hub"}
    assert shared_rollcall.value("SELECT count(*) FROM rollcall.users") == before
    assert shared_rollcall.admin.post("/v1/users", body(roles["Driver"], attributes=HUB)).ok(201)["attributes"] == HUB


def test_a_mail_lets_the_new_user_set_his_password(shared_rollcall, roles):
    """S2-06, S2-07: the administrator thinks of none; afterwards the user is validated."""
    user = shared_rollcall.admin.post("/v1/users", body(roles["Driver"], attributes=HUB)).ok(201).body
    assert user["status_label"] == "Pending"
    mail = shared_rollcall.wait_mail(user["email"])
    assert mail.subject == "Акме & Sons invites you" and "choose your password" in mail.text
    shared_rollcall.accept(mail.link).ok(200)
    assert label(shared_rollcall, user) == "Validated"
    client = shared_rollcall.sign_in(user)
    assert client.get("/v1/auth/verify").ok(204).headers["X-Rollcall-Permissions"].split() == ["routes:read", "tasks:read"]


# --- 2. Changing user roles

def test_a_user_is_found_by_name_or_address_and_given_another_role(shared_rollcall, roles, make):
    """S2-12: which counts at his next request."""
    user = make(first_name="Zinédine", last_name="Bâtisseur", email="zb@depot.example")
    client = shared_rollcall.sign_in(user)
    client.get("/v1/users").ok(200)
    for word in ("zinéd", "bâtiss", "zb@depot", "Zinédine Bâtisseur"):
        assert [one["id"] for one in shared_rollcall.admin.pages("/v1/users", q=word)] == [user["id"]]
    changed = shared_rollcall.admin.patch(path(user), {"role_id": roles["Dispatcher"], "attributes": HUB}).ok(200)
    assert changed["role"] == "Dispatcher" and "routes:write" in changed["permissions"]
    assert "routes:write" in client.get("/v1/auth/verify").ok(204).headers["X-Rollcall-Permissions"]
    assert shared_rollcall.admin.patch(path(user), {"role_id": None}).refused(422).faults() == {"/role_id": "required"}


def test_another_role_may_ask_for_more(shared_rollcall, roles, make):
    """S2-13: without it he keeps the role that he has."""
    user = make()
    assert shared_rollcall.admin.patch(path(user), {"role_id": roles["Driver"]}).refused(422).faults() == {"/attributes/hub": "required"}
    assert shared_rollcall.user(user)["role"] == "Customer care"
    assert shared_rollcall.admin.patch(path(user), {"role_id": roles["Driver"], "attributes": HUB}).ok(200)["role"] == "Driver"


# --- 3. Removing a user

def test_nobody_is_deleted(shared_rollcall, make):
    """S2-14: the action is not offered, and refused by name."""
    user = make()
    row, = [row for row in shared_rollcall.admin.get(path(user, "actions")).ok(200).items if row["action"] == "delete"]
    assert (row["allowed"], row["policy"]) == (False, "deletion")
    shared_rollcall.admin.post("/v1/users/deletions", {"user_ids": [user["id"]]}).refused(403, "refused_by_policy", policy="deletion")
    assert shared_rollcall.admin.delete(path(user)).status == 405
    assert shared_rollcall.user(user)["version"] == user["version"]


def test_who_is_banned_stays_out_and_what_he_did_stays_readable(shared_rollcall, roles, make):
    """S2-15, S2-16, S2-17, S2-18: from validated to banned, as the list shows when it is read again."""
    user = make()
    client = shared_rollcall.sign_in(user)
    client.patch("/v1/me", {"phone": "+33123456789"}).ok(200)
    shared_rollcall.admin.put(f"/v1/assignments/urbantz/route/{next(numbers)}", {"user_id": user["id"]}).ok(200)
    assert label(shared_rollcall, user) == "Validated"
    do(shared_rollcall, user, "inactivate").ok(200)
    listed, = shared_rollcall.admin.pages("/v1/users", q=user["email"])
    assert (listed["status_label"], listed["status"], listed["status_reason"]) == ("Banned", "inactive", "by_admin")
    client.get("/v1/me").refused(401)
    shared_rollcall.login(user["email"], PASSWORD).refused(401, "login_failed")
    history = shared_rollcall.admin.get(path(user, "history")).ok(200).items
    assert [row["action"] for row in history] == ["user.inactivated", "user.edited", "user.invitation_accepted", "user.created"]
    done, *_ = shared_rollcall.admin.pages("/v1/audit", actor_id=user["id"])
    assert done == history[1] and done["changes"]["phone"] == [None, "+33123456789"] and done["actor"]["name"] == "Olena Koval"
    assert len(shared_rollcall.admin.get(path(user, "assignments")).ok(200).items) == 1
    assert (listed["phone"], listed["role_id"]) == ("+33123456789", roles["Customer care"]) and listed["last_login_at"]


# --- 4. User status DENIED

def test_ten_wrong_passwords_deny_and_nine_do_not(shared_rollcall, make):
    """S2-19: a right one in between starts the count anew."""
    user = make()
    guess(shared_rollcall, user, 9)
    client = shared_rollcall.sign_in(user)
    guess(shared_rollcall, user, 9)
    assert label(shared_rollcall, user) == "Validated"
    guess(shared_rollcall, user, 1)
    assert label(shared_rollcall, user) == "DENIED"
    shared_rollcall.login(user["email"], PASSWORD).refused(401, "login_failed")
    client.get("/v1/me").refused(401)
    shared_rollcall.wait_mail(user["email"], kind="account_locked")
    shared_rollcall.wait_mail(ADMIN_EMAIL, kind="lock_digest")


def test_denied_is_seen_by_all_and_set_by_the_system_alone(shared_rollcall, roles, make):
    """S2-20: no person can deny anybody."""
    user = make()
    deny(shared_rollcall, user)
    listed, = shared_rollcall.admin.pages("/v1/users", q=user["email"], status="locked")
    assert (listed["status_label"], listed["status_reason"]) == ("DENIED", "wrong_password")
    event, = shared_rollcall.audit("user.locked", user)
    assert event["actor"]["kind"] == "system"
    assert shared_rollcall.admin.post("/v1/users", body(roles["Admin"], status="locked")).refused(422).faults() == {"/status": "invalid"}
    assert shared_rollcall.admin.patch(path(make()), {"status": "locked"}).refused(422).faults() == {"/status": "read_only"}


def test_an_administrator_validates_the_denied_and_may_set_another_password(shared_rollcall, make):
    """S2-21, S2-22: time alone validates nobody; the password may come with it, or by itself."""
    user = make()
    deny(shared_rollcall, user)
    shared_rollcall.move("users", user, status_changed_at="now() - interval '1 month'")
    shared_rollcall.ask_reset(user)
    assert shared_rollcall.outbox(user, "password_reset") == [] and label(shared_rollcall, user) == "DENIED"
    assert do(shared_rollcall, user, "activate").ok(200)["status_label"] == "Validated"
    shared_rollcall.login(user["email"], PASSWORD).ok(201)
    deny(shared_rollcall, user)
    assert do(shared_rollcall, user, "activate", {"password": NEW}).ok(200)["status_label"] == "Validated"
    shared_rollcall.login(user["email"], PASSWORD).refused(401, "login_failed")
    shared_rollcall.login(user["email"], NEW).ok(201)


def test_the_banned_are_validated_in_the_same_way(shared_rollcall, make):
    """S2-23: with or without another password."""
    for given in (None, {"password": NEW}):
        user = make()
        do(shared_rollcall, user, "inactivate").ok(200)
        assert do(shared_rollcall, user, "activate", given).ok(200)["status_label"] == "Validated"
        shared_rollcall.login(user["email"], NEW if given else PASSWORD).ok(201)


# --- 5. User management by API

def test_a_program_does_with_a_key_what_administrators_do(shared_rollcall, roles):
    """S2-24: create, retrieve, update, ban, validate, another password, another mail."""
    key = shared_rollcall.make_key("users:read", "users:write", "users:invite", "users:password", "audit:read", "routes:read", "tasks:read")
    client = shared_rollcall.client(key)
    user = client.post("/v1/users", body(roles["Driver"], attributes=HUB, external_id="hr-7")).ok(201).body
    assert client.get(path(user)).ok(200)["role"] == "Driver"
    assert [one["id"] for one in client.get("/v1/users", external_id="hr-7").ok(200).items] == [user["id"]]
    do(shared_rollcall, user, "invite", client=client).ok(202)
    shared_rollcall.accept(shared_rollcall.wait_mail(user["email"], count=2).link).ok(200)
    changed = client.patch(path(user), {"last_name": "Martin", "attributes": {"hub": "Lyon"}}).ok(200)
    assert (changed["last_name"], changed["attributes"]) == ("Martin", {"hub": "Lyon"})
    assert do(shared_rollcall, user, "inactivate", client=client).ok(200)["status_label"] == "Banned"
    assert do(shared_rollcall, user, "activate", client=client).ok(200)["status_label"] == "Validated"
    do(shared_rollcall, user, "password", {"password": NEW}, client).ok(200)
    shared_rollcall.login(user["email"], NEW).ok(201)
    assert {row["actor"]["kind"] for row in client.get(path(user, "history")).ok(200).items if row["action"] == "user.edited"} == {"api_key"}
    client.patch(path(user), {"role_id": roles["Admin"]}).refused(403, "exceeds_your_permissions")


# --- the last line of the page

def test_three_months_without_a_login_inactivate_and_an_administrator_brings_back(shared_rollcall, make):
    """S2-25, S2-26: inactive is not banned; the user is told, and his time starts anew when he is back."""
    user, present = make(), make()
    shared_rollcall.sign_in(user)
    quiet_for(shared_rollcall, present, "80 days")
    assert label(shared_rollcall, present) == "Validated"
    quiet_for(shared_rollcall, user, "3 months")
    wait_idle(shared_rollcall, user)
    assert label(shared_rollcall, user) == "Inactive"
    shared_rollcall.wait_mail(user["email"], kind="account_idle")
    shared_rollcall.login(user["email"], PASSWORD).refused(401, "login_failed")
    assert do(shared_rollcall, user, "activate").ok(200)["status_label"] == "Validated"
    shared_rollcall.login(user["email"], PASSWORD).ok(201)
    assert shared_rollcall.value("SELECT idle_due_at > now() + interval '80 days' FROM rollcall.users WHERE id = %s", user["id"])
    assert label(shared_rollcall, present) == "Validated"


def test_a_user_is_warned_before_and_a_login_keeps_him_validated(shared_rollcall, make):
    """S2-27: the mail says how to stay."""
    user = make()
    quiet_for(shared_rollcall, user, "82 days")
    mail = shared_rollcall.wait_mail(user["email"], kind="idle_warning")
    assert "becomes inactive" in mail.subject and f"{shared_rollcall.url}/sign-in" in mail.text
    shared_rollcall.sign_in(user)
    assert shared_rollcall.value("SELECT idle_due_at > now() + interval '80 days' FROM rollcall.users WHERE id = %s", user["id"])


def test_who_never_logged_in_counts_from_when_he_became_active(shared_rollcall, roles, make):
    """S2-28: and who is still pending is not concerned."""
    never, pending = make(), shared_rollcall.create_user(role_id=roles["Admin"])
    for user in (never, pending):
        shared_rollcall.move("users", user, last_login_at="NULL", last_active_at="NULL", status_changed_at="now() - interval '3 months'")
    compute_idleness(shared_rollcall)
    wait_idle(shared_rollcall, never)
    assert label(shared_rollcall, pending) == "Pending"
