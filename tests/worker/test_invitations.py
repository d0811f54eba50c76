"""An invitation from its making to its end, with real mail (scenarios 1 to 4)."""
import time

import pytest

from support.waiting import wait_until

PASSWORD = "violet tractor under seven moons"
OTHER = "another tractor of the moon"


def act(system, user, action, body=None):
    return system.admin.post(f"/v1/users/{user['id']}/{action}", body).ok()


def test_a_new_user_gets_a_mail_with_a_link_that_works_within_a_second(rollcall):
    rollcall.create_user()  # the first wakes everything up
    wait_until(lambda: rollcall.mails())
    started = time.monotonic()
    user = rollcall.create_user(first_name="Олена", last_name="Їжакевич")
    mail = rollcall.wait_mail(user["email"])
    assert mail.at - started < 1  # and not by polling, which is slower here
    assert "Олена" in mail.text and "Олена" in mail.html
    assert "Акме & Sons" in mail.text and "Акме &amp; Sons" in mail.html
    assert "Акме & Sons" in mail.subject
    assert mail["From"] == "Rollcall <rollcall@example.org>"
    assert mail.recipients == [user["email"]] and user["email"] in mail["To"]
    assert mail.message.get_content_type() == "multipart/alternative"
    assert mail.link in mail.html
    assert mail.link.startswith(f"{rollcall.url}/accept#")
    assert mail.link == rollcall.link(user)
    assert all(len(line) <= 998 for line in mail.raw.split(b"\r\n"))
    delivery = wait_until(lambda: (shown := rollcall.user(user)["invitation"]["delivery"])["state"] == "sent" and shown)
    assert delivery["last_reply"].startswith("250") and delivery["sent_at"]
    assert rollcall.inspect(mail.link).ok(200)["first_name"] == "Олена"
    rollcall.accept(mail.link).ok(200)
    rollcall.login(user["email"], PASSWORD).ok(201)


NASTY = ["Eve\u2028Bcc: all@example.org", "=?utf-8?q?Eve?=", "\"Eve\" <eve@evil.example>,", "Eve\\", ". \u200d", "{{link}}", "<script>alert(1)</script>", "&amp;", "Ё" * 190]


@pytest.mark.parametrize("name", NASTY)
def test_a_name_injects_nothing_into_a_mail(rollcall, name):
    answer = rollcall.admin.post("/v1/users", {"email": "eve@example.org", "first_name": name, "last_name": "X"})
    if answer.status == 422:
        return
    mail = rollcall.wait_mail("eve@example.org")
    assert {header.lower() for header in mail.message.keys()} <= {
        "from", "to", "subject", "date", "message-id", "mime-version", "content-type", "auto-submitted", "content-language", "x-auto-response-suppress"}
    assert mail.recipients == ["eve@example.org"]
    assert mail.link == rollcall.link(answer.body)
    assert "<script>" not in mail.html
    assert name in mail.text


@pytest.mark.parametrize("locale, word", [("en", "Hello"), ("uk", "Вітаємо"), ("ru", "Здравствуйте")])
def test_a_mail_is_in_the_users_language(rollcall, locale, word):
    user = rollcall.create_user(locale=locale)
    mail = rollcall.wait_mail(user["email"])
    assert word in mail.text
    assert mail["Content-Language"] in (None, locale)


def test_a_resent_invitation_carries_a_new_link_and_the_one_before_is_dead(rollcall):
    user = rollcall.create_user()
    first = rollcall.wait_mail(user["email"]).link
    act(rollcall, user, "invite")
    second = rollcall.wait_mail(user["email"], count=2).link
    assert first != second
    rollcall.inspect(first).refused(410, "link_revoked")
    rollcall.accept(second).ok(200)


def test_a_new_address_gets_the_new_link(rollcall):
    user = rollcall.create_user()
    old = rollcall.mail_link(user["email"])
    rollcall.admin.patch(f"/v1/users/{user['id']}", {"email": "moved@example.org"}).ok(200)
    new = rollcall.mail_link("moved@example.org")
    rollcall.accept(old).refused(410, "link_revoked")
    rollcall.accept(new).ok(200)


