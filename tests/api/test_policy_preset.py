"""POST /v1/policy/preset and /v1/policy/simulate, and the document of all policies."""
import pytest

from support.cluster import ROOT
from support.system import run_command

from test_policy import CHANGES


def of(system, made):
    return system.client(made["key"])


def columns(policy):
    return {name: policy[name] for name in CHANGES}


def changes(answer):
    return {change["policy"]: change for change in answer["changes"]}


@pytest.mark.parametrize("preset", ["hesh", "urbantz", "wetrack", "default"])
def test_a_preset_makes_of_any_policy_what_a_new_organization_starts_with(standing, preset):
    fresh = of(standing, standing.other_organization(preset)).get("/v1/policy").ok(200)
    changed = of(standing, standing.other_organization("default"))
    changed.patch("/v1/policy", {"idle_brake": 33, "password_min_length": 20, "status_labels": {"uk": {"locked": "Стоп"}}}).ok(200)
    before = changed.get("/v1/policy").ok(200)
    after = changed.post("/v1/policy/preset", {"preset": preset}).ok(200)
    assert columns(after.body) == columns(fresh.body)
    assert after["version"] == before["version"] + 1 and after.headers["ETag"] == f'"{after["version"]}"'
    assert changed.post("/v1/policy/preset", {"preset": preset}).ok(200)["version"] == after["version"], "nothing left to change"


ROLES = {
    "hesh": set(), "urbantz": {"Admin", "Dispatcher", "Driver", "Customer care"},
    "wetrack": {"Account Admin", "User Admin", "Admin", "General"},
}


@pytest.mark.parametrize("preset", ROLES)
def test_a_preset_brings_the_roles_that_are_not_there_yet_and_what_they_ask_for(standing, preset):
    made = standing.other_organization()
    client = of(standing, made)
    before = {role["name"] for role in client.get("/v1/roles").ok(200).items}
    for _ in range(2):
        client.post("/v1/policy/preset", {"preset": preset}).ok(200)
        roles = client.get("/v1/roles").ok(200).items
        assert {role["name"] for role in roles} == before | ROLES[preset] and len(roles) == len(before | ROLES[preset])
    fields = client.get("/v1/fields").ok(200).items
    assert [field["key"] for field in fields] == (["hub"] if preset == "urbantz" else [])
    assert len(client.get("/v1/audit", action="role.created").ok(200).items) == len(before) + len(ROLES[preset])


def test_nobody_makes_everybody_start_with_what_he_does_not_hold(standing):
    made = standing.other_organization()
    some = standing.client(standing.make_key("policy:write", "product:view"))
    some.patch("/v1/policy", {"default_permissions": ["*"]}).refused(403, "exceeds_your_permissions")
    some.patch("/v1/policy", {"default_permissions": ["product:view"]}).ok(200)
    other = standing.client(standing.make_key("policy:write"))
    other.patch("/v1/policy", {"default_permissions": ["product:view", "users:read"]}).refused(403, "exceeds_your_permissions")
    other.patch("/v1/policy", {"idle_brake": 20}).ok(200)
    other.patch("/v1/policy", {"default_permissions": []}).ok(200)
    of(standing, made).patch("/v1/policy", {"default_permissions": ["a:b"]}).ok(200)


def test_a_preset_is_audited_as_what_it_changes(standing):
    made = standing.other_organization()
    of(standing, made).post("/v1/policy/preset", {"preset": "hesh"}).ok(200)
    row = of(standing, made).get("/v1/audit", action="policy.edited").ok(200).items[0]
    assert row["changes"]["lockout_threshold"] == [10, 0] and row["changes"]["idle_after"] == ["P3M", None]
    assert "password_min_length" not in row["changes"]


def test_a_preset_that_people_could_not_live_with_is_refused_and_changes_nothing(standing):
    made = standing.other_organization()
    client = of(standing, made)
    client.post("/v1/users", {"email": "no.username@example.org", "first_name": "A", "last_name": "B"}).ok(201)
    before = client.get("/v1/policy").ok(200).body
    answer = client.post("/v1/policy/preset", {"preset": "keycrm"}).refused(422, "invalid_body")
    assert answer.faults() == {"/login_identifier": "invalid"}
    assert client.get("/v1/policy").ok(200).body == before


