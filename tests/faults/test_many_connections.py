"""More connections than there are places for: nobody who is at work notices, and whoever is idle makes room."""
import pathlib
import resource
import socket
import threading

import pytest

from support.system import build_folder
from support.waiting import wait_until

IDLE = 10_000
PLACES = 4096  # of one process
REQUEST = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def shell():
    """A shell's usual limit of descriptors for the programs, which take what they need by themselves; and what raises it for
    the test."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = IDLE + 500
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"this shell may open {hard} files, not {wanted}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    yield lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def connect(server):
    return socket.create_connection((server.host, server.port), timeout=60)


def is_answered(client):
    client.sendall(REQUEST)
    received = b""
    while not received.endswith(b'{"status":"ok"}'):
        more = client.recv(4096)
        assert more, "closed"
        received += more
    return received.startswith(b"HTTP/1.1 200 ")


def private_kib(pid):
    lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


class AtWork(threading.Thread):
    """Clients who ask something every now and then, each on a connection of his own, until they are done."""

    def __init__(self, server, count):
        super().__init__(daemon=True)
        self.clients, self.ends, self.left = [connect(server) for _ in range(count)], threading.Event(), []
        assert all(is_answered(client) for client in self.clients)

    def run(self):
        while not self.ends.wait(0.5):
            for client in self.clients:
                try:
                    assert is_answered(client)
                except (AssertionError, OSError) as why:
                    self.left.append(repr(why))
                    return

    def done(self):
        self.ends.set()
        self.join()
        for client in self.clients:
            client.close()
        return self.left


@pytest.mark.timeout(300)
@pytest.mark.settings(ROLLCALL_PROCESSES=2, ROLLCALL_DB_READ=2, ROLLCALL_DB_WRITE=2, ROLLCALL_DB_SLOW=2)
def test_ten_thousand_idle_connections_hold_up_nobody(shell, server_only):
    shell()
    at_work, idle = AtWork(server_only, 8), []
    at_work.start()
    before = sum(private_kib(pid) for pid in server_only.server.children())
    try:
        for _ in range(IDLE):
            idle.append(connect(server_only))
        wait_until(lambda: f"sooner, and who comes waits for it connections={PLACES}" in server_only.server.text(), timeout=60, because="the log says that it is full")
        grown = sum(private_kib(pid) for pid in server_only.server.children()) - before
        if build_folder().name != "debug":  # where each block has a wall around it
            assert grown < 2 * PLACES * 6, f"{grown} KiB for {2 * PLACES} connections"
        idle.append(connect(server_only))
        assert is_answered(idle[-1]), "idle ones have made room for a newcomer"
        # They were told nothing but that it is over: a client that uses one again sees at once that it must connect anew.
        idle[0].settimeout(60)
        assert idle[0].recv(1) == b""
        assert at_work.done() == [], "who is at work is answered"
    finally:
        # So many descriptors are more than select() takes, which others of this process use.
        at_work.done()
        for client in idle:
            client.close()
