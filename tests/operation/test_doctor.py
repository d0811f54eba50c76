"""`rollcall-server doctor`: what is wrong is found, said with what to do, and nothing secret with it."""
import contextlib
import http.server
import json
import pathlib
import re
import secrets
import tempfile
import threading

import pytest
import requests

from support.cluster import free_port
from support.system import SECRET, migrated_template, run_command, database_settings

GOOD_SECRET = "hex:" + secrets.token_hex(32)
# Of the tests' cluster, which is in a hurry, and of whatever machine this is.
NOT_OURS = {"database.durable", "clock.synchronized", "limits.files"}


def ask(system, *options, **settings):
    """{check: the worst finding of it}, and the exit code, which agrees with them."""
    done = system.command("doctor", "--json", *options, **{"ROLLCALL_SECRET": GOOD_SECRET, **settings})
    return read(done)


def read(done):
    assert not done.stderr.replace("\n", "") or all(" error " in line for line in done.stderr.splitlines()), done.stderr
    whole = json.loads(done.stdout)
    order = ["ok", "warn", "fail"]
    worst = {}
    for finding in sorted(whole["findings"], key=lambda finding: order.index(finding["status"])):
        assert set(finding) - {"todo"} == {"check", "status", "detail"} and finding["detail"]
        assert (finding.get("todo") is None) == (finding["status"] == "ok"), finding
        worst[finding["check"]] = finding
    statuses = [finding["status"] for finding in worst.values()]
    assert done.returncode == max(order.index(status) for status in statuses) and whole["status"] == order[done.returncode]
    return worst


def bad(findings):
    return {check: finding["status"] for check, finding in findings.items() if finding["status"] != "ok" and check not in NOT_OURS}


def test_a_deployment_that_is_well_is_said_to_be(shared_rollcall):
    found = ask(shared_rollcall)
    assert not bad(found)
    assert set(found) >= {"settings", "secret.strength", "clock.database", "database.reachable", "database.version", "database.encoding",
                          "database.private", "database.connections", "database.time_zones", "schema.version", "schema.checksums",
                          "schema.extensions", "role.power", "role.owner", "role.truncate", "role.grants", "audit.append_only",
                          "audit.partitions", "worker.connected", "outbox.age", "jobs.age", "front.https", "front.proxies", "front.public_url",
                          "front.metrics", "server.ready", "smtp.connect", "smtp.tls", "smtp.auth", "smtp.sender", "smtp.recipient", "mail.templates", "worker.room"}
    assert found["database.durable"]["status"] == "fail", "the tests' cluster has fsync off"


def test_the_text_says_the_same_for_people(shared_rollcall):
    done = shared_rollcall.command("doctor", ROLLCALL_SECRET=GOOD_SECRET)
    lines = done.stdout.splitlines()
    assert done.returncode == 2 and "ok    database.version       PostgreSQL " in done.stdout
    assert lines[lines.index(next(line for line in lines if line.startswith("fail  database.durable"))) + 1] == \
        "      to do: Switch fsync and full_page_writes on."
    assert lines[-1].endswith(" failures")


def test_it_is_called_wrongly(shared_rollcall):
    for options in (["--jsn"], ["--servers", "many"], ["--workers"], ["--servers", "1001"]):
        done = shared_rollcall.command("doctor", *options)
        assert done.returncode == 2 and not done.stdout and done.stderr


def test_faults_of_settings_come_first_and_all_at_once(shared_rollcall):
    done = shared_rollcall.command("doctor", "--json", ROLLCALL_LISTEN="nowhere", ROLLCALL_DB_READ="0", ROLLCALL_SECRET="short")
    found = json.loads(done.stdout)["findings"]
    assert done.returncode == 2 and {finding["check"] for finding in found} == {"settings"}
    assert [finding["detail"].split(":")[0] for finding in found] == ["ROLLCALL_SECRET", "ROLLCALL_LISTEN", "ROLLCALL_DB_READ"]


@pytest.mark.parametrize("secret", ["hex:" + SECRET.hex(), "hex:" + "ab" * 32, "hex:" + "0123456789abcdef" * 4, "base64:" + "c2VjcmV0" * 8])
def test_a_secret_that_can_be_guessed_is_found(shared_rollcall, secret):
    found = ask(shared_rollcall, ROLLCALL_SECRET=secret)
    assert found["secret.strength"]["status"] == "fail" and secret not in json.dumps(found)


def test_secrets_in_rotation_are_remembered(shared_rollcall):
    found = ask(shared_rollcall, ROLLCALL_SECRET=f"{GOOD_SECRET},hex:{secrets.token_hex(32)}")
    assert bad(found) == {"secret.rotation": "warn"}


