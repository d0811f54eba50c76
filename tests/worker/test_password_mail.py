"""Mails about passwords: the reset link and its one use, and the notice of an administrator's doing."""
import pytest
from support.outbox import due_now, wait_put_off
from support.system import PASSWORD
from support.waiting import wait_until

NEW = "nine copper lanterns at dusk"


def reset_mail(system, user, count=1):
    return system.wait_mail(user["email"], kind="password_reset", count=count)


def test_whoever_forgot_his_password_gets_a_link_that_works_once(rollcall):
    user = rollcall.create_active(first_name="Ліна", locale="uk")
    client = rollcall.sign_in(user)
    rollcall.ask_reset(user)
    mail = reset_mail(rollcall, user)
    assert "пароль" in mail.subject and "Ліна" in mail.text and mail.link in mail.html
    assert rollcall.inspect(mail.link, "password-resets").ok(200)["email"] == user["email"]
    rollcall.complete_reset(mail.link, NEW).ok(204)
    client.get("/v1/me").refused(401)
    rollcall.login(user["email"], PASSWORD).refused(401, "login_failed")
    rollcall.login(user["email"], NEW).ok(201)
    rollcall.complete_reset(mail.link, PASSWORD).refused(410, "link_used")


def test_a_newer_link_kills_the_one_before(rollcall):
    user = rollcall.create_active()
    rollcall.ask_reset(user)
    first = reset_mail(rollcall, user)
    rollcall.admin.post(f"/v1/users/{user['id']}/password-reset").ok(202)
    second = reset_mail(rollcall, user, 2)
    rollcall.complete_reset(first.link, NEW).refused(410, "link_revoked")
    rollcall.complete_reset(second.link, NEW).ok(204)


@pytest.mark.parametrize("state", ["unknown", "pending and never invited", "inactive"])
def test_nobody_else_is_mailed_and_the_answer_is_the_same(rollcall, state):
    if state == "unknown":
        user = {"email": "nobody@example.org"}
    else:
        user = rollcall.create_user()
        rollcall.wait_mail(user["email"])
    if state == "pending and never invited":
        rollcall.sql("DELETE FROM rollcall.invitation WHERE user_id = %s", user["id"])
    if state == "inactive":
        rollcall.admin.post(f"/v1/users/{user['id']}/inactivate").ok(200)
    rollcall.ask_reset(user)
    assert not rollcall.outbox(kind="password_reset")


def test_a_reset_link_that_died_while_the_relay_was_slow_is_not_sent(rollcall):
    user = rollcall.create_active()
    rollcall.sink.behave(user["email"], "451 4.3.0 later")
    rollcall.ask_reset(user)
    wait_put_off(rollcall, user["email"], 1)
    rollcall.move("password_reset", user, expires_at="now()")
    rollcall.sink.forgive()
    due_now(rollcall)
    wait_until(lambda: rollcall.outbox(user, "password_reset")[0]["state"] == "cancelled")
    assert not rollcall.mails(user["email"], kind="password_reset")


def test_an_administrators_password_is_told_to_the_user_without_it(rollcall):
    user = rollcall.create_active()
    client = rollcall.sign_in(user)
    rollcall.admin.post(f"/v1/users/{user['id']}/password", {"password": NEW}).ok(200)
    mail = rollcall.wait_mail(user["email"], kind="password_changed")
    assert NEW not in mail.raw.decode() and mail.link is None
    assert f"{rollcall.url}/sign-in?organization=acme" in mail.text
    client.get("/v1/me").refused(401)


def test_the_notice_is_the_policys(rollcall):
    rollcall.set_policy(admin_password_notice=False)
    user = rollcall.create_active()
    rollcall.admin.post(f"/v1/users/{user['id']}/password", {"password": NEW}).ok(200)
    assert not rollcall.outbox(user, "password_changed")


def test_who_must_reset_on_coming_back_gets_the_link(rollcall):
    rollcall.set_policy(reactivation_password="must_reset")
    user = rollcall.create_active()
    rollcall.admin.post(f"/v1/users/{user['id']}/inactivate").ok(200)
    rollcall.admin.post(f"/v1/users/{user['id']}/activate").ok(200)
    link = reset_mail(rollcall, user).link
    rollcall.login(user["email"], PASSWORD).refused(401, "password_reset_required")
    rollcall.complete_reset(link, NEW).ok(204)
    rollcall.login(user["email"], NEW).ok(201)
