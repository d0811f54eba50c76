"""Runs tests/worker/mailer_probe.c, which holds the worker's mail files and no database."""
import json
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("ROLLCALL_BUILD", ROOT / "build")) / "tests" / "mailer_probe"
ENVIRONMENT = {
    "ROLLCALL_DATABASE_URL": "postgres://nobody@127.0.0.1:1/none",
    "ROLLCALL_SECRET": "hex:" + "00" * 32,
    "ROLLCALL_PUBLIC_URL": "https://rollcall.test.example",
    "ROLLCALL_MAIL_FROM": "Rollcall <rollcall@test.example>",
    "ROLLCALL_SMTP_URL": "smtp://127.0.0.1:1?tls=none",
    "PATH": os.environ["PATH"],
}


class Sent:
    """What became of a batch: outcomes in order, how long it took, what was logged."""

    def __init__(self, finished):
        rows = [json.loads(line) for line in finished.stdout.splitlines()]
        self.outcomes = [row for row in rows if "result" in row]
        self.results = [row["result"] for row in self.outcomes]
        self.attempted = [row["attempted"] for row in self.outcomes]
        self.replies = [row["reply"] for row in self.outcomes]
        self.seconds = [row["seconds"] for row in rows if "seconds" in row]
        self.log = finished.stderr
        self.output = finished.stdout + finished.stderr


def run(*arguments, stdin, check=True, text=True, **environment):
    finished = subprocess.run([PROGRAM, *arguments], input=stdin, capture_output=True, text=text, timeout=60,
                              env={**ENVIRONMENT, **environment}, check=False)
    assert not check or finished.returncode == 0, finished.stderr
    return finished


# Where time is what a test is about: as short as the mailer takes it.
IMPATIENT_MS = 1000


def send(recipients, url, *, times=1, size=1000, timeout_ms=10 * IMPATIENT_MS, **environment):
    """Sends one mail of `size` bytes to each recipient in one session, `times` times."""
    batch = "".join(f"{recipient} {size}\n" for recipient in recipients)
    return Sent(run("send", str(timeout_ms), str(times), stdin=batch, ROLLCALL_SMTP_URL=url, **environment))
