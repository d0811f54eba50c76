"""Whatever dies at whatever moment: every mail arrives, and twice only what was between two hands (scenario 7)."""
import collections
import contextlib
import os
import re
import signal
import threading

import pytest
from bad_smtp import HANG, BadSmtp
from support.cluster import Cluster
from support.outbox import end_leases, nudge, queue_mails, second_worker, wait_settled
from support.sink import Gate
from support.system import Rollcall, database_settings, organization_template, run_command
from support.waiting import wait_until


def leased(system):
    return {str(id) for id in system.sql("SELECT id FROM rollcall.outbox WHERE state = 'queued' AND leased_by IS NOT NULL")}


def deliveries(system):
    """{recipient: [Message-ID, ...]}"""
    found = {}
    for mail in system.mails():
        for recipient in mail.recipients:
            found.setdefault(recipient, []).append(mail.id)
    return found


def hold(system, moment, after, senders=1):
    """Each sender stops at the next mail once so many have passed. Which mail that is, is theirs to say: two that
    claim at the same moment divide the outbox between them as it comes."""
    gate = Gate(senders)
    system.sink.behave("*", gate, at=moment, times=senders, after=after)
    return gate


def assert_arrived(system, recipients, held):
    arrived = deliveries(system)
    assert set(arrived) == set(recipients)
    for ids in arrived.values():
        assert len(set(ids)) == 1, "always under the same Message-ID"
        assert len(ids) == 1 or (len(ids) == 2 and ids[0].strip("<>").split("@")[0] in held), "twice only what was in flight"
    assert system.value("SELECT count(*) FROM rollcall.outbox WHERE state <> 'sent'") == 0


@pytest.mark.parametrize("moment", ["rcpt", "data", "accepted"])
def test_kill_9_in_the_middle_of_500_mails(rollcall, moment):
    rollcall.worker.stop()
    gate = hold(rollcall, moment, after=130, senders=2)
    recipients = queue_mails(rollcall, 500)
    rollcall.worker.start()
    gate.wait_reached()
    rollcall.worker.kill()
    held = leased(rollcall)
    assert 100 < len(held) <= 200, "two senders, a batch of a hundred each"
    assert 0 < len(rollcall.mails()) < 500
    rollcall.worker.start()
    wait_until(lambda: rollcall.value("SELECT count(*) FROM rollcall.outbox WHERE state = 'queued'") == len(held), timeout=30,
               because="what nobody held goes out at once")
    assert leased(rollcall) == held, "a lease is respected, whoever died"
    end_leases(rollcall)
    wait_settled(rollcall)
    assert_arrived(rollcall, recipients, held)
    twice = {recipient for recipient, ids in deliveries(rollcall).items() if len(ids) == 2}
    assert (set(gate.held) <= twice) == (moment == "accepted")


@pytest.mark.allow_errors("a child died, starting another")
@pytest.mark.settings(ROLLCALL_SENDERS=1)
def test_a_killed_sender_is_replaced_and_its_mails_come_again(rollcall):
    gate = hold(rollcall, "data", after=1)
    recipients = queue_mails(rollcall, 5)
    gate.wait_reached()
    held = leased(rollcall)
    killed = set(rollcall.worker.children())
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(set(rollcall.worker.children()) - killed) == 4, because="clock, sender, job child and metrics are there again")
    end_leases(rollcall)
    wait_settled(rollcall)
    assert_arrived(rollcall, recipients, held)
    assert rollcall.metrics(worker=True)["rollcall_child_restarts_total"] == 4


def test_two_workers_send_no_mail_twice(rollcall):
    rollcall.worker.stop()
    recipients = queue_mails(rollcall, 600, notify=False)
    rollcall.worker.start()
    second_worker(rollcall)
    wait_settled(rollcall)
    assert_arrived(rollcall, recipients, held=())
    assert all(attempts == 1 for attempts in rollcall.sql("SELECT attempts FROM rollcall.outbox"))


def test_a_lost_notification_costs_one_poll_at_most(rollcall):
    rollcall.wait_mail(rollcall.create_user()["email"])
    recipients = queue_mails(rollcall, 1, notify=False)
    rollcall.wait_mail(recipients[0])


@pytest.mark.settings(ROLLCALL_POLL_INTERVAL=60)
def test_a_mail_that_becomes_due_before_the_next_poll_is_sent_when_it_is_due(rollcall):
    queue_mails(rollcall, 1, due="now() + interval '1.2 seconds'")
    rollcall.wait_mail("many1@example.org")
    wait_settled(rollcall)
    assert rollcall.value("SELECT sent_at >= created_at + interval '1.2 seconds' FROM rollcall.outbox")


