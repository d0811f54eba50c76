"""A link that nobody used in time: who hears of it, who gets the new one, and when it ends."""
import pytest
from support.links import ADMINISTRATOR
from support.outbox import due_now, nudge
from support.system import ADMIN_EMAIL, PASSWORD
from support.waiting import wait_until

pytestmark = pytest.mark.settings(ROLLCALL_POLL_INTERVAL=60)


def lapse(system, user):
    """The link's time is over, and the clock has seen it."""
    before = system.row("invitation", user)
    system.move("invitation", user, expires_at="now() - interval '1 second'")
    nudge(system)
    return wait_until(lambda: (row := system.row("invitation", user)) and (row["generation"], row["state"]) != (before["generation"], before["state"]) and row,
                      because="the clock has seen that the link is over")


def inviting_user(system, **fields):
    """Somebody who may invite, and does."""
    fields.setdefault("own_permissions", ["users:read", "users:write", "users:invite"])
    return system.create_active(**fields)


def invited_by(system, inviter, **fields):
    fields = {"email": f"guest-of-{inviter['id'][-4:]}@example.org", "first_name": "Гість", "last_name": "Новий", **fields}
    return system.sign_in(inviter).post("/v1/users", fields).ok(201).body


def test_the_inviter_gets_a_new_link_and_it_works(rollcall):
    user = rollcall.create_user(first_name="Ліна", last_name="Костенко")
    old = rollcall.wait_mail(user["email"]).link
    row = lapse(rollcall, user)
    assert (row["state"], row["generation"], row["renewals"]) == ("pending", 2, 1)
    mail = rollcall.wait_mail(ADMIN_EMAIL)
    assert mail.subject == "Ліна Костенко: the invitation has expired, here is a new link"
    assert mail["To"] == f"Ada Administrator <{ADMIN_EMAIL}>"
    assert mail.text.startswith("Hello Ada Administrator,")
    assert mail.link == rollcall.link(user, channel=ADMINISTRATOR) and mail.link in mail.html
    rollcall.accept(old).refused(410, "link_expired")
    rollcall.inspect(mail.link).ok(200)
    assert rollcall.accept(mail.link).ok(200)["status"] == "active"
    rollcall.accept(mail.link).refused(410, "link_used")
    assert not rollcall.mails(user["email"], kind="invitation_expired")


def test_a_link_in_an_administrators_hands_leaves_its_traces(rollcall):
    user = rollcall.create_user()
    lapse(rollcall, user)
    link = rollcall.wait_mail(ADMIN_EMAIL).link
    issued = wait_until(lambda: rollcall.audit("user.link_issued", user))
    assert len(issued) == 1 and issued[0]["actor"]["kind"] == "system"
    assert issued[0]["changes"] == {"issued_to": [None, rollcall.admin_id]}
    assert [row["changes"] for row in rollcall.audit("user.invitation_expired", user)] == [
        {"invitation": ["expired", "pending"], "invitation_generation": [1, 2]}]
    rollcall.accept(link).ok(200)
    accepted, = rollcall.audit("user.invitation_accepted", user)
    assert accepted["changes"]["accepted_through"] == [None, "administrator"]
    notice = rollcall.wait_mail(user["email"], kind="invitation_accepted_for_you")
    assert "through a link that had been given to an administrator" in notice.text
    assert notice.link is None and "/forgot-password" in notice.text
    rollcall.login(user["email"], PASSWORD).ok(201)


def test_an_accept_through_ones_own_link_mails_nothing(rollcall):
    user = rollcall.create_user()
    rollcall.accept(rollcall.wait_mail(user["email"]).link).ok(200)
    assert [row["kind"] for row in rollcall.outbox(user)] == ["invitation"]
    accepted, = rollcall.audit("user.invitation_accepted", user)
    assert accepted["changes"]["accepted_through"] == [None, "user"]


def test_after_three_renewals_it_stays_lapsed_and_says_so(rollcall):
    user = rollcall.create_user()
    rollcall.wait_mail(user["email"])
    for renewal in (1, 2, 3):
        assert lapse(rollcall, user)["renewals"] == renewal
        rollcall.wait_mail(ADMIN_EMAIL, kind="invitation_expired", count=renewal)
    last = rollcall.mails(ADMIN_EMAIL)[-1].link
    assert lapse(rollcall, user)["state"] == "expired"
    mail = rollcall.wait_mail(ADMIN_EMAIL, kind="invitation_lapsed")
    assert mail.subject == "Olena Koval: the invitation has lapsed"
    assert mail.link is None and "No new link was made" in mail.text
    rollcall.accept(last).refused(410, "link_expired")
    shown = rollcall.user(user)
    assert (shown["status"], shown["invitation"]["state"], shown["invitation"]["renewals"]) == ("pending", "expired", 3)
    assert [row["user_id"] for row in rollcall.admin.pages("/v1/invitations", state="expired")] == [user["id"]]
    nudge(rollcall)
    rollcall.admin.post(f"/v1/users/{user['id']}/invite").ok(202)
    assert rollcall.row("invitation", user)["renewals"] == 0, "a new invitation by hand counts anew"
    rollcall.accept(rollcall.wait_mail(user["email"], count=2).link).ok(200)
    assert len(rollcall.mails(ADMIN_EMAIL)) == 4


