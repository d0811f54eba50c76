"""The Debian package: what it holds, how its units are shut in, and its life on a machine where systemd runs."""
import gzip
import json
import re
import shutil
import subprocess

import pytest

from installed import INSTALL, is_ready, run
from support.cluster import ROOT
from support.imports import csv_of, dry_run, ended
from support.system import PASSWORD
from support.waiting import wait_until

UNITS = ("rollcall-server.service", "rollcall-worker.service", "rollcall-migrate.service")


def newer(unpacked, folder, version):
    """The package of a release after this one."""
    tree = folder / "newer"
    shutil.copytree(unpacked, tree, symlinks=True)
    control = tree / "DEBIAN/control"
    control.write_text(re.sub(r"(?m)^Version: .*$", f"Version: {version}", control.read_text()))
    run("dpkg-deb", "-Znone", "--root-owner-group", "--build", tree, folder / "newer.deb")
    return folder / "newer.deb"


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_is_shut_in_to_2_0_or_better(unpacked, unit):
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", f"--root={unpacked}", "--threshold=20", "--no-pager", unit],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "Overall exposure level" in done.stdout, (done.stdout[-3000:], done.stderr)


def test_the_package_holds_what_it_says(unpacked, package):
    listed = [line.split(None, 5) for line in run("dpkg-deb", "--contents", package).splitlines()]
    assert {fields[1] for fields in listed} == {"root/root"}
    assert not [fields for fields in listed if re.search(r"^.{5}w|^.{8}w|s", fields[0])], "nobody else may write, nothing is set-user-id"
    run("sh", "-c", f"cd {unpacked} && md5sum --check --quiet DEBIAN/md5sums")
    assert (unpacked / "DEBIAN/conffiles").read_text() == "/etc/rollcall/rollcall.env\n"
    for script in ("postinst", "prerm", "postrm"):
        run("sh", "-n", unpacked / "DEBIAN" / script)
    depends = re.search(r"(?m)^Depends: (.*)$", (unpacked / "DEBIAN/control").read_text())[1]
    assert {"libpq5", "libargon2-1", "libseccomp2"} <= set(re.findall(r"[a-z0-9.+-]+", depends))
    for program in ("rollcall-server", "rollcall-worker"):
        assert re.match(program + r" \d+\.\d+\.\d+, schema \d+\n", run(unpacked / "usr/bin" / program, "--version"))
    documents = unpacked / "usr/share/doc/rollcall"
    assert {path.name for path in (ROOT / "deploy").glob("*.md")} <= {path.name for path in documents.iterdir()}


def test_lintian_has_nothing_to_say(package):
    done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error,warning", package], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), (done.stdout, done.stderr)


def test_pages_and_settings_say_all_that_there_is(unpacked):
    pages = {path.name: gzip.decompress(path.read_bytes()).decode() for path in (unpacked / "usr/share/man/man8").iterdir()}
    assert sorted(pages) == ["rollcall-admin.8.gz", "rollcall-server.8.gz", "rollcall-worker.8.gz"]
    assert not any(re.search("@[A-Z]+@", page) for page in pages.values())
    page = pages["rollcall-server.8.gz"]
    for command in re.findall(r"(?m)^  rollcall-server (.*)$", run(unpacked / "usr/bin/rollcall-server", "--help")):
        assert ".Cm" + f" {command}".replace(" -", r" \-") in page, command
    printed = subprocess.run([unpacked / "usr/bin/rollcall-server", "--print-config"], env={}, capture_output=True, text=True, check=False).stdout
    variables = re.findall(r"(?m)^(ROLLCALL_\w+)=", printed)
    settings = (unpacked / "etc/rollcall/rollcall.env").read_text()
    for name in variables:
        assert re.search(rf"(?m)^\.It Ev .*\b{name}\b", page), name
        assert re.search(rf"(?m)^#{name}=", settings), name
    assert not re.search(r"(?m)^\w+=", settings), "nothing is set that somebody has not set"


@pytest.mark.timeout(240)
def test_it_is_installed_runs_shut_in_is_upgraded_and_goes(installed, package, unpacked, tmp_path):
    installed.install(package)
    nothing_starts_without_configuration(installed)
    installed.configure(ROLLCALL_METRICS_LISTEN="")
    it_serves(installed)
    everything_works_behind_the_filters(installed)
    the_machine_is_kept_from_them(installed)
    an_upgrade_restarts_what_runs(installed, newer(unpacked, tmp_path, "9.9.9"))
    stopping_is_clean(installed)
    removal_leaves_the_secrets(installed)


def nothing_starts_without_configuration(installed):
    machine = installed.machine
    assert machine.state("rollcall-server") == "inactive" and machine.run("systemctl", "is-enabled", "rollcall-server").stdout == "disabled\n"
    refused = machine.run("systemctl", "start", "rollcall-server")
    assert refused.returncode != 0 and "Assertion failed" in refused.stderr
    assert machine.does("stat", "-c", "%a %U", "/etc/rollcall/secrets") == "700 root\n"


def it_serves(installed):
    machine = installed.machine
    installed.start()
    assert "the schema has all migrations" in machine.journal("rollcall-migrate")
    made = machine.does("rollcall-admin", "org", "create", "--slug", "second", "--name", "Second", "--admin-email", "b@second.test")
    assert '"invitation_url"' in made
    assert machine.run("rollcall-admin", "org", "reinvite-admin", "--slug", "nobody").returncode == 1
    assert machine.does("rollcall-admin", "--worker", "--version").startswith("rollcall-worker ")
    found = {finding["check"]: finding for finding in json.loads(machine.run("rollcall-admin", "--worker", "doctor", "--json").stdout)["findings"]}
    assert " free in /var/tmp, " in found["worker.room"]["detail"], "where the worker's own files go"
    assert "TMPDIR=/var/tmp" in environment_of(installed, "rollcall-worker")
    assert re.fullmatch(r"/root/backups/rollcall-\w+\.dump\n", machine.does("/usr/share/rollcall/backup", "/root/backups"))


