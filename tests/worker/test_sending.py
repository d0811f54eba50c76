"""Sending when things go wrong: refusals, silence, kill -9, two workers, no notification (scenario 7)."""
import os
import signal

import pytest

from support.sink import DROP, HANG
from support.waiting import wait_until


def mail_of(system, user):
    return system.outbox(user)[0]


def test_a_refusal_for_now_is_tried_again_and_seen(rollcall):
    rollcall.sink.behave("later@example.org", "451 4.7.1 greylisted, come back", times=1)
    user = rollcall.create_user(email="later@example.org")
    row = wait_until(lambda: (row := mail_of(rollcall, user))["last_reply"] and row)
    assert (row["state"], row["attempts"]) == ("queued", 1)
    assert row["last_reply"].startswith("451 4.7.1 greylisted")
    assert row["next_attempt_at"] > row["created_at"]
    assert rollcall.user(user)["invitation"]["delivery"]["last_reply"].startswith("451")
    rollcall.admin.post(f"/v1/outbox/{row['id']}/retry").ok(202)
    mail = rollcall.wait_mail("later@example.org")
    assert mail.outbox_id == row["id"]
    wait_until(lambda: mail_of(rollcall, user)["state"] == "sent")
    assert mail_of(rollcall, user)["attempts"] == 2


def test_a_refusal_for_good_fails_at_once_and_may_be_tried_again_by_hand(rollcall):
    rollcall.sink.behave("gone@example.org", "550 5.1.1 no such user")
    user = rollcall.create_user(email="gone@example.org")
    row = wait_until(lambda: (row := mail_of(rollcall, user))["state"] == "failed" and row)
    assert row["last_reply"].startswith("550 5.1.1")
    assert rollcall.user(user)["invitation"]["delivery"]["state"] == "failed"
    rollcall.sink.forgive()
    rollcall.admin.post(f"/v1/outbox/{row['id']}/retry").ok(202)
    rollcall.accept(rollcall.mail_link("gone@example.org")).ok(200)


@pytest.mark.parametrize("moment", ["rcpt", "data", "accepted"])
@pytest.mark.parametrize("reply, state", [("452 4.2.2 mailbox full", "queued"), ("554 5.7.1 spam", "failed")])
def test_a_reply_at_any_moment_is_seen_and_harms_nobody_else(rollcall, moment, reply, state):
    rollcall.sink.behave("odd@example.org", reply, at=moment)
    users = [rollcall.create_user(email=email) for email in ("one@example.org", "odd@example.org", "two@example.org")]
    row = wait_until(lambda: (row := mail_of(rollcall, users[1]))["last_reply"] and row)
    assert (row["state"], row["last_reply"][:7]) == (state, reply[:7].strip())
    for user in (users[0], users[2]):
        rollcall.wait_mail(user["email"])
        wait_until(lambda user=user: mail_of(rollcall, user)["state"] == "sent")


@pytest.mark.allow_errors("could not send")
def test_a_connection_that_drops_is_tried_again(rollcall):
    rollcall.sink.behave("drop@example.org", DROP, times=1)
    user = rollcall.create_user(email="drop@example.org")
    row = wait_until(lambda: (row := mail_of(rollcall, user))["last_reply"] and row)
    assert row["state"] == "queued"
    rollcall.admin.post(f"/v1/outbox/{row['id']}/retry").ok(202)
    rollcall.wait_mail("drop@example.org")


@pytest.mark.allow_errors("could not", "relay")
def test_a_relay_that_is_down_is_waited_for(rollcall):
    rollcall.sink.stop()
    user = rollcall.create_user()
    row = wait_until(lambda: (row := mail_of(rollcall, user))["last_reply"] and row)
    assert row["state"] == "queued"
    rollcall.sink.start()
    rollcall.sql("UPDATE rollcall.outbox SET run_at = now() WHERE leased_by IS NULL")
    rollcall.wait_mail(user["email"])


def test_one_who_hangs_does_not_hold_up_the_others(rollcall):
    rollcall.sink.behave("hang@example.org", HANG)
    rollcall.create_user(email="hang@example.org")
    wait_until(lambda: rollcall.sink.sessions >= 1)
    for _ in range(5):
        rollcall.wait_mail(rollcall.create_user()["email"])
    rollcall.worker.kill()  # it would wait for the hanging one
    rollcall.start_worker()


