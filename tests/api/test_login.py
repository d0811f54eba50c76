"""Guesses: counted before they are checked, locked after ten, delayed where no lock can follow."""
import concurrent.futures

import pytest

from support.waiting import wait_until

PASSWORD = "violet tractor under seven moons"
OTHER = "another tractor of the moon"
CHECKS = "rollcall_password_checks_total"


def guess(system, user, times):
    return [system.login(user["email"], f"wrong {number}").status for number in range(times)]


def at_once(calls):
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


def body_of(answer):
    return (answer.status, {name: value for name, value in answer.body.items()})


def test_wrong_unknown_locked_and_inactive_answer_alike(server_only):
    known, locked, inactive, never = (server_only.create_active(), server_only.create_active(), server_only.create_active(), server_only.create_user())
    server_only.admin.post(f"/v1/users/{inactive['id']}/inactivate").ok(200)
    guess(server_only, locked, 10)
    assert server_only.user(locked)["status"] == "locked"
    answers = [server_only.login(known["email"], "wrong"), server_only.login("nobody@example.org", "wrong"),
               server_only.login(locked["email"], PASSWORD), server_only.login(inactive["email"], PASSWORD), server_only.login(never["email"], PASSWORD)]
    assert {answer.status for answer in answers} == {401}
    assert all(body_of(answer) == body_of(answers[0]) for answer in answers)
    assert answers[0].code == "login_failed"


def test_ten_wrong_passwords_in_a_row_lock_and_the_right_one_is_refused_with_the_same_answer(server_only):
    """Scenario 5."""
    user = server_only.create_active()
    client = server_only.sign_in(user)
    assert guess(server_only, user, 8) == [401] * 8
    wrong = server_only.login(user["email"], "wrong")
    assert server_only.user(user)["status"] == "active"
    assert guess(server_only, user, 1) == [401]
    locked = server_only.user(user)
    assert (locked["status"], locked["status_reason"]) == ("locked", "wrong_password")
    assert body_of(server_only.login(user["email"], PASSWORD).refused(401, "login_failed")) == body_of(wrong)
    client.get("/v1/me").refused(401)
    assert [row["recipient"] for row in server_only.outbox(user, "account_locked")] == [user["email"]]
    assert server_only.audit("user.locked", user)[0]["actor"]["kind"] == "system"


def test_an_administrator_releases_a_lock_with_a_new_password_and_the_count_starts_anew(server_only):
    user = server_only.create_active()
    guess(server_only, user, 10)
    released = server_only.admin.post(f"/v1/users/{user['id']}/activate", {"password": OTHER}).ok(200)
    assert (released["status"], released["status_reason"]) == ("active", "by_admin")
    assert guess(server_only, user, 9) == [401] * 9
    server_only.login(user["email"], OTHER).ok(201)
    assert guess(server_only, user, 9) == [401] * 9  # the right one has set the count to zero
    assert server_only.user(user)["status"] == "active"


def test_a_lock_withdraws_reset_links_and_sessions_and_they_stay_dead(server_only):
    user = server_only.create_active()
    server_only.ask_reset(user)
    link = server_only.reset_link(user)
    guess(server_only, user, 10)
    server_only.complete_reset(link).refused(410, "link_revoked")
    server_only.admin.post(f"/v1/users/{user['id']}/activate").ok(200)
    server_only.complete_reset(link).refused(410, "link_revoked")


def test_the_mail_about_a_lock_carries_a_link_that_releases_where_the_policy_says_so(server_only):
    server_only.set_policy(lockout_release="mail_link")
    user = server_only.create_active()
    guess(server_only, user, 10)
    assert server_only.user(user)["status"] == "locked"
    server_only.inspect(server_only.reset_link(user), "password-resets").ok(200)
    server_only.complete_reset(server_only.reset_link(user), OTHER).ok(204)
    assert (server_only.user(user)["status"], server_only.user(user)["status_reason"]) == ("active", "released")
    server_only.login(user["email"], OTHER).ok(201)


