"""PATCH /v1/users/{id} and /v1/me: merge patches, versions, and what may not be changed."""
import itertools
import uuid

import pytest

numbers = itertools.count(1)
PASSWORD = "violet tractor under seven moons"


def path(user):
    return f"/v1/users/{user['id']}"


def test_a_patch_changes_what_it_names_and_null_takes_away(standing):
    user = standing.create_user(phone="+380441234567", username="patched", locale="uk", external_id="E-1")
    answer = standing.admin.patch(path(user), {"first_name": "Іванна", "phone": None, "locale": "ru"}).ok(200)
    changed = answer.body
    assert (changed["first_name"], changed["phone"], changed["locale"]) == ("Іванна", None, "ru")
    same = set(user) - {"first_name", "phone", "locale", "version", "updated_at", "invitation"}
    assert {name: changed[name] for name in same} == {name: user[name] for name in same}
    assert changed["version"] == user["version"] + 1
    assert answer.headers["ETag"] == f'"{changed["version"]}"'
    assert standing.user(user) == changed


@pytest.mark.parametrize("patch", [{}, {"first_name": "Olena"}, {"own_permissions": []}], ids=["empty", "the same name", "the same permissions"])
def test_a_patch_that_changes_nothing_answers_the_user_as_he_is(standing, patch):
    user = standing.create_user()
    assert standing.admin.patch(path(user), patch).ok(200).body == standing.user(user)
    assert standing.user(user)["version"] == user["version"]
    assert len(standing.audit("user.edited", user)) == 0


READ_ONLY = ["id", "organization_id", "status", "status_reason", "permissions", "role", "invitation", "version", "password", "created_at",
             "updated_at", "last_login_at", "last_active_at"]


@pytest.mark.parametrize("name", READ_ONLY)
def test_a_field_that_is_read_only_is_refused_by_name(standing, name):
    user = standing.create_user()
    answer = standing.admin.patch(path(user), {name: user.get(name), "first_name": "Changed"}).refused(422, "invalid_body")
    assert answer.faults() == {f"/{name}": "read_only"}
    assert standing.user(user)["first_name"] == "Olena"


def test_all_faults_of_a_patch_come_at_once(standing):
    user = standing.create_user()
    answer = standing.admin.patch(path(user), {
        "email": "nowhere", "first_name": None, "last_name": "", "phone": [], "role_id": str(uuid.uuid4()), "status": "active", "colour": "red",
        "locale": "xx"}).refused(422, "invalid_body")
    assert answer.faults() == {"/email": "invalid", "/first_name": "wrong_type", "/last_name": "invalid", "/phone": "wrong_type",
                               "/role_id": "unknown_id", "/status": "read_only", "/colour": "unknown_field", "/locale": "invalid"}


def test_an_address_that_every_user_needs_cannot_be_taken_away(standing):
    user = standing.create_user()
    assert standing.admin.patch(path(user), {"email": None}).refused(422).faults() == {"/email": "required"}


# --- If-Match

def test_if_match_with_the_present_version_passes_and_a_stale_one_is_412(standing):
    user = standing.create_user()
    tag = f'"{user["version"]}"'
    standing.admin.patch(path(user), {"first_name": "One"}, headers={"If-Match": tag}).ok(200)
    standing.admin.patch(path(user), {"first_name": "Two"}, headers={"If-Match": tag}).refused(412, "version_mismatch")
    standing.admin.patch(path(user), {"first_name": "Three"}, headers={"If-Match": "*"}).ok(200)
    assert standing.user(user)["first_name"] == "Three"


@pytest.mark.parametrize("tag", ["1", '""', '"x"', 'W/"1"', '"2", "3"', '"-1"', '"99999999999999999999999"', '"1'])
def test_an_if_match_that_is_no_tag_of_ours_changes_nothing(standing, tag):
    user = standing.create_user()
    standing.admin.patch(path(user), {"first_name": "Changed"}, headers={"If-Match": tag}).refused(412, "version_mismatch")
    assert standing.user(user)["first_name"] == "Olena"


