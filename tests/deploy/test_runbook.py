"""deploy/RUNBOOK.md: its links lead somewhere, and its commands run, one after the other, on a machine where Rollcall is installed."""
import re
import subprocess

import pytest

from support.cluster import ROOT, free_port
from support.system import SECRET
from support.waiting import wait_until

TEXT = (ROOT / "deploy/RUNBOOK.md").read_text(encoding="utf-8")
ANCHORS = set(re.findall(r"(?m)^## ([a-z][a-z-]*)$", TEXT))


def blocks(wanted):
    """The section and the text of each block of a kind: a test may run those of the kind sh."""
    section, found = None, []
    for heading, kind, text in re.findall(r"(?ms)^## (\S+)$|^```(\w+)\n(.*?)^```$", TEXT):
        section = heading or section
        if kind == wanted:
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


# Where a word of a command could be a secret: a header, a login, a body, a variable of psql, a connection string.
IN_THE_OPEN = re.compile(r"""(-H|--header)[ =]?["']?(Authorization|Cookie)|(-u|--user) \S+:|(-d|--data\S*)[ =]["']?[^@"'\s]*["{]?password"""
                         r"""|-v \w*password=|(psql|pg_dump|rollcall-\w+|curl) [^<|;]*password=""", re.IGNORECASE)


def commands(text):
    """Of each block the lines that are typed, those that go on joined."""
    for kind, block in re.findall(r"(?ms)^```(\w*)\n(.*?)^```$", text):
        for line in block.replace("\\\n", " ").splitlines():
            if kind != "console" or re.match("[#$] ", line):
                yield line


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "deploy").glob("*.md")))
def test_no_command_of_a_document_has_a_secret_among_its_arguments(name):
    found = [line for line in commands((ROOT / "deploy" / name).read_text(encoding="utf-8")) if IN_THE_OPEN.search(line)]
    assert not found, "everybody on the machine can read arguments"


def test_what_is_shipped_puts_no_secret_among_arguments_either():
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "deploy", "docker-compose.yml"], capture_output=True, text=True, check=True).stdout
    for name in listed.split():
        path = ROOT / name
        if path.suffix in (".png", ".json", ".md"):
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            assert not IN_THE_OPEN.search(line), f"{name}:{number}: {line}"


# Stands in for every program, and writes down what it was called with.
WATCH = """#!/bin/bash
name=${0##*/}
printf '%q ' "$name" "$@" >>/root/arguments
echo >>/root/arguments
exec "$(PATH=${PATH#/root/watched:} type -P "$name")" "$@"
"""
WATCH_ALL = """import os
os.chmod("/root/watch", 0o755)
os.mkdir("/root/watched")
for name in {name for folder in ("/usr/bin", "/usr/sbin") for name in os.listdir(folder)}:
    os.symlink("/root/watch", "/root/watched/" + name)
"""


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
    forgetful = system.create_active()
    user = system.create_user(email="gone@example.org")
    wait_until(lambda: system.row("outbox", user)["state"] == "failed", because="a mail has failed")
    machine.write("/root/watch", WATCH)
    machine.does("python3", "-c", WATCH_ALL)
    variables = {"API": system.url, "METRICS": f"http://127.0.0.1:{metrics}/metrics", "WORKER_METRICS": f"http://127.0.0.1:{worker_metrics}/metrics",
                 "SLUG": "acme", "PATH": "/root/watched:/usr/sbin:/usr/bin:/sbin:/bin"}
    (_, head), *rest = blocks("sh")
    assert len(rest) > 20
    variables["KEY"] = run_block(machine, variables, typed("what-the-commands-expect", "KEY=", SLUG="acme") + 'echo "$KEY"\n').strip()
    printed = {}
    for section, block in rest:
        if section == "administrator-locked-out":
            block += typed(section, "PASSWORD=", ID=forgetful["id"])
        printed[section] = printed.get(section, "") + run_block(machine, variables, head + block)
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
    password = printed["administrator-locked-out"].splitlines()[-1]
    system.login(forgetful["email"], password).ok(201)
    no_secret_was_an_argument(machine.does("cat", "/root/arguments"), [variables["KEY"], password, SECRET.hex(), new])


def test_the_master_secret_becomes_the_same_on_every_machine(tmp_path):
    """Two folders stand for two machines, and each step of rotate-secrets is done as it stands there."""
    first, second = tmp_path / "first", tmp_path / "second"
    for machine, mode in ((first, 0o600), (second, 0o444)):
        machine.mkdir()
        (machine / "master").write_text("the-old-one")
        (machine / "master").chmod(mode)

    def do(text, *machines):
        for machine in machines:
            here = text.replace("ssh FIRST cat /etc/rollcall/secrets", f"cat {first}").replace("/etc/rollcall/secrets", str(machine))
            subprocess.run(["/bin/bash", "-euo", "pipefail", "-c", "systemctl() { :; }; until_ready() { :; }\n" + here], check=True)
        return [(machine / "master").read_text().strip().split(",") for machine in (first, second)]

    make, append, put_first = [text for section, text in blocks("sh") if section == "rotate-secrets" and "cd /etc" in text]
    do(make, first)
    do(typed("rotate-secrets", "ssh FIRST"), second)
    old, new = do(append, first, second)[0]
    assert old == "the-old-one" and re.fullmatch("[0-9a-f]{64}", new)
    assert do(append, second) == [[old, new]] * 2, "a step that is done twice does no harm"
    assert do(put_first, first, second) == do(put_first, second) == [[new, old]] * 2
    assert do(typed("rotate-secrets", "mv -f next master"), first, second) == [[new]] * 2
    assert [(machine / "master").stat().st_mode & 0o777 for machine in (first, second)] == [0o600, 0o444]
    assert [path.name for machine in (first, second) for path in machine.iterdir()] == ["master", "master"], "nothing is left"


def test_the_old_master_secret_is_kept_for_the_longest_of_all_links(server_only):
    (query,) = [re.search('db -Atc "(.*)"$', text, re.S)[1] for section, text in blocks("sh") if section == "rotate-secrets" and "db " in text]
    server_only.set_policy(email_change="admin")
    server_only.create_user()
    forgetful, moving = server_only.create_active(), server_only.create_active()
    server_only.ask_reset(forgetful)
    server_only.admin.patch(f"/v1/users/{moving['id']}", {"email": "moved@example.org"}).ok(200)
    for year, table in enumerate(("invitation", "password_reset", "email_change"), 2090):
        server_only.sql(f"UPDATE rollcall.{table} SET expires_at = '{year}-07-01' WHERE state = 'pending'")
        assert server_only.value(query.strip()).year == year, table


def run_block(machine, variables, text):
    done = machine.run("env", *(f"{name}={value}" for name, value in variables.items()), "/bin/bash", "-euo", "pipefail", "-c", text)
    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def typed(section, word, **values):
    """What the block of the kind console in a section, with this word in it, has behind its prompts; with other values."""
    (block,) = [text for name, text in blocks("console") if name == section and word in text]
    block = re.sub("(?m)^[#$] ", "", block)
    for name, value in values.items():
        block, count = re.subn(f"(?m)^{name}=.*$", f"{name}={value}", block)
        assert count == 1, name
    return block


def no_secret_was_an_argument(arguments, secrets):
    called = {line.split(" ", 1)[0] for line in arguments.splitlines()}
    assert {"curl", "psql", "pg_dump", "openssl", "systemd-run"} <= called, called
    assert not [line for line in arguments.splitlines() if re.search("rc[ko]_|password=", line) or any(secret in line for secret in secrets)]
