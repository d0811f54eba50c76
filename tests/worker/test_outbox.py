"""What becomes of a mail: taken, put off, refused, lost on the way; and what an administrator sees of it."""
import itertools
import ssl
import subprocess
import time
import uuid

import pytest
from bad_smtp import BadSmtp
from support.outbox import due_now, end_leases, nudge, queue_mails, rounds, wait_put_off, wait_settled, wait_state
from support.sink import DROP, HANG, Gate
from support.waiting import wait_until

pytestmark = pytest.mark.settings(ROLLCALL_POLL_INTERVAL=60)
LATER = "451 4.3.0 come back later"


def delivery(system, user):
    return system.user(user)["invitation"]["delivery"]


def moment(system):
    return system.value("SELECT clock_timestamp()")


def is_put_off_for(system, recipient, least_s, most_s, since):
    """It waits for its next attempt, by so many seconds from some moment between `since` and now."""
    return system.sql("SELECT run_at >= %s + make_interval(secs => %s) AND run_at <= clock_timestamp() + make_interval(secs => %s)"
                      " FROM rollcall.outbox WHERE recipient = %s AND state = 'queued' AND leased_by IS NULL AND last_reply IS NOT NULL",
                      since, least_s, most_s, recipient) == [True]


# --- answers of the relay ---

def test_later_is_tried_again_at_growing_distances_and_seen(rollcall):
    rollcall.sink.behave("later@example.org", LATER, times=3)
    before = moment(rollcall)
    user = rollcall.create_user(email="later@example.org")
    for attempt in (1, 2, 3):
        row = wait_put_off(rollcall, "later@example.org", attempt, LATER)
        assert row["next_attempt_at"] and row["sent_at"] is None
        assert is_put_off_for(rollcall, "later@example.org", 24 * attempt ** 2, 36 * attempt ** 2, since=before)
        assert delivery(rollcall, user) == {"state": "queued", "last_reply": LATER, "sent_at": None, "attempts": attempt}
        before = moment(rollcall)
        due_now(rollcall)
    rollcall.accept(rollcall.wait_mail("later@example.org").link).ok(200)
    row = wait_state(rollcall, "later@example.org", "sent", attempts=4)
    assert row["last_reply"].startswith("250") and row["sent_at"] and row["next_attempt_at"] is None


def test_never_is_never_and_is_seen_at_once(rollcall):
    rollcall.sink.behave("gone@example.org", "550 5.1.1 no such user here")
    user = rollcall.create_user(email="gone@example.org")
    wait_state(rollcall, "gone@example.org", "failed", attempts=1, last_reply="550 5.1.1 no such user here", next_attempt_at=None)
    assert delivery(rollcall, user)["state"] == "failed"
    assert delivery(rollcall, user)["last_reply"] == "550 5.1.1 no such user here"
    assert due_now(rollcall) == 0
    assert [row["id"] for row in rollcall.admin.pages("/v1/outbox", state="failed")] == [rollcall.outbox(user)[0]["id"]]
    assert "gone@example.org" not in rollcall.worker.text(), "addresses are never logged"


@pytest.mark.parametrize("moment", ["rcpt", "data", "accepted"])
def test_a_lost_connection_is_no_verdict_and_the_mail_comes_again_under_the_same_id(rollcall, moment):
    rollcall.sink.behave("drop@example.org", DROP, at=moment, times=1)
    rollcall.create_user(email="drop@example.org")
    row = wait_put_off(rollcall, "drop@example.org", 1, "the connection was lost")
    due_now(rollcall)
    mail = rollcall.wait_mail("drop@example.org", count=2 if moment == "accepted" else 1)
    wait_state(rollcall, "drop@example.org", "sent", attempts=2)
    assert {mail.id for mail in rollcall.mails("drop@example.org")} == {f"<{row['id']}@example.org>"}
    rollcall.accept(mail.link).ok(200)


@pytest.mark.settings(ROLLCALL_SENDERS=1)
def test_a_batch_goes_out_in_the_order_in_which_its_mails_were_made(rollcall):
    rollcall.worker.stop()
    queue_mails(rollcall, 60, notify=False)
    rollcall.worker.start()
    wait_settled(rollcall)
    sent = [mail.outbox_id for mail in rollcall.mails()]
    assert len(sent) == 60 and sent == sorted(sent)