def test_sigterm_in_the_middle_of_a_batch_finishes_the_message_in_hand_and_offers_no_other(rollcall):
    rollcall.worker.stop()
    gate = hold(rollcall, "accepted", after=30, senders=2)
    recipients = queue_mails(rollcall, 500)
    rollcall.worker.start()
    gate.wait_reached()
    rollcall.worker.signal(signal.SIGTERM)
    wait_until(lambda: len(rollcall.worker.children()) == 2, because="only the two senders are still at it")
    gate.open()
    assert rollcall.worker.process.wait(20) == 0
    assert not leased(rollcall)
    assert 2 <= rollcall.value("SELECT count(*) FROM rollcall.outbox WHERE state = 'sent'") == len(rollcall.mails()) < 200
    rollcall.worker.start()
    wait_settled(rollcall)
    assert_arrived(rollcall, recipients, held=())


@pytest.mark.parametrize("extensions,transport", [([], "libesmtp"), (["PIPELINING"], "libesmtp"), (["PIPELINING", "CHUNKING"], "libesmtp"),
                                                  (["PIPELINING"], "libcurl")])
@pytest.mark.settings(ROLLCALL_SENDERS=1)
def test_sigterm_under_a_slow_relay_stops_behind_the_message_in_hand_and_sends_nothing_twice(server_only, extensions, transport):
    """The batch went on for as long as the relay was given, and was killed at the deadline."""
    recipients = queue_mails(server_only, 80)
    in_hand, told = threading.Event(), threading.Event()

    def take(number):
        if number == 4:
            in_hand.set()
            told.wait(30)

    with BadSmtp(extensions=extensions, accepted=take) as relay:
        def arrived():
            return collections.Counter(address.decode() for address in re.findall(rb"many\d+@example\.org", b"".join(relay.messages)))

        server_only.restart_worker(ROLLCALL_SMTP_URL=f"smtp://127.0.0.1:{relay.port}?tls=none&transport={transport}")
        worker = server_only.worker
        assert in_hand.wait(30)
        worker.signal(signal.SIGTERM)
        # The metrics are told last.
        wait_until(lambda: len(worker.children()) == 1, because="the sender alone is still at it")
        told.set()
        assert worker.process.wait(20) == 0
        sent = server_only.sql("SELECT recipient FROM rollcall.outbox WHERE state = 'sent'")
        assert arrived() == collections.Counter(sent) and len(sent) == 4
        left = server_only.sql("SELECT attempts, leased_by, run_at <= now() FROM rollcall.outbox WHERE state = 'queued'")
        assert left == [(0, None, True)] * 76, "for whoever comes first"
        worker.start()
        wait_settled(server_only)
        assert arrived() == collections.Counter(recipients)


@pytest.mark.parametrize("transport", ["libesmtp", "libcurl"])
@pytest.mark.parametrize("step", ["greeting", "ehlo", "mail"])
@pytest.mark.settings(ROLLCALL_SENDERS=1)
def test_sigterm_while_the_relay_keeps_silent_stops_at_once_and_gives_the_mails_back(server_only, step, transport):
    """It waited for the answer, 25 s."""
    recipients = queue_mails(server_only, 5)
    with BadSmtp(**{step: HANG}) as silent, BadSmtp() as relay:
        worker = server_only.add_worker(ROLLCALL_SMTP_URL=f"smtp://127.0.0.1:{silent.port}?tls=none&transport={transport}")
        wait_until(lambda: silent.open and (step == "greeting" or any(line.lower().startswith(step) for line in silent.commands)))
        worker.signal(signal.SIGTERM)
        assert worker.process.wait(20) == 0
        left = server_only.sql("SELECT attempts, leased_by, run_at <= now(), last_reply FROM rollcall.outbox WHERE state = 'queued'")
        assert left == [(0, None, True, "the worker stopped before this message")] * 5, "for whoever comes first"
        server_only.add_worker(ROLLCALL_SMTP_URL=f"smtp://127.0.0.1:{relay.port}?tls=none")
        wait_settled(server_only)
        assert len(relay.messages) == len(recipients) and not silent.messages


# --- settling ---

@pytest.mark.settings(ROLLCALL_SENDERS=1)
def test_a_locked_row_holds_up_the_settling_of_no_other_and_is_settled_when_it_is_free(rollcall):
    """Two immediate tries, then a hundred delivered mails went out again."""
    gate = hold(rollcall, "accepted", after=2)
    recipients = queue_mails(rollcall, 5)
    gate.wait_reached()
    with rollcall.cluster.connect(rollcall.database) as other:
        other.autocommit = False
        other.execute("SELECT FROM rollcall.outbox WHERE recipient = 'many2@example.org' FOR UPDATE")
        gate.open()
        wait_until(lambda: rollcall.value("SELECT count(*) FROM rollcall.outbox WHERE state = 'sent'") == 4)
        held = leased(rollcall)
        assert len(held) == 1
        other.rollback()
    wait_settled(rollcall)
    assert_arrived(rollcall, recipients, held=())
    assert "could not settle" not in rollcall.worker.text()


