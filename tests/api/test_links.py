"""Links: opened often, used once, and dead in four different ways."""
import base64
import re

import pytest

from support import links

PASSWORD = "violet tractor under seven moons"
OTHER = "another tractor of the moon"
RFC3339 = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")


def act(system, user, action, body=None):
    return system.admin.post(f"/v1/users/{user['id']}/{action}", body).ok()


# --- the invitation

def test_a_link_shows_whom_it_is_for_until_when_and_how_long_a_password_must_be(standing):
    user = standing.create_user(first_name="Олена")
    shown = standing.inspect(standing.link(user)).ok(200).body
    assert shown == {"organization": "Акме & Sons", "organization_slug": "acme", "email": user["email"], "login": user["email"], "first_name": "Олена",
                     "expires_at": shown["expires_at"], "password_min_length": 12}
    assert RFC3339.match(shown["expires_at"]), shown


def test_every_time_in_an_answer_is_rfc3339_in_utc(standing):
    user = standing.create_active()
    standing.sign_in(user)
    bodies = [standing.user(user), standing.admin.get("/v1/invitations").ok().body, standing.admin.get("/v1/outbox").ok().body,
              standing.admin.get("/v1/audit").ok().body, standing.admin.get("/v1/policy").ok().body,
              standing.admin.get(f"/v1/users/{user['id']}/sessions").ok().body, standing.admin.get("/v1/sessions/current").ok().body]

    def walk(value, name=""):
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(inner, key)
        elif isinstance(value, list):
            for inner in value:
                walk(inner, name)
        elif name == "at" or name.endswith("_at"):
            assert value is None or RFC3339.match(value), (name, value)

    walk(bodies)


def test_a_link_may_be_opened_a_hundred_times_and_still_works_once(standing):
    """Mail scanners fetch it, people click twice: opening consumes nothing (scenario 2)."""
    user = standing.create_user()
    link = standing.link(user)
    for _ in range(100):
        assert standing.anyone.get("/accept").ok(200).headers["Content-Type"].startswith("text/html")
        assert standing.anyone.call("HEAD", "/accept").ok(200).text == ""
        standing.inspect(link).ok(200)
    assert standing.accept(link).ok(200).body == {"status": "active"}
    standing.inspect(link).refused(410, "link_used")
    standing.accept(link, OTHER).refused(410, "link_used")
    standing.login(user["email"], PASSWORD).ok(201)
    standing.login(user["email"], OTHER).refused(401, "login_failed")
    active = standing.user(user)
    assert (active["status_reason"], active["invitation"]["state"]) == ("accepted", "accepted")
    assert active["invitation"]["accepted_at"]


def test_a_password_that_will_not_do_leaves_the_link_as_it_was(standing):
    user = standing.create_user(first_name="Oleksandr")
    link = standing.link(user)
    for password, code in [("short", "too_short"), ("", "required"), ("x" * 1025, "too_long"), ("passwordpassword", "too_common"),
                           ("oleksandr12345", "too_common"), (user["email"], "too_common")]:
        assert standing.accept(link, password).refused(422, "invalid_body").faults() == {"/password": code}, password
    answer = standing.anyone.post("/v1/invitations/accept", {"token": standing.token_of(link), "password": 5}).refused(422)
    assert answer.faults() == {"/password": "wrong_type"}
    standing.accept(link).ok(200)


def test_a_link_that_has_lapsed_says_so(standing):
    user = standing.create_user()
    standing.move("invitation", user, expires_at="now() - interval '1 second'")
    standing.inspect(standing.link(user)).refused(410, "link_expired")
    standing.accept(standing.link(user)).refused(410, "link_expired")
    assert standing.user(user)["invitation"]["state"] == "expired"
    assert standing.admin.get("/v1/invitations", state="expired").ok(200).items[0]["user_id"] == user["id"]


def test_a_link_replaced_by_the_clock_is_expired_and_every_older_one_withdrawn(standing):
    user = standing.create_user()
    standing.move("invitation", user, generation=5, previous_expired="true")
    standing.inspect(standing.link(user, generation=5)).ok(200)
    standing.inspect(standing.link(user, generation=4)).refused(410, "link_expired")
    standing.inspect(standing.link(user, generation=3)).refused(410, "link_revoked")
    standing.inspect(standing.link(user, generation=6)).refused(404, "link_unknown")
    standing.inspect(standing.link(user, generation=0)).refused(404, "link_unknown")


def test_an_administrators_password_withdraws_the_link(standing):
    """Scenario 3, S1-11."""
    user = standing.create_user()
    link = standing.link(user)
    assert act(standing, user, "password", {"password": PASSWORD})["status"] == "active"
    standing.inspect(link).refused(410, "link_revoked")
    standing.accept(link, OTHER).refused(410, "link_revoked")
    standing.login(user["email"], PASSWORD).ok(201)
    assert standing.user(user)["invitation"]["state"] == "revoked"