ACTIONS = [("inactivate", None), ("invite", None), ("password", {"password": PASSWORD}), ("activate", None)]


@pytest.mark.parametrize("action, body", ACTIONS, ids=[action for action, _ in ACTIONS])
def test_actions_honour_if_match_too(standing, action, body):
    user = standing.create_user()
    standing.admin.post(f"{path(user)}/{action}", body, headers={"If-Match": '"99"'}).refused(412, "version_mismatch")
    assert standing.user(user)["version"] == user["version"]
    standing.admin.post(f"{path(user)}/{action}", body, headers={"If-Match": f'"{user["version"]}"'}).ok()


# --- what must be unique

def test_a_patch_to_what_another_has_is_a_conflict(standing):
    standing.create_user(email="taken@example.org", username="taken", external_id="taken")
    user = standing.create_user(username="free")
    standing.set_policy(username_change="admin")
    standing.admin.patch(path(user), {"email": "TAKEN@example.org"}).refused(409, "email_taken")
    standing.admin.patch(path(user), {"username": "Taken"}).refused(409, "username_taken")
    standing.admin.patch(path(user), {"external_id": "taken"}).refused(409, "external_id_taken")
    standing.set_policy(username_change="never")
    assert standing.user(user) == {**user, "invitation": standing.user(user)["invitation"]}


def test_a_user_may_keep_his_own_address_in_other_capitals(standing):
    user = standing.create_user(email="capital@example.org")
    assert standing.admin.patch(path(user), {"email": "Capital@example.org"}).ok(200)["email"] == "Capital@example.org"


# --- policies

def test_an_address_is_changed_only_while_pending_and_never_where_the_policy_says_so(server_only):
    pending, active = server_only.create_user(), server_only.create_active()
    server_only.admin.patch(path(active), {"email": "new@example.org"}).refused(403, "refused_by_policy", policy="email_change")
    server_only.set_policy(email_change="never")
    server_only.admin.patch(path(pending), {"email": "newer@example.org"}).refused(403, "refused_by_policy", policy="email_change")


def test_a_username_is_given_once_and_changed_where_the_policy_lets_administrators(server_only):
    user = server_only.create_user()
    assert server_only.admin.patch(path(user), {"username": "first"}).ok(200)["username"] == "first"
    server_only.admin.patch(path(user), {"username": "second"}).refused(403, "refused_by_policy", policy="username_change")
    server_only.admin.patch(path(user), {"username": None}).refused(403, "refused_by_policy", policy="username_change")
    server_only.set_policy(username_change="admin")
    assert server_only.admin.patch(path(user), {"username": "second"}).ok(200)["username"] == "second"


def test_a_new_address_of_a_pending_user_kills_the_old_link_and_invites_at_the_new_one(server_only):
    user = server_only.create_user()
    old = server_only.link(user)
    changed = server_only.admin.patch(path(user), {"email": "moved@example.org"}).ok(200).body
    assert (changed["email"], changed["status"], changed["invitation"]["state"]) == ("moved@example.org", "pending", "pending")
    server_only.inspect(old).refused(410, "link_revoked")
    server_only.accept(old).refused(410, "link_revoked")
    mails = server_only.sql("SELECT recipient, generation FROM rollcall.outbox WHERE user_id = %s AND kind = 'invitation' ORDER BY id", user["id"])
    assert mails[-1] == ("moved@example.org", 2)
    assert server_only.inspect(server_only.link(user)).ok(200)["email"] == "moved@example.org"
    server_only.accept(server_only.link(user)).ok(200)


def test_a_new_address_of_a_pending_user_kills_a_reset_link_that_went_to_the_old_one(server_only):
    """Who reads the old mailbox must not become the user of the new one."""
    user = server_only.create_user()
    server_only.ask_reset(user)
    old = server_only.reset_link(user)
    server_only.inspect(old, "password-resets").ok(200)
    server_only.admin.patch(path(user), {"email": "moved@example.org"}).ok(200)
    server_only.inspect(old, "password-resets").refused(410, "link_revoked")
    server_only.complete_reset(old).refused(410, "link_revoked")
    assert server_only.user(user)["status"] == "pending"