@pytest.mark.parametrize(("folder_mode", "mode", "status"), [
    (0o755, 0o400, "ok"), (0o755, 0o440, "warn"), (0o755, 0o644, "fail"), (0o755, 0o620, "fail"), (0o700, 0o444, "ok"), (0o750, 0o444, "warn")])
def test_files_of_secrets_are_their_owners_alone(shared_rollcall, folder_mode, mode, status):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "secret"
        path.write_text(GOOD_SECRET + "\n")
        path.chmod(mode)
        path.parent.chmod(folder_mode)
        found = ask(shared_rollcall, ROLLCALL_SECRET=None, ROLLCALL_SECRET_FILE=str(path))
    assert found["secret.file"]["status"] == status and found["secret.strength"]["status"] == "ok"


def test_the_owner_and_a_superuser_are_not_who_the_programs_should_be(shared_rollcall):
    cluster, database = shared_rollcall.cluster, shared_rollcall.database
    found = ask(shared_rollcall, ROLLCALL_DATABASE_URL=cluster.url("rollcall_owner", database))
    assert bad(found) == {"role.owner": "fail", "role.truncate": "fail", "audit.append_only": "fail"}
    found = ask(shared_rollcall, ROLLCALL_DATABASE_URL=f"postgres:///{database}?host={cluster.folder}&port={cluster.port}&user=postgres")
    assert found["role.power"]["status"] == found["role.owner"]["status"] == "fail"


def test_a_role_that_may_make_databases_may_too_much(shared_rollcall):
    cluster, name = shared_rollcall.cluster, f"powerful_{secrets.token_hex(4)}"
    with granted(shared_rollcall, f"CREATE ROLE {name} LOGIN CREATEDB; GRANT rollcall TO {name}", f"DROP ROLE {name}"):
        found = ask(shared_rollcall, ROLLCALL_DATABASE_URL=f"postgres:///{shared_rollcall.database}?host={cluster.folder}&port={cluster.port}&user={name}")
        assert found["role.power"]["status"] == "warn"


@contextlib.contextmanager
def granted(system, statement, back):
    system.sql(statement)
    try:
        yield
    finally:
        system.sql(back)


@pytest.mark.parametrize(("statement", "back", "wrong"), [
    ("REVOKE UPDATE ON rollcall.users FROM rollcall", "GRANT UPDATE ON rollcall.users TO rollcall", {"role.grants": "fail"}),
    ("GRANT TRUNCATE ON rollcall.session TO rollcall", "REVOKE TRUNCATE ON rollcall.session FROM rollcall", {"role.grants": "fail", "role.truncate": "fail"}),
    ("GRANT DELETE ON rollcall.audit TO rollcall", "REVOKE DELETE ON rollcall.audit FROM rollcall", {"role.grants": "fail", "audit.append_only": "fail"}),
    ("GRANT UPDATE (action) ON rollcall.audit TO rollcall", "REVOKE UPDATE (action) ON rollcall.audit FROM rollcall", {"audit.append_only": "fail"}),
    ("UPDATE rollcall.schema_migration SET checksum = 'x' WHERE version = 3", "UPDATE rollcall.schema_migration s SET checksum ="
     " (SELECT checksum FROM public.kept WHERE version = 3) WHERE version = 3", {"schema.checksums": "fail"}),
    ("UPDATE rollcall.organization SET timezone = 'Mars/Olympus'", "UPDATE rollcall.organization SET timezone = 'UTC'", {"database.time_zones": "fail"}),
], ids=lambda value: value[:24] if isinstance(value, str) else None)
def test_what_is_wrong_in_the_database_is_named(shared_rollcall, statement, back, wrong):
    shared_rollcall.allow_errors("sqlstate=22023")
    shared_rollcall.sql("CREATE TABLE IF NOT EXISTS public.kept AS SELECT version, checksum FROM rollcall.schema_migration")
    with granted(shared_rollcall, statement, back):
        assert bad(ask(shared_rollcall)) == wrong
    assert not bad(ask(shared_rollcall))


def test_mail_and_jobs_that_nobody_takes_are_found(server_only):
    assert bad(ask(server_only, ROLLCALL_SMTP_URL=None)) == {"worker.connected": "warn"}
    server_only.sql("INSERT INTO rollcall.outbox (org_id, id, kind, run_at, created_at)"
                    " VALUES (%s, gen_random_uuid(), 'invitation', now() - interval '10 minutes', now() - interval '1 day')", server_only.org_id)
    assert bad(ask(server_only, ROLLCALL_SMTP_URL=None)) == {"worker.connected": "warn", "outbox.age": "warn"}
    server_only.sql("UPDATE rollcall.outbox SET run_at = now() - interval '2 hours'")
    assert bad(ask(server_only, ROLLCALL_SMTP_URL=None)) == {"worker.connected": "warn", "outbox.age": "fail"}


