"""A running Rollcall: an organization with an administrator, server, worker, sink and database.

The tests reach it as the fixtures `rollcall`, `server_only` and `standing` (tests/conftest.py).
"""
import base64
import contextlib
import itertools
import json
import os
import pathlib
import signal
import subprocess
import uuid

import requests

from . import links
from .client import Client
from .cluster import ROOT, free_port
from .programs import Program
from .sink import Sink
from .waiting import wait_until

SECRET = bytes(range(32))
ADMIN_PASSWORD = "seventeen quiet harbours"
ADMIN_EMAIL = "admin@example.org"
PASSWORD = "violet tractor under seven moons"
# How many of the programs' connections wait for what another transaction holds.
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
# Tables in which the programs' role may delete rows; in all others it may not.
DELETABLE = {"session", "outbox", "login_throttle", "users", "idempotency", "role", "department", "position", "user_group", "group_member", "field",
             "photo", "day_off", "assignment", "deletion", "job", "file_part", "import", "import_row", "import_mapping", "export",
             "selection", "selection_user"}
numbers = itertools.count(1)


def build_folder():
    return pathlib.Path(os.environ.get("ROLLCALL_BUILD", ROOT / "build")).resolve()


def environment(**settings):
    """What a program needs to be told; None leaves a variable out."""
    values = {
        "PATH": os.environ["PATH"], "HOME": "/nonexistent", "LC_ALL": "C.UTF-8",
        "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1", "UBSAN_OPTIONS": "print_stacktrace=1",
        "ROLLCALL_SECRET": "hex:" + SECRET.hex(), "ROLLCALL_PROCESSES": "2", "ROLLCALL_RATE_LIMIT": "0", "ROLLCALL_RATE_LIMIT_SIGNED_IN": "0",
        "ROLLCALL_METRICS_LISTEN": "", "ROLLCALL_PUBLIC_URL": "http://127.0.0.1:1",
        "ROLLCALL_PASSWORD_HASH": "argon2id:m=1024,t=1,p=1", "ROLLCALL_DB_READ": "2", "ROLLCALL_DB_WRITE": "8",
        "ROLLCALL_DB_SLOW": "2", "ROLLCALL_MAIL_FROM": "Rollcall <rollcall@example.org>", "ROLLCALL_LOG_LEVEL": "info", "ROLLCALL_POLL_INTERVAL": "2",
    }
    values.update(settings)
    return {name: str(value) for name, value in values.items() if value is not None}


def run_command(*arguments, program="rollcall-server", **settings):
    """A face of the program that does one thing and ends."""
    return subprocess.run([build_folder() / program, *arguments], env=environment(**settings), capture_output=True, text=True,
                          timeout=60, stdin=subprocess.DEVNULL, check=False)


def database_settings(cluster, database):
    return {"ROLLCALL_DATABASE_URL": cluster.url("rollcall", database),
            "ROLLCALL_MIGRATE_DATABASE_URL": cluster.url("rollcall_owner", database)}


def succeeded(done):
    assert done.returncode == 0, (done.args, done.stdout, done.stderr)
    return done.stdout


def migrated_template(cluster):
    """A database with the schema and nothing in it."""
    return cluster.template("template_migrated",
                            lambda database: succeeded(run_command("migrate", **database_settings(cluster, database))))


