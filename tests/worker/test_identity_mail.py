"""Mails about addresses and logins: to whom they go, in which language, and what they never say."""
import pytest

from support.outbox import due_now, nudge, wait_put_off
from support.system import ADMIN_EMAIL, PASSWORD
from support.waiting import wait_until

KEYCRM = {"email_required": False, "login_identifier": "username", "invitation_letter": "login_info", "activation_on": "first_login",
          "admin_password_activates": False, "password_at_create": "required", "email_change": "admin"}


def ask(system, user, email):
    system.set_policy(email_change="admin")
    return system.admin.patch(f"/v1/users/{user['id']}", {"email": email}).ok(200).body


@pytest.mark.parametrize("locale, asked, told, changed", [
    ("en", "confirm your new address", "is to change", "your address was changed"),
    ("uk", "підтвердьте нову адресу", "мають змінити", "вашу адресу змінено"),
    ("ru", "подтвердите новый адрес", "собираются сменить", "ваш адрес изменён")])
def test_the_new_address_gets_the_link_and_the_old_one_is_told_twice(rollcall, locale, asked, told, changed):
    user = rollcall.create_active(locale=locale, first_name="Ліна")
    ask(rollcall, user, "moved@example.org")
    confirm = rollcall.wait_mail("moved@example.org", kind="email_change_confirm")
    notice = rollcall.wait_mail(user["email"], kind="email_change_notice")
    assert asked in confirm.subject and told in notice.subject
    assert confirm.link.startswith(f"{rollcall.url}/confirm-email#") and confirm.link in confirm.html
    assert notice.link is None and "#" not in notice.text and "moved@example.org" not in notice.raw.decode()
    assert f'lang="{locale}"' in confirm.html and "Ліна" in confirm.text and "Ліна" in notice.text
    rollcall.confirm_email(confirm.link).ok(204)
    last = rollcall.wait_mail(user["email"], kind="email_changed")
    assert changed in last.subject and last.link is None and last.recipients == [user["email"]]


def test_a_link_to_an_address_that_nobody_wants_any_more_is_not_sent(rollcall):
    user = rollcall.create_active()
    for address in ("slow@example.org", "newer@example.org"):
        rollcall.sink.behave(address, "451 4.3.0 later")
    ask(rollcall, user, "slow@example.org")
    wait_put_off(rollcall, "slow@example.org", 1)
    ask(rollcall, user, "newer@example.org")
    wait_put_off(rollcall, "newer@example.org", 1)
    rollcall.admin.post(f"/v1/users/{user['id']}/password", {"password": "nine copper lanterns at dusk"}).ok(200)
    rollcall.sink.forgive()
    due_now(rollcall)
    wait_until(lambda: {row["state"] for row in rollcall.outbox(user, "email_change_confirm")} == {"cancelled"})
    assert not rollcall.mails("slow@example.org") and not rollcall.mails("newer@example.org")


def test_links_to_the_address_before_are_not_sent_once_another_is_confirmed(rollcall):
    rollcall.set_policy(invitation_resend_to="any")
    user = rollcall.create_user()
    # Accepted before it was sent, it would be cancelled with the others.
    rollcall.accept(rollcall.mail_link(user["email"])).ok(200)
    rollcall.sink.behave(user["email"], "451 4.3.0 later")
    rollcall.admin.post(f"/v1/users/{user['id']}/invite").ok(202)
    rollcall.ask_reset(user)
    wait_until(lambda: all(row["attempts"] for row in rollcall.outbox(user)))
    ask(rollcall, user, "moved@example.org")
    rollcall.confirm_email(rollcall.mail_link("moved@example.org")).ok(204)
    rollcall.sink.forgive()
    rollcall.wait_mail(user["email"], kind="email_changed")
    # Some were with a sender when they were brought forward, and were put off after that.
    wait_until(lambda: due_now(rollcall) == 0 and not [row for row in rollcall.outbox(user) if row["state"] == "queued"])
    assert [row["state"] for row in rollcall.outbox(user) if row["kind"] in ("invitation", "password_reset")] == ["cancelled", "cancelled", "sent"]