def test_an_address_with_a_link_on_its_way_to_it_is_replaced_but_not_taken_away(server_only):
    server_only.set_policy(email_required=False, login_identifier="either")
    user = server_only.create_user(username="nomail")
    server_only.admin.patch(path(user), {"email": None}).refused(409, "state_conflict")
    assert server_only.user(user)["email"] == user["email"]
    server_only.inspect(server_only.link(user)).ok(200)


def test_a_first_address_is_given_to_whom_had_none(server_only):
    server_only.set_policy(email_required=False, login_identifier="either")
    user = server_only.create_user(email=None, username="nomail")
    assert server_only.admin.patch(path(user), {"email": "late@example.org"}).ok(200)["email"] == "late@example.org"


def test_where_a_role_is_required_it_is_changed_but_not_taken_away(server_only):
    first, second = server_only.make_role("a:a"), server_only.make_role("b:b")
    user = server_only.create_user(role_id=first)
    server_only.set_policy(role_required=True)
    answer = server_only.admin.patch(path(user), {"role_id": None, "first_name": 5}).refused(422, "invalid_body")
    assert answer.faults() == {"/role_id": "required", "/first_name": "wrong_type"}
    assert "role_required" in "".join(fault["detail"] for fault in answer["errors"])
    assert server_only.admin.patch(path(user), {"role_id": second}).ok(200)["permissions"] == ["b:b"]
    roleless = server_only.sql("UPDATE rollcall.users SET role_id = NULL WHERE id = %s RETURNING id", user["id"])
    assert server_only.admin.patch(path(user), {"first_name": "Still"}).ok(200)["role"] is None and roleless


def test_where_permissions_come_from_roles_alone_a_user_is_given_none_but_may_lose_his(server_only):
    user = server_only.create_user(own_permissions=["product:view"])
    server_only.set_policy(permissions_per_user=False)
    server_only.admin.patch(path(user), {"own_permissions": ["product:view", "a:a"]}).refused(403, "refused_by_policy", policy="permissions_per_user")
    assert server_only.admin.patch(path(user), {"own_permissions": []}).ok(200)["permissions"] == []


# --- containment and the last administrator

def test_nobody_touches_a_user_who_holds_more_than_he(server_only):
    strong = server_only.create_user(own_permissions=["audit:read"])
    weak = server_only.client(server_only.make_key("users:read", "users:write", "users:invite", "users:password"))
    for method, suffix, body in [("PATCH", "", {"first_name": "X"}), ("POST", "/inactivate", None), ("POST", "/activate", None),
                                 ("POST", "/invite", None), ("POST", "/password", {"password": PASSWORD}), ("DELETE", "/sessions", None),
                                 ("POST", "/password-reset", None)]:
        weak.call(method, path(strong) + suffix, json=body).refused(403, "exceeds_your_permissions")
    assert server_only.user(strong) == strong
    assert weak.get(path(strong)).ok(200)["id"] == strong["id"]


def test_nobody_grants_what_he_does_not_hold_by_a_patch(server_only):
    user = server_only.create_user()
    weak = server_only.client(server_only.make_key("users:write", "product:view"))
    reader = server_only.make_role("users:read", "audit:read")
    weak.patch(path(user), {"own_permissions": ["product:view"]}).ok(200)
    weak.patch(path(user), {"own_permissions": ["audit:read"]}).refused(403, "exceeds_your_permissions")
    weak.patch(path(user), {"role_id": reader}).refused(403, "exceeds_your_permissions")
    assert server_only.user(user)["permissions"] == ["product:view"]


def test_permissions_are_a_set_role_and_own_together(server_only):
    role_id = server_only.make_role("users:read")
    user = server_only.create_user(role_id=role_id, own_permissions=["b:b", "a:a"])
    assert user["permissions"] == ["a:a", "b:b", "users:read"]
    assert server_only.admin.patch(path(user), {"role_id": None}).ok(200)["permissions"] == ["a:a", "b:b"]
    assert server_only.admin.patch(path(user), {"own_permissions": []}).ok(200)["permissions"] == []


