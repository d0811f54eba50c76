"""GET and PATCH /v1/policy."""
import pytest

CHANGES = {
    "email_required": [True, False], "email_change": ["never", "while_pending"], "login_identifier": ["either", "email"],
    "username_change": ["admin", "never"], "invite_on_create": ["ask", "never", "always"], "invitation_ttl": ["PT1H", "P30D", "PT24H"],
    "password_reset_ttl": ["PT30M", "PT1H"], "invitation_on_expiry": ["nothing", "resend_to_user", "mail_admin_notice", "mail_admin_new_link"],
    "invitation_expiry_recipient": ["all_admins", "inviter"], "invitation_max_renewals": [0, 30, 3], "invitation_resend_to": ["any", "pending"],
    "initial_status": ["chosen_by_admin", "pending"], "activation_on": ["first_login", "password_set"], "admin_password_activates": [False, True],
    "admin_activates_pending": [False, True], "password_at_create": ["required", "forbidden", "optional"],
    "reactivation_password": ["must_reset", "keep"], "lockout_threshold": [0, 100, 10], "lockout_release": ["interval", "mail_link", "admin"],
    "lockout_interval": ["PT1M", "PT15M"], "idle_after": ["P1Y", "P90D", "P3M"], "idle_warn_days": [[30], [], [14, 3]],
    "idle_brake": [1, 100, 20], "admin_password_notice": [False, True], "password_self_reset": [False, True],
    "password_min_length": [8, 128, 12], "session_ttl": ["P1D", "PT12H"], "session_idle_ttl": ["PT5M", "PT2H"],
    "outbox_retention": ["P30D", "P90D"],
    "invite_on_email_added": [False, True], "invitation_letter": ["login_info", "set_password_link"], "email_change_ttl": ["PT1H", "PT24H"],
    "role_required": [True, False], "default_permissions": [["product:view", "a:b"], []], "custom_roles": [False, True],
    "permissions_per_user": [False, True], "required_fields": ["mark_incomplete", "block"], "deletion": ["anonymise", "erase", "forbidden"],
    "deletion_confirmation": ["none", "typed_number"], "deletion_references": ["refuse", "detach"],
    "blocked_position": ["bottom", "in_place"], "assignments_on_inactivate": ["detach", "keep"], "assignable_on_day_off": [True, False],
    "position_free_text": [False, True], "user_kinds": [["employee", "external"], ["external"], ["employee"]],
    "import_invites": ["true", "false", "ask"], "import_on_duplicate": ["update", "skip", "report"],
    "audit_retention": ["P1Y", None], "import_retention": ["P1D", "P30D"],
    "status_labels": [{language: dict(zip(("pending", "active", "inactive_by_admin", "inactive_idle", "locked"), words, strict=True))
                       for language, words in {"en": ("Pending", "Active", "Inactive", "Inactive", "Locked"),
                                               "uk": ("Очікує", "Активний", "Неактивний", "Неактивний", "Заблокований"),
                                               "ru": ("В ожидании", "Активный", "Неактивный", "Неактивный", "Заблокирован")}.items()}],
}
WRONG = {
    "email_required": ["yes", 1, None], "email_change": ["sometimes", 1, None], "login_identifier": ["phone"],
    "invitation_ttl": ["PT59M", "P31D", "24 hours", "", 24, None, "-PT2H", "PT24H; DROP TABLE"], "password_reset_ttl": ["PT4M", "P8D"],
    "invitation_max_renewals": [-1, 31, 1.5, "3", None], "lockout_threshold": [-1, 101, 99999999999, True], "lockout_interval": ["PT59S"],
    "idle_after": ["PT1H", "P11Y", "soon", 3], "idle_warn_days": [[0], [366], [1, 1], ["3"], 3, "{14,3}", None, list(range(1, 12))],
    "idle_brake": [0, 101], "password_min_length": [7, 129], "session_ttl": ["PT4M"], "outbox_retention": ["P3D", None],
    "default_permissions": [["product"], ["a:b", "a:b"], "a:b", [1], None], "user_kinds": [[], ["robot"], None],
    "status_labels": [{"fr": {}}, {"en": {"gone": "Gone"}}, {"en": {"locked": ""}}, {"en": {"locked": "x" * 61}}, [], "Locked", None],
    "audit_retention": ["P29D", 5], "import_invites": [True],
}


def test_the_policy_of_a_new_organization_is_the_default(server_only):
    answer = server_only.admin.get("/v1/policy").ok(200)
    defaults = {name: values[-1] for name, values in CHANGES.items() if name != "email_required"}
    assert {name: answer[name] for name in defaults} == defaults
    assert answer["email_required"] is True
    assert answer.headers["ETag"] == f'"{answer["version"]}"'


