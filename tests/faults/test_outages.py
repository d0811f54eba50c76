"""PostgreSQL goes and comes back, processes die, SIGTERM comes under load: what was answered 2xx stays."""
import concurrent.futures
import os
import signal
import threading

import pytest
import requests

from support.cluster import Cluster
from support.system import Rollcall, organization_template
from support.waiting import wait_until

PASSWORD = "violet tractor under seven moons"


@pytest.fixture
def own(logs):
    """A Rollcall on a PostgreSQL of its own, which may be stopped."""
    cluster = Cluster.create()
    try:
        template, facts = organization_template(cluster, "default", logs)
        with Rollcall(cluster, cluster.create_database(template), facts, logs) as system:
            yield system
    finally:
        cluster.remove()


class Load(threading.Thread):
    """Creates users one after another, and remembers every answer."""

    def __init__(self, system, number):
        super().__init__(daemon=True)
        self.client, self.number, self.stopping = system.client(system.admin_token), number, threading.Event()
        self.made, self.statuses, self.problems, self.failures = [], {}, [], []

    def run(self):
        count = 0
        while not self.stopping.is_set():
            count += 1
            email = f"load{self.number}-{count}@example.org"
            try:
                answer = self.client.post("/v1/users", {"email": email, "first_name": "L", "last_name": "L"})
            except requests.RequestException as failure:
                self.failures.append(repr(failure))
                continue
            self.statuses[answer.status] = self.statuses.get(answer.status, 0) + 1
            if answer.status == 201:
                self.made.append(email)
            else:
                self.problems.append(answer)

    def stop(self):
        self.stopping.set()
        self.join(30)
        return self


def start_load(system, threads=4):
    loads = [Load(system, number) for number in range(threads)]
    for load in loads:
        load.start()
    wait_until(lambda: all(load.made for load in loads))
    return loads


def count_of(loads, status):
    return sum(load.statuses.get(status, 0) for load in loads)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_postgresql_stops_and_starts_while_requests_run(own, mode):
    """Scenario 8."""
    own.allow_errors("could not", "lost", "lane", "connection")
    loads = start_load(own)
    pids = own.server.children()
    own.cluster.stop(mode)
    wait_until(lambda: count_of(loads, 503) > 20)
    own.anyone.get("/healthz").ok(200)
    assert own.anyone.get("/readyz").status == 503
    assert own.anyone.get("/accept").status == 200
    own.cluster.start()
    made = count_of(loads, 201)
    wait_until(lambda: count_of(loads, 201) > made + 20, timeout=30, because="requests succeed again")
    for load in loads:
        load.stop()
        assert set(load.statuses) <= {201, 503, 409}, load.statuses  # 409: a write whose answer was lost had been done
        assert load.failures == []
        for answer in load.problems:
            assert answer.status != 503 or int(answer.headers["Retry-After"]) >= 1, answer
    assert own.server.children() == pids, "no process has died"
    stored = set(own.sql("SELECT email FROM rollcall.users"))
    lost = [email for load in loads for email in load.made if email not in stored]
    assert lost == []
    wait_until(own.is_ready)
    wait_until(lambda: own.value("SELECT count(*) FROM rollcall.outbox WHERE state = 'queued' AND run_at <= now()") == 0, timeout=60,
               because="the worker goes on by itself")


@pytest.mark.timeout(120)
def test_a_server_that_starts_before_its_database_waits_for_it(own):
    own.allow_errors("could not", "lost", "lane", "connection")
    assert own.server.stop() == 0
    own.cluster.stop("fast")
    own.server.start()
    wait_until(lambda: answers(own, "/healthz") == 200)
    assert answers(own, "/readyz") == 503
    own.cluster.start()
    wait_until(lambda: answers(own, "/readyz") == 200, timeout=30)
    own.create_user()


def answers(system, path):
    try:
        return requests.get(system.url + path, timeout=10).status_code
    except requests.ConnectionError:
        return None


def test_a_connection_that_is_cut_costs_a_503_at_most(server_only):
    server_only.allow_errors("lost", "connection", "could not")
    client = server_only.client(server_only.admin_token)
    for _ in range(10):
        server_only.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'rollcall' AND datname = current_database()")
        assert client.get("/v1/me").status in (200, 503)
        wait_until(lambda: client.get("/v1/me").status == 200)
        wait_until(lambda: client.post("/v1/users", {"email": f"cut{_}@example.org", "first_name": "C", "last_name": "C"}).status in (201, 409))


def test_a_row_that_is_locked_for_long_is_503_and_blocks_nobody_else(server_only):
    server_only.allow_errors("could not")
    user, other = server_only.create_user(), server_only.create_user()
    with server_only.cluster.connect(server_only.database) as blocker, blocker.transaction():
        blocker.execute("SELECT FROM rollcall.users WHERE id = %s FOR UPDATE", [user["id"]])
        blocked = server_only.admin.post(f"/v1/users/{user['id']}/inactivate").refused(503, "unavailable")
        assert int(blocked.headers["Retry-After"]) >= 1
        server_only.admin.post(f"/v1/users/{other['id']}/inactivate").ok(200)
    server_only.admin.post(f"/v1/users/{user['id']}/inactivate").ok(200)


def test_a_child_that_is_killed_is_replaced_while_the_others_serve(server_only):
    server_only.allow_errors("a child died")
    children = server_only.server.children()
    for victim in children:
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: len(set(server_only.server.children()) - {victim}) == len(children))
    wait_until(server_only.is_ready)
    server_only.create_user()
    assert server_only.metrics()["rollcall_child_restarts_total"] >= len(children) - 1


def test_when_the_supervisor_is_killed_its_children_end_too(server_only):
    children = server_only.server.children()
    os.kill(server_only.server_pid, signal.SIGKILL)
    server_only.server.process.wait()
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in children), timeout=30)
    server_only.server.start()
    server_only.wait_ready()


@pytest.mark.timeout(120)
def test_sigterm_under_load_cuts_no_request_and_exits_0_in_time(server_only):
    """Scenario 9."""
    loads = start_load(server_only, 6)
    logins = concurrent.futures.ThreadPoolExecutor(4)
    busy = [logins.submit(lambda: server_only.client().post("/v1/sessions", {"login": "admin@example.org", "password": "seventeen quiet harbours"}))
            for _ in range(8)]
    assert server_only.server.stop() == 0, "all was answered before the deadline"
    stored = set(server_only.sql("SELECT email FROM rollcall.users"))
    for load in loads:
        load.stop()
        assert set(load.statuses) <= {201, 503}, load.statuses
        assert [email for email in load.made if email not in stored] == []
        # What was refused had no byte read, or the connection was closed between two requests.
        assert all("refused" in failure or "Connection aborted" in failure or "RemoteDisconnected" in failure for failure in load.failures), load.failures[:3]
    for future in busy:
        try:
            assert future.result().status in (201, 503)
        except requests.ConnectionError:
            pass
    logins.shutdown()
    wait_until(lambda: not server_only.cluster.connections(server_only.database), because="a backend ends a moment after its client")
    server_only.server.start()
    server_only.wait_ready()


def test_sigint_is_as_good_as_sigterm(server_only):
    server_only.server.signal(signal.SIGINT)
    assert server_only.server.process.wait(20) == 0
