"""A backup, and what a restore makes of it on another PostgreSQL: deploy/backup and deploy/restore."""
import os
import re
import subprocess

import pytest

from support.cluster import ROOT, Cluster, postgres_programs
from support.outbox import due_now
from support.system import ADMIN_EMAIL, PASSWORD, SECRET, Rollcall, build_folder, run_command
from support.waiting import wait_until

PATH = f"{build_folder()}:{postgres_programs()}:{os.environ['PATH']}"


@pytest.fixture
def elsewhere():
    """Another PostgreSQL, as if on another machine."""
    cluster = Cluster.create()
    yield cluster
    cluster.remove()


def run(script, *arguments, **settings):
    environment = {"PATH": PATH, "LC_ALL": "C.UTF-8", **{name: str(value) for name, value in settings.items()}}
    return subprocess.run([ROOT / "deploy" / script, *arguments], env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def succeeded(done):
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done


def back_up(system, folder):
    return succeeded(run("backup", folder, ROLLCALL_MIGRATE_DATABASE_URL=system.settings["ROLLCALL_MIGRATE_DATABASE_URL"],
                         ROLLCALL_SECRET="hex:" + SECRET.hex())).stdout.strip()


def settings_for(cluster, database):
    # With the quotes and blanks that libpq allows.
    owner = f"host=127.0.0.1 port={cluster.port} user=rollcall_owner password = 'rollcall_owner' dbname={database}"
    return {"ROLLCALL_MIGRATE_DATABASE_URL": owner, "ROLLCALL_DATABASE_URL": cluster.url("rollcall", database),
            "ROLLCALL_SECRET": "hex:" + SECRET.hex(), "ROLLCALL_PUBLIC_URL": "http://127.0.0.1:1"}


def restore(cluster, dump, *options, database=None, **settings):
    database = database or cluster.create_database()
    return database, run("restore", *options, dump, **{**settings_for(cluster, database), **settings})


def started(system, cluster, database, logs):
    """Server and worker on a restored database, with a sink of their own."""
    facts = {"org_id": system.org_id, "admin_id": system.admin_id, "admin_token": system.admin_token, "api_key": system.api_key,
             "api_key_id": system.api_key_id}
    return Rollcall(cluster, database, facts, logs)


@pytest.mark.timeout(180)
def test_what_a_restore_brings_back_works_and_nothing_is_mailed_twice(rollcall, elsewhere, logs, tmp_path):
    active, invited = rollcall.create_active(), rollcall.create_user()
    rollcall.wait_mail(to=invited["email"])
    rollcall.sink.behave("waiting@example.org", "451 4.3.0 later")
    waiting = rollcall.create_user(email="waiting@example.org")
    wait_until(lambda: rollcall.row("outbox", waiting)["last_reply"], because="his mail waits for its next attempt")
    dump = back_up(rollcall, tmp_path)

    # What happens afterwards is lost: a mail that goes out, a user who comes, one who goes.
    rollcall.sink.forgive()
    due_now(rollcall)
    rollcall.wait_mail(to="waiting@example.org")
    late = rollcall.create_user()
    rollcall.admin.post(f"/v1/users/{active['id']}/inactivate").ok(200)

    database, done = restore(elsewhere, dump)
    assert "mails held 1" in succeeded(done).stdout, done.stdout
    with started(rollcall, elsewhere, database, logs) as restored:
        restored.admin.get("/v1/me").refused(401)
        restored.admin.session.headers["Authorization"] = f"Bearer {restored.login(ADMIN_EMAIL, 'seventeen quiet harbours').ok(201)['token']}"
        restored.machine.get("/v1/users").ok(200)
        assert restored.user(active)["status"] == "active"
        restored.sign_in(active)
        restored.accept(restored.link(invited)).ok(200)
        restored.admin.get(f"/v1/users/{late['id']}").refused(404)
        # The mail that waited is held, and says why; it goes out when somebody says so, and its link works.
        (held,) = restored.outbox(user=waiting)
        assert held["state"] == "failed" and held["last_reply"].startswith("held by a restore of the backup of 20"), held
        restored.create_user(email="after@example.org")
        restored.wait_mail(to="after@example.org")
        assert [mail.recipients for mail in restored.mails()] == [["after@example.org"]]
        restored.admin.post(f"/v1/outbox/{held['id']}/retry").ok()
        assert restored.accept(restored.wait_mail(to="waiting@example.org").link).status == 200
        assert [row["actor"]["kind"] for row in restored.audit("organization.restored")] == ["operator"]
        assert_roles_hold_as_before(rollcall, restored)


def assert_roles_hold_as_before(system, restored):
    """Neither more nor less: also on functions."""
    rights = """SELECT coalesce((SELECT array_agg(c.relname || c.relacl::text ORDER BY c.relname) FROM pg_class c
                                 WHERE c.relnamespace = 'rollcall'::regnamespace AND c.relkind IN ('r', 'p')), '{}')
             || coalesce((SELECT array_agg(p.proname || p.proacl::text ORDER BY p.proname) FROM pg_proc p WHERE p.pronamespace = 'rollcall'::regnamespace), '{}')"""
    assert restored.value(rights) == system.value(rights)


def test_a_move_changes_nothing(server_only, cluster, logs, tmp_path):
    user = server_only.create_user()
    session = server_only.plant_session(server_only.admin_id)
    dump = back_up(server_only, tmp_path)
    database, done = restore(cluster, dump, "--moved")
    assert "mails held 0" in succeeded(done).stdout and done.stderr == ""
    with started(server_only, cluster, database, logs) as moved:
        moved.client(session).get("/v1/me").ok(200)
        moved.accept(moved.wait_mail(to=user["email"]).link).ok(200)


def test_the_time_that_was_lost_is_nobodys_absence(server_only, cluster, logs, tmp_path):
    """What the clock does after a restore: it inactivates nobody for sign-ins that were lost, and does the rest of its work."""
    away, warned, lapsing = server_only.create_active(), server_only.create_active(), server_only.create_user()
    # As a worker leaves it that has reckoned with the policy before.
    server_only.sql("UPDATE rollcall.policy p SET idle_applied = idle_after || ' ' || idle_warn_days::text || ' ' || o.timezone FROM rollcall.organization o WHERE o.id = org_id")
    # The backup is to be of ten days ago, when all of these dates lay ahead.
    server_only.move("users", away, idle_due_at="now() - interval '4 days'", idle_check_at="now() - interval '7 days'")
    server_only.move("users", warned, idle_due_at="now() - interval '7 days 1 minute'", idle_check_at="now() - interval '10 days 1 minute'")
    server_only.move("invitation", lapsing, expires_at="now() - interval '9 days'")
    dump = back_up(server_only, tmp_path)
    ten_days_ago = server_only.value("SELECT to_char((now() - interval '10 days') AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')")
    manifest = dump.replace(".dump", ".manifest")
    with open(manifest, encoding="utf-8") as file:
        text = re.sub(r"(?m)^made_at .*$", f"made_at {ten_days_ago}", file.read())
    with open(manifest, "w", encoding="utf-8") as file:
        file.write(text)
    moved, done = restore(cluster, dump, "--moved")
    succeeded(done)
    database, done = restore(cluster, dump)
    succeeded(done)
    with started(server_only, cluster, database, logs) as restored:
        # His warning of three days is three days before his date; nobody has become idle, and a link has lapsed.
        restored.wait_mail(to=warned["email"], kind="idle_warning")
        restored.wait_mail(to=ADMIN_EMAIL, kind="invitation_expired")
        assert restored.row("users", away)["status"] == restored.row("users", warned)["status"] == "active"
        assert restored.value("SELECT idle_check_at - now() > interval '2 days 23 hours' FROM rollcall.users WHERE id = %s", away["id"])
        restored.sign_in(away)
    # Where nothing was lost a date is a date.
    with started(server_only, cluster, moved, logs) as restored:
        wait_until(lambda: restored.row("users", away)["status"] == restored.row("users", warned)["status"] == "inactive", because="they are idle")


def test_a_migration_that_fails_after_a_restore_is_mended_without_another_one(server_only, cluster, tmp_path):
    server_only.create_user()
    dump = back_up(server_only, tmp_path)
    # A role that does not exist: the migrations land, and then the grants cannot be made.
    database, done = restore(cluster, dump, ROLLCALL_DATABASE_URL=cluster.url("nobody", "rollcall"))
    assert done.returncode == 1 and "the data are restored" in done.stderr, done.stderr
    assert "Do not restore again" in done.stderr
    with cluster.connect(database) as db:
        assert db.execute("SELECT count(*) FROM rollcall.outbox WHERE last_reply LIKE 'held by a restore%'").fetchone() == (1,)
    _, done = restore(cluster, dump, database=database)
    assert done.returncode == 1 and "restore into an empty one" in done.stderr
    assert run_command("migrate", **settings_for(cluster, database)).returncode == 0


def test_links_may_be_revoked_also_those_of_the_time_that_was_lost(server_only, cluster, logs, tmp_path):
    user = server_only.create_user()
    link = server_only.link(user)
    dump = back_up(server_only, tmp_path)
    server_only.admin.post(f"/v1/users/{user['id']}/invite").ok(202)
    lost = server_only.link(user)
    database, done = restore(cluster, dump, "--revoke-links")
    succeeded(done)
    with started(server_only, cluster, database, logs) as restored:
        admin = restored.client(restored.login(ADMIN_EMAIL, "seventeen quiet harbours").ok(201)["token"])
        assert admin.get(f"/v1/users/{user['id']}").ok(200)["invitation"]["state"] == "revoked"
        admin.post(f"/v1/users/{user['id']}/invite").ok(202)
        for dead in (link, lost):
            restored.accept(dead).refused(410, "link_revoked")
        restored.accept(restored.wait_mail(to=user["email"]).link, PASSWORD).ok(200)


def test_what_cannot_be_restored_is_said_and_leaves_nothing(server_only, cluster, tmp_path):
    dump = back_up(server_only, tmp_path)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".dump", ".manifest"]
    assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.iterdir())
    _, done = restore(cluster, dump, ROLLCALL_MIGRATE_DATABASE_URL=server_only.settings["ROLLCALL_MIGRATE_DATABASE_URL"])
    assert done.returncode == 1 and "restore into an empty one" in done.stderr
    # Another secret is no error: links that are made from now on work.
    empty, done = restore(cluster, dump, ROLLCALL_SECRET="hex:" + "77" * 32)
    assert succeeded(done) and "the master secret is not the one" in done.stderr
    # A dump that was cut off, by the checksum; and without the checksum, by its end.
    damaged, manifest = tmp_path / "damaged.dump", tmp_path / "damaged.manifest"
    whole = open(dump, "rb").read()
    damaged.write_bytes(whole[:len(whole) * 9 // 10])
    manifest.write_text(open(dump.replace(".dump", ".manifest"), encoding="utf-8").read())
    empty, done = restore(cluster, damaged)
    assert done.returncode == 1 and "is not what it was" in done.stderr
    checksum = subprocess.run(["sha256sum", damaged], capture_output=True, text=True, check=True).stdout.split()[0]
    manifest.write_text(f"made_at 2026-01-01T00:00:00.000000Z\nsha256 {checksum}\n")
    empty, done = restore(cluster, damaged)
    assert done.returncode == 1 and "nothing was restored" in done.stderr, done.stderr
    with cluster.connect(empty) as db:
        assert db.execute("SELECT to_regnamespace('rollcall')").fetchone() == (None,)


@pytest.mark.parametrize("url, stripped, password", [
    ("postgres://o:p%40%25w@h/d", "postgres://o@h/d", "p@%w"),
    ("postgresql://o@h1,h2/d", "postgresql://o@h1,h2/d", ""),
    ("host=h password=simple dbname=d", "host=h  dbname=d", "simple"),
    (r"host=h password = 'a \'b\\' user=o", "host=h  user=o", r"a 'b" + "\\"),
])
def test_a_password_is_not_among_the_arguments(url, stripped, password):
    done = subprocess.run(["bash", "-c", f'source {ROOT}/deploy/settings.sh; read_owner_url; printf "%s\\n%s" "$url" "${{PGPASSWORD:-}}"'],
                          env={"PATH": PATH, "ROLLCALL_MIGRATE_DATABASE_URL": url}, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n") == [stripped, password]