def test_every_column_that_get_shows_is_known_to_these_tests(standing):
    shown = set(standing.admin.get("/v1/policy").ok(200).body) - {"version", "updated_at"}
    assert shown == set(CHANGES)
    columns = standing.sql("SELECT column_name FROM information_schema.columns WHERE table_schema = 'rollcall' AND table_name = 'policy'")
    assert shown == set(columns) - {"org_id", "version", "updated_at", "idle_applied"}


@pytest.mark.parametrize("name", CHANGES)
def test_every_column_takes_its_values_and_shows_them_again(standing, name):
    for value in CHANGES[name]:
        if (name, value) == ("email_required", False):
            standing.admin.patch("/v1/policy", {"login_identifier": "either"}).ok(200)
        answer = standing.admin.patch("/v1/policy", {name: value}).ok(200)
        assert answer[name] == value
        assert standing.admin.get("/v1/policy").ok(200)[name] == value
    standing.admin.patch("/v1/policy", {"email_required": True}).ok(200)
    standing.admin.patch("/v1/policy", {"login_identifier": "email"}).ok(200)


@pytest.mark.parametrize("name", ["idle_after", "audit_retention"])
def test_null_switches_off(standing, name):
    assert standing.admin.patch("/v1/policy", {name: None}).ok(200)[name] is None
    standing.admin.patch("/v1/policy", {name: CHANGES[name][-1]}).ok(200)


@pytest.mark.parametrize("name, value", [(name, value) for name, values in WRONG.items() for value in values], ids=repr)
def test_a_wrong_value_is_named_and_changes_nothing(standing, name, value):
    before = standing.admin.get("/v1/policy").ok(200).body
    answer = standing.admin.patch("/v1/policy", {name: value, "idle_brake": 50} if name != "idle_brake" else {name: value}).refused(422, "invalid_body")
    assert answer.faults().keys() == {f"/{name}"}
    assert answer.faults()[f"/{name}"] in ("invalid", "wrong_type")
    assert standing.admin.get("/v1/policy").ok(200).body == before


def test_all_faults_of_a_policy_come_at_once(standing):
    answer = standing.admin.patch("/v1/policy", {"idle_brake": 0, "colour": "red", "version": 5, "email_change": 1, "updated_at": "x"}).refused(422)
    assert answer.faults() == {"/idle_brake": "invalid", "/colour": "unknown_field", "/version": "read_only", "/email_change": "wrong_type",
                               "/updated_at": "read_only"}


def test_labels_are_merged_word_by_word(standing):
    before = standing.admin.get("/v1/policy").ok(200)["status_labels"]
    after = standing.admin.patch("/v1/policy", {"status_labels": {"en": {"locked": "DENIED", "pending": None}, "uk": None}}).ok(200)["status_labels"]
    assert after == {"en": {**{name: word for name, word in before["en"].items() if name != "pending"}, "locked": "DENIED"}, "ru": before["ru"]}
    assert standing.admin.patch("/v1/policy", {"status_labels": before}).ok(200)["status_labels"] == before


def test_a_list_of_days_may_come_in_any_order(standing):
    assert set(standing.admin.patch("/v1/policy", {"idle_warn_days": [3, 30, 7]}).ok(200)["idle_warn_days"]) == {30, 7, 3}
    standing.admin.patch("/v1/policy", {"idle_warn_days": [14, 3]}).ok(200)


def test_users_are_looked_through_only_where_a_change_would_shut_somebody_out(server_only):
    """Each change of the policy looked through all of them, in front of everybody who was authenticated."""
    slow = lambda: server_only.metrics()['rollcall_lane_job_duration_seconds_count{lane="slow"}']
    before = slow()
    server_only.admin.patch("/v1/policy", {"idle_brake": 21, "email_required": True, "login_identifier": "email"}).ok(200)
    server_only.admin.patch("/v1/policy", {"email_required": False, "login_identifier": "either"}).ok(200)
    assert slow() == before
    server_only.admin.patch("/v1/policy", {"email_required": True}).ok(200)
    assert slow() == before + 1
    server_only.create_user()
    for path, body in (("/v1/policy/simulate", {"preset": "keycrm"}), ("/v1/policy/preset", {"preset": "keycrm"})):
        assert server_only.admin.post(path, body).refused(422, "invalid_body").faults() == {"/login_identifier": "invalid"}
    answer = server_only.admin.post("/v1/policy/simulate", {"policy": {"login_identifier": "username"}}).refused(422, "invalid_body")
    assert answer.faults() == {"/policy/login_identifier": "invalid"}


