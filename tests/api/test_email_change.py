"""A new e-mail address of somebody who has one (email_change = admin, S3-18): confirmed there, told here, or dead in four ways."""
import itertools

import pytest

numbers = itertools.count(1)
PASSWORD = "violet tractor under seven moons"
OTHER = "another tractor of the moon"


@pytest.fixture(scope="module", autouse=True)
def policy(shared_server):
    shared_server.set_policy(email_change="admin")


def path(user):
    return f"/v1/users/{user['id']}"


def fresh():
    return f"wanted{next(numbers)}@example.org"


def ask(system, user, email=None, **more):
    """The administrator wants another address; the link that its owner was mailed."""
    email = email or fresh()
    changed = system.admin.patch(path(user), {"email": email, **more}).ok(200).body
    assert (changed["email"], changed["email_pending"]) == (user["email"], email)
    return email, system.email_link(user)


def mails(system, user):
    return system.sql("SELECT kind, recipient FROM rollcall.outbox WHERE user_id = %s AND kind LIKE 'email_change%%' ORDER BY id", user["id"])


# --- asking

def test_a_new_address_waits_until_it_is_confirmed_and_both_addresses_are_told(standing):
    user = standing.create_active()
    client = standing.sign_in(user)
    email, _ = ask(standing, user)
    assert sorted(mails(standing, user)) == [("email_change_confirm", email), ("email_change_notice", user["email"])]
    client.get("/v1/me").ok(200)
    standing.login(user["email"], PASSWORD).ok(201)
    standing.login(email, PASSWORD).refused(401, "login_failed")
    assert standing.user(user)["version"] == user["version"] + 1
    row = standing.audit("user.email_change_requested", user)[0]
    assert (row["actor"]["id"], row["changes"]["email_pending"]) == (standing.admin_id, [None, email])
    assert standing.value("SELECT changes FROM rollcall.audit WHERE id = %s", row["id"]) == {"email_pending": []}, "values lie apart"


def test_the_rest_of_a_patch_is_done_at_once_and_both_or_neither(standing):
    user = standing.create_active()
    email, _ = ask(standing, user, first_name="Іванна")
    changed = standing.user(user)
    assert (changed["first_name"], changed["email_pending"], changed["version"]) == ("Іванна", email, user["version"] + 2)
    assert standing.audit("user.edited", user)[0]["changes"] == {"first_name": ["Olena", "Іванна"]}
    stale = {"If-Match": f'"{user["version"]}"'}
    standing.admin.patch(path(user), {"email": fresh(), "first_name": "Olena"}, headers=stale).refused(412, "version_mismatch")
    assert standing.user(user) == changed


def test_the_answer_shows_the_newest_wish_and_only_its_link_is_alive(standing):
    user = standing.create_active()
    _, first = ask(standing, user)
    email, second = ask(standing, user)
    standing.inspect(first, "email-changes").refused(410, "link_revoked")
    standing.confirm_email(first).refused(410, "link_revoked")
    standing.confirm_email(second).ok(204)
    assert (standing.user(user)["email"], standing.user(user)["email_pending"]) == (email, None)


def test_a_wish_is_withdrawn_by_null_and_null_without_a_wish_changes_nothing(standing):
    user = standing.create_active()
    email, link = ask(standing, user)
    assert standing.admin.patch(path(user), {"email_pending": email}).refused(422).faults() == {"/email_pending": "read_only"}
    standing.confirm_email(link[:-1] + ("A" if link[-1] != "A" else "B")).refused(404, "link_unknown")
    assert standing.admin.patch(path(user), {"email_pending": None}).ok(200)["email_pending"] is None
    standing.confirm_email(link).refused(410, "link_revoked")
    assert len(standing.audit("user.email_change_withdrawn", user)) == 1
    before = standing.user(user)
    assert standing.admin.patch(path(user), {"email_pending": None}).ok(200).body == before
    assert standing.value("SELECT count(*) FROM rollcall.email_change WHERE user_id = %s AND email IS NOT NULL", user["id"]) == 0


def test_an_address_that_somebody_has_is_refused_when_it_is_asked_for(standing):
    user, other = standing.create_active(), standing.create_user()
    standing.admin.patch(path(user), {"email": other["email"].upper()}).refused(409, "email_taken")
    assert standing.user(user)["email_pending"] is None and mails(standing, user) == []