def test_keys_that_somebody_will_miss_soon_are_named(server_only):
    """By the organization's slug and their name, and never the key; the worker counts the same."""
    settle = "UPDATE rollcall.{}_key SET last_used_at = now() - %s::interval, expires_at = now() + %s::interval WHERE name = %s"
    keys = {name: server_only.make_key("users:read", name=name) for name in ("warehouse", "forgotten", "far", "over", "revoked", "eternal")}
    keys["portal"] = server_only.operator_key(name="portal")
    found = ask(server_only, ROLLCALL_SMTP_URL=None)["keys.expiry"]
    assert found["status"] == "ok" and "14 days" in found["detail"]
    for name, used, left in (("warehouse", "29 days", "13 days"), ("forgotten", "31 days", "1 day"), ("far", "1 day", "15 days"), ("over", "1 day", "-1 day"), ("revoked", "1 day", "1 day")):
        server_only.sql(settle.format("api"), used, left, name)
    server_only.sql("UPDATE rollcall.api_key SET revoked_at = now() WHERE name = 'revoked'")
    server_only.sql("UPDATE rollcall.api_key SET last_used_at = now() WHERE name = 'eternal'")
    server_only.sql(settle.format("operator"), "1 hour", "2 days", "portal")
    found = ask(server_only, ROLLCALL_SMTP_URL=None)["keys.expiry"]
    slug = server_only.value("SELECT slug FROM rollcall.organization WHERE id = %s", server_only.org_id)
    assert found["status"] == "warn" and re.fullmatch(
        rf"2 keys in use expire within 14 days: \(operator\): portal \([^)]* UTC\), {slug}: warehouse \([^)]* UTC\)\.", found["detail"]), found
    assert "API-KEYS.md" in found["todo"] and not any(key in json.dumps(found) for key in keys.values())
    for number in range(12):
        server_only.make_key("users:read", name=f"many {number}")
    server_only.sql("UPDATE rollcall.api_key SET last_used_at = now(), expires_at = now() + interval '3 days' WHERE name LIKE 'many%%'")
    detail = ask(server_only, ROLLCALL_SMTP_URL=None)["keys.expiry"]["detail"]
    assert detail.startswith("14 keys") and detail.endswith(", and others.") and detail.count("UTC") == 10


def test_partitions_that_run_out_are_found(shared_rollcall):
    names = shared_rollcall.sql("SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
                                " WHERE i.inhparent = 'rollcall.audit'::regclass ORDER BY 1 DESC LIMIT 22")
    for name in names:
        shared_rollcall.sql(f"DROP TABLE rollcall.{name}")
    assert bad(ask(shared_rollcall)) == {"audit.partitions": "warn"}
    assert shared_rollcall.command("migrate").returncode == 0
    assert not bad(ask(shared_rollcall))


def test_a_schema_that_is_behind_is_found(cluster):
    database = cluster.create_database(migrated_template(cluster))
    try:
        with cluster.connect(database) as db:
            db.execute("DELETE FROM rollcall.schema_migration WHERE version > 9")
        done = run_command("doctor", "--json", **database_settings(cluster, database), ROLLCALL_SECRET=GOOD_SECRET)
        found = read(done)
        assert found["schema.version"]["status"] == "fail" and "migrate" in found["schema.version"]["todo"] and "role.power" not in found
        with cluster.connect(database) as db:
            db.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
        found = read(run_command("doctor", "--json", **database_settings(cluster, database), ROLLCALL_SECRET=GOOD_SECRET))
        assert found["database.primary"]["status"] == "fail" and "database.version" not in found
    finally:
        cluster.drop_database(database)


def test_a_database_that_is_not_there_is_said_without_its_password(shared_rollcall):
    port = free_port()
    done = shared_rollcall.command("doctor", "--json", ROLLCALL_SECRET=GOOD_SECRET,
                                   ROLLCALL_DATABASE_URL=f"postgres://rollcall:very-secret-word@127.0.0.1:{port}/rollcall")
    found = read(done)
    assert found["database.reachable"]["status"] == "fail" and str(port) in found["database.reachable"]["detail"]
    assert found["server.ready"]["status"] == "ok", "the rest is looked at all the same"
    assert "very-secret-word" not in done.stdout + done.stderr


def test_each_host_of_several_is_asked(shared_rollcall):
    port, url = free_port(), shared_rollcall.cluster.url("rollcall", shared_rollcall.database)
    found = [ask(shared_rollcall, ROLLCALL_DATABASE_URL=url.replace("@", f"@127.0.0.1:{first},"))["database.hosts"]
             for first in (port, shared_rollcall.cluster.port)]
    assert [host["status"] for host in found] == ["warn", "ok"] and str(port) in found[0]["detail"]
    assert "database.hosts" not in ask(shared_rollcall)


