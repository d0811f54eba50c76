#!/usr/bin/python3
"""`make bench-quick`: what Rollcall does in a second, beside what it could do at most, in under two minutes.

Each figure stands beside its limit, measured in the same run on the same machine: pgbench with the very
statements that a request runs (statements.py), or libargon2 alone (raw_hash.c). The two take turns, a few
times; of each the median counts. The last column but one is the figure of DESIGN.md §10.

What a ratio says, and what it does not: the load generator, or pgbench, runs on the same cores as what it
measures, and so does whatever else this machine does at that moment. So the CPU time that each of them took
stands beside it, and a second ratio: the CPU time of the limit over that of everyone who takes part in a
request. Where the two ratios differ much, the machine was busy with something else, or something waits.
Nothing here fails for being slow: it fails when something does not work.
"""
import base64
import contextlib
import os
import pathlib
import random
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
import uuid

from machine import (CORES, HERE, Generator, Meter, compile_tools, make_cluster, make_rollcall, private_mib, raw_hash, request,
                     wait_for, write_requests)
from statements import MARK, Limit, Script, capture, mark_what_is_new
from support.links import token_hash

ROUNDS = 3
SECONDS = 2
CONNECTIONS = 64
CLIENT_COUNTS = (4, 8, 16, 32)
READS_PER_SECOND = 150  # while their p99 is measured: the machine is far from full
LOGINS_AT_ONCE = 32
HASH = (19456, 2, 1)  # memory in KiB, passes, lanes: the default
MAILS = 10000
MAIL_PAUSE_S = 0.025
STRANGERS = 150
PASSWORD = "violet tractor under seven moons"


class Table:
    """Rows as they come, so that one who waits sees something."""
    widths = (38, 13, 13, 6, 7, 9)

    def __init__(self):
        print(f"{CORES} cores; server and worker with their defaults, one server process per core; PostgreSQL with fsync on\n"
              f"µs of CPU for each: server or worker + PostgreSQL + load generator or sink; beside it PostgreSQL + pgbench\n")
        self.line("", "Rollcall", "limit", "ratio", "by CPU", "wanted", "   µs of CPU for each")

    def line(self, what, *cells):
        print(what.ljust(self.widths[0]) + "".join(cell.rjust(width + 1) for cell, width in zip(cells, self.widths[1:]))
              + "".join(cells[5:]), flush=True)

    def rate(self, what, rate, limit, by_cpu, wanted, costs=""):
        self.line(what, f"{rate:,.0f}/s", f"{limit:,.0f}/s", f"{rate / limit:.2f}", f"{by_cpu:.2f}" if by_cpu else "", wanted,
                  f"   {costs}")

    def value(self, what, value, limit, ratio="", wanted="", costs=""):
        self.line(what, value, limit, ratio, "", wanted, f"   {costs}")


def costs_as_text(costs):
    return " + ".join(f"{cost:.0f}" for cost in costs)


def p99(values):
    return sorted(values)[int(len(values) * 0.99)]