@pytest.mark.parametrize("locale, words", [("en", "Your login: lina"), ("uk", "Ваш логін: lina"), ("ru", "Ваш логин: lina")])
def test_the_letter_says_where_and_as_whom_to_sign_in_and_no_more(rollcall, locale, words):
    """S3-07, S3-12: organization, address of sign-in and login; never a password, never a link that sets one."""
    rollcall.set_policy(**KEYCRM)
    user = rollcall.create_user(username="lina", password=PASSWORD, locale=locale)
    mail = rollcall.wait_mail(user["email"], kind="login_info")
    assert "Акме & Sons" in mail.text and words in mail.text and words in mail.html
    assert f"{rollcall.url}/sign-in?organization=acme" in mail.text
    assert mail.link is None and "#" not in mail.text and "/accept" not in mail.html and PASSWORD not in mail.raw.decode()
    shown = wait_until(lambda: (found := rollcall.user(user)["invitation"]["delivery"])["state"] == "sent" and found)
    assert shown["last_reply"].startswith("250")
    assert rollcall.login("lina", PASSWORD).ok(201)["user"]["status"] == "active"


@pytest.mark.parametrize("on_expiry", ["mail_admin_new_link", "mail_admin_notice", "resend_to_user"])
def test_a_letter_expires_quietly_whatever_else_expiry_does(rollcall, on_expiry):
    rollcall.set_policy(invitation_letter="login_info", invitation_on_expiry=on_expiry)
    link = rollcall.create_user()
    user = rollcall.create_user()
    rollcall.sql("UPDATE rollcall.invitation SET has_link = true WHERE user_id = %s", link["id"])  # made under another policy
    for one in (link, user):
        rollcall.wait_mail(one["email"], kind="login_info")
        rollcall.move("invitation", one, expires_at="now()")
    wait_until(lambda: all(rollcall.row("invitation", one)["state"] == "expired" for one in (link, user)))
    assert {row["kind"] for row in rollcall.outbox()} == {"login_info"}
    assert [mail.link for mail in rollcall.mails()] == [None, None]


def test_an_administrator_is_sent_no_link_once_invitations_are_letters(rollcall):
    rollcall.sink.behave(ADMIN_EMAIL, "451 4.3.0 later")
    user = rollcall.create_user()
    rollcall.wait_mail(user["email"])
    rollcall.move("invitation", user, expires_at="now()")
    nudge(rollcall)
    wait_until(lambda: [row for row in rollcall.outbox(user, "invitation_expired") if row["last_reply"]])
    rollcall.set_policy(invitation_letter="login_info")
    rollcall.sink.forgive()
    wait_until(lambda: (due_now(rollcall), rollcall.outbox(user, "invitation_expired")[0]["state"])[1] == "cancelled")
    assert not rollcall.mails(ADMIN_EMAIL)


def test_a_letter_to_an_address_that_has_changed_goes_to_the_new_one_alone(rollcall):
    rollcall.set_policy(invitation_letter="login_info")
    user = rollcall.create_user()
    rollcall.wait_mail(user["email"])
    rollcall.sink.behave(user["email"], "451 4.3.0 later")
    rollcall.admin.post(f"/v1/users/{user['id']}/invite").ok(202)
    wait_put_off(rollcall, user["email"], 1)
    rollcall.admin.patch(f"/v1/users/{user['id']}", {"email": "moved@example.org"}).ok(200)
    rollcall.sink.forgive()
    due_now(rollcall)
    rollcall.wait_mail("moved@example.org", kind="login_info")
    wait_until(lambda: sorted(row["state"] for row in rollcall.outbox(user)) == ["cancelled", "sent", "sent"])


def test_an_administrators_password_does_not_stop_the_letter(rollcall):
    """The letter has no link that the password could have made useless."""
    rollcall.set_policy(**KEYCRM)
    rollcall.sink.behave("late@example.org", "451 4.3.0 later")
    user = rollcall.create_user(username="late", email="late@example.org", password=PASSWORD)
    wait_put_off(rollcall, "late@example.org", 1)
    rollcall.admin.post(f"/v1/users/{user['id']}/password", {"password": "nine copper lanterns at dusk"}).ok(200)
    rollcall.sink.forgive()
    due_now(rollcall)
    mail = rollcall.wait_mail("late@example.org", kind="login_info")
    assert "nine copper" not in mail.raw.decode()