@pytest.mark.parametrize("renewals", [0, 1])
def test_the_number_of_renewals_is_the_policys(rollcall, renewals):
    rollcall.set_policy(invitation_max_renewals=renewals)
    user = rollcall.create_user()
    for _ in range(renewals):
        assert lapse(rollcall, user)["state"] == "pending"
    assert lapse(rollcall, user)["state"] == "expired"
    rollcall.wait_mail(ADMIN_EMAIL, kind="invitation_lapsed")


def test_the_generation_before_a_renewal_is_expired_and_older_ones_are_withdrawn(rollcall):
    user = rollcall.create_user()
    rollcall.admin.post(f"/v1/users/{user['id']}/invite").ok(202)
    lapse(rollcall, user)
    rollcall.accept(rollcall.link(user, generation=1)).refused(410, "link_revoked")
    rollcall.accept(rollcall.link(user, generation=2)).refused(410, "link_expired")
    rollcall.inspect(rollcall.link(user, generation=3)).ok(200)
    rollcall.admin.post(f"/v1/users/{user['id']}/inactivate").ok(200)
    for generation in (1, 2, 3):
        rollcall.accept(rollcall.link(user, generation=generation)).refused(410, "link_revoked")


def test_a_notice_has_no_link_and_makes_none(rollcall):
    rollcall.set_policy(invitation_on_expiry="mail_admin_notice")
    user = rollcall.create_user()
    link = rollcall.wait_mail(user["email"]).link
    row = lapse(rollcall, user)
    assert (row["state"], row["generation"]) == ("expired", 1)
    mail = rollcall.wait_mail(ADMIN_EMAIL, kind="invitation_lapsed")
    assert mail.link is None
    rollcall.accept(link).refused(410, "link_expired")


def test_resending_to_the_user_gives_him_a_link_that_works(rollcall):
    rollcall.set_policy(invitation_on_expiry="resend_to_user", invitation_max_renewals=1)
    user = rollcall.create_user()
    first = rollcall.wait_mail(user["email"]).link
    assert lapse(rollcall, user)["renewals"] == 1
    second = rollcall.wait_mail(user["email"], kind="invitation", count=2).link
    rollcall.accept(first).refused(410, "link_expired")
    rollcall.inspect(second).ok(200)
    assert lapse(rollcall, user)["state"] == "expired"
    rollcall.wait_mail(ADMIN_EMAIL, kind="invitation_lapsed")
    assert len(rollcall.mails(user["email"])) == 2


def test_nothing_means_that_nobody_is_told(rollcall):
    rollcall.set_policy(invitation_on_expiry="nothing")
    user = rollcall.create_user()
    link = rollcall.wait_mail(user["email"]).link
    assert lapse(rollcall, user)["state"] == "expired"
    assert rollcall.audit(user=user)[0]["changes"] == {"invitation": ["pending", "expired"]}
    rollcall.accept(link).refused(410, "link_expired")
    assert [row["kind"] for row in rollcall.outbox()] == ["invitation"]


def test_when_the_inviter_has_gone_the_next_who_may_gets_the_link(rollcall):
    inviter = inviting_user(rollcall)
    user = invited_by(rollcall, inviter)
    rollcall.admin.post(f"/v1/users/{inviter['id']}/inactivate").ok(200)
    lapse(rollcall, user)
    assert rollcall.wait_mail(ADMIN_EMAIL, kind="invitation_expired").link
    assert not rollcall.mails(inviter["email"], kind="invitation_expired")


def test_the_inviter_himself_comes_before_others_who_may(rollcall):
    inviter = inviting_user(rollcall)
    user = invited_by(rollcall, inviter)
    lapse(rollcall, user)
    assert rollcall.wait_mail(inviter["email"], kind="invitation_expired").link
    assert not rollcall.mails(ADMIN_EMAIL)


@pytest.mark.parametrize("change", ["own_permissions = '{users:write}'", "email = NULL"])
def test_an_inviter_who_may_no_longer_invite_gets_no_link(rollcall, change):
    inviter = inviting_user(rollcall, username="inviter")
    user = invited_by(rollcall, inviter)
    rollcall.sql(f"UPDATE rollcall.users SET {change} WHERE id = %s", inviter["id"])
    lapse(rollcall, user)
    rollcall.wait_mail(ADMIN_EMAIL, kind="invitation_expired")
    assert not rollcall.mails(inviter["email"], kind="invitation_expired")