def test_an_address_is_not_taken_away_from_who_is_in(standing):
    standing.set_policy(email_required=False, login_identifier="either")
    user = standing.create_active(username=f"keeps{next(numbers)}")
    standing.admin.patch(path(user), {"email": None}).refused(403, "refused_by_policy", policy="email_change")
    standing.set_policy(email_required=True, login_identifier="email")
    assert standing.user(user)["email"] == user["email"]


def test_who_may_not_come_in_confirms_no_address(standing):
    user = standing.create_active()
    standing.admin.post(f"{path(user)}/inactivate").ok(200)
    standing.admin.patch(path(user), {"email": fresh()}).refused(409, "state_conflict")
    assert mails(standing, user) == []


def test_a_pending_users_address_changes_at_once(standing):
    user, email = standing.create_user(), fresh()
    changed = standing.admin.patch(path(user), {"email": email}).ok(200).body
    assert (changed["email"], changed["email_pending"]) == (email, None)
    assert mails(standing, user) == []


def test_a_first_address_is_given_at_once(standing):
    standing.set_policy(email_required=False, login_identifier="either")
    user = standing.create_active(username=f"first{next(numbers)}")
    standing.sql("UPDATE rollcall.users SET email = NULL WHERE id = %s", user["id"])
    email = fresh()
    assert standing.admin.patch(path(user), {"email": email}).ok(200)["email"] == email
    standing.set_policy(email_required=True, login_identifier="email")
    assert mails(standing, user) == []


def test_whoever_asks_needs_the_permission_to_send_links(standing):
    user = standing.create_active()
    writer = standing.client(standing.make_key("users:write"))
    answer = writer.patch(path(user), {"email": fresh()}).refused(403, "permission_missing")
    assert "users:invite" in answer["detail"]
    standing.client(standing.make_key("users:write", "users:invite")).patch(path(user), {"email": fresh()}).ok(200)


def test_ten_wishes_an_hour_and_no_more(standing):
    user = standing.create_active()
    for _ in range(10):
        standing.admin.patch(path(user), {"email": fresh()}).ok(200)
    standing.admin.patch(path(user), {"email": fresh()}).refused(429, "rate_limited")
    assert len(mails(standing, user)) == 20


# --- confirming

def test_confirming_changes_the_address_and_ends_what_went_to_the_one_before(standing):
    standing.set_policy(invitation_resend_to="any")
    user = standing.create_active()
    client = standing.sign_in(user)
    standing.admin.post(f"{path(user)}/invite").ok(202)
    standing.ask_reset(user)
    invitation, reset = standing.link(user), standing.reset_link(user)
    email, link = ask(standing, user)
    shown = standing.inspect(link, "email-changes").ok(200).body
    assert shown == {"organization": "Акме & Sons", "organization_slug": "acme", "email": email, "first_name": "Olena",
                     "expires_at": shown["expires_at"]}
    before = standing.user(user)
    standing.confirm_email(link).ok(204)
    standing.set_policy(invitation_resend_to="pending")
    after = standing.user(user)
    assert (after["email"], after["email_pending"], after["status"]) == (email, None, "active")
    assert (after["version"], after["invitation"]["state"]) == (before["version"] + 1, "revoked")
    client.get("/v1/me").refused(401)
    standing.accept(invitation).refused(410, "link_revoked")
    standing.complete_reset(reset).refused(410, "link_revoked")
    standing.login(user["email"], PASSWORD).refused(401, "login_failed")
    standing.login(email, PASSWORD).ok(201)
    assert standing.admin.get("/v1/users", q=email.split("@", maxsplit=1)[0]).items[0]["id"] == user["id"]
    assert mails(standing, user)[-1] == ("email_changed", user["email"])
    row = standing.audit("user.email_changed", user)[0]
    assert (row["actor"]["id"], row["changes"]["email"]) == (user["id"], [user["email"], email])
    assert "email" not in str(standing.value("SELECT changes - 'email' FROM rollcall.audit WHERE id = %s", row["id"]))
    standing.confirm_email(link).refused(410, "link_used")
    standing.inspect(link, "email-changes").refused(410, "link_used")


def test_opening_a_link_confirms_nothing_however_often(standing):
    user = standing.create_active()
    email, link = ask(standing, user)
    for _ in range(20):
        standing.anyone.get("/confirm-email").ok(200)
        standing.inspect(link, "email-changes").ok(200)
    assert (standing.user(user)["email"], standing.user(user)["email_pending"]) == (user["email"], email)