def lapse(system, user):
    system.move("invitation", user, expires_at="now() - interval '1 second'")


def test_a_lapsed_invitation_is_renewed_three_times_to_the_administrator_and_then_stays_lapsed(rollcall):
    """Scenario 4, S1-14 and S1-15."""
    user = rollcall.create_user()
    dead = [rollcall.mail_link(user["email"])]
    for renewal in (1, 2, 3):
        lapse(rollcall, user)
        mail = rollcall.wait_mail("admin@example.org", kind="invitation_expired", count=renewal)
        assert mail.recipients == ["admin@example.org"]
        invitation = rollcall.user(user)["invitation"]
        assert (invitation["state"], invitation["renewals"]) == ("pending", renewal)
        rollcall.inspect(dead[-1]).refused(410, "link_expired")
        for older in dead[:-1]:
            rollcall.inspect(older).refused(410, "link_revoked")
        rollcall.inspect(mail.link).ok(200)
        dead.append(mail.link)
    lapse(rollcall, user)
    mail = rollcall.wait_mail("admin@example.org", kind="invitation_lapsed")
    assert mail.link is None and user["email"] in mail.text + mail.subject or "Olena" in mail.text
    assert rollcall.user(user)["invitation"]["state"] == "expired"
    rollcall.inspect(dead[-1]).refused(410, "link_expired")
    assert len(rollcall.mails(user["email"])) == 1
    act(rollcall, user, "invite")  # by hand it begins anew
    rollcall.accept(rollcall.wait_mail(user["email"], count=2).link).ok(200)


def test_the_administrators_link_works_and_the_user_is_told(rollcall):
    user = rollcall.create_user()
    rollcall.mail_link(user["email"])
    lapse(rollcall, user)
    mail = rollcall.wait_mail("admin@example.org", kind="invitation_expired")
    rollcall.accept(mail.link).ok(200)
    told = rollcall.wait_mail(user["email"], kind="invitation_accepted_for_you")
    assert told.link is None
    assert rollcall.audit("user.invitation_accepted", user)[0]["changes"]["accepted_through"] == [None, "administrator"]


def test_an_administrator_who_is_gone_gets_no_link_but_the_next_one_does(rollcall):
    inviter = rollcall.create_administrator()
    user = rollcall.sign_in(inviter).post("/v1/users", {"email": "late@example.org", "first_name": "L", "last_name": "L"}).ok(201).body
    rollcall.mail_link("late@example.org")
    act(rollcall, inviter, "inactivate")
    lapse(rollcall, user)
    mail = rollcall.wait_mail(kind="invitation_expired")
    assert mail.recipients == ["admin@example.org"]


EXPIRY = {"mail_admin_notice": ("admin@example.org", False), "resend_to_user": ("user", True), "nothing": (None, None)}


@pytest.mark.parametrize("policy", EXPIRY)
def test_what_happens_when_a_link_lapses_is_the_policys(rollcall, policy):
    rollcall.set_policy(invitation_on_expiry=policy)
    user = rollcall.create_user()
    rollcall.mail_link(user["email"])
    before = len(rollcall.mails())
    lapse(rollcall, user)
    recipient, has_link = EXPIRY[policy]
    if recipient == "user":
        wait_until(lambda: rollcall.row("invitation", user)["generation"] == 2)
    else:
        wait_until(lambda: rollcall.row("invitation", user)["state"] == "expired")
    if recipient is None:
        wait_until(lambda: rollcall.value("SELECT count(*) FROM rollcall.outbox WHERE state = 'queued'") == 0)
        assert len(rollcall.mails()) == before
        return
    wait_until(lambda: len(rollcall.mails()) == before + 1)
    mail = rollcall.mails()[-1]
    assert mail.recipients == [user["email"] if recipient == "user" else recipient]
    assert bool(mail.link) == has_link