def test_connections_are_counted_for_all_that_there_are(shared_rollcall):
    assert bad(ask(shared_rollcall, "--servers", "100", "--workers", "3")) == {"database.connections": "fail"}
    assert not bad(ask(shared_rollcall, "--servers", "3", "--workers", "3"))
    database = shared_rollcall.database
    with granted(shared_rollcall, f"ALTER DATABASE {database} CONNECTION LIMIT 66", f"ALTER DATABASE {database} CONNECTION LIMIT -1"):
        found = bad(ask(shared_rollcall, "--workers", "10"))
        assert found == {"database.connections": "warn"}, "12 of the server and 5 of each worker, beside a few of others: few are left, and none is short now"


@pytest.mark.parametrize(("settings", "wrong"), [
    ({"ROLLCALL_TRUSTED_PROXIES": "10.0.0.0/8,0.0.0.0/0"}, {"front.proxies": "fail"}),
    ({"ROLLCALL_TRUSTED_PROXIES": "::/0"}, {"front.proxies": "fail"}),
    ({"ROLLCALL_TRUSTED_PROXIES": "10.0.0.1/8"}, {"front.proxies": "warn"}),
    ({"ROLLCALL_TRUSTED_PROXIES": "fd00:1::/16"}, {"front.proxies": "warn"}),
    ({"ROLLCALL_PUBLIC_URL": "https://127.0.0.1:1"}, {"front.proxies": "warn", "front.public_url": "warn"}),
    ({"ROLLCALL_PUBLIC_URL": "http://rollcall.invalid"}, {"front.https": "fail", "front.public_url": "warn"}),
    ({"ROLLCALL_METRICS_LISTEN": "0.0.0.0:9090"}, {"front.metrics": "warn"}),
    ({"ROLLCALL_LISTEN": "127.0.0.1:1"}, {"server.ready": "warn"}),
])
def test_what_is_wrong_with_the_front_is_named(shared_rollcall, settings, wrong):
    assert bad(ask(shared_rollcall, **settings)) == wrong


def test_who_answers_at_the_public_address_must_be_rollcall(shared_rollcall):
    shared_rollcall.metrics()
    elsewhere = f"http://127.0.0.1:{shared_rollcall.metrics_port}"
    assert bad(ask(shared_rollcall, ROLLCALL_PUBLIC_URL=elsewhere)) == {"front.public_url": "fail"}


@pytest.mark.settings(ROLLCALL_TRUSTED_PROXIES="127.0.0.1")
def test_a_proxy_that_passes_on_what_clients_say_is_found(server_only):
    """Nothing stands between here, which comes to the same: the client's own request id is believed."""
    found = ask(server_only, ROLLCALL_SMTP_URL=None)
    assert found["front.public_url"]["status"] == "warn" and "X-Request-Id" in found["front.public_url"]["todo"]


class Proxy(http.server.BaseHTTPRequestHandler):
    """Passes GET on to `self.server.behind`, and says who asked."""

    def do_GET(self):
        answer = requests.get(self.server.behind + self.path, headers={"X-Forwarded-For": self.client_address[0]}, timeout=20)
        self.send_response(answer.status_code)
        self.send_header("X-Request-Id", answer.headers["X-Request-Id"])
        self.end_headers()
        self.wfile.write(answer.content)

    def log_message(self, *_):
        pass


@pytest.mark.parametrize("trusted", ["127.0.0.1", "192.0.2.1"])
def test_a_proxy_that_is_not_named_is_found_by_what_it_forwards(request, trusted):
    request.applymarker(pytest.mark.settings(ROLLCALL_TRUSTED_PROXIES=trusted))
    system = request.getfixturevalue("server_only")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        proxy.behind = system.url
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        try:
            found = ask(system, ROLLCALL_SMTP_URL=None, ROLLCALL_PUBLIC_URL=f"http://127.0.0.1:{proxy.server_port}")
        finally:
            proxy.shutdown()
    assert found["front.public_url"]["status"] == "ok"
    assert found["front.proxies"]["status"] == ("ok" if trusted == "127.0.0.1" else "warn")


def test_mail_is_not_looked_at_without_a_relay(shared_rollcall):
    found = ask(shared_rollcall, ROLLCALL_SMTP_URL=None)
    assert found["smtp"]["status"] == "ok" and "rollcall-worker doctor" in found["smtp"]["detail"] and "smtp.connect" not in found


def test_what_the_worker_finds_counts(shared_rollcall):
    assert bad(ask(shared_rollcall, ROLLCALL_SMTP_URL="smtp://127.0.0.1:1?tls=none")) == {"smtp.connect": "fail"}
