"""What the bench stands on: its own PostgreSQL and Rollcall, tools compiled on the spot, CPU time per process.

PostgreSQL keeps its promises here (fsync, synchronous_commit), as it does where people depend on it;
autovacuum is off, so that it does not come in between two measurements that are compared.
"""
import dataclasses
import json
import os
import pathlib
import struct
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support.cluster import Cluster, free_port
from support.system import Rollcall, organization_template

HERE = pathlib.Path(__file__).resolve().parent
TICKS = os.sysconf("SC_CLK_TCK")
CORES = len(os.sched_getaffinity(0))
TOOLS = {"load": [], "sink": [], "raw_hash": ["-largon2", "-lpthread"]}
SETTINGS = {
    "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "shared_buffers": "256MB",
    "logging_collector": "on", "log_destination": "jsonlog", "log_directory": "statements", "log_filename": "log",
    "log_rotation_age": "0", "log_rotation_size": "0",
}


def compile_tools(folder):
    for name, libraries in TOOLS.items():
        subprocess.run(["cc", "-std=c11", "-D_GNU_SOURCE", "-O2", "-o", folder / name, HERE / f"{name}.c", *libraries], check=True)


def make_cluster(**settings):
    cluster = Cluster.create()
    with (cluster.data / "postgresql.conf").open("a") as conf:
        conf.write("".join(f"{name} = '{value}'\n" for name, value in {**SETTINGS, **settings}.items()))
    cluster.stop("fast")
    cluster.start()
    return cluster


def make_rollcall(cluster, folder):
    """One with the defaults that an operator gets; only the rate limit and the log differ."""
    name, facts = organization_template(cluster, "default", folder)
    rollcall = Rollcall(cluster, cluster.create_database(name), facts, folder, with_worker=False,
                        ROLLCALL_PROCESSES=CORES, ROLLCALL_DB_READ=None, ROLLCALL_DB_WRITE=None, ROLLCALL_DB_SLOW=None,
                        ROLLCALL_PASSWORD_HASH=None, ROLLCALL_LOG_LEVEL="warn")
    rollcall.sink_port = free_port()
    rollcall.worker.environment["ROLLCALL_SMTP_URL"] = f"smtp://127.0.0.1:{rollcall.sink_port}?tls=none"
    return rollcall


def raw_hash(tools, parameters, threads, seconds):
    said = subprocess.run([tools / "raw_hash", *map(str, parameters), str(threads), str(seconds)], check=True, capture_output=True, text=True)
    return json.loads(said.stdout)


# -- CPU time, from /proc

def times_of(pid, with_dead_children=False):
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(field) for field in fields[11:15 if with_dead_children else 13]) / TICKS


def children_of(pid):
    try:
        return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


class Meter:
    """Seconds of CPU that PostgreSQL and a program of ours took between two looks."""

    def __init__(self, cluster, program=None):
        self.postmaster = int((cluster.data / "postmaster.pid").read_text().split()[0])
        self.program, self.before = program, None
        self.before = self.look()

    of = staticmethod(times_of)

    def look(self):
        children = None
        while children != (now := children_of(self.postmaster)):  # one that ends meanwhile must not get lost between the two
            children = now
            postgres = sum(times_of(pid) for pid in children) + times_of(self.postmaster, True)
        ours = sum(times_of(pid) for pid in [self.program.pid, *self.program.children()]) if self.program else 0
        return postgres, ours

    def since(self):
        return [after - before for after, before in zip(self.look(), self.before)]


def private_mib(pid):
    """Memory that this process has for itself, as the kernel counts it."""
    lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


# -- requests

@dataclasses.dataclass
class Load:
    """What the generator said of one run of it, and the CPU time of all who took part."""
    answered: int
    late: int
    seconds: float
    p50_us: int
    p99_us: int
    statuses: dict
    generator_s: float
    postgres_s: float
    server_s: float

    @property
    def rate(self):
        return self.answered / self.seconds if self.answered else 0

    def cost(self):
        """Microseconds of CPU for an answer: server, PostgreSQL, generator."""
        return [1e6 * seconds / max(self.answered + self.late, 1) for seconds in (self.server_s, self.postgres_s, self.generator_s)]


def request(method, path, token=None, body=None):
    """One request as it goes over the wire."""
    head = [f"{method} {path} HTTP/1.1", "Host: bench.example"]
    data = b""
    if token:
        head.append(f"Authorization: Bearer {token}")
    if body is not None:
        data = json.dumps(body).encode()
        head += ["Content-Type: application/json", f"Content-Length: {len(data)}"]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + data


def write_requests(path, requests):
    with path.open("wb") as out:
        for text in requests:
            out.write(struct.pack("<I", len(text)) + text)
    return path


class Generator:
    def __init__(self, rollcall, tools):
        self.rollcall, self.tools = rollcall, tools

    def start(self, requests, connections, seconds, rate=None, once=False):
        command = [self.tools / "load", "-c", connections, "-t", seconds, *(["-r", rate] if rate else []), *(["-1"] if once else []),
                   self.rollcall.port, requests]
        return subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True)

    @staticmethod
    def finish(process):
        said = process.communicate()[0]
        assert process.returncode == 0, "the load generator failed"
        return json.loads(said)

    def run(self, requests, connections, seconds, wants=None, **more):
        meter = Meter(self.rollcall.cluster, self.rollcall.server)
        said = self.finish(self.start(requests, connections, seconds, **more))
        postgres_s, server_s = meter.since()
        load = Load(**{**{name: said[name] for name in ("answered", "late", "seconds", "p50_us", "p99_us", "statuses")},
                       "generator_s": said["cpu_s"], "postgres_s": postgres_s, "server_s": server_s})
        if wants:
            assert list(load.statuses) == [str(wants)], f"not only {wants}: {load.statuses}\n{self.rollcall.server.text()[-2000:]}"
        return load


def wait_for(claim, seconds=60):
    """Only for things that must happen; none of them is measured by how long this waits."""
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline, "this never came true"
        time.sleep(0.02)
