#!/usr/bin/python3
"""`make endurance`: everything at once for half an hour, while a random process dies every ten seconds.

Clients create, edit, list, sign in, inactivate and import; each request that changes something has an
Idempotency-Key and is sent again until it is answered. What was answered is written down, and in the end compared
with the database and with the relay: nothing acknowledged is lost, nothing is done twice, everybody who was invited
has his mail. `--minutes N`, `--every SECONDS`, `--clients N`, `--seed N`.

PostgreSQL keeps its promises here (fsync, synchronous_commit). Supervisors and PostgreSQL are started again at
once when they die, as systemd or Docker do it; children are their supervisors' affair.
"""
import argparse
import contextlib
import dataclasses
import os
import pathlib
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid

import psycopg
import requests

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support.client import Client
from support.imports import csv_of
from support.waiting import wait_until

PASSWORD = "violet tractor under seven moons"
PATIENCE_S = 120
UNDER_WAY = ("uploading", "parsing", "applying")


# -- What was acknowledged.

@dataclasses.dataclass
class Person:
    id: str
    email: str
    status: str
    first_name: str = "Olena"
    is_invited: bool = False


class Ledger:
    def __init__(self):
        self.lock = threading.Lock()
        self.people, self.imported, self.faults = {}, [], []
        self.answers, self.retries = {}, 0

    def count(self, status):
        with self.lock:
            self.answers[status] = self.answers.get(status, 0) + 1
            self.retries += status in (503, "lost")

    def fault(self, text):
        with self.lock:
            self.faults.append(text)


# -- Those who ask.

class Caller(threading.Thread):
    """One client with users of his own, so that he knows what must be true of them."""
    file_pause_s = 10

    def __init__(self, number, url, token, ledger, stop, file_rows=None):
        super().__init__(daemon=True)
        self.client = Client(url, token)
        self.url, self.ledger, self.stop = url, ledger, stop
        self.random = random.Random(number)
        self.number, self.made, self.own = number, 0, []
        self.acts = [(self.create, 30), (self.edit, 15), (self.look, 20), (self.list, 15), (self.sign_in, 10), (self.inactivate, 10)]
        self.file_rows = file_rows
        if file_rows:
            self.acts = [(self.bring_file, 1)]

    def run(self):
        acts, weights = zip(*self.acts)
        while not self.stop.is_set():
            try:
                self.random.choices(acts, weights)[0]()
            except Exception as why:
                self.ledger.fault(f"{type(why).__name__}: {why}"[:600])

    def send(self, method, path, body=None, client=None, **more):
        """Until it is answered, as a client does it who wants to be sure."""
        headers = {**more.pop("headers", {}), **({} if method == "GET" else {"Idempotency-Key": str(uuid.uuid4())})}
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                answer = (client or self.client).call(method, path, json=body, headers=headers, **more)
            except requests.RequestException:
                self.ledger.count("lost")
                time.sleep(0.1)
                continue
            self.ledger.count(answer.status)
            if answer.status not in (429, 503):
                if answer.status >= 500:
                    self.ledger.fault(repr(answer))
                return answer
            time.sleep(min(float(answer.headers.get("Retry-After", 1)), 2))
        raise AssertionError(f"{method} {path} was not answered within {PATIENCE_S} s")

    def fresh(self):
        self.made += 1
        return f"c{self.number}.{self.made}@endurance.example"

    def pick(self, *statuses):
        found = [person for person in self.own[-200:] if person.status in statuses]
        return self.random.choice(found) if found else None

    def create(self):
        email, has_password = self.fresh(), self.random.random() < 0.3
        body = {"email": email, "first_name": "Olena", "last_name": "Koval", **({"password": PASSWORD} if has_password else {})}
        made = self.send("POST", "/v1/users", body).ok(201)
        person = Person(made["id"], email, made["status"], is_invited=not has_password)
        self.own.append(person)
        with self.ledger.lock:
            self.ledger.people[person.id] = person

    def edit(self):
        if person := self.pick("pending", "active", "inactive"):
            name = f"Olena {self.random.randrange(10**6)}"
            self.send("PATCH", f"/v1/users/{person.id}", {"first_name": name}).ok(200)
            person.first_name = name

    def look(self):
        if person := self.pick("pending", "active", "inactive"):
            seen = self.send("GET", f"/v1/users/{person.id}").ok(200)
            assert (seen["status"], seen["first_name"]) == (person.status, person.first_name), f"{seen} is not {person}"

    def list(self):
        assert self.send("GET", "/v1/users", params={"status": "pending", "limit": 20}).ok(200).items is not None

    def sign_in(self):
        if person := self.pick("active"):
            answer = self.send("POST", "/v1/sessions", {"login": person.email, "password": PASSWORD}).ok(201)
            client = Client(self.url, answer["token"])
            assert self.send("GET", "/v1/me", client=client).ok(200)["id"] == person.id
            if self.random.random() < 0.3:
                self.put_out(person)
                self.send("GET", "/v1/me", client=client).refused(401)
            client.close()

    def inactivate(self):
        if person := self.pick("pending", "active"):
            self.put_out(person)

    def put_out(self, person):
        self.send("POST", f"/v1/users/{person.id}/inactivate", {}).ok(200)
        person.status = "inactive"

    def bring_file(self):
        self.made += 1
        emails = [f"f{self.number}.{self.made}.{n}@endurance.example" for n in range(self.random.choice(self.file_rows))]
        data = csv_of(["E-mail", "First name", "Last name"], *([email, "From", "File"] for email in emails))
        made = self.send("POST", "/v1/imports", data=data, headers={"Content-Type": "text/csv"}).ok(202)
        self.ended(made["id"], "ready")
        self.send("POST", f"/v1/imports/{made['id']}/apply", {"invite": self.random.random() < 0.2}).ok(202)
        done = self.ended(made["id"], "applied")
        assert done["counts"]["applied"] == len(emails), done
        with self.ledger.lock:
            self.ledger.imported += emails
        self.stop.wait(self.random.random() * self.file_pause_s)

    def ended(self, id, state):
        while (seen := self.send("GET", f"/v1/imports/{id}").ok(200).body)["state"] in UNDER_WAY:
            time.sleep(0.2)
        assert seen["state"] == state, seen
        return seen