def test_a_reset_link_arrives_and_works(rollcall):
    user = rollcall.create_active()
    rollcall.wait_mail(user["email"])
    rollcall.ask_reset(user)
    mail = rollcall.wait_mail(user["email"], kind="password_reset")
    assert "/reset-password#" in mail.link
    rollcall.complete_reset(mail.link, OTHER).ok(204)
    rollcall.login(user["email"], OTHER).ok(201)
    act(rollcall, user, "password", {"password": PASSWORD})
    assert rollcall.wait_mail(user["email"], kind="password_changed").link is None


def test_a_mail_whose_link_has_died_is_not_sent(rollcall):
    assert rollcall.worker.stop() == 0
    user, kept = rollcall.create_user(), rollcall.create_user()
    act(rollcall, user, "inactivate")
    rollcall.restart_worker()
    rollcall.wait_mail(kept["email"])
    wait_until(lambda: rollcall.outbox(user)[0]["state"] == "cancelled")
    assert rollcall.mails(user["email"]) == []


def test_a_mail_on_its_way_to_an_inactivated_user_is_overtaken_by_the_cancellation(rollcall):
    rollcall.sink.behave("slow@example.org", "451 4.7.1 greylisted")
    user = rollcall.create_user(email="slow@example.org")
    wait_until(lambda: rollcall.outbox(user)[0]["attempts"] >= 1 and rollcall.outbox(user)[0]["last_reply"])
    act(rollcall, user, "inactivate")
    assert rollcall.outbox(user)[0]["state"] == "cancelled"
    rollcall.sink.forgive()
    rollcall.admin.post(f"/v1/outbox/{rollcall.outbox(user)[0]['id']}/retry").refused(409, "state_conflict")


# --- locks

def lock(system, user):
    for number in range(10):
        assert system.login(user["email"], f"wrong {number}").status == 401


def test_a_lock_is_mailed_to_the_user_and_as_a_digest_to_administrators(rollcall):
    """Scenario 5. The digest is due at once when none went out for five minutes."""
    rollcall.sql("UPDATE rollcall.organization SET lock_digest_at = now() - interval '1 hour'")
    user = rollcall.create_active()
    lock(rollcall, user)
    assert rollcall.wait_mail(user["email"], kind="account_locked").link is None
    digest = rollcall.wait_mail("admin@example.org", kind="lock_digest", timeout=20)
    assert "Koval" in digest.text


def test_the_mail_about_a_lock_carries_the_releasing_link(rollcall):
    rollcall.set_policy(lockout_release="mail_link")
    user = rollcall.create_active()
    lock(rollcall, user)
    rollcall.complete_reset(rollcall.wait_mail(user["email"], kind="account_locked").link, OTHER).ok(204)
    rollcall.login(user["email"], OTHER).ok(201)


def test_time_releases_a_lock_where_the_policy_says_so(rollcall):
    rollcall.set_policy(lockout_release="interval")
    user = rollcall.create_active()
    lock(rollcall, user)
    rollcall.move("users", user, status_changed_at="now() - interval '16 minutes'")
    wait_until(lambda: rollcall.user(user)["status"] == "active", timeout=20)
    assert rollcall.user(user)["status_reason"] == "released"
    rollcall.login(user["email"], PASSWORD).ok(201)


def test_a_lock_that_a_dead_process_left_undone_is_done_by_the_clock(rollcall):
    user = rollcall.create_active()
    rollcall.move("credential", user, failed_attempts="10", failed_at="now() - interval '31 seconds'")
    wait_until(lambda: rollcall.user(user)["status"] == "locked", timeout=20)


def test_the_last_administrators_count_is_set_back_by_the_clock(rollcall):
    admin = {"id": rollcall.admin_id}
    rollcall.move("credential", admin, failed_attempts="10", failed_at="now() - interval '31 seconds'")
    wait_until(lambda: rollcall.row("credential", admin)["failed_attempts"] == 0, timeout=20)
    assert rollcall.user(admin)["status"] == "active"