@pytest.mark.settings(ROLLCALL_HASH_QUEUE=64, ROLLCALL_DB_WRITE=16)
def test_of_a_thousand_guesses_at_once_ten_are_checked_and_none_answers_5xx_but_503(server_only):
    user = server_only.create_active()
    before = server_only.metrics()[CHECKS]

    def some(number):
        client = server_only.client()
        return [client.post("/v1/sessions", {"login": user["email"], "password": f"guess {number} {n}"}) for n in range(25)]

    answers = [answer for batch in at_once([lambda number=number: some(number) for number in range(40)]) for answer in batch]
    assert len(answers) == 1000
    assert {answer.status for answer in answers} <= {401, 429, 503}
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers if answer.status == 503)
    assert server_only.metrics()[CHECKS] - before == 10
    assert server_only.user(user)["status"] == "locked"


def test_twenty_logins_at_once_with_the_right_password_lock_nobody(server_only):
    user = server_only.create_active()
    for _ in range(3):
        answers = at_once([lambda: server_only.client().post("/v1/sessions", {"login": user["email"], "password": PASSWORD}) for _ in range(20)])
        assert {answer.status for answer in answers} <= {201, 503}
        assert 201 in {answer.status for answer in answers}
    assert server_only.user(user)["status"] == "active"
    wait_until(lambda: server_only.row("credential", user)["failed_attempts"] == 0, because="what a 503 gives back comes behind its answer")


