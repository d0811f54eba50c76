"""The actions on a user, and the list that says which are possible."""
import itertools

import pytest

PASSWORD = "violet tractor under seven moons"
numbers = itertools.count(1)


def actions(system, user, client=None):
    return (client or system.admin).get(f"/v1/users/{user['id']}/actions").ok(200).items


def menu(system, user, name):
    return {row["action"] for row in actions(system, user) if row["menu"] == name and row["allowed"]}


def do(system, user, action, body=None, client=None):
    return (client or system.admin).post(f"/v1/users/{user['id']}/{action}", body)


def test_every_action_has_a_menu_and_a_reason_when_it_is_not_allowed(standing):
    for row in actions(standing, standing.create_user()):
        assert row["menu"] in ("status", "security", "other")
        assert row["allowed"] == ("reason" not in row)
    assert {row["action"] for row in actions(standing, standing.create_user())} == {
        "activate", "inactivate", "invite", "set_password", "send_password_reset", "edit", "delete"}


def test_actions_say_which_permission_or_policy_stands_in_the_way(standing):
    user = standing.create_user(own_permissions=["audit:read"])
    reader = standing.client(standing.make_key("users:read"))
    assert {row["reason"] for row in actions(standing, user, reader)} == {"permission_missing"}
    writer = standing.client(standing.make_key("users:read", "users:write", "users:invite", "users:password", "users:delete"))
    assert {row["reason"] for row in actions(standing, user, writer)} == {"exceeds_your_permissions"}
    active = standing.create_active()
    invite = next(row for row in actions(standing, active) if row["action"] == "invite")
    assert (invite["reason"], invite["policy"]) == ("refused_by_policy", "invitation_resend_to")
    admin = {row["action"]: row for row in actions(standing, {"id": standing.admin_id})}
    assert admin["inactivate"]["reason"] == "last_administrator"


STATES = {
    "pending": lambda system: system.create_user(),
    "active": lambda system: system.create_active(),
    "inactive": lambda system: do(system, system.create_user(), "inactivate").ok(200).body,
    "locked": lambda system: locked(system),
}


def locked(system):
    user = system.create_active()
    system.move("users", user, status="'locked'", status_reason="'wrong_password'", status_before_lock="'active'")
    return system.user(user)


CALLS = {"activate": None, "inactivate": None, "invite": None, "password": {"password": PASSWORD}, "password-reset": None}
NAMES = {"password": "set_password", "password-reset": "send_password_reset"}


@pytest.mark.parametrize("action", CALLS)
@pytest.mark.parametrize("state", STATES)
def test_the_list_of_actions_tells_the_truth(standing, state, action):
    user = STATES[state](standing)
    row = next(row for row in actions(standing, user) if row["action"] == NAMES.get(action, action))
    answer = do(standing, user, action, CALLS[action])
    assert row["allowed"] == (answer.status < 300), (row, answer)
    if not row["allowed"]:
        assert (row["reason"], row.get("policy")) == (answer.code, answer.body.get("policy"))
        assert standing.user(user)["version"] == user["version"]
    else:
        assert answer.status == (202 if action in ("invite", "password-reset") else 200)
        assert answer["id"] == user["id"] and answer["version"] == user["version"] + 1
        assert answer.headers["ETag"] == f'"{answer["version"]}"'


RESULTS = {
    ("pending", "activate"): ("active", "by_admin"), ("pending", "inactivate"): ("inactive", "by_admin"),
    ("pending", "invite"): ("pending", "invited"), ("pending", "password"): ("active", "by_admin"),
    ("pending", "password-reset"): None, ("active", "activate"): None, ("active", "inactivate"): ("inactive", "by_admin"),
    ("active", "invite"): None, ("active", "password"): ("active", "accepted"), ("active", "password-reset"): ("active", "accepted"),
    ("inactive", "activate"): ("active", "by_admin"), ("inactive", "inactivate"): None, ("inactive", "invite"): None,
    ("inactive", "password"): ("inactive", "by_admin"), ("inactive", "password-reset"): None,
    ("locked", "activate"): ("active", "by_admin"), ("locked", "inactivate"): ("inactive", "by_admin"), ("locked", "invite"): None,
    ("locked", "password"): ("locked", "wrong_password"), ("locked", "password-reset"): None,
}


@pytest.mark.parametrize("state, action", RESULTS, ids=[" ".join(key) for key in RESULTS])
def test_an_action_leads_from_one_status_to_another(standing, state, action):
    user = STATES[state](standing)
    answer = do(standing, user, action, CALLS[action])
    if RESULTS[state, action] is None:
        assert answer.status in (403, 409)
        assert standing.user(user) == user
    else:
        assert (answer["status"], answer["status_reason"]) == RESULTS[state, action]
        assert (answer["status_changed_at"] != user["status_changed_at"]) == (RESULTS[state, action][0] != state)