def test_only_presets_that_there_are(standing):
    for body, code in (({"preset": "acme"}, "invalid"), ({}, "required"), ({"preset": 1}, "wrong_type")):
        assert standing.admin.post("/v1/policy/preset", body).refused(422, "invalid_body").faults() == {"/preset": code}
    tag = {"If-Match": '"999"'}
    standing.admin.post("/v1/policy/preset", {"preset": "hesh"}, headers=tag).refused(412, "version_mismatch")


# --- trying it out

def test_a_simulation_says_whom_each_change_would_touch_and_changes_nothing(server_only):
    admin = server_only.admin
    before = admin.get("/v1/policy").ok(200).body
    pending = server_only.create_user()
    quiet, guessed, plain = (server_only.create_active() for _ in range(3))
    server_only.move("users", quiet, last_login_at="now() - interval '40 days'", last_active_at="now() - interval '40 days'",
                     status_changed_at="now() - interval '50 days'")
    server_only.sql("UPDATE rollcall.credential SET failed_attempts = 4 WHERE user_id = %s", guessed["id"])
    admin.patch(f"/v1/users/{plain['id']}", {"own_permissions": ["product:view"]}).ok(200)
    found = changes(admin.post("/v1/policy/simulate", {"policy": {
        "idle_after": "P1M", "lockout_threshold": 5, "permissions_per_user": False, "activation_on": "first_login", "user_kinds": ["external"],
        "idle_brake": before["idle_brake"], "password_min_length": 20, "role_required": True, "status_labels": {"en": {"pending": "Waiting"}}}}).ok(200))
    assert found.keys() == {"idle_after", "lockout_threshold", "permissions_per_user", "activation_on", "user_kinds", "password_min_length",
                            "role_required", "status_labels"}, "what stays as it is is no change"
    assert {name: change["users"] for name, change in found.items()} == {
        "idle_after": 1, "lockout_threshold": 1, "permissions_per_user": 1, "activation_on": 1, "user_kinds": 5, "password_min_length": 0,
        "role_required": 4, "status_labels": 1}
    assert found["idle_after"]["examples"] == [{"id": quiet["id"], "first_name": "Olena", "last_name": "Koval", "status": "active"}]
    assert found["lockout_threshold"]["examples"][0]["id"] == guessed["id"]
    assert found["permissions_per_user"]["examples"][0]["id"] == plain["id"]
    assert found["activation_on"]["examples"][0]["id"] == found["status_labels"]["examples"][0]["id"] == pending["id"]
    assert (found["lockout_threshold"]["from"], found["lockout_threshold"]["to"]) == (10, 5)
    assert admin.get("/v1/policy").ok(200).body == before and not server_only.audit("policy.edited")


# What to do to an active user so that this change, and no other, touches him.
TOUCHES = {
    "email_change": ("never", "status = 'pending', status_reason = 'invited'"),
    "login_identifier": ("either", "username = 'someone'"),
    "username_change": ("admin", "username = 'someone'"),
    "invitation_resend_to": ("any", "status = 'active'"),
    "admin_password_activates": (False, "status = 'pending'"),
    "admin_activates_pending": (False, "status = 'pending'"),
    "blocked_position": ("bottom", "status = 'inactive'"),
    "reactivation_password": ("must_reset", "status = 'locked', status_before_lock = 'active'"),
    "lockout_release": ("interval", "status = 'locked', status_before_lock = 'active'"),
    "lockout_interval": ("PT1H", "status = 'locked', status_before_lock = 'active'"),
    "idle_warn_days": ([7], "idle_due_at = now() + interval '80 days'"),
    "deletion": ("erase", "status = 'active'"),
    "admin_password_notice": (False, "status = 'active'"),
    "password_self_reset": (False, "status = 'active'"),
    "invite_on_email_added": (False, "status = 'pending', email = NULL"),
}


@pytest.mark.parametrize("name", TOUCHES)
def test_each_column_knows_whom_it_touches(standing, name):
    value, state = TOUCHES[name]
    user = standing.create_active()
    client = standing.admin

    def touched():
        return changes(client.post("/v1/policy/simulate", {"policy": {name: value}}).ok(200))[name]["users"]
    standing.sql("UPDATE rollcall.users SET status = 'inactive', status_before_lock = NULL, email = NULL, username = NULL, idle_due_at = NULL"
                 " WHERE id = %s", user["id"])
    if name in ("blocked_position", "reactivation_password"):
        standing.sql("UPDATE rollcall.users SET status = 'active' WHERE id = %s", user["id"])
    without = touched() - (name == "deletion")
    standing.sql("UPDATE rollcall.users SET status = 'active', email = 'simulated@example.org' WHERE id = %s", user["id"])
    standing.sql(f"UPDATE rollcall.users SET {state} WHERE id = %s", user["id"])
    assert touched() == without + 1
    standing.sql("UPDATE rollcall.users SET email = NULL, username = NULL WHERE id = %s", user["id"])