def test_inactivation_withdraws_the_link_and_activation_does_not_bring_it_back(standing):
    """Scenario 3, S1-12 and S1-13."""
    user = standing.create_user()
    link = standing.link(user)
    act(standing, user, "inactivate")
    standing.inspect(link).refused(410, "link_revoked")
    standing.accept(link).refused(410, "link_revoked")
    act(standing, user, "activate")
    standing.inspect(link).refused(410, "link_revoked")
    standing.accept(link).refused(410, "link_revoked")
    standing.login(user["email"], PASSWORD).refused(401, "login_failed")


def test_of_two_links_the_new_one_works(standing):
    """Scenario 3."""
    user = standing.create_user()
    old = standing.link(user)
    invited = act(standing, user, "invite").body
    assert invited["invitation"]["state"] == "pending"
    new = standing.link(user)
    assert new != old
    standing.inspect(old).refused(410, "link_revoked")
    standing.accept(old).refused(410, "link_revoked")
    standing.accept(new).ok(200)
    standing.inspect(old).refused(410, "link_revoked")


def test_activation_by_hand_withdraws_the_link(standing):
    user = standing.create_user()
    act(standing, user, "activate")
    standing.accept(standing.link(user, generation=1)).refused(410, "link_revoked")


FORGED = {
    "empty": "", "no base64": "!" * 95, "short": "AQEB", "long": "A" * 200, "all zero": "A" * 95,
    "with a space": " " + "A" * 94, "with a newline": "A" * 94 + "\n",
}


@pytest.mark.parametrize("name", FORGED)
@pytest.mark.parametrize("kind", ["invitations", "password-resets"])
def test_a_token_that_is_none_is_unknown(standing, kind, name):
    answer = standing.anyone.post(f"/v1/{kind}/inspect", {"token": FORGED[name]})
    assert answer.status == 404 and answer.code == "link_unknown" or answer.faults().keys() == {"/token"}, answer


def test_a_token_changed_in_any_bit_is_unknown(standing):
    token = standing.token_of(standing.link(standing.create_user()))
    raw = bytearray(base64.urlsafe_b64decode(token + "="))
    for at in range(len(raw)):
        raw[at] ^= 1
        changed = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
        standing.anyone.post("/v1/invitations/inspect", {"token": changed}).refused(404, "link_unknown")
        raw[at] ^= 1


def test_a_token_of_one_purpose_is_none_of_another(standing):
    user = standing.create_active()
    standing.ask_reset(user)
    invitation, reset = standing.token_of(standing.link(user)), standing.token_of(standing.reset_link(user))
    standing.anyone.post("/v1/password-resets/inspect", {"token": invitation}).refused(404, "link_unknown")
    standing.anyone.post("/v1/invitations/inspect", {"token": reset}).refused(404, "link_unknown")
    standing.anyone.post("/v1/invitations/accept", {"token": reset, "password": PASSWORD}).refused(404, "link_unknown")


def test_a_token_made_with_another_secret_is_unknown(standing):
    user = standing.create_user()
    token = links.make_token(b"x" * 32, "invitation", standing.org_id, user["id"], 1)
    standing.anyone.post("/v1/invitations/inspect", {"token": token}).refused(404, "link_unknown")


def test_a_genuine_token_for_nobody_is_withdrawn(standing):
    link = standing.link("00000000-0000-7000-8000-000000000000", generation=1)
    standing.inspect(link).refused(410, "link_revoked")


def test_a_link_issued_to_an_administrator_works_is_audited_as_such_and_told_to_the_user(standing):
    user = standing.create_user()
    link = standing.link(user, channel=links.ADMINISTRATOR)
    standing.accept(link).ok(200)
    assert standing.audit("user.invitation_accepted", user)[0]["changes"]["accepted_through"] == [None, "administrator"]
    assert [row["recipient"] for row in standing.outbox(user, "invitation_accepted_for_you")] == [user["email"]]


def test_the_list_of_invitations_says_in_which_state_each_is(server_only):
    states = {}
    for name in ("pending", "expired", "accepted", "revoked"):
        states[name] = server_only.create_user()
    server_only.move("invitation", states["expired"], expires_at="now() - interval '1 hour'")
    server_only.accept(server_only.link(states["accepted"])).ok(200)
    act(server_only, states["revoked"], "inactivate")
    for name, user in states.items():
        rows = [row for row in server_only.admin.pages("/v1/invitations", state=name) if row["user_id"] != server_only.admin_id]
        assert [row["user_id"] for row in rows] == [user["id"]]
        assert (rows[0]["state"], rows[0]["email"]) == (name, user["email"])
    assert server_only.admin.get("/v1/invitations", state="pending,expired", count="true").ok(200)["total"] == 2