@pytest.mark.parametrize("throttle", [None, "(11, NULL)", "(11, now() + interval '2 seconds')", "(10, now() + interval '30 seconds')"])
def test_a_guess_beyond_the_threshold_is_told_to_come_back_while_no_lock_is_there(server_only, throttle):
    """As when the process that checks the tenth has died, or while ten right ones are being checked: time mends it,
    until then nobody is checked, whatever others have left in the throttle."""
    user = server_only.create_active()
    server_only.login(user["email"], "wrong").refused(401, "login_failed")
    server_only.move("credential", user, failed_attempts="10", failed_at="now()")
    if throttle is None:
        server_only.sql("DELETE FROM rollcall.login_throttle")
    else:
        assert server_only.sql(f"UPDATE rollcall.login_throttle SET (failures, blocked_until) = {throttle}") == 1
    before = server_only.metrics()[CHECKS]
    answer = server_only.login(user["email"], PASSWORD).refused(503, "unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    assert server_only.metrics()[CHECKS] == before
    assert server_only.user(user)["status"] == "active"


def test_a_right_one_whose_session_fails_leaves_no_block_at_his_name(server_only):
    """By his other name the count began anew; by this one it comes to the threshold."""
    server_only.set_policy(lockout_threshold=3, login_identifier="either")
    user = server_only.create_active(username="olena")
    assert [server_only.login("olena", "wrong").status for _ in range(2)] == [401] * 2
    server_only.login(user["email"], PASSWORD).ok(201)
    with server_only.cluster.connect(server_only.database) as other, other.transaction():
        other.execute("SELECT FROM rollcall.users WHERE id = %s FOR UPDATE", [user["id"]])
        server_only.login("olena", PASSWORD).refused(503, "unavailable")
    wait_until(lambda: server_only.login("olena", PASSWORD).status == 201, timeout=20, because="he comes in by that name again")


def delay_s(system):
    """For how long the last guess blocks the next: from row to row, so it is the same however slow the test is."""
    return int(system.value("SELECT extract(epoch FROM blocked_until - failed_at) FROM rollcall.login_throttle"))


def block(system, seconds):
    """As if nearly no time had passed since the last guess, or enough."""
    assert system.sql("UPDATE rollcall.login_throttle SET blocked_until = now() + make_interval(secs => %s)", seconds) == 1


def test_the_last_administrator_is_never_locked_but_slowed_down(server_only):
    admin = {"email": "admin@example.org", "id": server_only.admin_id}
    assert guess(server_only, admin, 11) == [401] * 11
    assert delay_s(server_only) == 2
    block(server_only, 100)
    slow = server_only.login(admin["email"], "seventeen quiet harbours").refused(429, "rate_limited")
    assert 1 <= int(slow.headers["Retry-After"]) <= 100
    assert server_only.user(admin)["status"] == "active"
    block(server_only, 0)
    server_only.login(admin["email"], "seventeen quiet harbours").ok(201)


@pytest.mark.parametrize("login", ["nobody@example.org", "nobody"])
def test_the_delay_of_an_unknown_login_begins_with_the_11th_guess_and_doubles_to_five_minutes(server_only, login):
    assert [server_only.login(login, "wrong").status for _ in range(11)] == [401] * 11
    delays = []
    for _ in range(10):
        delays.append(delay_s(server_only))
        block(server_only, 100)
        server_only.login(login, "wrong").refused(429, "rate_limited")
        block(server_only, 0)
        server_only.login(login, "wrong").refused(401, "login_failed")
    assert delays == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    server_only.login("somebody.else@example.org", "wrong").refused(401)


def test_where_nobody_is_locked_the_delay_holds_for_known_logins_right_or_wrong(server_only):
    server_only.set_policy(lockout_threshold=0)
    user = server_only.create_active()
    assert guess(server_only, user, 11) == [401] * 11
    before = server_only.metrics()[CHECKS]
    block(server_only, 100)
    server_only.login(user["email"], PASSWORD).refused(429, "rate_limited")
    server_only.login(user["email"].upper(), PASSWORD).refused(429, "rate_limited")
    assert server_only.metrics()[CHECKS] == before
    block(server_only, 0)
    server_only.login(user["email"], PASSWORD).ok(201)
    assert server_only.value("SELECT count(*) FROM rollcall.login_throttle") == 0
    assert server_only.user(user)["status"] == "active"


def test_hashes_that_only_equalise_time_do_not_count_as_checks(server_only):
    before = server_only.metrics()[CHECKS]
    server_only.login("nobody@example.org", "wrong").refused(401)
    server_only.login(server_only.create_user()["email"], "wrong").refused(401)
    assert server_only.metrics()[CHECKS] == before


def test_a_user_without_a_password_has_nothing_to_guess_and_is_never_locked(server_only):
    user = server_only.create_user()
    assert guess(server_only, user, 11) == [401] * 11
    assert server_only.user(user)["status"] == "pending"


def test_the_threshold_is_the_policys(server_only):
    server_only.set_policy(lockout_threshold=3)
    user = server_only.create_active()
    guess(server_only, user, 3)
    assert server_only.user(user)["status"] == "locked"


@pytest.mark.settings(ROLLCALL_HASH_QUEUE=1, ROLLCALL_HASH_THREADS=1, ROLLCALL_PASSWORD_HASH="argon2id:m=19456,t=4,p=1")
def test_a_storm_past_the_hashing_queue_gets_503_and_other_requests_go_on(server_only):
    user = server_only.create_active()
    answers = at_once([lambda: server_only.client().post("/v1/sessions", {"login": user["email"], "password": PASSWORD}) for _ in range(30)])
    assert {answer.status for answer in answers} == {201, 503}
    assert all(answer.headers["Retry-After"] for answer in answers if answer.status == 503)
    server_only.admin.get(f"/v1/users/{user['id']}").ok(200)
    wait_until(lambda: server_only.metrics()["rollcall_password_places_taken"] == 0)
    assert server_only.metrics()["rollcall_password_queue_full_total"] >= 1
    assert server_only.user(user)["status"] == "active"


def test_a_hash_of_other_parameters_is_made_anew_at_the_next_login(server_only):
    user = server_only.create_active()
    server_only.restart_server(ROLLCALL_PASSWORD_HASH="argon2id:m=2048,t=1,p=1")
    old = server_only.row("credential", user)["password_hash"]
    server_only.login(user["email"], PASSWORD).ok(201)
    new = server_only.row("credential", user)["password_hash"]
    assert "m=1024" in old and "m=2048" in new
    server_only.login(user["email"], PASSWORD).ok(201)
    assert server_only.row("credential", user)["password_hash"] == new


def test_right_passwords_that_meet_a_locked_row_never_add_up_to_a_lock(server_only):
    """Each is proven right before the row refuses it: the count goes back, whatever comes of the rest."""
    user = server_only.create_active()
    body = {"login": user["email"], "password": PASSWORD}
    client = server_only.client()
    with server_only.db.transaction():
        server_only.db.execute("SELECT FROM rollcall.users WHERE id = %s FOR UPDATE", [user["id"]])
        for _ in range(4):
            client.post("/v1/sessions", body).refused(503, "unavailable")
    wait_until(lambda: server_only.value("SELECT failed_attempts FROM rollcall.credential WHERE user_id = %s", user["id"]) <= 1)
    client.post("/v1/sessions", body).ok(201)