def organization_template(cluster, preset, folder):
    """A database with an organization whose administrator has accepted; and what must be known about it."""
    name = f"template_{preset}"
    facts = cluster.folder / f"{name}.json"

    def fill(database):
        settings = database_settings(cluster, database)
        succeeded(run_command("migrate", **settings))
        made = json.loads(succeeded(run_command("org", "create", "--slug", "acme", "--name", "Акме & Sons", "--admin-email", ADMIN_EMAIL,
                                                "--admin-username", "admin", "--preset", preset, **settings)))
        key = json.loads(succeeded(run_command("key", "create", "--org", "acme", "--name", "tests", "--permissions", "*", **settings)))
        system = Rollcall(cluster, database, {"org_id": made["organization_id"]}, folder, with_worker=False)
        with system:
            anyone = system.client()
            anyone.post("/v1/invitations/accept", {"token": links.token_of(made["invitation_url"]), "password": ADMIN_PASSWORD}).ok(200)
            login = "admin" if preset == "keycrm" else ADMIN_EMAIL
            token = anyone.post("/v1/sessions", {"login": login, "password": ADMIN_PASSWORD}).ok(201)["token"]
            system.db.execute("DELETE FROM rollcall.outbox")
            system.db.execute("UPDATE rollcall.users SET first_name = 'Ada', last_name = 'Administrator'")
        facts.write_text(json.dumps({"org_id": made["organization_id"], "admin_id": made["user_id"], "admin_token": token,
                                     "api_key": key["key"], "api_key_id": key["id"]}))

    cluster.template(name, fill)
    return name, json.loads(facts.read_text())