def test_open_invitations_are_touched_by_what_happens_to_them(standing):
    wishes = {"invitation_letter": "login_info", "invitation_on_expiry": "nothing", "invitation_expiry_recipient": "all_admins", "invitation_max_renewals": 0}
    before = changes(standing.admin.post("/v1/policy/simulate", {"policy": wishes}).ok(200))
    standing.create_user()
    after = changes(standing.admin.post("/v1/policy/simulate", {"policy": wishes}).ok(200))
    assert {name: after[name]["users"] - before[name]["users"] for name in wishes} == dict.fromkeys(wishes, 1)


def test_days_off_and_assignments_are_seen(standing):
    away, assigned = standing.create_active(), standing.create_active()
    wishes = {"assignable_on_day_off": True, "assignments_on_inactivate": "detach"}

    def touched():
        return {name: change["users"] for name, change in changes(standing.admin.post("/v1/policy/simulate", {"policy": wishes}).ok(200)).items()}
    before = touched()
    standing.admin.post(f"/v1/users/{away['id']}/day-offs", {"starts_at": "2020-01-01T00:00:00Z", "ends_at": "2029-01-01T00:00:00Z"}).ok(201)
    standing.admin.put(f"/v1/assignments/jobs/route/{assigned['id']}", {"user_id": assigned["id"]}).ok(200)
    assert touched() == {name: count + 1 for name, count in before.items()}
    standing.move("users", away, last_login_at="now() - interval '40 days'", last_active_at="NULL", status_changed_at="now() - interval '40 days'")
    idle = changes(standing.admin.post("/v1/policy/simulate", {"policy": {"idle_after": "P1M"}}).ok(200))["idle_after"]
    assert away["id"] not in {user["id"] for user in idle["examples"]}, "days off put it off"


def test_at_most_five_examples(standing):
    for _ in range(6):
        standing.create_user()
    found = changes(standing.admin.post("/v1/policy/simulate", {"policy": {"activation_on": "first_login"}}).ok(200))["activation_on"]
    assert found["users"] >= 6 and len(found["examples"]) == 5


def test_a_preset_can_be_tried_out(standing):
    found = changes(standing.admin.post("/v1/policy/simulate", {"preset": "wetrack"}).ok(200))
    assert found["deletion"]["to"] == "erase" and found["deletion"]["users"] > 0
    standing.admin.post("/v1/policy/simulate", {"preset": "default"}).ok(200)


def test_a_simulation_refuses_what_a_patch_would_refuse(standing):
    answer = standing.admin.post("/v1/policy/simulate", {"policy": {"idle_brake": 0, "colour/of": "red", "version": 5}, "x": 1}).refused(422, "invalid_body")
    assert answer.faults()["/x"] == "unknown_field"
    answer = standing.admin.post("/v1/policy/simulate", {"policy": {"idle_brake": 0, "colour/of": "red", "version": 5}}).refused(422, "invalid_body")
    assert answer.faults() == {"/policy/idle_brake": "invalid", "/policy/colour~1of": "unknown_field", "/policy/version": "read_only"}
    assert standing.admin.post("/v1/policy/simulate", {"policy": {"email_required": False}}).refused(422).faults() == {"/policy/login_identifier": "invalid"}
    assert standing.admin.post("/v1/policy/simulate", {}).refused(422).faults() == {"/policy": "required"}
    assert standing.admin.post("/v1/policy/simulate", {"policy": {}, "preset": "hesh"}).refused(422).faults() == {"/preset": "invalid"}
    assert standing.admin.post("/v1/policy/simulate", {"policy": []}).refused(422).faults() == {"/policy": "wrong_type"}
    assert standing.admin.post("/v1/policy/simulate", {"preset": "acme"}).refused(422).faults() == {"/preset": "invalid"}


# --- the document

def test_the_document_is_what_the_program_prints():
    printed = run_command("--print-policies").stdout
    assert (ROOT / "deploy" / "POLICIES.md").read_text() == printed, "make deploy/POLICIES.md anew: build/rollcall-server --print-policies"
    for name in CHANGES:
        assert f"\n### {name}\n" in printed
