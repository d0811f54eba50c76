"""Ten wrong passwords: the lock, its mails, its end, and the clock that mends what a crash left behind."""
import concurrent.futures

import pytest
from support.outbox import nudge, rounds, second_worker
from support.system import ADMIN_EMAIL, ADMIN_PASSWORD, PASSWORD
from support.waiting import wait_until

pytestmark = pytest.mark.settings(ROLLCALL_POLL_INTERVAL=1)
WRONG = "quite another password"
NEW = "nine copper lanterns at dusk"


def guess(system, user, times=10):
    for _ in range(times):
        system.login(user["email"], WRONG).refused(401, "login_failed")


def locked(system, **fields):
    user = system.create_active(**fields)
    guess(system, user)
    assert system.user(user)["status"] == "locked"
    return user


def status(system, user):
    shown = system.user(user)
    return shown["status"], shown["status_reason"]


def leave_at_threshold(system, user, seconds, guesses=10):
    """As if the process that checked the last guess had died then."""
    system.move("credential", user, failed_attempts=guesses, failed_at=f"now() - interval '{seconds} seconds'")


def test_the_user_and_the_administrators_are_told(rollcall):
    user = locked(rollcall, first_name="Олена", last_name="Коваль", locale="uk")
    assert status(rollcall, user) == ("locked", "wrong_password")
    mail = rollcall.wait_mail(user["email"], kind="account_locked")
    assert "заблоковано" in mail.subject and mail.link is None
    digest = rollcall.wait_mail(ADMIN_EMAIL, kind="lock_digest")
    assert digest.subject == "Акме & Sons: locked accounts: 1"
    assert f"Олена Коваль ({user['email']})" in digest.text and "Олена Коваль" in digest.html
    assert "Hello Ada Administrator," in digest.text
    event, = rollcall.audit("user.locked", user)
    assert event["changes"]["status"] == ["active", "locked"]
    rollcall.login(user["email"], PASSWORD).refused(401, "login_failed")


def test_the_first_digest_comes_at_once_and_the_next_gathers_five_minutes(rollcall):
    first = locked(rollcall)
    rollcall.wait_mail(ADMIN_EMAIL, kind="lock_digest")
    others = [locked(rollcall, first_name=name) for name in ("Bohdan", "Vira", "Halyna")]
    told = wait_until(lambda: rollcall.sql("SELECT id FROM rollcall.users WHERE lock_is_news ORDER BY id"))
    assert {str(id) for id in told} == {user["id"] for user in others}
    assert len(rollcall.outbox(kind="lock_digest")) == 1
    rollcall.sql("UPDATE rollcall.organization SET lock_digest_at = lock_digest_at - interval '5 minutes'")
    second = rollcall.wait_mail(ADMIN_EMAIL, kind="lock_digest", count=2)
    assert second.subject.endswith("locked accounts: 3")
    assert all(user["email"] in second.text for user in others) and first["email"] not in second.text
    assert not rollcall.sql("SELECT id FROM rollcall.users WHERE lock_is_news")


def test_each_administrator_gets_the_digest_in_his_language(rollcall):
    other = rollcall.create_administrator(locale="uk", first_name="Дарина", last_name="Сич")
    bystander = rollcall.create_active(own_permissions=["users:read"])
    locked(rollcall)
    rollcall.wait_mail(ADMIN_EMAIL, kind="lock_digest")
    mail = rollcall.wait_mail(other["email"], kind="lock_digest")
    assert mail.subject == "Акме & Sons: заблоковані облікові записи: 1"
    assert "Дарина Сич" in mail.text
    assert not rollcall.mails(bystander["email"], kind="lock_digest")


def test_one_who_is_let_in_again_before_the_digest_is_not_in_it(rollcall):
    locked(rollcall)
    rollcall.wait_mail(ADMIN_EMAIL, kind="lock_digest")
    back, away = locked(rollcall), locked(rollcall)
    rollcall.admin.post(f"/v1/users/{back['id']}/activate").ok(200)
    rollcall.sql("UPDATE rollcall.organization SET lock_digest_at = lock_digest_at - interval '5 minutes'")
    second = rollcall.wait_mail(ADMIN_EMAIL, kind="lock_digest", count=2)
    assert away["email"] in second.text and back["email"] not in second.text


def test_two_clocks_tell_each_lock_once(rollcall):
    second_worker(rollcall)
    for _ in range(3):
        user = locked(rollcall)
        rollcall.sql("UPDATE rollcall.organization SET lock_digest_at = 'epoch'")
        nudge(rollcall)
        wait_until(lambda user=user: not rollcall.row("users", user)["lock_is_news"])
    assert len(rollcall.outbox(kind="lock_digest")) == 3