def test_the_last_administrator_stays_one_and_a_second_frees_him(server_only):
    admin = {"id": server_only.admin_id}
    server_only.machine.patch(path(admin), {"role_id": None}).refused(403, "last_administrator")
    server_only.machine.post(f"{path(admin)}/inactivate").refused(403, "last_administrator")
    second = server_only.create_administrator()
    server_only.machine.patch(path(admin), {"role_id": None}).ok(200)
    server_only.machine.patch(path(second), {"role_id": None}).refused(403, "last_administrator")
    server_only.machine.post(f"{path(second)}/inactivate").refused(403, "last_administrator")


def test_an_administrator_by_own_permissions_counts_and_a_pending_one_does_not(server_only):
    server_only.create_user(own_permissions=["users:write", "roles:write"])  # pending
    server_only.machine.post(f"/v1/users/{server_only.admin_id}/inactivate").refused(403, "last_administrator")
    server_only.create_active(own_permissions=["users:write", "roles:write"])
    server_only.machine.post(f"/v1/users/{server_only.admin_id}/inactivate").ok(200)


def test_losing_permissions_counts_at_the_next_request(server_only):
    user = server_only.create_active(own_permissions=["users:read"])
    client = server_only.sign_in(user)
    client.get("/v1/users").ok(200)
    server_only.admin.patch(path(user), {"own_permissions": []}).ok(200)
    client.get("/v1/users").refused(403, "permission_missing")
    client.get("/v1/me").ok(200)


# --- /v1/me

def test_a_user_edits_the_few_fields_of_his_own(standing):
    user = standing.create_active()
    client = standing.sign_in(user)
    mine = client.patch("/v1/me", {"first_name": "Оля", "phone": "+1 202 555 0100", "locale": "uk"}).ok(200).body
    assert (mine["first_name"], mine["phone"], mine["locale"]) == ("Оля", "+12025550100", "uk")
    assert client.get("/v1/me").ok(200).body == mine
    assert [row["actor"]["id"] for row in standing.audit("user.edited", user)] == [user["id"]]


@pytest.mark.parametrize("name", ["email", "username", "role_id", "own_permissions", "status", "kind", "external_id", "version"])
def test_a_user_does_not_edit_the_rest_of_himself(standing, name):
    client = standing.sign_in(standing.create_active())
    answer = client.patch("/v1/me", {name: None}).refused(422, "invalid_body")
    assert answer.faults() == {f"/{name}": "read_only"}
    for other in ("password", "nickname"):
        assert client.patch("/v1/me", {other: None}).refused(422, "invalid_body").faults() == {f"/{other}": "unknown_field"}


def test_me_is_for_users_not_for_keys(standing):
    standing.machine.get("/v1/me").refused(403, "permission_missing")
    standing.machine.patch("/v1/me", {"first_name": "Key"}).refused(403, "permission_missing")


def test_me_honours_if_match(standing):
    client = standing.sign_in(standing.create_active())
    client.patch("/v1/me", {"first_name": "X"}, headers={"If-Match": '"1000"'}).refused(412, "version_mismatch")


def test_whoever_gives_an_address_needs_the_permission_to_send_links_to_it(server_only):
    """Otherwise he could have a reset link sent to an address of his own."""
    server_only.set_policy(email_required=False)
    user = server_only.create_active()
    server_only.sql("UPDATE rollcall.users SET email = NULL WHERE id = %s", user["id"])
    lapsed = server_only.create_user()
    server_only.sql("UPDATE rollcall.invitation SET state = 'expired' WHERE user_id = %s", lapsed["id"])
    writer = server_only.client(server_only.make_key("users:write"))
    for one in (user, lapsed):
        writer.patch(f"/v1/users/{one['id']}", {"email": f"thief{one['id'][-6:]}@example.org"}).refused(403, "permission_missing")
    inviter = server_only.client(server_only.make_key("users:write", "users:invite"))
    inviter.patch(f"/v1/users/{user['id']}", {"email": "first@example.org"}).ok(200)