def test_contradictions_are_refused_and_named(server_only):
    answer = server_only.admin.patch("/v1/policy", {"email_required": False}).refused(422, "invalid_body")
    assert set(answer.faults()) & {"/login_identifier", "/email_required"}
    server_only.create_user()
    answer = server_only.admin.patch("/v1/policy", {"login_identifier": "username"}).refused(422, "invalid_body")
    assert answer.faults() == {"/login_identifier": "invalid"}
    server_only.admin.patch("/v1/policy", {"email_required": False, "login_identifier": "either"}).ok(200)
    server_only.create_user(email=None, username="nomail")
    answer = server_only.admin.patch("/v1/policy", {"email_required": True}).refused(422, "invalid_body")
    assert answer.faults() == {"/email_required": "invalid"}
    answer = server_only.admin.patch("/v1/policy", {"login_identifier": "email"}).refused(422, "invalid_body")
    assert set(answer.faults()) & {"/login_identifier", "/email_required"}


def test_a_stale_policy_is_not_overwritten(standing):
    tag = standing.admin.get("/v1/policy").ok(200).headers["ETag"]
    standing.admin.patch("/v1/policy", {"idle_brake": 21}, headers={"If-Match": tag}).ok(200)
    standing.admin.patch("/v1/policy", {"idle_brake": 22}, headers={"If-Match": tag}).refused(412, "version_mismatch")
    assert standing.admin.get("/v1/policy").ok(200)["idle_brake"] == 21
    standing.admin.patch("/v1/policy", {"idle_brake": 20}).ok(200)


def test_a_patch_that_changes_nothing_moves_no_version_and_is_not_audited(standing):
    before, rows = standing.admin.get("/v1/policy").ok(200), len(standing.audit("policy.edited"))
    assert standing.admin.patch("/v1/policy", {"idle_brake": before["idle_brake"]}).ok(200).body == before.body
    assert standing.admin.patch("/v1/policy", {}).ok(200).body == before.body
    assert len(standing.audit("policy.edited")) == rows


def test_a_change_is_audited_with_before_and_after(server_only):
    server_only.admin.patch("/v1/policy", {"idle_after": None, "idle_warn_days": [7], "idle_brake": 20}).ok(200)
    row = server_only.audit("policy.edited")[0]
    assert row["changes"] == {"idle_after": ["P3M", None], "idle_warn_days": [[14, 3], [7]]}
    assert (row["actor"]["id"], row["subject"]["kind"]) == (server_only.admin_id, "policy")


def test_the_policy_is_for_those_who_may_write_it(standing):
    reader = standing.client(standing.make_key("users:read"))
    reader.get("/v1/policy").refused(403, "permission_missing")
    reader.patch("/v1/policy", {"idle_brake": 30}).refused(403, "permission_missing")
    standing.client(standing.make_key("policy:write")).patch("/v1/policy", {"idle_brake": 20}).ok(200)


def test_the_brake_is_released_by_whoever_may_write_the_policy(server_only):
    server_only.sql("UPDATE rollcall.organization SET idle_braked_at = now()")
    assert server_only.admin.post("/v1/idle-sweeps/release").ok(200)["released_until"]
    assert server_only.value("SELECT idle_braked_at IS NULL AND idle_brake_released_until > now() FROM rollcall.organization")
    assert server_only.audit("idle_sweep.released")[0]["actor"]["id"] == server_only.admin_id
    server_only.client(server_only.make_key("users:write")).post("/v1/idle-sweeps/release").refused(403, "permission_missing")


PRESETS = {
    "hesh": {"email_change": "never", "admin_activates_pending": False, "lockout_threshold": 0, "idle_after": None},
    "urbantz": {"email_change": "never", "lockout_threshold": 10, "idle_after": "P3M"},
    "keycrm": {"email_required": False, "login_identifier": "username", "activation_on": "first_login", "password_at_create": "required"},
    "wetrack": {"invite_on_create": "ask", "invitation_resend_to": "any", "initial_status": "chosen_by_admin"},
}


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_what_an_organization_starts_with(standing, preset):
    import json
    made = json.loads(standing.command("org", "create", "--slug", f"preset-{preset}", "--name", preset, "--admin-email", "a@example.org",
                                       "--admin-username", "boss", "--preset", preset).stdout)
    row = standing.value("SELECT to_jsonb(p) FROM rollcall.policy p WHERE org_id = %s", made["organization_id"])
    assert {name: row[name] for name in PRESETS[preset]} == PRESETS[preset]