def environment_of(installed, program):
    return installed.machine.does("cat", f"/proc/{installed.first(program)}/environ").split("\0")


def everything_works_behind_the_filters(installed):
    system = installed.system
    user = system.create_user()
    mail = system.wait_mail(to=user["email"])
    system.accept(mail.link).ok(200)
    system.login(user["email"], PASSWORD).ok(201)
    # The parser's child shuts itself in: a filter within the filter.
    made = dry_run(system.admin, csv_of(["E-mail", "First name", "Last name"], ["imported@example.org", "I", "M"]), file_name="people.csv")
    assert made["state"] == "ready" and made["counts"]["create"] == 1, made
    system.admin.post(f"/v1/imports/{made['id']}/apply", {"invite": False}).ok(202)
    assert ended(system.admin, made["id"])["state"] == "applied"
    # A workbook is put together in TMPDIR.
    export = system.admin.post("/v1/exports", {"format": "xlsx"}).ok(202)["id"]
    wait_until(lambda: system.admin.get(f"/v1/exports/{export}").ok(200)["state"] == "ready", because="the workbook is there")
    assert installed.complaints() == []


def the_machine_is_kept_from_them(installed):
    """Looked at from where the server stands."""
    machine, pid = installed.machine, installed.first("rollcall-server")
    status = machine.does("cat", f"/proc/{pid}/status")
    assert re.search(r"(?m)^NoNewPrivs:\t1$", status) and re.search(r"(?m)^Seccomp:\t2$", status)
    assert re.search(r"(?m)^CapBnd:\t0+$", status) and re.search(r"(?m)^Uid:\t[1-9]", status)
    inside = lambda *command: machine.run("nsenter", "--target", str(pid), "--mount", "--", *command)
    assert inside("ls", "/etc/rollcall/secrets/master").returncode != 0
    assert inside("touch", "/usr/written", "/etc/written").returncode != 0
    assert inside("ls", "-A", "/home").stdout == ""


def an_upgrade_restarts_what_runs(installed, deb):
    machine, system = installed.machine, installed.system
    before = installed.first("rollcall-server"), installed.first("rollcall-worker")
    machine.put(deb, "/root/newer.deb")
    machine.does(*INSTALL, "--force-confold", "--install", "/root/newer.deb")
    assert not set(before) & {installed.first("rollcall-server"), installed.first("rollcall-worker")}
    wait_until(lambda: is_ready(system), timeout=30, because="the server is ready again")
    assert "ROLLCALL_PUBLIC_URL=" + system.url in machine.does("cat", "/etc/rollcall/rollcall.env").splitlines()
    # What cannot be migrated is not restarted: the release before goes on.
    before = installed.first("rollcall-server")
    owner = system.settings["ROLLCALL_MIGRATE_DATABASE_URL"]
    machine.write("/etc/rollcall/secrets/migrate_database_url", "host=127.0.0.1 port=1\n")
    assert "still runs" in machine.run(*INSTALL, "--force-confold", "--install", "/root/newer.deb").stderr
    assert installed.first("rollcall-server") == before
    # A machine without the owner's credentials looks whether another one has migrated.
    machine.does("rm", "/etc/rollcall/secrets/migrate_database_url")
    with system.cluster.connect(system.database) as db:
        db.execute("UPDATE rollcall.schema_migration SET version = -version WHERE version > 1")
        assert "still runs" in machine.run(*INSTALL, "--force-confold", "--install", "/root/newer.deb").stderr
        db.execute("UPDATE rollcall.schema_migration SET version = -version WHERE version < 0")
    assert installed.first("rollcall-server") == before
    machine.does(*INSTALL, "--force-confold", "--install", "/root/newer.deb")
    assert installed.first("rollcall-server") != before
    machine.write("/etc/rollcall/secrets/migrate_database_url", owner + "\n")
    wait_until(lambda: is_ready(system), timeout=30, because="the server is ready again")


def stopping_is_clean(installed):
    machine = installed.machine
    machine.does("systemctl", "stop", "rollcall-server", "rollcall-worker")
    for program in ("rollcall-server", "rollcall-worker"):
        assert machine.does("systemctl", "show", "--property=Result,ExecMainStatus", "--value", program).split() == ["success", "0"]
    assert installed.complaints() == []
    machine.does("systemctl", "start", "rollcall-server", "rollcall-worker")


def removal_leaves_the_secrets(installed):
    machine = installed.machine
    machine.does("install", "-D", "-o", "rollcall", "/dev/null", "/var/lib/rollcall/bounces/new/report")
    machine.does(*INSTALL, "--remove", "rollcall")
    machine.does("ls", "/var/lib/rollcall/bounces/new/report")
    assert machine.state("rollcall-server") != "active" and machine.state("rollcall-worker") != "active"
    assert machine.run("ls", "/etc/systemd/system/multi-user.target.wants/rollcall-server.service").returncode != 0
    assert "secrets among them" in machine.run(*INSTALL, "--purge", "rollcall").stderr
    assert machine.does("ls", "/etc/rollcall").split() == ["secrets"]
    assert machine.run("ls", "/var/lib/rollcall").returncode != 0, "nobody's reports are left"
    assert machine.does("stat", "-c", "%a", "/etc/rollcall/secrets/master") == "600\n"