def test_a_link_that_was_sent_is_in_the_audit_or_the_mail_is_not_settled(rollcall):
    rollcall.allow_errors("could not run query.*outbox_settle")
    user = rollcall.create_user()
    rollcall.wait_mail(user["email"])
    wait_settled(rollcall)
    rollcall.sql("ALTER TABLE rollcall.audit ADD CONSTRAINT broken CHECK (action <> 'user.link_issued') NOT VALID")
    rollcall.move("invitation", user, expires_at="now()")
    nudge(rollcall)
    rollcall.wait_mail(kind="invitation_expired")
    wait_until(lambda: "could not run query" in rollcall.worker.text())
    assert leased(rollcall)
    rollcall.sql("ALTER TABLE rollcall.audit DROP CONSTRAINT broken")
    wait_settled(rollcall)
    assert len(rollcall.audit("user.link_issued", user)) == 1
    assert len(rollcall.mails(kind="invitation_expired")) == 1


def test_sigterm_while_nothing_is_done_stops_at_once_however_often_it_comes(rollcall):
    """A second one used to kill a worker that had just stopped cleanly."""
    wait_until(lambda: len(rollcall.worker.children()) == 5)
    rollcall.worker.signal(signal.SIGTERM)
    while rollcall.worker.is_running():
        rollcall.worker.signal(signal.SIGTERM)
    assert rollcall.worker.process.returncode == 0


# --- PostgreSQL goes and comes back ---

@pytest.fixture
def own(logs):
    """A Rollcall on a PostgreSQL of its own, which may be stopped."""
    cluster = Cluster.create()
    try:
        template, facts = organization_template(cluster, "default", logs)
        with Rollcall(cluster, cluster.create_database(template), facts, logs, ROLLCALL_SENDERS=1) as system:
            yield system
    finally:
        cluster.remove()


OUTAGE = ["could not connect to the database", "lost the connection to the database", "could not run query",
          "could not reach the database", "lost a connection", "lost connection", "could not look up"]


def outage(system, mode):
    """PostgreSQL stops; our own connection with it."""
    system.allow_errors(*OUTAGE)
    with contextlib.suppress(Exception):
        system.db.close()
    system.cluster.stop(mode)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_the_worker_goes_on_by_itself_when_postgresql_comes_back(own, mode):
    own.wait_mail(own.create_user()["email"])
    pids = own.worker.children()
    outage(own, mode)
    wait_until(lambda: "could not connect to the database" in own.worker.text())
    own.cluster.start()
    own.wait_ready()
    user = wait_until(lambda: (answer := own.admin.post("/v1/users", {"email": "after@example.org", "first_name": "A", "last_name": "A"})).status == 201
                      and answer.body, because="the server is back")
    own.wait_mail("after@example.org", timeout=15)
    own.move("invitation", user, expires_at="now()")
    wait_until(lambda: own.row("invitation", user)["generation"] == 2, because="the clock is back, too")
    assert own.worker.children() == pids, "nobody had to die for it"


def test_postgresql_lost_between_acceptance_and_settling_is_waited_for(own):
    gate = hold(own, "accepted", after=2)
    recipients = queue_mails(own, 5)
    gate.wait_reached()
    held = leased(own)
    outage(own, "immediate")
    gate.open()
    wait_until(lambda: "could not connect to the database" in own.worker.text())
    own.cluster.start()
    assert held
    wait_settled(own)
    assert_arrived(own, recipients, held=())


def test_a_settling_that_is_lost_for_good_means_a_second_mail_under_the_same_id(own):
    """Who is stopped does not wait for long."""
    gate = hold(own, "accepted", after=2)
    recipients = queue_mails(own, 5)
    gate.wait_reached()
    held = leased(own)
    outage(own, "immediate")
    gate.open()
    wait_until(lambda: "could not connect to the database" in own.worker.text())
    own.worker.signal(signal.SIGTERM)
    assert own.worker.process.wait(20) == 0
    assert "could not settle a batch" in own.worker.text()
    own.cluster.start()
    assert leased(own) == held
    own.worker.start()
    end_leases(own)
    wait_settled(own)
    assert_arrived(own, recipients, held)
    assert len(deliveries(own)[gate.held[0]]) == 2, "whichever was in hand: those behind it were perhaps not offered any more"