DEATHS = {
    "inactivated": lambda system, user: system.admin.post(f"{path(user)}/inactivate"),
    "inactivated and back": lambda system, user: system.admin.post(f"{path(user)}/inactivate").ok() and system.admin.post(f"{path(user)}/activate"),
    "a password from an administrator": lambda system, user: system.admin.post(f"{path(user)}/password", {"password": OTHER}),
    "a password of his own": lambda system, user: system.sign_in(user).call("PUT", "/v1/me/password", json={"current_password": PASSWORD, "password": OTHER}),
    "a reset": lambda system, user: system.ask_reset(user) and system.complete_reset(system.reset_link(user), OTHER),
}


@pytest.mark.parametrize("name", DEATHS)
def test_whatever_ends_the_sessions_withdraws_the_link(standing, name):
    user = standing.create_active()
    _, link = ask(standing, user)
    DEATHS[name](standing, user).ok()
    assert standing.user(user)["email_pending"] is None
    standing.inspect(link, "email-changes").refused(410, "link_revoked")
    standing.confirm_email(link).refused(410, "link_revoked")
    assert standing.user(user)["email"] == user["email"]


def test_a_lock_withdraws_the_link(standing):
    user = standing.create_active()
    _, link = ask(standing, user)
    standing.move("credential", user, failed_attempts="9")
    standing.login(user["email"], "wrong").refused(401)
    assert standing.user(user)["status"] == "locked"
    standing.confirm_email(link).refused(410, "link_revoked")


def test_a_login_leaves_it_alone(standing):
    user = standing.create_active()
    email, link = ask(standing, user)
    standing.login(user["email"], PASSWORD).ok(201)
    standing.confirm_email(link).ok(204)
    assert standing.user(user)["email"] == email


def test_a_link_that_has_lapsed_says_so(standing):
    user = standing.create_active()
    _, link = ask(standing, user)
    standing.move("email_change", user, expires_at="now() - interval '1 second'")
    assert standing.user(user)["email_pending"] is None
    standing.inspect(link, "email-changes").refused(410, "link_expired")
    standing.confirm_email(link).refused(410, "link_expired")


def test_it_lives_as_long_as_the_policy_says(standing):
    standing.set_policy(email_change_ttl="PT5M")
    user = standing.create_active()
    ask(standing, user)
    standing.set_policy(email_change_ttl="PT24H")
    assert standing.value("SELECT expires_at - issued_at = interval '5 minutes' FROM rollcall.email_change WHERE user_id = %s", user["id"])


def test_a_link_of_another_purpose_user_or_make_is_not_one_of_ours(standing):
    user, other = standing.create_active(), standing.create_active()
    _, link = ask(standing, user)
    standing.ask_reset(user)
    for stranger in (standing.reset_link(user), standing.link(user), "x#" + "A" * 95, link[:-20] + "A" * 20):
        standing.confirm_email(stranger).refused(404, "link_unknown")
    standing.confirm_email(standing.email_link(other, generation=1)).refused(410, "link_revoked")
    standing.confirm_email(standing.email_link(user, generation=2)).refused(410, "link_revoked")
    standing.complete_reset(link).refused(404, "link_unknown")
    for body, faults in [({}, {"/token": "required"}), ({"token": 5}, {"/token": "wrong_type"}), ({"token": None}, {"/token": "required"})]:
        assert standing.anyone.post("/v1/email-changes/confirm", body).refused(422, "invalid_body").faults() == faults


def test_an_address_that_was_taken_meanwhile_is_refused_and_nothing_changes(standing):
    user = standing.create_active()
    client = standing.sign_in(user)
    email, link = ask(standing, user)
    standing.create_user(email=email.upper())
    before = standing.user(user)
    standing.confirm_email(link).refused(409, "email_taken")
    assert standing.user(user) == before
    client.get("/v1/me").ok(200)
    assert not standing.audit("user.email_changed", user) and len(mails(standing, user)) == 2
    standing.inspect(link, "email-changes").ok(200)


@pytest.mark.parametrize("value", ["never", "while_pending"])
def test_a_policy_that_has_changed_since_acts_at_once(standing, value):
    user = standing.create_active()
    _, link = ask(standing, user)
    standing.set_policy(email_change=value)
    standing.confirm_email(link).refused(403, "refused_by_policy", policy="email_change")
    standing.admin.patch(path(user), {"email": fresh()}).refused(403, "refused_by_policy", policy="email_change")
    standing.set_policy(email_change="admin")
    assert standing.user(user)["email"] == user["email"]