def test_an_inviter_who_holds_less_than_the_invited_gets_no_link(rollcall):
    inviter = inviting_user(rollcall)
    user = invited_by(rollcall, inviter)
    rollcall.admin.patch(f"/v1/users/{user['id']}", {"own_permissions": ["audit:read"]}).ok(200)
    lapse(rollcall, user)
    rollcall.wait_mail(ADMIN_EMAIL, kind="invitation_expired")
    assert not rollcall.mails(inviter["email"], kind="invitation_expired")


def test_what_an_inviter_holds_by_his_role_and_by_himself_counts_together(rollcall):
    leaders = rollcall.admin.post("/v1/roles", {"name": "Leaders", "permissions": ["users:read", "users:write", "users:invite"]}).ok(201).body
    leader, helpless = (rollcall.create_active(role_id=leaders["id"], own_permissions=words) for words in (["audit:read"], []))
    user = rollcall.create_user(own_permissions=["audit:read"])
    rollcall.sql("UPDATE rollcall.users SET email = NULL, username = 'boss' WHERE id = %s", rollcall.admin_id)
    lapse(rollcall, user)
    assert rollcall.wait_mail(leader["email"], kind="invitation_expired").link
    assert not rollcall.mails(helpless["email"], kind="invitation_expired")


def test_an_inviter_need_not_hold_what_everybody_starts_with(rollcall):
    inviter = inviting_user(rollcall)
    rollcall.set_policy(default_permissions=["product:view"])
    user = invited_by(rollcall, inviter)
    assert user["permissions"] == ["product:view"]
    lapse(rollcall, user)
    assert rollcall.wait_mail(inviter["email"], kind="invitation_expired").link


def test_where_nobody_may_have_the_link_the_contact_hears_without_one(rollcall):
    """Nobody else may: the only administrator has no address any more."""
    rollcall.sql("UPDATE rollcall.organization SET contact_email = 'office@example.org', locale = 'uk'")
    user = rollcall.create_user()
    rollcall.sql("UPDATE rollcall.users SET email = NULL, username = 'boss' WHERE id = %s", rollcall.admin_id)
    lapse(rollcall, user)
    mail = rollcall.wait_mail("office@example.org")
    assert mail.link is None and "#" not in mail.text + mail.html
    assert "Olena Koval" in mail.subject and "запрошення" in mail.text.lower()
    assert "Нове посилання є" in mail.text and "org reinvite-admin" in mail.html
    assert mail.text.startswith("Вітаємо!\n") and mail["To"] == "office@example.org"
    assert not rollcall.audit("user.link_issued")


def test_where_nobody_may_have_the_notice_the_contact_hears_that_no_link_was_made(rollcall):
    rollcall.set_policy(invitation_on_expiry="mail_admin_notice")
    rollcall.sql("UPDATE rollcall.organization SET contact_email = 'office@example.org'")
    user = rollcall.create_user()
    rollcall.sql("UPDATE rollcall.users SET email = NULL, username = 'boss' WHERE id = %s", rollcall.admin_id)
    lapse(rollcall, user)
    assert "No new link was made" in rollcall.wait_mail("office@example.org").text


def test_an_invitation_by_an_api_key_lapses_to_an_administrator(rollcall):
    user = rollcall.machine.post("/v1/users", {"email": "keyed@example.org", "first_name": "K", "last_name": "K"}).ok(201).body
    assert rollcall.row("invitation", user)["invited_by"] is None
    lapse(rollcall, user)
    assert rollcall.wait_mail(ADMIN_EMAIL, kind="invitation_expired").link


def test_all_administrators_get_one_mail_each(rollcall):
    rollcall.set_policy(invitation_expiry_recipient="all_admins")
    others = [inviting_user(rollcall, locale="uk"), inviting_user(rollcall)]
    helpless = rollcall.create_active(own_permissions=["users:read"])
    user = rollcall.create_user()
    lapse(rollcall, user)
    addresses = [ADMIN_EMAIL, *(other["email"] for other in others)]
    mails = [rollcall.wait_mail(address, kind="invitation_expired") for address in addresses]
    assert len({mail.link for mail in mails}) == 1
    assert "запрошення" in mails[1].subject.lower()
    wait_until(lambda: len(rollcall.audit("user.link_issued", user)) == 3)
    assert {row["changes"]["issued_to"][1] for row in rollcall.audit("user.link_issued", user)} == {
        rollcall.admin_id, *(other["id"] for other in others)}
    assert not rollcall.mails(helpless["email"], kind="invitation_expired")
    assert all(len(rollcall.mails(address, kind="invitation_expired")) == 1 for address in addresses)