class Bench:
    def __init__(self, rollcall, folder):
        self.rollcall, self.folder, self.table = rollcall, folder, Table()
        self.generator = Generator(rollcall, folder)
        self.random = random.Random(1)

    def run_sql(self, name, **params):
        for statement in (HERE / name).read_text().split(";\n"):
            if statement.strip():
                self.rollcall.db.execute(statement, params if "%(" in statement else None)

    def fill(self):
        rollcall = self.rollcall
        first = rollcall.admin.post("/v1/users", {"email": "first@example.org", "first_name": "Ada", "last_name": "First",
                                                  "password": PASSWORD}).ok(201).body
        organization = uuid.UUID(rollcall.org_id).bytes
        self.tokens = ["rcs_" + base64.urlsafe_b64encode(organization + os.urandom(32)).rstrip(b"=").decode() for _ in range(1000)]
        self.run_sql("fill.sql", org_id=rollcall.org_id, password_hash=rollcall.row("credential", first)["password_hash"],
                     token_hashes=[token_hash(token) for token in self.tokens])
        self.users = [str(user) for user in rollcall.sql("SELECT id FROM public.bench_user ORDER BY n")]
        self.finish_with_users()
        self.settle()

    def finish_with_users(self):
        """What the clock does about users whose idle dates nobody has set: now, so that it does not come in between the mails."""
        self.rollcall.sql("UPDATE rollcall.policy SET idle_applied = NULL")
        self.rollcall.worker.start()
        wait_for(lambda: self.rollcall.value("SELECT bool_and(idle_applied IS NOT NULL) FROM rollcall.policy"))
        assert self.rollcall.worker.stop() == 0

    def settle(self):
        """What autovacuum would do sooner or later, now."""
        self.rollcall.sql("VACUUM ANALYZE")

    def requests(self, name, texts):
        return write_requests(self.folder / name, texts)

    def take_turns(self, what, wanted, limit, send):
        """One row of the table: medians of rounds in which pgbench and the server take turns."""
        limits, loads, costs = [], [], []
        for turn in range(ROUNDS):
            limits.append(limit.run(SECONDS))
            costs.append(limit.cost)
            loads.append(send(turn))
        ours, theirs = ([statistics.median(column) for column in zip(*rows)] for rows in ([load.cost() for load in loads], costs))
        self.table.rate(what, statistics.median(load.rate for load in loads), statistics.median(limits), sum(theirs) / sum(ours), wanted,
                        f"{costs_as_text(ours)}; {costs_as_text(theirs)} with {limit.clients} clients")

    # -- reads

    def read_limit(self, name, statements):
        script = Script(self.rollcall, self.folder, name)
        script.fetch("SELECT s.token_hash AS token, u.id AS other FROM public.bench_user s, public.bench_user u"
                     " WHERE s.n = :session AND u.n = :user", {"session": 1000, "user": 20000},
                     {token_hash(self.tokens[0]): "token", self.users[0]: "other"})
        for statement in statements:
            script.add(statement)
        return Limit(self.rollcall, script.finish())

    def reads(self):
        one = self.rollcall.client(self.tokens[0])
        statements = capture(self.rollcall, ["session_authenticate", "user_get"],
                             lambda: one.get(f"/v1/users/{self.users[0]}").ok(200))
        self.gets = self.requests("gets", [request("GET", f"/v1/users/{self.random.choice(self.users)}", self.random.choice(self.tokens))
                                           for _ in range(20000)])
        verifies = self.requests("verifies", [request("GET", "/v1/auth/verify", token) for token in self.tokens])
        read, verify = self.read_limit("read", statements), self.read_limit("verify", statements[:1])
        self.generator.run(self.gets, CONNECTIONS, 0.5, wants=200)
        verify.clients = read.find_best(CLIENT_COUNTS)
        self.take_turns("GET /v1/users/{id}, authenticated", "≥ 0.70", read,
                        lambda _: self.generator.run(self.gets, CONNECTIONS, SECONDS, wants=200))
        self.take_turns("GET /v1/auth/verify", "", verify,
                        lambda _: self.generator.run(verifies, CONNECTIONS, SECONDS, wants=204))

    # -- creations

    def creations(self, label):
        """More than anybody answers in a round, each with an address of its own."""
        return self.requests("creations", [request("POST", "/v1/users", self.rollcall.admin_token, {
            "email": f"{label}.{n}@example.org", "first_name": "Olena", "last_name": "Koval"}) for n in range(20000)])

    def creating(self):
        known = {str(row) for table in ("organization", "role", "users") for row in self.rollcall.sql(f"SELECT id FROM rollcall.{table}")}
        statements = capture(self.rollcall, ["session_authenticate", "user_create_load", "user_insert", "user_transition", "user_get"],
                             lambda: self.rollcall.admin.post("/v1/users", {
                                 "email": f"{MARK}@example.org", "first_name": "Olena", "last_name": "Koval"}).ok(201))
        mark_what_is_new(statements, known)
        script = Script(self.rollcall, self.folder, "create")
        script.count()
        script.add(statements[0])
        script.add(statements[1])
        script.add(*statements[2:])
        limit = Limit(self.rollcall, script.finish())
        limit.find_best(CLIENT_COUNTS)
        self.take_turns("POST /v1/users, with invitation", "≥ 0.70", limit, lambda turn: self.generator.run(
            self.creations(f"made{turn}"), CONNECTIONS, SECONDS, wants=201, once=True))

    # -- logins

    def logins(self):
        texts = [request("POST", "/v1/sessions", body={"login": f"member{n}@example.org", "password": PASSWORD}) for n in range(1, 2001)]
        self.random.shuffle(texts)
        logins = self.requests("logins", texts)
        loads, alone, together = [], [], []
        self.generator.run(logins, LOGINS_AT_ONCE, 1, wants=201)
        for _ in range(ROUNDS):
            alone.append(raw_hash(self.folder, HASH, 1, 0.7))
            together.append(raw_hash(self.folder, HASH, CORES, 0.7))
            loads.append(self.generator.run(logins, LOGINS_AT_ONCE, SECONDS, wants=201))
        rate = statistics.median(load.rate for load in loads)
        costs = [statistics.median(column) for column in zip(*(load.cost() for load in loads))]
        hash_ms, most = statistics.median(said["median_ms"] for said in alone), statistics.median(said["per_second"] for said in together)
        cpu_us = [1e3 * statistics.median(said["cpu_ms"] for said in saids) for saids in (alone, together)]
        self.table.rate(f"logins; {CORES} cores / {hash_ms:.1f} ms for a hash", rate, CORES * 1000 / hash_ms, cpu_us[0] / sum(costs), "≥ 0.95",
                        f"{costs_as_text(costs)}; a hash {cpu_us[0]:.0f}")
        self.table.rate(f"logins; libargon2 on {CORES} threads", rate, most, cpu_us[1] / sum(costs), "", f"a hash {cpu_us[1]:.0f}")
        self.reads_in_a_storm(logins)

    def reads_in_a_storm(self, logins):
        seconds = 2.5
        idle = self.generator.run(self.gets, 16, seconds, rate=READS_PER_SECOND, wants=200)
        storm = self.generator.start(logins, LOGINS_AT_ONCE, seconds + 0.5)
        time.sleep(0.3)
        busy = self.generator.run(self.gets, 16, seconds, rate=READS_PER_SECOND, wants=200)
        self.generator.finish(storm)
        self.table.value("p99 of reads, logins at the same time", f"{busy.p99_us / 1e3:.2f} ms", f"{idle.p99_us / 1e3:.2f} ms",
                         f"{busy.p99_us / max(idle.p99_us, 1):.1f}", "≤ 3.0", f"p50 {busy.p50_us / 1e3:.2f} and {idle.p50_us / 1e3:.2f} ms")

    # -- mail

    def mails(self):
        with self.sink() as arrived:
            self.mail_flood(arrived)
            self.mail_alone(arrived)

    @contextlib.contextmanager
    def sink(self):
        path = self.folder / "mails"
        with path.open("w") as out:
            process = subprocess.Popen([self.folder / "sink", str(self.rollcall.sink_port)], stdout=out)
        self.sink_process = process

        def arrived():
            lines = path.read_text().splitlines(keepends=True)
            return [(int(line.split()[0]), int(line.split()[1]), line.split()[2]) for line in lines if line.endswith("\n")]
        try:
            yield arrived
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()

    def mail_flood(self, arrived):
        """From the first to the last mail: what one sender does, once it is at it."""
        rollcall = self.rollcall
        self.run_sql("fill_mail.sql", org_id=rollcall.org_id, mails=MAILS)
        self.settle()
        rollcall.worker.environment["ROLLCALL_SENDERS"] = "1"
        rollcall.worker.start()
        wait_for(lambda: arrived())
        meter, sink_before, already = Meter(rollcall.cluster, rollcall.worker), Meter.of(self.sink_process.pid), len(arrived())
        wait_for(lambda: len(arrived()) >= MAILS)
        mails, (postgres_s, worker_s) = arrived(), meter.since()
        costs = [1e6 * seconds / (MAILS - already) for seconds in (worker_s, postgres_s, Meter.of(self.sink_process.pid) - sink_before)]
        rate = (len(mails) - 1) / ((mails[-1][0] - mails[0][0]) / 1e9)
        self.table.rate(f"mail, one sender, {statistics.mean(mail[1] for mail in mails):.0f} bytes each", rate, 5000, None, "≥ 1.00",
                        costs_as_text(costs))
        assert rollcall.worker.stop() == 0

    def mail_alone(self, arrived):
        """From the moment that the request is sent to the last byte of the mail: a little more than from its commit."""
        rollcall = self.rollcall
        rollcall.worker.environment.pop("ROLLCALL_SENDERS")
        rollcall.worker.start()
        wait_for(lambda: any(name == "rollcall-worker/sender" for name, *_ in rollcall.cluster.connections(rollcall.database)))
        sent = {}
        for n in range(120):
            time.sleep(MAIL_PAUSE_S)
            address = f"waits.{n}@example.org"
            sent[address] = time.monotonic_ns()
            rollcall.admin.post("/v1/users", {"email": address, "first_name": "Olena", "last_name": "Koval"}).ok(201)
        wait_for(lambda: len(arrived()) >= MAILS + len(sent))
        took = [(at - sent[recipient]) / 1e6 for at, _, recipient in arrived() if recipient in sent]
        took = took[20:]  # by then everybody has prepared his statements
        self.table.value("mail on the wire, idle, p99", f"{p99(took):.1f} ms", "", "", "≤ 50 ms", f"p50 {statistics.median(took):.1f} ms")
        most = max(private_mib(pid) for pid in rollcall.worker.children())
        self.table.value("memory of a worker child, the largest", f"{most:.1f} MiB", "", "", "≤ 10 MiB")

    # -- memory

    def memory(self):
        """While each process holds about a hundred connections, all of them in use."""
        load = self.generator.start(self.gets, 100 * CORES, 1, rate=1000)
        time.sleep(0.7)
        most = max(private_mib(pid) for pid in self.rollcall.server.children())
        self.generator.finish(load)
        self.table.value("memory of a server process", f"{most:.1f} MiB", "", "", "≤ 20 MiB", "at 100 connections, nothing hashed yet")

    # -- what times tell

    def strangers(self):
        """Whether it takes as long to say no to somebody who is known as to somebody who is not. They take turns, so
        that whatever else the machine does concerns both."""
        took = {}
        for n in range(STRANGERS):
            for path, more in (("/v1/sessions", {"password": "not this one"}), ("/v1/password-resets", {})):
                for who in ("member", "nobody"):
                    began = time.monotonic_ns()
                    answer = self.rollcall.anyone.post(path, {"login": f"{who}{n + 1}@example.org", **more})
                    took.setdefault((path, who), []).append((time.monotonic_ns() - began) / 1e6)
                    assert answer.status in (401, 202), answer
        for path, what in (("/v1/sessions", "wrong password"), ("/v1/password-resets", "forgotten password")):
            known, unknown = (statistics.median(took[path, who]) for who in ("member", "nobody"))
            self.table.value(f"{what}: known, nobody", f"{known:.2f} ms", f"{unknown:.2f} ms", f"{known / unknown:.2f}", "≈ 1", "medians")

    def run(self):
        self.fill()
        self.reads()
        self.memory()
        self.creating()
        self.logins()
        self.mails()
        self.strangers()


def main():
    started = time.monotonic()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="rollcall-bench-"))
    cluster = None
    try:
        compile_tools(folder)
        cluster = make_cluster()
        with make_rollcall(cluster, folder) as rollcall:
            Bench(rollcall, folder).run()
    finally:
        if cluster:
            cluster.remove()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"\n{time.monotonic() - started:.0f} s in all; load: {' '.join(f'{load:.1f}' for load in os.getloadavg())} (1, 5, 15 minutes)")


if __name__ == "__main__":
    main()