def test_the_administrator_activates_with_a_new_password(rollcall):
    user = locked(rollcall)
    rollcall.admin.post(f"/v1/users/{user['id']}/activate", {"password": NEW}).ok(200)
    rollcall.login(user["email"], PASSWORD).refused(401, "login_failed")
    rollcall.login(user["email"], NEW).ok(201)
    guess(rollcall, user, 9)
    rollcall.login(user["email"], NEW).ok(201)


def test_a_lock_ends_the_users_sessions_at_once(rollcall):
    user = rollcall.create_active()
    client = rollcall.sign_in(user)
    guess(rollcall, user)
    client.get("/v1/me").refused(401)


def test_time_releases_where_the_policy_says_so_and_the_count_starts_anew(rollcall):
    rollcall.set_policy(lockout_release="interval")
    user = locked(rollcall)
    rollcall.login(user["email"], PASSWORD).refused(401, "login_failed")
    rollcall.move("users", user, status_changed_at="now() - interval '15 minutes'")
    wait_until(lambda: status(rollcall, user) == ("active", "released"))
    assert rollcall.row("credential", user)["failed_attempts"] == 0
    guess(rollcall, user, 9)
    assert rollcall.login(user["email"], PASSWORD).ok(201)
    assert rollcall.audit("user.lock_released", user)[0]["actor"]["kind"] == "system"


def test_time_returns_a_pending_user_to_pending(rollcall):
    rollcall.set_policy(lockout_release="interval", admin_password_activates=False)
    user = rollcall.create_user()
    rollcall.admin.post(f"/v1/users/{user['id']}/password", {"password": PASSWORD}).ok(200)
    guess(rollcall, user)
    assert status(rollcall, user) == ("locked", "wrong_password")
    rollcall.move("users", user, status_changed_at="now() - interval '15 minutes'")
    wait_until(lambda: status(rollcall, user) == ("pending", "released"))


def test_nothing_is_released_too_early_or_where_administrators_release(rollcall):
    user = locked(rollcall)
    rollcall.move("users", user, status_changed_at="now() - interval '1 year'")
    early = locked(rollcall)
    rounds(rollcall)
    assert status(rollcall, user)[0] == "locked"
    rollcall.set_policy(lockout_release="interval")
    wait_until(lambda: status(rollcall, user)[0] == "active")
    rounds(rollcall)
    assert status(rollcall, early)[0] == "locked"


def test_the_link_in_the_lock_mail_releases(rollcall):
    rollcall.set_policy(lockout_release="mail_link")
    user = locked(rollcall)
    mail = rollcall.wait_mail(user["email"], kind="account_locked")
    assert mail.link and "To unlock it, choose a new password" in mail.text
    assert rollcall.inspect(mail.link, "password-resets").ok(200)
    rollcall.complete_reset(mail.link, NEW).ok(204)
    assert status(rollcall, user) == ("active", "released")
    rollcall.login(user["email"], PASSWORD).refused(401, "login_failed")
    rollcall.login(user["email"], NEW).ok(201)
    rollcall.complete_reset(mail.link, NEW).refused(410, "link_used")


def test_a_reset_link_from_before_the_lock_does_not_release(rollcall):
    user = rollcall.create_active()
    rollcall.ask_reset(user)
    link = rollcall.wait_mail(user["email"], kind="password_reset").link
    guess(rollcall, user)
    rollcall.complete_reset(link, NEW).refused(410, "link_revoked")
    assert status(rollcall, user)[0] == "locked"


def test_asking_for_a_reset_while_locked_mails_nothing(rollcall):
    rollcall.set_policy(lockout_release="mail_link")
    user = locked(rollcall)
    link = rollcall.wait_mail(user["email"], kind="account_locked").link
    rollcall.ask_reset(user)
    assert not rollcall.outbox(user, "password_reset")
    rollcall.complete_reset(link, NEW).ok(204)


def test_an_administrator_who_lets_him_in_takes_the_lock_mails_link_away(rollcall):
    rollcall.set_policy(lockout_release="mail_link")
    user = locked(rollcall)
    link = rollcall.wait_mail(user["email"], kind="account_locked").link
    rollcall.admin.post(f"/v1/users/{user['id']}/activate").ok(200)
    rollcall.complete_reset(link, NEW).refused(410, "link_revoked")
    rollcall.login(user["email"], PASSWORD).ok(201)


