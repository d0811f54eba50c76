"""The disk of PostgreSQL is full: what cannot be written is 503, what was acknowledged is there, and with room it goes on."""
import contextlib
import os
import subprocess
import tempfile
import time

import psycopg
import pytest
import requests

from support.cluster import Cluster
from support.system import Rollcall, organization_template
from support.waiting import wait_until

SIZE_MIB, LEFT_KIB = 400, 300


@pytest.fixture
def small_disk(monkeypatch):
    """A folder of its own for new clusters, which holds so much and no more."""
    folder = tempfile.mkdtemp(prefix="rollcall-disk-")
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m,mode=1777", "tmpfs", folder], check=True)
    monkeypatch.setattr(tempfile, "tempdir", folder)
    yield folder
    monkeypatch.undo()
    subprocess.run(["umount", "--lazy", folder], check=True)
    os.rmdir(folder)


def fill(folder, left_kib):
    """All but so much of it."""
    stat = os.statvfs(folder)
    ballast = os.path.join(folder, "ballast")
    with open(ballast, "wb") as out:
        os.posix_fallocate(out.fileno(), 0, stat.f_bavail * stat.f_frsize - left_kib * 1024)
    return ballast


def is_up(cluster):
    """PostgreSQL may have ended over it; then whoever looks after it starts it again."""
    try:
        cluster.connect().close()
        return True
    except psycopg.OperationalError:
        with contextlib.suppress(subprocess.CalledProcessError):
            cluster.start()
        return False


def make(client, number):
    """The status of one attempt; None: no answer came."""
    try:
        return client.post("/v1/users", {"email": f"full{number}@example.org", "first_name": "F" * 100, "last_name": "L" * 100}).status
    except requests.ConnectionError:
        return None


@pytest.mark.timeout(180)
def test_a_full_disk_is_503_and_with_room_it_goes_on(small_disk, logs):
    cluster = Cluster.create()
    ballast = None
    try:
        template, facts = organization_template(cluster, "default", logs)
        with Rollcall(cluster, cluster.create_database(template), facts, logs, with_worker=False) as system:
            system.allow_errors("could not", "lost", "lane", "connection", "disk")
            client, made = system.client(system.api_key), []
            ballast = fill(small_disk, LEFT_KIB)
            statuses, deadline = [], time.monotonic() + 60
            while statuses.count(503) < 5 and time.monotonic() < deadline:
                statuses.append(make(client, len(statuses)))
                if statuses[-1] == 201:
                    made.append(f"full{len(statuses) - 1}@example.org")
            assert set(statuses) <= {201, 503} and statuses.count(503) == 5, statuses
            assert client.get("/healthz").status == 200, "the server itself is well"
            os.remove(ballast)
            wait_until(lambda: is_up(cluster), 60)
            wait_until(system.is_ready, timeout=60)
            assert wait_until(lambda: make(client, 10_000) in (201, 409), timeout=30)
            system.db.close()
            there = set(system.sql("SELECT email FROM rollcall.users"))
            assert set(made) <= there, "what was acknowledged is there"
    finally:
        cluster.remove()


