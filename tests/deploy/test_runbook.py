"""deploy/RUNBOOK.md: its links lead somewhere, and its commands run, one after the other, on a machine where Rollcall is installed."""
import re
import subprocess

import pytest

from support.cluster import ROOT, free_port
from support.system import SECRET
from support.waiting import wait_until

TEXT = (ROOT / "deploy/RUNBOOK.md").read_text(encoding="utf-8")
ANCHORS = set(re.findall(r"(?m)^## ([a-z][a-z-]*)$", TEXT))


def blocks():
    """The section and the text of each block that a test may run."""
    section, found = None, []
    for heading, kind, text in re.findall(r"(?ms)^## (\S+)$|^```(\w+)\n(.*?)^```$", TEXT):
        section = heading or section
        if kind == "sh":
            found.append((section, text))
    return found


def test_every_link_into_the_runbook_leads_to_a_section():
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) == ANCHORS - {"what-the-commands-expect"}, "each section is in the list at its head"
    files = subprocess.run(["git", "-C", ROOT, "grep", "-IlE", "RUNBOOK[.]md#", "--", "deploy", "README.md"], capture_output=True, text=True, check=False)
    for name in files.stdout.split():
        for anchor in re.findall(r"RUNBOOK\.md#([\w-]+)", (ROOT / name).read_text(encoding="utf-8")):
            assert anchor in ANCHORS, f"{name}: {anchor}"


def test_only_blocks_of_the_two_kinds_are_there():
    assert set(re.findall(r"(?m)^```(\w*)\n(?!\n)", TEXT)) <= {"sh", "console", ""}


@pytest.mark.timeout(240)
def test_its_commands_run(installed, package):
    machine, system = installed.machine, installed.system
    metrics, worker_metrics = free_port(), free_port()
    installed.install(package)
    installed.configure()
    for program, port in (("server", metrics), ("worker", worker_metrics)):
        machine.write(f"/etc/rollcall/{program}.env", f"ROLLCALL_METRICS_LISTEN=127.0.0.1:{port}\n")
    installed.start()
    system.sink.behave("gone@example.org", "550 5.1.1 no such user", times=1)
    user = system.create_user(email="gone@example.org")
    wait_until(lambda: system.row("outbox", user)["state"] == "failed", because="a mail has failed")
    variables = {"API": system.url, "METRICS": f"http://127.0.0.1:{metrics}/metrics", "WORKER_METRICS": f"http://127.0.0.1:{worker_metrics}/metrics",
                 "KEY": system.api_key, "SLUG": "acme"}
    (_, head), *rest = blocks()
    assert len(rest) > 20
    printed = {}
    for section, block in rest:
        done = machine.run("env", *(f"{name}={value}" for name, value in variables.items()), "bash", "-euo", "pipefail", "-c", head + block)
        assert done.returncode == 0, f"{section}:\n{block}\n{done.stdout}\n{done.stderr}"
        printed[section] = printed.get(section, "") + done.stdout
    # Not only without a complaint: they show what they are there to show.
    for section, expected in {"server-down": '{"status":"ok"}', "not-ready": "schema 1", "lanes-full": "rollcall_lane", "jobs-stuck": "rollcall_job",
                              "hashing-queue-full": "rollcall_password", "mail-held": "ROLLCALL_MAIL_FROM", "mail-failing": "5.1.1 no such user",
                              "backup": "/var/backups/rollcall/rollcall-", "administrator-locked-out": system.admin_id, "leaked-api-key": "acme",
                              "retry-failed-mail": '"state":"queued"', "disk-full": "outbox", "audit-partitions-ahead": '"ready"'}.items():
        assert expected in printed[section], f"{section}:\n{printed[section]}"
    system.wait_mail(to="gone@example.org")
    new, old = machine.does("cat", "/etc/rollcall/secrets/master").strip().split(",")
    assert old == "hex:" + SECRET.hex() and re.fullmatch("[0-9a-f]{64}", new)
    system.admin.get("/v1/me").ok(200)