def test_a_worker_starts_before_its_database(own):
    own.worker.stop()
    outage(own, "fast")
    own.worker.start()
    wait_until(lambda: "could not check the schema yet" in own.worker.text())
    own.cluster.start()
    recipients = queue_mails(own, 1)
    own.wait_mail(recipients[0], timeout=15)


@pytest.mark.parametrize("version,told", [("version + 8000", "rollcall-server migrate"), ("version", "install a release that knows")])
def test_a_worker_that_started_before_its_database_runs_on_no_schema_that_does_not_fit(own, version, told):
    own.worker.stop()
    before = own.value("SELECT max(version) FROM rollcall.schema_migration")
    own.sql(f"UPDATE rollcall.schema_migration SET version = {version}, incompatible_below = 9999 WHERE version = %s", before)
    recipients = queue_mails(own, 1)
    outage(own, "fast")
    own.allow_errors("could not start", "a child died, starting another")
    own.worker.start()
    wait_until(lambda: "could not check the schema yet" in own.worker.text())
    own.cluster.start()
    wait_until(lambda: own.worker.text().count("could not start: the schema is at") >= 4, because="each child looks, again and again")
    assert told in own.worker.text() and not own.mails()
    own.sql("UPDATE rollcall.schema_migration SET version = %s, incompatible_below = NULL WHERE incompatible_below = 9999", before)
    own.wait_mail(recipients[0], timeout=20)


# --- what it does not start without ---

def test_the_worker_names_all_that_it_lacks(cluster):
    done = run_command(program="rollcall-worker", ROLLCALL_MAIL_FROM=None, ROLLCALL_SECRET=None, ROLLCALL_PUBLIC_URL=None)
    assert done.returncode == 1
    for name in ("ROLLCALL_DATABASE_URL", "ROLLCALL_SECRET", "ROLLCALL_PUBLIC_URL", "ROLLCALL_SMTP_URL", "ROLLCALL_MAIL_FROM"):
        assert f"could not use {name}: it is missing" in done.stderr, done.stderr


@pytest.mark.parametrize("setting,value", [
    ("ROLLCALL_SMTP_URL", "smtp://relay.example.org:25?tls=none"),
    ("ROLLCALL_SMTP_URL", "smtp://user:pw@127.0.0.1:25?tls=none"), ("ROLLCALL_MAIL_FROM", "nobody"), ("ROLLCALL_SENDERS", "0"),
    ("ROLLCALL_POLL_INTERVAL", "often"), ("ROLLCALL_TEMPLATES", "/nonexistent"), ("ROLLCALL_SMTP_CA", "/nonexistent"),
])
def test_the_worker_refuses_a_setting_that_cannot_work(cluster, setting, value):
    settings = {"ROLLCALL_DATABASE_URL": "postgres://nobody@127.0.0.1:1/none", "ROLLCALL_SMTP_URL": "smtp://127.0.0.1:1?tls=none", setting: value}
    done = run_command(program="rollcall-worker", **settings)
    assert done.returncode == 1
    assert f"could not use {setting}:" in done.stderr


def start_on(cluster, database):
    done = run_command(program="rollcall-worker", ROLLCALL_SMTP_URL="smtp://127.0.0.1:1?tls=none", **database_settings(cluster, database))
    assert done.returncode == 1
    return done.stderr


@pytest.fixture
def database(cluster, logs):
    template, _ = organization_template(cluster, "default", logs)
    name = cluster.create_database(template)
    yield name
    cluster.drop_database(name)


def test_the_worker_refuses_an_empty_database_and_says_what_to_do(cluster):
    name = cluster.create_database()
    try:
        assert "could not start: the database is empty: run `rollcall-server migrate`" in start_on(cluster, name)
    finally:
        cluster.drop_database(name)


def test_the_worker_refuses_an_older_schema_and_one_that_has_outgrown_it(cluster, database):
    with cluster.connect(database) as db:
        newest = db.execute("SELECT max(version) FROM rollcall.schema_migration").fetchone()[0]
        db.execute("UPDATE rollcall.schema_migration SET version = 9000, incompatible_below = 9000 WHERE version = %s", [newest])
        told = start_on(cluster, database)
        assert "could not start: the schema is at version 9000" in told and "rollcall-server migrate" in told
        db.execute("INSERT INTO rollcall.schema_migration (version, name, checksum) SELECT %s, name, checksum FROM rollcall.schema_migration"
                   " WHERE version = 9000", [newest])
        assert "install a release that knows at least 9000" in start_on(cluster, database)
