"""Nothing tells a stranger who has an account: neither answers nor headers, neither what is hashed nor what the database
is asked. Times are not measured: where the work is the same they are, too."""
import collections
import concurrent.futures
import os
import re

import pytest

from support.system import PASSWORD
from support.waiting import wait_until

HASHES = "rollcall_password_hashes_total"
EXECUTED = re.compile(r"^.* \[(\d+)\] LOG:  execute (\w+): ")
# The nudge to the worker is given behind answers, for many at once.
BEHIND = "outbox_notify"
# Of every answer its own, and of every request one less.
OWN = ("Date", "X-Request-Id", "RateLimit")


def hashes_of(system):
    return sum(value for name, value in system.metrics().items() if name.startswith(HASHES + "{"))


class Watch:
    """What the database is asked, as it writes it down itself: the names of our statements, in their order."""

    def __init__(self, system):
        self.system, self.log = system, system.cluster.folder / "log"
        system.sql(f"ALTER DATABASE {system.database} SET log_statement = 'all'")
        system.restart_server()

    def asked(self, call):
        """What comes of the call, and what was asked for it."""
        with self.log.open(errors="replace") as log:
            log.seek(0, os.SEEK_END)
            answer = call()
            wait_until(lambda: self.system.value("SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = %s AND usename = 'rollcall'"
                                                 " AND state <> 'idle'", self.system.database))
            own = set(self.system.sql("SELECT pid FROM pg_stat_activity WHERE datname = %s AND usename = 'rollcall'", self.system.database))
            lines = [EXECUTED.match(line) for line in log.read().splitlines()]
        return answer, [line[2] for line in lines if line and int(line[1]) in own and line[2] != BEHIND]


def face(answer):
    """All of an answer that a client can see; without what no two answers share."""
    return answer.status, answer.text, [(name, value) for name, value in answer.headers.items() if name not in OWN]


def people(system):
    """{what he is: his address}, each another kind of somebody who is not let in, and nobody."""
    known, locked, inactive, keyless = system.create_active(), system.create_active(), system.create_active(), system.create_active()
    pending, idle = system.create_user(), system.create_active()
    system.admin.post(f"/v1/users/{inactive['id']}/inactivate").ok(200)
    system.move("users", locked, status="'locked'", status_reason="'wrong_password'", status_before_lock="'active'")
    system.move("users", idle, status="'inactive'", status_reason="'idle'")
    system.sql("DELETE FROM rollcall.credential WHERE user_id = %s", keyless["id"])
    return {"known": known["email"], "locked": locked["email"], "inactive": inactive["email"], "idle": idle["email"], "without a password": keyless["email"],
            "pending": pending["email"], "the administrator": "admin@example.org", "nobody": "nobody@example.org", "nobody's username": "nobody"}


def ask_reset(system, login):
    return system.anyone.post("/v1/password-resets", {"login": login})


@pytest.mark.settings(ROLLCALL_PROCESSES=1, ROLLCALL_RATE_LIMIT=1000)
def test_login_and_forgot_password_answer_hash_and_ask_alike_whoever_it_is(server_only):
    everybody = people(server_only)
    watch = Watch(server_only)
    for ask, hashes in ((lambda login: server_only.login(login, "not the password"), 1), (lambda login: ask_reset(server_only, login), 0)):
        ask("warm@example.org")  # a connection's first time prepares
        seen = {}
        for who, login in everybody.items():
            before = hashes_of(server_only)
            answer, asked = watch.asked(lambda: ask(login))
            assert hashes_of(server_only) - before == hashes, who
            seen[who] = (face(answer), asked)
        assert all(one == seen["nobody"] or (who == "nobody's username" and one[0] == seen["nobody"][0]) for who, one in seen.items()), seen
        assert len(seen["nobody"][1]) >= 3, "and it was seen"


def guesses(system, watch, login):
    """What fourteen wrong ones in a row are answered, and what the database is asked for each."""
    system.sql("DELETE FROM rollcall.login_throttle")
    seen = []
    for number in range(14):
        answer, asked = watch.asked(lambda: system.login(login, f"wrong {number}"))
        seen.append((*face(answer), asked))
        # Inside the delay nobody is asked for anything; so it is over at once.
        system.sql("UPDATE rollcall.login_throttle SET blocked_until = now() WHERE blocked_until IS NOT NULL")
    return seen


@pytest.mark.settings(ROLLCALL_PROCESSES=1)
def test_a_row_of_guesses_up_to_the_lock_and_beyond_is_the_same_for_nobody(server_only):
    users = {threshold: server_only.create_active() for threshold in (3, 10, 12, 0)}
    watch = Watch(server_only)
    server_only.login("warm@example.org", "wrong")
    for threshold, user in users.items():
        server_only.set_policy(lockout_threshold=threshold)
        rows = zip(guesses(server_only, watch, user["email"]), guesses(server_only, watch, "nobody@example.org"))
        for number, (known, unknown) in enumerate(rows, start=1):
            assert known == unknown, f"guess {number} where {threshold} lock"
        assert server_only.user(user)["status"] == ("locked" if threshold else "active")