def test_a_refused_mail_in_a_batch_harms_no_other(rollcall):
    rollcall.worker.stop()
    recipients = queue_mails(rollcall, 60)
    for n, recipient in enumerate(recipients[::3]):
        rollcall.sink.behave(recipient, LATER if n % 2 else "554 5.7.1 spam", at="accepted" if n % 4 < 2 else "rcpt")
    rollcall.worker.start()
    wait_until(lambda: rollcall.value("SELECT count(*) FROM rollcall.outbox WHERE last_reply IS NOT NULL") == 60)
    states = {row["recipient"]: row["state"] for row in rollcall.outbox()}
    for n, recipient in enumerate(recipients):
        assert states[recipient] == ("sent" if n % 3 else "queued" if n // 3 % 2 else "failed")
    assert all(len(rollcall.mails(recipient)) == 1 for n, recipient in enumerate(recipients) if n % 3)


@pytest.mark.timeout(90)
def test_a_relay_that_hangs_is_left_in_the_end_and_holds_up_nobody_meanwhile(rollcall):
    """25 s for an answer is the mailer's own patience; no setting shortens it."""
    rollcall.sink.behave("hang@example.org", HANG)
    rollcall.create_user(email="hang@example.org")
    wait_until(lambda: rollcall.sink.sessions == 1)
    for _ in range(3):
        rollcall.wait_mail(rollcall.create_user()["email"])
    wait_until(lambda: "took too long" in (rollcall.outbox(kind="invitation")[-1]["last_reply"] or ""), timeout=40)
    wait_put_off(rollcall, "hang@example.org", 1)
    rollcall.sink.forgive()
    due_now(rollcall)
    rollcall.wait_mail("hang@example.org")


@pytest.mark.allow_errors("could not send mail through the relay")
def test_while_the_relay_is_down_nothing_counts_as_an_attempt(rollcall):
    rollcall.sink.stop()
    before = moment(rollcall)
    user = rollcall.create_user()
    wait_until(lambda: is_put_off_for(rollcall, user["email"], 8, 12, since=before), because="soon again: it is no message's fault")
    assert rollcall.value("SELECT attempts - (leased_by IS NOT NULL)::integer FROM rollcall.outbox") == 0
    rollcall.sink.start()
    due_now(rollcall)
    rollcall.wait_mail(user["email"])
    wait_state(rollcall, user["email"], "sent", attempts=1)


def test_after_three_days_it_is_given_up(rollcall):
    queue_mails(rollcall, 1, prefix="never")
    rollcall.sink.behave("never1@example.org", LATER)
    wait_until(lambda: rollcall.value("SELECT last_reply FROM rollcall.outbox"))
    rollcall.sql("UPDATE rollcall.outbox SET created_at = now() - interval '3 days', state = 'queued'")
    due_now(rollcall)
    wait_state(rollcall, "never1@example.org", "failed", last_reply="gave up after three days")


@pytest.mark.parametrize("columns,reason", [
    ("recipient = NULL", "there is no address to send it to"),
    ("recipient = 'no address'", "the address is not one that mail can be sent to"),
    (r"recipient = E'a@example.org>\r\nRCPT TO:<b@example.org'", "the address is not one that mail can be sent to"),
    ("kind = 'carrier_pigeon'", "this kind of mail is not known to this release"),
])
def test_what_can_never_be_sent_fails_and_says_why(rollcall, columns, reason):
    rollcall.worker.stop()
    queue_mails(rollcall, 2)
    rollcall.sql(f"UPDATE rollcall.outbox SET {columns} WHERE recipient = 'many1@example.org'")
    rollcall.worker.start()
    rollcall.wait_mail("many2@example.org")
    wait_until(lambda: rollcall.sql("SELECT state, last_reply, attempts FROM rollcall.outbox WHERE state <> 'sent'") == [("failed", reason, 0)])
    assert len(rollcall.mails()) == 1


def test_mails_of_a_user_who_is_gone_are_cancelled(rollcall):
    rollcall.worker.stop()
    queue_mails(rollcall, 1)
    rollcall.sql("UPDATE rollcall.outbox SET user_id = %s", str(uuid.uuid4()))
    rollcall.worker.start()
    wait_until(lambda: rollcall.value("SELECT state FROM rollcall.outbox") == "cancelled")


# --- our own faults hold the lane ---

@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("relay")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=relay", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"],
                   cwd=folder, check=True, capture_output=True)
    return folder