def test_the_clock_finishes_a_lock_that_a_crash_left_undone(rollcall):
    user, early = rollcall.create_active(), rollcall.create_active()
    client = rollcall.sign_in(user)
    leave_at_threshold(rollcall, user, 31)
    leave_at_threshold(rollcall, early, -600)  # not for 30 s yet, however long this test takes
    wait_until(lambda: status(rollcall, user) == ("locked", "wrong_password"))
    rounds(rollcall)
    assert status(rollcall, early)[0] == "active"
    client.get("/v1/me").refused(401)
    rollcall.wait_mail(user["email"], kind="account_locked")
    assert rollcall.audit("user.locked", user)[0]["actor"]["kind"] == "system"
    wait_until(lambda: rollcall.metrics(worker=True)["rollcall_users_locked_by_clock_total"] == 1)


@pytest.mark.parametrize("guesses,threshold", [(10, 10), (8, 5)])
def test_a_lock_is_finished_however_old_it_is_and_wherever_the_threshold_is_now(rollcall, guesses, threshold):
    """Such a user was answered 503 for ever."""
    rollcall.set_policy(lockout_threshold=threshold)
    user, below = rollcall.create_active(), rollcall.create_active()
    leave_at_threshold(rollcall, user, 90 * 86400, guesses)
    leave_at_threshold(rollcall, below, 90 * 86400, threshold - 1)
    wait_until(lambda: status(rollcall, user) == ("locked", "wrong_password"))
    rounds(rollcall)
    assert status(rollcall, below)[0] == "active"
    rollcall.login(user["email"], PASSWORD).refused(401, "login_failed")
    rollcall.admin.post(f"/v1/users/{user['id']}/activate").ok(200)
    rollcall.login(user["email"], PASSWORD).ok(201)


def test_until_the_lock_is_finished_nobody_is_checked(rollcall):
    user = rollcall.create_active()
    leave_at_threshold(rollcall, user, -600)
    before = rollcall.metrics()["rollcall_password_checks_total"]
    answer = rollcall.login(user["email"], PASSWORD).refused(503, "unavailable")
    assert answer.headers["Retry-After"]
    assert rollcall.metrics()["rollcall_password_checks_total"] == before


def test_the_clock_forgets_guesses_at_one_who_cannot_be_locked(rollcall):
    leave_at_threshold(rollcall, rollcall.admin_id, 31)
    wait_until(lambda: rollcall.row("credential", rollcall.admin_id)["failed_attempts"] == 0)
    assert status(rollcall, rollcall.admin_id)[0] == "active"
    rollcall.login(ADMIN_EMAIL, ADMIN_PASSWORD).ok(201)


def test_the_last_administrator_is_delayed_and_never_locked(rollcall):
    guess(rollcall, {"email": ADMIN_EMAIL}, 11)
    assert rollcall.sql("SELECT blocked_until - failed_at = interval '2 seconds' FROM rollcall.login_throttle") == [True]
    rollcall.sql("UPDATE rollcall.login_throttle SET blocked_until = now() + interval '1 hour'")  # as if no time passed
    rollcall.login(ADMIN_EMAIL, WRONG).refused(429, "rate_limited")
    assert status(rollcall, rollcall.admin_id)[0] == "active"
    assert not rollcall.outbox(kind="lock_digest")


def test_of_two_administrators_whose_locks_a_crash_left_undone_one_stays(rollcall):
    """Both stand in one sweep, and each looks dispensable as long as the other is there."""
    other = rollcall.create_administrator()
    rollcall.sql("UPDATE rollcall.credential SET failed_attempts = 10, failed_at = now() - interval '31 seconds' WHERE user_id = ANY (%s)",
                 [rollcall.admin_id, other["id"]])
    wait_until(lambda: rollcall.value("SELECT count(*) FROM rollcall.credential WHERE failed_attempts = 10") < 2)
    rounds(rollcall)
    states = rollcall.sql("SELECT status FROM rollcall.users WHERE id = ANY (%s) ORDER BY status", [rollcall.admin_id, other["id"]])
    assert states == ["active", "locked"]


def test_the_last_administrator_stays_when_two_are_guessed_at_in_parallel(rollcall):
    other = rollcall.create_administrator()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: rollcall.client().post("/v1/sessions", {
            "organization": rollcall.org_id, "login": [ADMIN_EMAIL, other["email"]][n % 2], "password": WRONG}), range(60)))
    assert rollcall.value("SELECT count(*) FROM rollcall.users WHERE status = 'active' AND id = ANY (%s)", [rollcall.admin_id, other["id"]]) >= 1