def wait_long_for_rows(system):
    """What is held by others may be held for as long as the machine takes."""
    system.restart_server(ROLLCALL_DATABASE_URL=system.settings["ROLLCALL_DATABASE_URL"] + "?options=-c%20lock_timeout%3D60s")


def burst(system, login, threshold, count=24):
    """What so many wrong ones at once are answered, while the one that reaches the threshold is not yet judged; and the two after them."""
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        # What is recorded of a lock waits, and so does what is recorded where nobody is.
        with system.db.transaction():
            system.db.execute("LOCK TABLE rollcall.outbox IN SHARE MODE")
            answers = [pool.submit(system.client().post, "/v1/sessions", {"login": login, "password": f"wrong {number}"}) for number in range(count)]
            wait_until(lambda: sum(answer.done() for answer in answers) == count - 1, because=f"all but the guess number {threshold} are answered")
        together = collections.Counter((answer.status, answer.code, answer.headers.get("Retry-After")) for answer in (one.result() for one in answers))
    behind = [system.login(login, "wrong") for _ in range(2 + max(10 - threshold, 0))]
    return together, [(answer.status, answer.code) for answer in behind]


@pytest.mark.settings(ROLLCALL_HASH_QUEUE=64)
@pytest.mark.parametrize("threshold", [3, 10, 12])
def test_guesses_at_once_up_to_the_lock_and_beyond_are_answered_alike_whoever_it_is(server_only, threshold):
    server_only.set_policy(lockout_threshold=threshold)
    everybody = people(server_only)
    wait_long_for_rows(server_only)
    seen = {who: burst(server_only, login, threshold) for who, login in everybody.items()}
    assert seen["nobody"] == ({(401, "login_failed", None): threshold, (503, "unavailable", "1"): 24 - threshold},
                              [(401, "login_failed")] * max(11 - threshold, 1) + [(429, "rate_limited")])
    assert all(answers == seen["nobody"] for answers in seen.values()), seen
    status = server_only.value("SELECT status FROM rollcall.users WHERE email = %s", everybody["known"])
    assert status == "locked", "and the one who can be is locked"


def test_a_lock_that_meets_another_change_of_the_user_comes_all_the_same(server_only):
    """A stranger can bring that about himself: he asks for a reset link at that very moment."""
    server_only.set_policy(lockout_threshold=3)
    user = server_only.create_active()
    wait_long_for_rows(server_only)
    behind = {}
    for who, login in (("known", user["email"]), ("nobody", "nobody@example.org")):
        assert [server_only.login(login, "wrong").status for _ in range(2)] == [401] * 2
        with server_only.cluster.connect(server_only.database) as other, concurrent.futures.ThreadPoolExecutor(1) as pool:
            with other.transaction():
                other.execute("UPDATE rollcall.users SET version = version + 1 WHERE id = %s", [user["id"]])
                third = pool.submit(server_only.login, login, "wrong")
                if who == "known":
                    server_only.wait_for_lock("the lock waits for us")
                    assert not third.done()
            assert third.result().status == 401
        behind[who] = [face(server_only.login(login, "wrong")) for _ in range(4)]
    assert behind["known"] == behind["nobody"] and {status for status, *_ in behind["known"]} == {401}
    assert server_only.user(user)["status"] == "locked"


def test_two_administrators_are_locked_at_once(server_only):
    server_only.set_policy(lockout_threshold=1)
    wait_long_for_rows(server_only)
    for _ in range(4):
        pair = [server_only.create_administrator() for _ in range(2)]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(lambda user: server_only.login(user["email"], "wrong").status, pair))
        assert answers == [401] * 2
        assert [server_only.user(user)["status"] for user in pair] == ["locked"] * 2


def test_a_forged_link_is_refused_without_asking_whether_there_is_such_a_user(server_only):
    user, watch = server_only.create_user(), Watch(server_only)
    link = server_only.token_of(server_only.link(user))
    for path, body in (("/v1/invitations/inspect", {}), ("/v1/invitations/accept", {"password": PASSWORD}), ("/v1/password-resets/inspect", {}),
                       ("/v1/password-resets/complete", {"password": PASSWORD}), ("/v1/email-changes/confirm", {})):
        before = hashes_of(server_only)
        answer, asked = watch.asked(lambda: server_only.anyone.post(path, {"token": link[:-4] + "AAAA", **body}))
        answer.refused(404, "link_unknown")
        assert asked == [] and hashes_of(server_only) == before, path


def test_asking_for_a_link_mails_the_owner_of_the_address_alone_and_not_for_ever(server_only):
    user, pending = server_only.create_active(), server_only.create_user()
    server_only.sql("DELETE FROM rollcall.outbox")
    answers = [ask_reset(server_only, login) for login in (user["email"], "nobody@example.org", pending["email"], user["email"].upper())
               for _ in range(5)]
    assert all(face(answer) == face(answers[0]) for answer in answers)
    mails = [row["recipient"] for row in server_only.outbox(kind="password_reset")]
    assert len(mails) == mails.count(user["email"]) + mails.count(pending["email"]) and 1 <= mails.count(user["email"]) <= 3