# --- the menus of one source product

@pytest.fixture(scope="module")
def hesh(cluster, logs):
    """An organization of preset hesh beside the file's other one."""
    from support.system import Rollcall, organization_template
    template, facts = organization_template(cluster, "hesh", logs)
    database = cluster.create_database(template)
    with Rollcall(cluster, database, facts, logs, with_worker=False) as system:
        yield system
    cluster.drop_database(database)


def test_hesh_s0_06_a_pending_users_status_menu_is_inactivate_and_resend(hesh):
    assert menu(hesh, hesh.create_user(), "status") == {"inactivate", "invite"}


def test_hesh_s0_07_an_active_users_status_menu_is_inactivate(hesh):
    assert menu(hesh, hesh.create_active(), "status") == {"inactivate"}


def test_hesh_s0_08_an_inactive_users_status_menu_is_activate(hesh):
    assert menu(hesh, do(hesh, hesh.create_user(), "inactivate").ok(200).body, "status") == {"activate"}


def test_hesh_s1_18_a_pending_users_security_menu_is_setting_a_password(hesh):
    user = hesh.create_user()
    assert menu(hesh, user, "security") == {"set_password"}
    assert menu(hesh, hesh.create_active(), "security") == {"set_password", "send_password_reset"}
    assert do(hesh, user, "password", {"password": PASSWORD}).ok(200)["status"] == "active"


def test_hesh_s0_09_a_pending_user_is_not_activated_by_hand(hesh):
    do(hesh, hesh.create_user(), "activate").refused(403, "refused_by_policy", policy="admin_activates_pending")


# --- what comes with an action

def test_reactivation_may_bring_a_password(standing):
    user = STATES["inactive"](standing)
    answer = do(standing, user, "activate", {"password": "short"}).refused(422, "invalid_body")
    assert answer.faults() == {"/password": "too_short"}
    do(standing, user, "activate", {"password": PASSWORD}).ok(200)
    standing.login(user["email"], PASSWORD).ok(201)


def test_a_password_with_activate_needs_its_permission(standing):
    writer = standing.client(standing.make_key("users:write"))
    user = STATES["inactive"](standing)
    assert "users:password" in do(standing, user, "activate", {"password": PASSWORD}, writer).refused(403, "permission_missing")["detail"]
    do(standing, user, "activate", None, writer).ok(200)


def test_a_reason_of_inactivation_is_kept_in_the_audit(standing):
    user = standing.create_active()
    do(standing, user, "inactivate", {"reason": "left on Friday"}).ok(200)
    row = standing.audit("user.inactivated", user)[0]
    assert row["changes"]["note"] == [None, "left on Friday"]
    assert row["changes"]["status"] == ["active", "inactive"]


def test_must_reset_drops_the_password_and_mails_a_link(server_only):
    server_only.set_policy(reactivation_password="must_reset")
    user = server_only.create_active()
    do(server_only, user, "inactivate").ok(200)
    do(server_only, user, "activate").ok(200)
    server_only.login(user["email"], PASSWORD).refused(401, "password_reset_required")
    assert [row["kind"] for row in server_only.outbox(user, "password_reset")] == ["password_reset"]
    server_only.complete_reset(server_only.reset_link(user), "another tractor of the moon").ok(204)
    server_only.login(user["email"], "another tractor of the moon").ok(201)


def test_ten_invitations_an_hour_are_enough(server_only):
    user = server_only.create_user()
    for _ in range(9):
        do(server_only, user, "invite").ok(202)
    assert int(do(server_only, user, "invite").refused(429, "rate_limited").headers["Retry-After"]) > 0
    server_only.sql("UPDATE rollcall.outbox SET created_at = created_at - interval '61 minutes' WHERE user_id = %s", user["id"])
    do(server_only, user, "invite").ok(202)


def test_three_reset_links_an_hour_are_enough(server_only):
    user = server_only.create_active()
    for _ in range(3):
        do(server_only, user, "password-reset").ok(202)
    do(server_only, user, "password-reset").refused(429, "rate_limited")


def test_an_invitation_needs_an_address(server_only):
    server_only.set_policy(email_required=False, login_identifier="either")
    user = server_only.create_user(email=None, username="nomail")
    do(server_only, user, "invite").refused(409, "state_conflict")
    row = next(row for row in actions(server_only, user) if row["action"] == "invite")
    assert row["reason"] == "email_missing"


def test_an_invitation_to_active_users_where_the_policy_lets_it(server_only):
    server_only.set_policy(invitation_resend_to="any")
    user = server_only.create_active()
    client = server_only.sign_in(user)
    do(server_only, user, "invite").ok(202)
    server_only.accept(server_only.link(user), "another tractor of the moon").ok(200)
    client.get("/v1/me").refused(401)
    server_only.login(user["email"], "another tractor of the moon").ok(201)
