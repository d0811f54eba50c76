"""What people sign in with and how they learn of it: names without addresses, addresses that come later, letters without links.

KeyCRM's ways (S3-06 to S3-18), switch by switch, in the organization that the tests of this file share.
"""
import itertools

import pytest

from support import links

numbers = itertools.count(1)
PASSWORD = "violet tractor under seven moons"
BY_NAME = {"email_required": False, "login_identifier": "username"}
LETTERS = {"invitation_letter": "login_info", "activation_on": "first_login", "admin_password_activates": False}
DEFAULTS = {"email_required": True, "login_identifier": "email", "username_change": "never", "invite_on_email_added": True,
            "invitation_letter": "set_password_link", "activation_on": "password_set", "admin_password_activates": True,
            "invitation_on_expiry": "mail_admin_new_link", "invite_on_create": "always"}


@pytest.fixture
def policy(standing):
    """Sets columns for one test."""
    yield lambda **columns: standing.set_policy(**columns)
    standing.set_policy(**DEFAULTS)


def path(user):
    return f"/v1/users/{user['id']}"


def name():
    return f"person{next(numbers)}"


def kinds(system, user):
    return [row["kind"] for row in system.outbox(user)]


def action(system, user, wanted):
    return next(item for item in system.admin.get(f"{path(user)}/actions").ok(200).items if item["action"] == wanted)


# --- names to sign in with

BODIES = [
    ("email", {"email": None}, {"/email": "required"}),
    ("username", {"username": None}, {"/username": "required"}),
    ("username", {"username": None, "email": None}, {"/username": "required"}),
    ("either", {"username": None, "email": None}, {"/username": "required"}),
    ("either", {"username": None}, None),
    ("either", {"email": None}, None),
    ("username", {"email": None}, None),
]


@pytest.mark.parametrize("identifier, change, faults", BODIES, ids=[f"{one}, without {' and '.join(change)}" for one, change, _ in BODIES])
def test_a_new_user_needs_what_he_signs_in_with(standing, policy, identifier, change, faults):
    policy(login_identifier=identifier, email_required=identifier == "email")
    body = {"email": f"{name()}@example.org", "username": name(), "first_name": "A", "last_name": "B", **change}
    answer = standing.admin.post("/v1/users", body)
    if faults:
        assert answer.refused(422, "invalid_body").faults() == faults
    else:
        answer.ok(201)


def test_nobody_loses_the_last_name_that_he_signs_in_with(standing, policy):
    policy(email_required=False, login_identifier="either", username_change="admin", invite_on_create="never")
    user = standing.create_user(username=name(), email=None)
    assert standing.admin.patch(path(user), {"username": None}).refused(422).faults() == {"/username": "required"}
    both = standing.create_user(username=name())
    assert standing.admin.patch(path(both), {"username": None, "email": None}).refused(422).faults() == {"/username": "required"}
    standing.admin.patch(path(both), {"username": None}).ok(200)
    assert standing.admin.patch(path(both), {"email": None}).refused(422).faults() == {"/email": "required"}


@pytest.mark.parametrize("identifier, by_email, by_username", [("email", 201, 401), ("username", 401, 201), ("either", 201, 201)])
def test_the_policy_says_which_name_lets_in(standing, policy, identifier, by_email, by_username):
    user = standing.create_active(username=name())
    policy(login_identifier=identifier, email_required=identifier == "email")
    assert standing.login(user["email"], PASSWORD).status == by_email
    assert standing.login(user["username"].upper(), PASSWORD).status == by_username


def test_a_changed_username_lets_in_and_the_old_one_does_not(standing, policy):
    """S3-18."""
    policy(**BY_NAME, username_change="admin")
    user = standing.create_active(username=name())
    changed = standing.admin.patch(path(user), {"username": name()}).ok(200).body
    standing.login(user["username"], PASSWORD).refused(401, "login_failed")
    standing.login(changed["username"], PASSWORD).ok(201)
    assert standing.admin.patch(path(user), {"username": None}).refused(422).faults() == {"/username": "required"}


def test_a_password_is_not_made_of_the_username(standing, policy):
    """S3-10: the administrator sets a strong one."""
    policy(**BY_NAME)
    username = f"dispatcher.{name()}"
    body = {"email": f"{name()}@example.org", "username": username, "first_name": "A", "last_name": "B"}
    assert standing.admin.post("/v1/users", {**body, "password": username}).refused(422).faults() == {"/password": "too_common"}
    user = standing.create_user(username=username)
    assert standing.admin.post(f"{path(user)}/password", {"password": username}).refused(422).faults() == {"/password": "too_common"}
    assert standing.accept(standing.link(user), username.upper()).refused(422).faults() == {"/password": "too_common"}
    standing.accept(standing.link(user)).ok(200)


def test_without_an_address_one_signs_in_by_name_and_resets_nothing(standing, policy):
    """S3-13, S3-14, S3-23: login and password are handed over."""
    policy(**BY_NAME)
    user = standing.create_user(email=None, username=name(), password=PASSWORD)
    assert (user["status"], user["invitation"], user["email"]) == ("active", None, None)
    standing.login(user["username"], PASSWORD).ok(201)
    standing.anyone.post("/v1/password-resets", {"organization": standing.org_id, "login": user["username"]}).ok(202)
    assert kinds(standing, user) == []
    assert action(standing, user, "send_password_reset")["reason"] == "email_missing"


