"""Two PostgreSQL, one following the other synchronously: the first is killed under load, the second takes over.

What deploy/RUNBOOK.md says of a failover: nothing that was acknowledged is lost, and nobody restarts anything.
"""
import collections

import pytest

from support.cluster import Cluster
from support.outbox import end_leases
from support.system import Rollcall, organization_template
from support.waiting import wait_until
from test_outages import count_of, start_load

SENDERS, BATCH = 2, 100


@pytest.fixture
def pair():
    """A primary and the standby that every commit waits for."""
    primary = Cluster.create(wal_level="replica", max_wal_senders="4")
    standby = None
    try:
        standby = primary.standby()
        yield primary, standby
    finally:
        for cluster in filter(None, (standby, primary)):
            cluster.remove()


def follow_synchronously(primary, standby):
    with primary.connect() as db:
        db.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        db.execute("ALTER SYSTEM SET synchronous_commit = 'on'")
        db.execute("SELECT pg_reload_conf()")
        wait_until(lambda: db.execute("SELECT sync_state FROM pg_stat_replication").fetchall() == [("sync",)], because="the standby follows")


@pytest.fixture
def own(pair, logs):
    primary, standby = pair
    template, facts = organization_template(primary, "default", logs)
    database = primary.create_database(template)
    follow_synchronously(primary, standby)
    url = f"postgres://rollcall:rollcall@127.0.0.1:{primary.port},127.0.0.1:{standby.port}/{database}?target_session_attrs=read-write"
    with Rollcall(primary, database, facts, logs, ROLLCALL_DATABASE_URL=url, ROLLCALL_SENDERS=SENDERS) as system:
        yield system


@pytest.mark.timeout(180)
def test_a_primary_dies_under_load_and_its_standby_takes_over(own, pair):
    # Not among them: "a child died". Nobody restarts anything.
    own.allow_errors("could not", "lost", "lane", "connection")
    primary, standby = pair
    loads = start_load(own)
    primary.kill()
    wait_until(lambda: count_of(loads, 503) > 0, because="writes are refused while there is no primary")
    made = count_of(loads, 201)
    standby.promote()
    own.cluster, own._db = standby, None
    wait_until(lambda: count_of(loads, 201) > made + 20, timeout=60, because="requests succeed by themselves")
    for load in loads:
        load.stop()
        assert set(load.statuses) <= {201, 503, 409}, load.statuses  # 409: a write whose answer was lost had been done
        assert load.failures == []
    acknowledged = {email for load in loads for email in load.made}
    assert acknowledged - set(own.sql("SELECT email FROM rollcall.users")) == set()
    everybody_has_his_mail(own)


def everybody_has_his_mail(own):
    """Once, or twice where the database was lost between the sink's 250 and the record of it: a batch for each sender."""
    end_leases(own)
    wait_until(lambda: own.value("SELECT count(*) FROM rollcall.outbox WHERE state = 'queued'") == 0, timeout=60, because="all mails go out")
    received = collections.Counter(mail.outbox_id for mail in own.sink.mails())
    # Of what is in the outbox, and nothing else: what a lost write would have sent was not sent.
    assert set(received) == {str(sent) for sent in own.sql("SELECT id FROM rollcall.outbox")}
    assert max(received.values()) <= 2
    assert sum(count - 1 for count in received.values()) <= SENDERS * BATCH
    assert own.sql("SELECT DISTINCT state FROM rollcall.outbox") == ["sent"]