# -- What dies.

def postgres_tree(cluster):
    with contextlib.suppress(FileNotFoundError):
        postmaster = int((cluster.data / "postmaster.pid").read_text().split()[0])
        return [postmaster, *children(postmaster)]
    return []


def children(pid):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def is_alive(pid):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def kill(*pids):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class Tormentor(threading.Thread):
    """Strikes every so many seconds (0: never), by one of its KINDS; each comes about as often as it stands there."""

    def __init__(self, every_s, seed):
        super().__init__(daemon=True)
        self.every_s, self.random, self.stop = every_s, random.Random(seed), threading.Event()
        self.struck, self.order = {}, []

    def run(self):
        while self.every_s and not self.stop.wait(self.every_s):
            self.order = self.order or self.random.sample(self.KINDS, len(self.KINDS))
            kind = self.order.pop()
            if self.strike(kind):
                self.struck[str(kind)] = self.struck.get(str(kind), 0) + 1


class Killer(Tormentor):
    KINDS = ["server child"] * 3 + ["worker child"] * 4 + ["server supervisor", "worker supervisor", "database session", "PostgreSQL"]

    def __init__(self, rollcall, every_s, seed=1):
        super().__init__(every_s, seed)
        self.rollcall = rollcall

    def strike(self, kind):
        """True if there was somebody to kill."""
        if kind == "PostgreSQL":
            pids = postgres_tree(self.rollcall.cluster)
            kill(*pids)
            wait_until(lambda: not any(map(is_alive, pids)), 60, 0.05, "all of PostgreSQL is gone")
            self.bring_back_postgresql()
            return True
        if kind.endswith("supervisor"):
            program = self.rollcall.server if "server" in kind else self.rollcall.worker
            kill(program.pid)
            program.process.wait()
            self.bring_back(program)
            return True
        victims = self.victims(kind)
        if victims:
            kill(self.random.choice(victims))
        return bool(victims)

    def victims(self, kind):
        if kind == "server child":
            return self.rollcall.server.children()
        if kind == "worker child":
            direct = self.rollcall.worker.children()
            return direct + [parser for child in direct for parser in children(child)]
        return [pid for pid in postgres_tree(self.rollcall.cluster)[1:]
                if b"rollcall" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"postgres:", 1)[-1]]

    def bring_back(self, program):
        """Again and again, as Restart=always does: the children of the old one go only when they have ended what they do."""
        while not program.is_running() or not program.children():
            if not program.is_running():
                program.start()
            time.sleep(0.3)

    def bring_back_postgresql(self):
        def starts():
            with contextlib.suppress(subprocess.CalledProcessError):
                self.rollcall.cluster.start()
                return True
        wait_until(starts, 60, 0.2, "PostgreSQL is back")


# -- What it costs.

def private_mib(pid):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
        lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024
    return 0


class Memory(threading.Thread):
    """What each of our programs has for itself, every second."""

    def __init__(self, rollcall, stop):
        super().__init__(daemon=True)
        self.rollcall, self.stop, self.samples = rollcall, stop, {"server": [], "worker": []}

    def run(self):
        while not self.stop.wait(1):
            for name, program in (("server", self.rollcall.server), ("worker", self.rollcall.worker)):
                pids = program.children()
                if pids:
                    self.samples[name].append(statistics.mean(private_mib(pid) for pid in pids))

    def growth(self, name):
        """The last quarter to the second one: what was warming up aside."""
        samples = self.samples[name]
        quarter = len(samples) // 4
        if quarter < 5:
            return None
        return statistics.median(samples[-quarter:]) / statistics.median(samples[quarter:2 * quarter])


# -- The end.

