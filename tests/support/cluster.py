"""A throwaway PostgreSQL for one run of the tests, and databases cloned from templates.

A template is made once, by our own `migrate` and `org create`, under a file lock: several
pytest processes share the cluster. Durability is off; nothing here outlives the run.
"""
import collections
import contextlib
import fcntl
import itertools
import os
import pathlib
import random
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile

import psycopg

ROOT = pathlib.Path(__file__).resolve().parents[2]
SETTINGS = {
    "fsync": "off", "full_page_writes": "off", "wal_level": "minimal",
    "max_wal_senders": "0", "max_connections": "400", "shared_buffers": "128MB", "autovacuum": "off",
    "max_wal_size": "4GB", "checkpoint_timeout": "1h", "listen_addresses": "127.0.0.1", "log_min_messages": "warning",
    "max_locks_per_transaction": "256",
}


# Below the range from which outgoing connections are given theirs.
ports = itertools.cycle(random.sample(range(10000, 32768), 20000))
reserved = collections.deque(maxlen=200)


def free_port():
    """A port that nobody else is given before our program listens there, nor while it is stopped for a moment: a
    socket that is bound and does not listen keeps it. It lets our programs in, which all allow reuse, and no
    second free_port(), of whatever process, because it asks for the port before it allows that itself."""
    for port in ports:
        keeper = socket.socket()
        try:
            keeper.bind(("127.0.0.1", port))
        except OSError:
            keeper.close()
            continue
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if len(reserved) == reserved.maxlen:
            reserved[0].close()
        reserved.append(keeper)
        return port
    raise AssertionError("no port is free")


def postgres_programs():
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    return found[-1] if found else pathlib.Path(shutil.which("postgres")).parent


def as_postgres(command):
    """PostgreSQL refuses to run as root."""
    return ["runuser", "-u", "postgres", "--", *map(str, command)] if os.geteuid() == 0 else [str(part) for part in command]


class Cluster:
    def __init__(self, folder, port):
        self.folder, self.port = pathlib.Path(folder), port

    @classmethod
    def in_new_folder(cls):
        cluster = cls(tempfile.mkdtemp(prefix="rollcall-tests-"), free_port())
        if os.geteuid() == 0:
            shutil.chown(cluster.folder, "postgres")
        cluster.folder.chmod(0o755)
        return cluster

    @classmethod
    def create(cls, **settings):
        cluster = cls.create_without_roles(**settings)
        cluster.make_roles()
        return cluster

    @classmethod
    def create_without_roles(cls, **settings):
        cluster = cls.in_new_folder()
        cluster.run("initdb", "-D", cluster.data, "-U", "postgres", "--auth=trust", "-E", "UTF8", "--no-sync",
                    "--no-instructions", "--locale=C.UTF-8")
        cluster.configure(**{**SETTINGS, **settings})
        cluster.start()
        return cluster

    def standby(self):
        """A copy of it that follows it, on a port of its own. Needs wal_level = replica."""
        copy = self.in_new_folder()
        self.run("pg_basebackup", "-h", self.folder, "-p", self.port, "-U", "postgres", "-D", copy.data, "--write-recovery-conf",
                 "--wal-method=stream", "--checkpoint=fast", "--no-sync")
        copy.configure()
        copy.start()
        return copy

    def configure(self, **settings):
        with (self.data / "postgresql.conf").open("a") as conf:
            conf.write("".join(f"{name} = '{value}'\n" for name, value in settings.items()))
            conf.write(f"unix_socket_directories = '{self.folder}'\nport = {self.port}\n")

    @property
    def data(self):
        return self.folder / "data"

    def run(self, program, *arguments):
        subprocess.run(as_postgres([postgres_programs() / program, *arguments]), check=True, cwd="/",
                       stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)

    def start(self):
        self.run("pg_ctl", "start", "-w", "-D", self.data, "-l", self.folder / "log")

    def stop(self, mode="immediate"):
        self.run("pg_ctl", "stop", "-w", "-m", mode, "-D", self.data)

    def kill(self):
        """kill -9, as when its machine dies: every process of it, and first the one that would start others."""
        first = int((self.data / "postmaster.pid").read_text().split()[0])
        pids = [first, *map(int, pathlib.Path(f"/proc/{first}/task/{first}/children").read_text().split())]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        (self.data / "postmaster.pid").unlink()

    def promote(self):
        self.run("pg_ctl", "promote", "-w", "-D", self.data)

    def remove(self):
        with contextlib.suppress(subprocess.CalledProcessError):
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, role, database):
        return f"postgres://{role}:{role}@127.0.0.1:{self.port}/{database}"

    def connect(self, database="postgres"):
        return psycopg.connect(host=str(self.folder), port=self.port, user="postgres", dbname=database, autocommit=True,
                               options="-c intervalstyle=iso_8601 -c timezone=UTC")

    def make_roles(self):
        subprocess.run(["psql", "-qX", "-h", self.folder, "-p", str(self.port), "-U", "postgres", "-f", ROOT / "deploy" / "roles.sql"],
                       env={**os.environ, "OWNER_PASSWORD": "rollcall_owner", "PROGRAM_PASSWORD": "rollcall"}, check=True, stdout=subprocess.DEVNULL)
        with self.connect() as db:
            db.execute("DROP DATABASE rollcall")

    @contextlib.contextmanager
    def only_one(self):
        """Of all pytest processes, one at a time."""
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def exists(self, database):
        with self.connect() as db:
            return db.execute("SELECT FROM pg_database WHERE datname = %s", [database]).rowcount > 0

    def create_database(self, template=None):
        """A new database of the owner's, empty or a copy of a template."""
        name = "t_" + secrets.token_hex(8)
        with self.connect() as db:
            db.execute(f'CREATE DATABASE {name} OWNER rollcall_owner TEMPLATE {template or "template0"} ENCODING UTF8'
                       + (" STRATEGY file_copy" if template else ""))
            db.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC; GRANT CONNECT ON DATABASE {name} TO rollcall")
        if not template:
            with self.connect(name) as db:
                db.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC; GRANT USAGE, CREATE ON SCHEMA public TO rollcall_owner")
        return name

    def drop_database(self, name):
        with self.connect() as db:
            db.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def template(self, name, fill):
        """The name of a template; the first who asks makes it by fill(database)."""
        with self.only_one():
            if not self.exists(name):
                database = self.create_database()
                fill(database)
                with self.connect() as db:
                    db.execute(f"ALTER DATABASE {database} RENAME TO {name}")
        return name

    def connections(self, database):
        with self.connect() as db:
            return db.execute("SELECT application_name, state, query FROM pg_stat_activity WHERE datname = %s"
                              " AND usename IN ('rollcall', 'rollcall_owner')", [database]).fetchall()