def start_worker(system, **settings):
    worker = system.program("rollcall-worker", ROLLCALL_METRICS_LISTEN=f"{system.host}:{system.worker_metrics_port}", **settings)
    system.extra_workers.append(worker)
    worker.start()
    return worker


def lane_held(system):
    return system.metrics(worker=True)["rollcall_mail_lane_held"]


@pytest.mark.allow_errors("could not send any mail", "could not send mail through the relay")
@pytest.mark.settings(ROLLCALL_SENDERS=1)
def test_a_refused_password_holds_the_lane_and_blames_no_mail(server_only, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    refusing, knocks = True, []
    recipients = queue_mails(server_only, 3)

    def auth(_):
        knocks.append(time.monotonic())
        return "535 5.7.8 bad credentials" if refusing else "235 2.7.0 welcome"

    with BadSmtp(tls=context, extensions=["AUTH PLAIN"], auth=auth) as relay:
        worker = start_worker(server_only, ROLLCALL_SMTP_URL=f"smtp://mailer:hunter22hunter@127.0.0.1:{relay.port}?tls=starttls",
                              ROLLCALL_SMTP_CA=certificate / "cert.pem")
        for recipient in recipients:
            wait_put_off(server_only, recipient, 0, "535")
        wait_until(lambda: lane_held(server_only) == 1)
        alarm = [line for line in worker.text().splitlines() if " error " in line and "could not send any mail" in line]
        assert "ROLLCALL_SMTP_URL" in alarm[0] and "535" in alarm[0]
        due_now(server_only)
        server_only.create_user(invite=None)
        refusing = False
        wait_until(lambda: len(relay.messages) == 4, timeout=20, because="the lane is open again, by itself")
        assert all(later - earlier >= 5 for earlier, later in itertools.pairwise(knocks)), "while it is held nobody knocks again"
        wait_until(lambda: lane_held(server_only) == 0)
        wait_state(server_only, recipients[0], "sent", attempts=1)
        assert "hunter22" not in worker.text()


@pytest.mark.allow_errors("could not send any mail", "could not send mail through the relay")
@pytest.mark.settings(ROLLCALL_SENDERS=1)
def test_a_refused_sender_holds_the_lane(server_only):
    recipients = queue_mails(server_only, 2)
    with BadSmtp(mail="550 5.7.1 not from here") as relay:
        start_worker(server_only, ROLLCALL_SMTP_URL=f"smtp://127.0.0.1:{relay.port}?tls=none")
        wait_until(lambda: lane_held(server_only) == 1)
        for recipient in recipients:
            wait_put_off(server_only, recipient, 0, "550 5.7.1 not from here")
        assert not relay.messages


@pytest.mark.settings(ROLLCALL_SENDERS=1)
@pytest.mark.parametrize("where", ["rcpt", "data"])
def test_a_relay_that_refuses_everybody_at_the_recipient_or_the_text_holds_the_lane_and_nobody_is_blamed(rollcall, where):
    rollcall.allow_errors("could not send any mail")
    rollcall.sink.behave("*", "554 5.7.1 you may not send from here", at=where)
    rollcall.worker.stop()
    recipients = queue_mails(rollcall, 4)
    rollcall.start_worker()
    wait_until(lambda: lane_held(rollcall) == 1)
    assert set(rollcall.sql("SELECT state FROM rollcall.outbox")) == {"queued"}
    rollcall.sink.forgive()
    rollcall.restart_worker()
    rollcall.sql("UPDATE rollcall.outbox SET run_at = now()")
    for recipient in recipients:
        rollcall.wait_mail(recipient)
    wait_until(lambda: lane_held(rollcall) == 0)


def test_one_refusal_among_others_is_about_its_recipient(rollcall):
    rollcall.worker.stop()
    rollcall.sink.behave("no@example.org", "554 5.7.1 not welcome here")
    rollcall.create_user(email="no@example.org")
    recipients = queue_mails(rollcall, 3)
    rollcall.start_worker()
    wait_state(rollcall, "no@example.org", "failed")
    for recipient in recipients:
        rollcall.wait_mail(recipient)


# --- by hand ---

def test_a_failed_mail_is_tried_again_by_hand(rollcall):
    rollcall.sink.behave("gone@example.org", "550 5.1.1 no such user", times=1)
    user = rollcall.create_user(email="gone@example.org")
    row = wait_state(rollcall, "gone@example.org", "failed")
    shown = rollcall.admin.post(f"/v1/outbox/{row['id']}/retry").ok(202)
    assert shown["id"] == row["id"] and shown["state"] == "queued"
    mail = rollcall.wait_mail("gone@example.org")
    assert mail.outbox_id == row["id"]
    rollcall.accept(mail.link).ok(200)
    wait_state(rollcall, "gone@example.org", "sent", attempts=1)  # it begins anew
    event, = rollcall.audit("mail.retried")
    assert event["subject"]["id"] == row["id"] and event["actor"]["id"] == rollcall.admin_id
    rollcall.admin.post(f"/v1/outbox/{row['id']}/retry").refused(409, "state_conflict")
    assert user["id"] == row["user_id"]


def test_a_waiting_mail_is_tried_sooner_by_hand(rollcall):
    rollcall.sink.behave("later@example.org", LATER, times=1)
    rollcall.create_user(email="later@example.org")
    row = wait_put_off(rollcall, "later@example.org", 1)
    rollcall.admin.post(f"/v1/outbox/{row['id']}/retry").ok(202)
    rollcall.wait_mail("later@example.org")


def test_what_a_sender_holds_is_not_sent_a_second_time_by_hand(rollcall):
    gate = Gate()
    rollcall.sink.behave("held@example.org", gate, at="rcpt", times=1)
    user = rollcall.create_user(email="held@example.org")
    gate.wait_reached()
    row, = rollcall.outbox(user)
    rollcall.admin.post(f"/v1/outbox/{row['id']}/retry").refused(409, "state_conflict")
    gate.open()
    wait_state(rollcall, "held@example.org", "sent")
    assert len(rollcall.mails()) == 1


def test_retrying_needs_its_permission_and_a_mail_of_ones_own_organization(server_only):
    user = server_only.create_user()
    row, = server_only.outbox(user)
    other = server_only.other_organization()
    foreign = server_only.value("SELECT id FROM rollcall.outbox WHERE org_id = %s", other["id"])
    server_only.client(server_only.make_key("users:read")).post(f"/v1/outbox/{row['id']}/retry").refused(403, "permission_missing")
    for id in (foreign, uuid.uuid4(), "nonsense"):
        server_only.admin.post(f"/v1/outbox/{id}/retry").refused(404, "not_found")


def test_a_cancelled_mail_stays_cancelled(server_only):
    user = server_only.create_user()
    server_only.admin.post(f"/v1/users/{user['id']}/inactivate").ok(200)
    row, = server_only.outbox(user)
    assert row["state"] == "cancelled" and row["last_reply"] == "no longer wanted"
    server_only.admin.post(f"/v1/outbox/{row['id']}/retry").refused(409, "state_conflict")


# --- leases ---

def test_a_mail_that_went_out_while_it_was_cancelled_is_shown_as_sent(rollcall):
    gate = Gate()
    rollcall.sink.behave("race@example.org", gate, at="data", times=1)
    user = rollcall.create_user(email="race@example.org")
    gate.wait_reached()
    rollcall.admin.post(f"/v1/users/{user['id']}/inactivate").ok(200)
    assert rollcall.outbox(user)[0]["state"] == "cancelled"
    gate.open()
    mail = rollcall.wait_mail("race@example.org")
    wait_state(rollcall, "race@example.org", "sent")
    rollcall.accept(mail.link).refused(410, "link_revoked")


def test_a_sender_whose_lease_ran_out_does_not_overwrite_what_the_next_one_found(rollcall):
    gate = Gate()
    rollcall.sink.behave("slow@example.org", gate, at="accepted", times=1)
    user = rollcall.create_user(email="slow@example.org")
    gate.wait_reached()
    rollcall.sink.behave("slow@example.org", "550 5.1.1 changed my mind", at="rcpt")
    end_leases(rollcall)
    wait_state(rollcall, "slow@example.org", "failed", attempts=2)
    gate.open()
    rollcall.wait_mail(rollcall.create_user()["email"])
    wait_until(lambda: rollcall.sink.sessions >= 3)
    row, = rollcall.outbox(user)
    assert (row["state"], row["attempts"]) == ("failed", 2)
    assert len({mail.id for mail in rollcall.mails("slow@example.org")}) == 1


def test_one_slow_recipient_does_not_starve_the_rest(rollcall):
    """Back-off is each row's own: the head of the queue is always what is due."""
    rollcall.sink.behave("*", LATER)
    queue_mails(rollcall, 150, prefix="dead")
    wait_until(lambda: rollcall.value("SELECT count(*) FROM rollcall.outbox WHERE last_reply IS NOT NULL") == 150)
    rollcall.sink.forgive()
    rollcall.wait_mail(rollcall.create_user()["email"])


# --- what is old goes ---

@pytest.mark.settings(ROLLCALL_POLL_INTERVAL=1)
def test_what_is_over_is_purged_after_its_time_and_what_waits_never(rollcall):
    rollcall.worker.stop()
    rollcall.set_policy(outbox_retention="P30D")
    queue_mails(rollcall, 1200, prefix="old", notify=False)
    rollcall.sql("UPDATE rollcall.outbox SET state = (ARRAY['sent', 'failed', 'cancelled', 'bounced'])[1 + length(recipient) %% 4],"
                 " created_at = now() - interval '31 days'")
    queue_mails(rollcall, 3, prefix="young", notify=False)
    rollcall.sql("UPDATE rollcall.outbox SET state = 'sent', created_at = now() - interval '29 days' WHERE recipient LIKE 'young%%'")
    queue_mails(rollcall, 1, prefix="waits", notify=False)
    rollcall.sql("UPDATE rollcall.outbox SET created_at = now() - interval '31 days', run_at = now() + interval '1 hour' WHERE recipient LIKE 'waits%%'")
    user = rollcall.create_active()
    rollcall.plant_session(user, expires_at="now() - interval '1 second'")
    alive = rollcall.plant_session(user)
    rollcall.sql("INSERT INTO rollcall.login_throttle SELECT %s, n::text, 1, now() - n * interval '20 hours' FROM generate_series(1, 2) n", rollcall.org_id)
    rollcall.worker.start()
    wait_until(lambda: rollcall.value("SELECT count(*) FROM rollcall.outbox WHERE recipient LIKE 'old%%'") == 0)
    rounds(rollcall)
    assert rollcall.value("SELECT count(*) FROM rollcall.outbox WHERE recipient LIKE 'young%%'") == 3
    assert rollcall.value("SELECT count(*) FROM rollcall.outbox WHERE recipient LIKE 'waits%%'") == 1
    wait_until(lambda: rollcall.value("SELECT count(*) FROM rollcall.session WHERE expires_at < now()") == 0)
    rollcall.client(alive).get("/v1/me").ok(200)
    wait_until(lambda: rollcall.sql("SELECT login_digest FROM rollcall.login_throttle WHERE login_digest IN ('1', '2')") == ["1"])


@pytest.mark.settings(ROLLCALL_POLL_INTERVAL=1)
def test_the_worker_counts_what_waits_and_what_went(rollcall):
    rollcall.sink.behave("gone@example.org", "550 5.1.1 no")
    rollcall.sink.behave("later@example.org", LATER)
    for email in ("gone@example.org", "later@example.org", "fine@example.org"):
        rollcall.create_user(email=email)
    wait_state(rollcall, "later@example.org", "queued", last_reply=LATER)
    rollcall.sql("UPDATE rollcall.outbox SET created_at = now() - interval '1 hour' WHERE recipient = 'later@example.org'")

    def counted():
        found = rollcall.metrics(worker=True)
        outcomes = {outcome: found[f'rollcall_mails_total{{kind="invitation",outcome="{outcome}"}}'] for outcome in ("sent", "failed", "retried")}
        return outcomes == {"sent": 1, "failed": 1, "retried": 1} and found["rollcall_outbox_queued"] == 1 and found["rollcall_outbox_oldest_seconds"] >= 3600
    nudge(rollcall)
    wait_until(counted)