# --- an address that comes later

def test_an_address_that_comes_later_brings_the_invitation(standing, policy):
    policy(**BY_NAME)
    user = standing.create_user(email=None, username=name())
    assert user["invitation"] is None
    changed = standing.admin.patch(path(user), {"email": f"{name()}@example.org"}).ok(200).body
    assert changed["invitation"]["state"] == "pending"
    assert [(row["kind"], row["recipient"]) for row in standing.outbox(user)] == [("invitation", changed["email"])]
    standing.accept(standing.link(user)).ok(200)
    writer = standing.client(standing.make_key("users:write"))
    user = standing.create_user(email=None, username=name())
    writer.patch(path(user), {"email": f"{name()}@example.org"}).refused(403, "permission_missing")


def test_an_address_that_comes_later_never_brings_one_where_the_policy_says_so(standing, policy):
    """S3-13: not then, and not by hand either; the list of actions says the same."""
    policy(**BY_NAME, invite_on_email_added=False)
    user = standing.create_user(email=None, username=name())
    assert action(standing, user, "invite")["reason"] == "email_missing"
    changed = standing.admin.patch(path(user), {"email": f"{name()}@example.org"}).ok(200).body
    assert changed["invitation"] is None and kinds(standing, user) == []
    standing.admin.post(f"{path(user)}/invite").refused(403, "refused_by_policy", policy="invite_on_email_added")
    assert action(standing, user, "invite") == {"action": "invite", "menu": "status", "allowed": False, "reason": "refused_by_policy",
                                                "policy": "invite_on_email_added"}
    policy(invite_on_email_added=True)
    standing.admin.post(f"{path(user)}/invite").ok(202)


def test_whose_address_was_there_from_the_start_is_invited(standing, policy):
    policy(**BY_NAME, invite_on_email_added=False)
    user = standing.create_user(username=name())
    assert user["invitation"]["state"] == "pending"
    standing.admin.post(f"{path(user)}/invite").ok(202)
    standing.admin.patch(path(user), {"email": f"{name()}@example.org"}).ok(200)
    assert kinds(standing, user) == ["invitation"] * 3


# --- letters

def test_the_invitation_is_a_letter_and_no_link_leads_in(standing, policy):
    """S3-12, S3-15, S3-16."""
    policy(**LETTERS)
    user = standing.create_user(password=PASSWORD)
    assert (user["status"], user["status_reason"], user["invitation"]["state"]) == ("pending", "invited", "pending")
    assert user["invitation"]["delivery"]["state"] == "queued"
    assert kinds(standing, user) == ["login_info"]
    for channel in (links.USER, links.ADMINISTRATOR):
        standing.inspect(standing.link(user, channel=channel)).refused(404, "link_unknown")
        standing.accept(standing.link(user, channel=channel), "another tractor of the moon").refused(404, "link_unknown")
    answer = standing.login(user["email"], PASSWORD).ok(201)
    assert (answer["user"]["status"], answer["user"]["status_reason"]) == ("active", "first_login")


def test_a_letter_is_sent_again_as_a_letter_and_kills_a_link_from_before(standing, policy):
    user = standing.create_user()
    link = standing.link(user)
    policy(**LETTERS)
    standing.inspect(link).ok(200)
    standing.admin.post(f"{path(user)}/invite").ok(202)
    standing.accept(link).refused(410, "link_revoked")
    assert kinds(standing, user) == ["login_info", "invitation"]
    policy(invitation_letter="set_password_link")
    standing.admin.post(f"{path(user)}/invite").ok(202)
    standing.accept(standing.link(user)).ok(200)


def test_letters_count_against_the_hours_invitations(standing, policy):
    policy(**LETTERS)
    user = standing.create_user()
    for _ in range(9):
        standing.admin.post(f"{path(user)}/invite").ok(202)
    standing.admin.post(f"{path(user)}/invite").refused(429, "rate_limited")


def test_a_letter_needs_the_permission_to_send_mails(standing, policy):
    policy(**LETTERS)
    writer = standing.client(standing.make_key("users:write"))
    writer.post("/v1/users", {"email": f"{name()}@example.org", "first_name": "A", "last_name": "B"}).refused(403, "permission_missing")


@pytest.mark.parametrize("preset", ["keycrm"])
def test_the_first_administrator_gets_a_link_where_others_get_letters(standing, preset):
    other = standing.other_organization(preset)
    link = other["url"]
    standing.inspect(link).ok(200)
    assert standing.sql("SELECT kind FROM rollcall.outbox WHERE org_id = %s", other["id"]) == ["invitation"]
    done = standing.command("org", "reinvite-admin", "--slug", other["slug"])
    assert done.returncode == 0, done.stderr
    standing.inspect(link).refused(410, "link_revoked")
    assert standing.sql("SELECT kind FROM rollcall.outbox WHERE org_id = %s", other["id"]) == ["invitation", "invitation"]