class Rollcall:
    """One deployment. Use it as a context manager: it leaves nothing behind and complains of what it finds."""

    def __init__(self, cluster, database, facts, folder, with_worker=True, **settings):
        self.cluster, self.database, self.folder = cluster, database, pathlib.Path(folder)
        self.org_id, self.admin_id = facts["org_id"], facts.get("admin_id")
        self.admin_token, self.api_key, self.api_key_id = facts.get("admin_token"), facts.get("api_key"), facts.get("api_key_id")
        self.host, self.port = "127.0.0.1", free_port()
        self.url = f"http://{self.host}:{self.port}"
        self.metrics_port, self.worker_metrics_port = free_port(), free_port()
        self.allowed, self.clients, self.with_worker = [], [], with_worker
        self.extra_workers = []
        self.sink = Sink() if with_worker else None
        self.settings = {
            **database_settings(cluster, database), "ROLLCALL_LISTEN": f"{self.host}:{self.port}",
            "ROLLCALL_METRICS_LISTEN": f"{self.host}:{self.metrics_port}", "ROLLCALL_PUBLIC_URL": self.url,
            "ROLLCALL_SMTP_URL": f"smtp://127.0.0.1:{self.sink.port if self.sink else 1}?tls=none", **settings,
        }
        self.server = self.program("rollcall-server")
        self.worker = self.program("rollcall-worker", ROLLCALL_METRICS_LISTEN=f"{self.host}:{self.worker_metrics_port}")
        self._db = None

    def program(self, name, **settings):
        log = self.folder / f"{name}-{self.database}-{next(numbers)}.log"
        return Program(build_folder() / name, environment(**{**self.settings, **settings}), log)

    # -- its life

    def __enter__(self):
        self.server.start()
        if self.with_worker:
            self.start_worker()
        self.wait_ready()
        return self

    def __exit__(self, kind, *_):
        try:
            self.close(failed=kind is not None)
        finally:
            if self._db:
                self._db.close()
            if self.sink:
                self.sink.stop()

    def start_worker(self, worker=None):
        """And waits until its supervisor is at work: before that a SIGTERM would find no handler."""
        worker = worker or self.worker
        worker.start()
        wait_until(worker.children, pause=0.005, because=f"the worker has started\n{worker.text()}")
        return worker

    def wait_ready(self):
        wait_until(self.is_ready, timeout=20, pause=0.005, because=f"the server is ready\n{self.server.text()}")

    def is_ready(self):
        assert self.server.is_running(), f"the server ended at once\n{self.server.text()}"
        try:
            return requests.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    def programs(self):
        return [program for program in (self.server, self.worker, *self.extra_workers) if program.process]

    def close(self, failed=False):
        for client in self.clients:
            client.close()
        codes = {}
        for program in reversed(self.programs()):
            was_running = program.is_running()
            if was_running:
                program.signal(signal.SIGTERM)
            codes[program] = was_running
        for program, was_running in codes.items():
            codes[program] = program.stop() if was_running else 0
        if failed:
            for program in self.programs():
                print(f"--- log of {program}\n{program.text()[-6000:]}")
            return
        self.check_logs()
        assert not any(codes.values()), f"exit codes {codes}"
        wait_until(lambda: not self.cluster.connections(self.database), timeout=5, because="all connections are closed")

    def check_logs(self):
        for program in self.programs():
            bad = program.bad_lines(self.allowed)
            assert not bad, f"{program} wrote:\n" + "\n".join(bad[:60])

    def allow_errors(self, *patterns):
        """Lines of the log that this test causes on purpose."""
        self.allowed += patterns

    @property
    def server_pid(self):
        return self.server.pid

    @property
    def worker_pid(self):
        return self.worker.pid

    def restart_server(self, **settings):
        self.server.environment.update({name: str(value) for name, value in settings.items()})
        if self.server.is_running():
            assert self.server.stop() == 0
        self.server.start()
        self.wait_ready()

    def restart_worker(self, **settings):
        self.worker.environment.update({name: str(value) for name, value in settings.items()})
        if self.worker.process and self.worker.is_running():
            assert self.worker.stop() == 0
        self.start_worker()

    def add_worker(self, **settings):
        worker = self.program("rollcall-worker", ROLLCALL_METRICS_LISTEN="", **settings)
        self.extra_workers.append(worker)
        return self.start_worker(worker)

    def command(self, *arguments, **settings):
        return run_command(*arguments, **{**self.settings, **settings})

    # -- its database

    @property
    def db(self):
        """A superuser's connection, each statement for itself."""
        if self._db is None or self._db.closed:
            self._db = self.cluster.connect(self.database)
        return self._db

    def sql(self, statement, *params):
        """Rows as a list; a single column as plain values."""
        cursor = self.db.execute(statement, params)
        if cursor.description is None:
            return cursor.rowcount
        return [row[0] if len(row) == 1 else row for row in cursor.fetchall()]

    def value(self, statement, *params):
        return self.sql(statement, *params)[0]

    def row(self, table, user):
        """The row about a user in one of the tables, as a dict; None without one."""
        key = "id" if table == "users" else "user_id"
        found = self.sql(f"SELECT to_jsonb(t) FROM rollcall.{table} t WHERE {key} = %s", id_of(user))
        return found[0] if found else None

    def move(self, table, user, **columns):
        """Time is moved by moving rows: move("invitation", user, expires_at="now() - interval '1 second'")."""
        key = "id" if table == "users" else "user_id"
        values = ", ".join(f"{name} = {value}" for name, value in columns.items())
        assert self.sql(f"UPDATE rollcall.{table} SET {values} WHERE {key} = %s", id_of(user)) == 1

    def set_policy(self, **columns):
        """Directly in its row; tests of the route itself use the route."""
        for name, value in columns.items():
            self.sql(f"UPDATE rollcall.policy SET {name} = %s WHERE org_id = %s", value, self.org_id)

    def audit(self, action=None, user=None):
        return [row for row in self.admin.pages("/v1/audit", limit=200, **({"action": action} if action else {}))
                if user is None or row["subject"]["id"] == id_of(user)]

    def outbox(self, user=None, kind=None):
        params = {"user_id": id_of(user)} if user else {}
        return self.admin.pages("/v1/outbox", limit=200, **params, **({"kind": kind} if kind else {}))

    # -- who calls it

    def client(self, token=None, **headers):
        client = Client(self.url, token, headers)
        self.clients.append(client)
        return client

    @property
    def admin(self):
        """The first administrator, signed in."""
        if not hasattr(self, "_admin"):
            self._admin = self.client(self.admin_token)
        return self._admin

    @property
    def machine(self):
        """An API key that may do everything."""
        if not hasattr(self, "_machine"):
            self._machine = self.client(self.api_key)
        return self._machine

    @property
    def anyone(self):
        if not hasattr(self, "_anyone"):
            self._anyone = self.client()
        return self._anyone

    def make_key(self, *permissions, name="a key"):
        done = self.command("key", "create", "--org", self.org_id, "--name", name, "--permissions", ",".join(permissions))
        return json.loads(succeeded(done))["key"]

    def operator_key(self, name="an operator", **options):
        """A key of no organization: operator_key(network="192.0.2.0/24")."""
        more = [part for option, value in options.items() for part in ("--" + option.replace("_", "-"), value)]
        return json.loads(succeeded(self.command("key", "create", "--operator", "--name", name, *more)))["key"]

    @property
    def operator(self):
        """Who runs the deployment, by a key of his."""
        if not hasattr(self, "_operator"):
            self._operator = self.client(self.operator_key())
        return self._operator

    def make_role(self, *permissions, name=None):
        """A row of the table, whoever may make one, and its id."""
        role_id = str(uuid.uuid4())
        self.sql("INSERT INTO rollcall.role (org_id, id, name, permissions) VALUES (%s, %s, %s, %s)", self.org_id, role_id,
                 name or f"Role {next(numbers)}", list(permissions))
        return role_id

    def make_choices(self, fields, options):
        """Fields choice_1 and so on, each of so many options: option1_____ and so on."""
        self.sql("INSERT INTO rollcall.field (org_id, id, key, labels, type, options) SELECT %s, gen_random_uuid(), 'choice_' || f,"
                 " '{\"en\": \"Choice\"}', 'choice', ARRAY(SELECT rpad('option' || o, 12, '_') FROM generate_series(1, %s) o)"
                 " FROM generate_series(1, %s) f", self.org_id, options, fields)

    def other_organization(self, preset="default"):
        """A second organization beside the first, with a user in it and a key that may do anything:
        {id, user_id, role_id, url, slug, key}."""
        slug = f"other-{next(numbers)}"
        made = json.loads(succeeded(self.command("org", "create", "--slug", slug, "--name", "Other", "--admin-email", f"boss@{slug}.example",
                                                 "--admin-username", "boss", "--preset", preset)))
        key = json.loads(succeeded(self.command("key", "create", "--org", slug, "--name", "tests", "--permissions", "*")))
        return {"id": made["organization_id"], "user_id": made["user_id"], "url": made["invitation_url"], "slug": slug, "key": key["key"],
                "role_id": str(self.value("SELECT id FROM rollcall.role WHERE org_id = %s AND permissions = '{*}'", made["organization_id"]))}

    # -- what users do

    def create_user(self, **fields):
        """A pending user with an address of his own, made by the administrator."""
        fields = {"email": f"user{next(numbers)}@example.org", "first_name": "Olena", "last_name": "Koval", **fields}
        return self.admin.post("/v1/users", {name: value for name, value in fields.items() if value is not None}).ok(201).body

    def create_active(self, password=PASSWORD, **fields):
        """A user who has accepted his invitation; perhaps before it was mailed, and then it never is."""
        user = self.create_user(**fields)
        self.accept(self.link(user), password).ok(200)
        return self.user(user)

    def create_administrator(self, **fields):
        role_id = self.value("SELECT id FROM rollcall.role WHERE org_id = %s AND permissions = '{*}'", self.org_id)
        return self.create_active(role_id=str(role_id), **fields)

    def sign_in(self, user, password=PASSWORD):
        """A client of that user."""
        return self.client(self.login(user["email"] or user["username"], password).ok(201)["token"])

    def moment(self, offset="0"):
        """Now, or so far from it ("-1 hour"), as the API writes it."""
        return self.value("SELECT to_jsonb(now() + %s::interval) #>> '{}'", offset)

    def add_day_off(self, user, starts="-1 hour", ends="1 hour", **more):
        """One that lasts from an hour ago for two hours, or as is said."""
        starts_at, ends_at = self.sql("SELECT to_jsonb(now() + %s::interval) #>> '{}', to_jsonb(now() + %s::interval) #>> '{}'", starts, ends)[0]
        body = {"starts_at": starts_at, "ends_at": ends_at, **more}
        return self.admin.post(f"/v1/users/{id_of(user)}/day-offs", body).ok(201).body

    def user(self, user):
        return self.admin.get(f"/v1/users/{id_of(user)}").ok(200).body

    def login(self, login, password, **more):
        return self.anyone.post("/v1/sessions", {"organization": self.org_id, "login": login, "password": password}, **more)

    def accept(self, link, password=PASSWORD):
        return self.anyone.post("/v1/invitations/accept", {"token": self.token_of(link), "password": password})

    def inspect(self, link, kind="invitations"):
        return self.anyone.post(f"/v1/{kind}/inspect", {"token": self.token_of(link)})

    def ask_reset(self, user):
        return self.anyone.post("/v1/password-resets", {"organization": self.org_id, "login": user["email"]}).ok(202)

    def confirm_email(self, link):
        return self.anyone.post("/v1/email-changes/confirm", {"token": self.token_of(link)})

    def complete_reset(self, link, password=PASSWORD):
        return self.anyone.post("/v1/password-resets/complete", {"token": self.token_of(link), "password": password})

    # -- links, computed (support/links.py); mail_link() reads them from mails

    def link(self, user, purpose="invitation", generation=None, channel=links.USER):
        """The newest link of a user, or one of an older generation."""
        if generation is None:
            generation = self.value(f"SELECT generation FROM rollcall.{purpose} WHERE user_id = %s", id_of(user))
        token = links.make_token(SECRET, purpose, self.org_id, id_of(user), generation, channel)
        return f"{self.url}/{links.PAGES[purpose]}#{token}"

    def reset_link(self, user, generation=None):
        return self.link(user, "password_reset", generation)

    def email_link(self, user, generation=None):
        return self.link(user, "email_change", generation)

    @staticmethod
    def token_of(link):
        return links.token_of(link)

    def plant_session(self, user, token=None, **columns):
        """A session's row with a token that is known."""
        token = token or "rcs_" + base64.urlsafe_b64encode(uuid.UUID(self.org_id).bytes + os.urandom(32)).rstrip(b"=").decode()
        epoch = self.value("SELECT session_epoch FROM rollcall.users WHERE id = %s", id_of(user))
        self.sql("INSERT INTO rollcall.session (org_id, token_hash, id, user_id, session_epoch, expires_at)"
                 " VALUES (%s, %s, gen_random_uuid(), %s, %s, now() + interval '1 hour')", self.org_id, links.token_hash(token), id_of(user), epoch)
        for name, value in columns.items():
            self.sql(f"UPDATE rollcall.session SET {name} = {value} WHERE token_hash = %s", links.token_hash(token))
        return token

    # -- mails

    def mails(self, to=None, kind=None, subject=None):
        """What has arrived so far, oldest first. Kinds are looked up in the outbox by Message-ID."""
        found = [mail for mail in self.sink.mails() if (to is None or to in mail.recipients)
                 and (subject is None or subject in mail.subject)]
        if kind is None:
            return found
        kinds = {str(row[0]): row[1] for row in self.sql("SELECT id, kind FROM rollcall.outbox")}
        return [mail for mail in found if kinds.get(mail.outbox_id) == kind]

    def wait_for_lock(self, because="somebody waits for a row"):
        """Until the programs wait for what another transaction holds."""
        wait_until(lambda: self.value(WAITING), pause=0.002, because=because)

    def wait_mail(self, to=None, kind=None, subject=None, count=1, timeout=10):
        """The newest of them, once there are as many."""
        claim = f"{count} mails to {to}, {kind or ''} {subject or ''}"
        return wait_until(lambda: (found := self.mails(to, kind, subject)) and len(found) >= count and found, timeout, because=claim)[-1]

    def mail_link(self, to, timeout=10):
        """The newest link that was mailed to somebody."""
        return wait_until(lambda: [mail.link for mail in self.mails(to) if mail.link], timeout, because=f"a link to {to}")[-1]

    # -- what it counts

    def metrics(self, worker=False):
        """{"name{labels}": value}, once somebody answers: /metrics is a child of its own, which starts when it can."""
        port = self.worker_metrics_port if worker else self.metrics_port

        def answered():
            with contextlib.suppress(requests.ConnectionError):
                return requests.get(f"http://{self.host}:{port}/metrics", timeout=10).text

        text = wait_until(answered, because="/metrics answers")
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))}


def id_of(user):
    return user["id"] if isinstance(user, dict) else str(user)