@pytest.mark.allow_errors("could not run query.*mail_fan_out")
def test_a_fan_out_that_fails_loses_nobodys_mail(rollcall):
    """The first got his, the row was settled, and the others never heard."""
    rollcall.set_policy(invitation_expiry_recipient="all_admins")
    other = inviting_user(rollcall)
    rollcall.sql("ALTER TABLE rollcall.outbox ADD CONSTRAINT broken CHECK (NOT data ? 'recipient_id')")
    user = rollcall.create_user()
    lapse(rollcall, user)
    wait_until(lambda: rollcall.outbox(user, "invitation_expired")[0]["last_reply"] == "the database did not answer")
    rollcall.sql("ALTER TABLE rollcall.outbox DROP CONSTRAINT broken")
    due_now(rollcall)
    for address in (ADMIN_EMAIL, other["email"]):
        assert rollcall.wait_mail(address, kind="invitation_expired").link
    assert len(rollcall.outbox(kind="invitation_expired")) == 2


def test_a_mail_to_all_administrators_is_fanned_out_once_however_often_it_is_tried(rollcall):
    rollcall.set_policy(invitation_expiry_recipient="all_admins")
    other = inviting_user(rollcall)
    addresses = (ADMIN_EMAIL, other["email"])
    for address in addresses:
        rollcall.sink.behave(address, "451 4.3.0 later", times=2)
    user = rollcall.create_user()
    lapse(rollcall, user)

    def both_have_it():
        due_now(rollcall)
        return all(rollcall.mails(address, kind="invitation_expired") for address in addresses)

    wait_until(both_have_it, pause=0.1)
    assert len(rollcall.outbox(kind="invitation_expired")) == 2


def test_a_new_link_that_was_overtaken_is_not_mailed(rollcall):
    user = rollcall.create_user()
    rollcall.wait_mail(user["email"])
    rollcall.sink.behave(ADMIN_EMAIL, "451 4.3.0 later", times=1)
    lapse(rollcall, user)
    wait_until(lambda: (rows := rollcall.outbox(user, "invitation_expired")) and rows[0]["last_reply"] and rows[0]["next_attempt_at"])
    rollcall.accept(rollcall.link(user)).ok(200)
    due_now(rollcall)
    wait_until(lambda: rollcall.outbox(user, "invitation_expired")[0]["state"] == "cancelled")
    assert not rollcall.mails(ADMIN_EMAIL)


def test_a_link_of_one_who_is_active_already_ends_silently(rollcall):
    """Policy `any` invites active users, too; nobody waits for them."""
    rollcall.set_policy(invitation_resend_to="any")
    user = rollcall.create_active()
    rollcall.admin.post(f"/v1/users/{user['id']}/invite").ok(202)
    link = rollcall.link(user)
    assert lapse(rollcall, user)["state"] == "expired"
    rollcall.accept(link).refused(410, "link_expired")
    assert {row["kind"] for row in rollcall.outbox(user)} == {"invitation"}


def test_a_link_is_dead_before_the_clock_has_come_to_it(server_only):
    user = server_only.create_user()
    server_only.move("invitation", user, expires_at="now()")
    server_only.accept(server_only.link(user)).refused(410, "link_expired")
    server_only.inspect(server_only.link(user)).refused(410, "link_expired")
    assert server_only.user(user)["invitation"]["state"] == "expired"


def test_the_clock_wakes_for_the_next_link_without_being_told(rollcall):
    """Polls come once a minute here: only the deadline itself can wake it."""
    user = rollcall.create_user()
    rollcall.wait_mail(user["email"])
    rollcall.move("invitation", user, expires_at="now() + interval '1.5 seconds'")
    nudge(rollcall)
    wait_until(lambda: rollcall.row("invitation", user)["generation"] == 2)


def test_a_thousand_links_lapse_in_one_round(rollcall):
    rollcall.set_policy(invitation_on_expiry="nothing")
    rollcall.sql("INSERT INTO rollcall.users (org_id, id, first_name, last_name, status, status_reason, version)"
                 " SELECT %s, gen_random_uuid(), 'n', n::text, 'pending', 'invited', 1 FROM generate_series(1, 2500) n", rollcall.org_id)
    rollcall.sql("INSERT INTO rollcall.invitation (org_id, user_id, generation, state, expires_at)"
                 " SELECT org_id, id, 1, 'pending', now() FROM rollcall.users WHERE status = 'pending'")
    rollcall.sql("ANALYZE rollcall.users, rollcall.invitation")  # no autovacuum does it here
    nudge(rollcall)
    wait_until(lambda: rollcall.value("SELECT count(*) FROM rollcall.invitation WHERE state = 'expired'") == 2500)
    wait_until(lambda: rollcall.metrics(worker=True)["rollcall_links_expired_total"] == 2500, because="it is counted behind each commit")