# --- password resets

def test_a_reset_link_sets_a_new_password_ends_sessions_and_is_used(standing):
    user = standing.create_active()
    client = standing.sign_in(user)
    standing.ask_reset(user)
    link = standing.reset_link(user)
    for _ in range(3):
        assert standing.inspect(link, "password-resets").ok(200)["email"] == user["email"]
    assert standing.complete_reset(link, OTHER).ok(204).text == ""
    client.get("/v1/me").refused(401, "unauthenticated")
    standing.login(user["email"], PASSWORD).refused(401, "login_failed")
    standing.login(user["email"], OTHER).ok(201)
    standing.inspect(link, "password-resets").refused(410, "link_used")
    standing.complete_reset(link, PASSWORD).refused(410, "link_used")


def test_a_reset_link_that_has_lapsed_says_so(standing):
    user = standing.create_active()
    standing.ask_reset(user)
    standing.move("password_reset", user, expires_at="now() - interval '1 second'")
    standing.inspect(standing.reset_link(user), "password-resets").refused(410, "link_expired")
    standing.complete_reset(standing.reset_link(user)).refused(410, "link_expired")


def test_of_two_reset_links_the_new_one_works(standing):
    user = standing.create_active()
    standing.ask_reset(user)
    old = standing.reset_link(user)
    standing.ask_reset(user)
    standing.complete_reset(old).refused(410, "link_revoked")
    standing.complete_reset(standing.reset_link(user), OTHER).ok(204)


WITHDRAWING = {"inactivate": None, "password": {"password": OTHER}}


@pytest.mark.parametrize("action", WITHDRAWING)
def test_a_reset_link_dies_with_what_ends_sessions(standing, action):
    user = standing.create_active()
    standing.ask_reset(user)
    act(standing, user, action, WITHDRAWING[action])
    standing.inspect(standing.reset_link(user), "password-resets").refused(410, "link_revoked")
    standing.complete_reset(standing.reset_link(user)).refused(410, "link_revoked")
    if action == "inactivate":
        act(standing, user, "activate")
        standing.complete_reset(standing.reset_link(user)).refused(410, "link_revoked")


def test_a_pending_user_who_resets_his_password_has_accepted(standing):
    user = standing.create_user()
    invitation = standing.link(user)
    standing.ask_reset(user)
    standing.complete_reset(standing.reset_link(user)).ok(204)
    changed = standing.user(user)
    assert (changed["status"], changed["status_reason"]) == ("active", "accepted")
    standing.accept(invitation).refused(410)


def test_forgot_password_answers_the_same_whatever_is_the_case(standing):
    active, inactive = standing.create_active(), standing.create_active()
    act(standing, inactive, "inactivate")
    for login in (active["email"], active["email"].upper(), inactive["email"], "nobody@example.org", "nobody", "x" * 254):
        answer = standing.anyone.post("/v1/password-resets", {"organization": "acme", "login": login}).ok(202)
        assert answer.text == ""
    assert len(standing.outbox(active, "password_reset")) == 2
    assert standing.outbox(inactive, "password_reset") == []


def test_forgot_password_mails_three_times_an_hour_and_answers_the_same(standing):
    user = standing.create_active()
    for _ in range(5):
        standing.ask_reset(user)
    assert len(standing.outbox(user, "password_reset")) == 3


def test_forgot_password_does_nothing_where_the_policy_does_not_let_users(server_only):
    user = server_only.create_active()
    server_only.set_policy(password_self_reset=False)
    server_only.ask_reset(user)
    assert server_only.outbox(user, "password_reset") == []


def test_a_reset_link_from_an_administrator_works_even_then(server_only):
    server_only.set_policy(password_self_reset=False)
    user = server_only.create_active()
    act(server_only, user, "password-reset")
    server_only.complete_reset(server_only.reset_link(user), OTHER).ok(204)
    server_only.login(user["email"], OTHER).ok(201)


def test_first_login_activates_where_the_policy_says_so(server_only):
    server_only.set_policy(activation_on="first_login")
    user = server_only.create_user()
    assert server_only.accept(server_only.link(user)).ok(200).body == {"status": "pending"}
    server_only.accept(server_only.link(user), OTHER).refused(410, "link_used")
    session = server_only.login(user["email"], PASSWORD).ok(201)
    assert (session["user"]["status"], session["user"]["status_reason"]) == ("active", "first_login")
    assert server_only.client(session["token"]).get("/v1/me").ok(200)["last_login_at"]