def compare(rollcall, ledger):
    """What is wrong, a line each."""
    wrong = list(ledger.faults)
    users = {str(id): (email, status, first_name) for id, email, status, first_name in rollcall.sql("SELECT id, email, status, first_name FROM rollcall.users")}
    for person in ledger.people.values():
        expected = (person.email, person.status, person.first_name)
        if users.get(person.id) != expected:
            wrong.append(f"acknowledged {expected}, and there is {users.get(person.id)}")
    have = [email for email, _, _ in users.values()]
    if len(have) != len(set(have)):
        wrong.append("somebody is there twice")
    wrong += [f"imported and not there: {email}" for email in set(ledger.imported) - set(have)]
    return wrong + compare_mails(rollcall, ledger)


def compare_mails(rollcall, ledger):
    sent = {}
    for mail in rollcall.sink.mails():
        sent.setdefault(mail.recipients[0], []).append(mail.id)
    wrong = []
    for person in ledger.people.values():
        ids = sent.get(person.email, [])
        if person.is_invited and person.status == "pending" and not ids:
            wrong.append(f"no mail for {person.email}")
        if len(set(ids)) > 1:
            wrong.append(f"{len(set(ids))} different mails for {person.email}")
    stuck = rollcall.value("SELECT count(*) FROM rollcall.outbox WHERE state = 'queued'")
    return ([f"{stuck} mails are still queued"] if stuck else []) + wrong


def drain(rollcall, patience_s, hurries):
    """Until nothing waits, or nothing has gone for so long. What a dead sender had in hand waits for the end of its
    lease; `hurries`: not here."""
    fewest, since = None, time.monotonic()
    while time.monotonic() - since < patience_s:
        if hurries:
            rollcall.sql("UPDATE rollcall.outbox SET run_at = now() WHERE state = 'queued' AND run_at > now() + interval '5 seconds'")
        queued = rollcall.value("SELECT count(*) FROM rollcall.outbox WHERE state = 'queued'")
        if queued == 0:
            return
        if fewest is None or queued < fewest:
            fewest, since = queued, time.monotonic()
        time.sleep(1)


@dataclasses.dataclass
class Result:
    wrong: list
    ledger: Ledger
    struck: dict
    memory: Memory
    mails: int
    repeated: int

    def say(self):
        answers = self.ledger.answers
        print(f"{len(self.ledger.people):,} users made, {len(self.ledger.imported):,} imported; answers: "
              + ", ".join(f"{status}: {count:,}" for status, count in sorted(answers.items(), key=str)))
        if self.struck:
            print("struck: " + ", ".join(f"{kind}: {count}" for kind, count in sorted(self.struck.items())))
        print(f"mails: {self.mails:,}, of them the same once more: {self.repeated}")
        # What dies begins anew, and says nothing of what it would have grown to.
        for name in self.memory.samples if not self.struck else ():
            growth = self.memory.growth(name)
            print(f"memory of a {name} process, the last quarter to the second: " + (f"{growth:.3f}" if growth else "too short to say"))
        print(f"wrong: {len(self.wrong)}")
        for line in self.wrong[:40]:
            print(f"  {line}")


def endure(rollcall, tormentor, seconds, clients=6, file_rows=(20, 500, 3000), hurries=False, url=None):
    ledger, stop, end = Ledger(), threading.Event(), threading.Event()
    callers = [Caller(number, url or rollcall.url, rollcall.api_key, ledger, stop, file_rows if number == 0 else None) for number in range(clients + 1)]
    memory = Memory(rollcall, end)
    for thread in (*callers, tormentor, memory):
        thread.start()
    time.sleep(seconds)
    stop.set()
    tormentor.stop.set()
    for thread in (*callers, tormentor):
        thread.join(2 * PATIENCE_S)
    end.set()
    memory.join()
    rollcall.wait_ready()
    with contextlib.suppress(psycopg.Error):  # the one from before PostgreSQL died
        rollcall.db.close()
    drain(rollcall, 240, hurries)
    ids = [mail.id for mail in rollcall.sink.mails()]
    return Result(compare(rollcall, ledger), ledger, tormentor.struck, memory, len(ids), len(ids) - len(set(ids)))


def main():
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "bench"))
    from machine import make_cluster
    from support.system import Rollcall, organization_template
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--minutes", type=float, default=30)
    options.add_argument("--every", type=float, default=10, help="seconds between two kills; 0: nobody is killed, and memory is measured")
    options.add_argument("--clients", type=int, default=6)
    options.add_argument("--seed", type=int, default=int(time.time()))
    wishes = options.parse_args()
    folder, cluster = pathlib.Path(tempfile.mkdtemp(prefix="rollcall-endurance-")), make_cluster()
    try:
        name, facts = organization_template(cluster, "default", folder)
        with Rollcall(cluster, cluster.create_database(name), facts, folder) as rollcall:
            rollcall.allow_errors(".")
            kills = f"a process killed every {wishes.every:g} s, seed {wishes.seed}" if wishes.every else "nobody is killed"
            print(f"{wishes.minutes:g} minutes, {kills}", flush=True)
            result = endure(rollcall, Killer(rollcall, wishes.every, wishes.seed), wishes.minutes * 60, wishes.clients)
            result.say()
        return bool(result.wrong)
    finally:
        cluster.remove()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