@pytest.mark.timeout(180)
@pytest.mark.parametrize("moment", [0.1, 0.5, 0.9])
def test_killed_in_the_middle_of_500_mails_every_one_arrives_and_twice_only_those_in_flight(rollcall, moment):
    assert rollcall.worker.stop() == 0
    rollcall.sql("""
        WITH made AS (
            INSERT INTO rollcall.users (org_id, id, email, first_name, last_name, status, status_reason, version)
            SELECT %s, gen_random_uuid(), 'mass' || n || '@example.org', 'M', n::text, 'pending', 'invited', 1 FROM generate_series(1, 500) n RETURNING org_id, id, email),
        invited AS (INSERT INTO rollcall.invitation (org_id, user_id, generation, state, expires_at) SELECT org_id, id, 1, 'pending', now() + interval '1 day' FROM made)
        INSERT INTO rollcall.outbox (org_id, id, kind, user_id, recipient, generation) SELECT org_id, gen_random_uuid(), 'invitation', id, email, 1 FROM made""", rollcall.org_id)
    rollcall.start_worker()
    wait_until(lambda: len(rollcall.mails()) >= 500 * moment, timeout=60, pause=0.001)
    rollcall.worker.kill()
    in_flight = rollcall.value("SELECT count(*) FROM rollcall.outbox WHERE state = 'queued' AND leased_by IS NOT NULL")
    rollcall.sql("UPDATE rollcall.outbox SET run_at = now() WHERE state = 'queued'")  # as if the leases had run out
    rollcall.start_worker()
    wait_until(lambda: rollcall.value("SELECT count(*) FROM rollcall.outbox WHERE state = 'sent'") == 500, timeout=60)
    mails = rollcall.mails()
    ids = {}
    for mail in mails:
        ids.setdefault(mail.recipients[0], []).append(mail.id)
    assert len(ids) == 500
    assert len(mails) - 500 <= in_flight
    assert all(len(set(of_one)) == 1 for of_one in ids.values())


@pytest.mark.timeout(120)
def test_two_workers_send_no_mail_twice(rollcall):
    rollcall.add_worker()
    users = [rollcall.create_user() for _ in range(100)]
    wait_until(lambda: rollcall.value("SELECT count(*) FROM rollcall.outbox WHERE state = 'sent'") == len(users), timeout=60)
    assert sorted(mail.recipients[0] for mail in rollcall.mails()) == sorted(user["email"] for user in users)


@pytest.mark.settings(ROLLCALL_POLL_INTERVAL=1)
def test_a_lost_notification_costs_one_poll_at_most(rollcall):
    rollcall.wait_mail(rollcall.create_user()["email"])
    rollcall.sql("""
        WITH invited AS (UPDATE rollcall.invitation SET generation = 2, state = 'pending' RETURNING org_id, user_id)
        INSERT INTO rollcall.outbox (org_id, id, kind, user_id, recipient, generation)
        SELECT org_id, gen_random_uuid(), 'invitation', user_id, 'silent@example.org', 2 FROM invited WHERE user_id <> %s""", rollcall.admin_id)
    rollcall.wait_mail("silent@example.org", timeout=5)


@pytest.mark.allow_errors("lost", "could not", "connection")
def test_a_worker_whose_connections_are_cut_goes_on(rollcall):
    for _ in range(3):
        rollcall.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'rollcall' AND datname = current_database() AND application_name LIKE '%%worker%%'")
        rollcall.wait_mail(rollcall.create_user()["email"], timeout=20)


@pytest.mark.allow_errors("a child died")
def test_a_child_of_the_worker_that_is_killed_is_replaced(rollcall):
    for child in rollcall.worker.children():
        os.kill(child, signal.SIGKILL)
    rollcall.wait_mail(rollcall.create_user()["email"], timeout=20)


def test_the_worker_counts_what_it_sends(rollcall):
    rollcall.sink.behave("gone@example.org", "550 5.1.1 no such user")
    rollcall.wait_mail(rollcall.create_user()["email"])
    user = rollcall.create_user(email="gone@example.org")
    wait_until(lambda: mail_of(rollcall, user)["state"] == "failed")
    metrics = wait_until(lambda: (found := rollcall.metrics(worker=True))['rollcall_mails_total{outcome="failed"}'] == 1 and found)
    assert metrics['rollcall_mails_total{outcome="sent"}'] == 1
