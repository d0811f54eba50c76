"""The other faces of rollcall-server: migrate, org create, keys, --print-config, --version."""
import json
import re
import socket
import subprocess

import psycopg
import pytest

from support import links
from support.cluster import free_port
from support.system import DELETABLE, Rollcall, build_folder, database_settings, environment, migrated_template, run_command, succeeded

PASSWORD = "violet tractor under seven moons"


@pytest.fixture
def empty(cluster):
    """An empty database, and a way to run commands on it."""
    database = cluster.create_database()
    yield Commands(cluster, database)
    cluster.drop_database(database)


@pytest.fixture
def migrated(cluster):
    database = cluster.create_database(migrated_template(cluster))
    yield Commands(cluster, database)
    cluster.drop_database(database)


class Commands:
    def __init__(self, cluster, database):
        self.cluster, self.database = cluster, database
        self.settings = database_settings(cluster, database)

    def __call__(self, *arguments, **settings):
        return run_command(*arguments, **{**self.settings, **settings})

    def sql(self, statement, *params):
        with self.cluster.connect(self.database) as db:
            cursor = db.execute(statement, params)
            return cursor.fetchall() if cursor.description else cursor.rowcount


def refused(done, *words, code=1):
    assert done.returncode == code, (done.stdout, done.stderr)
    assert done.stdout == ""
    for word in words:
        assert word in done.stderr, done.stderr
    return done.stderr


# --- migrate

def test_migrate_brings_an_empty_database_up_and_a_second_time_changes_nothing(empty):
    first = succeeded(empty("migrate"))
    assert "applied migration 0001 foundation" in first and "the schema has all migrations" in first
    before = empty.sql("SELECT version, checksum, applied_at FROM rollcall.schema_migration ORDER BY version")
    second = succeeded(empty("migrate"))
    assert "applied" not in second and "made" not in second and "granted" not in second
    assert empty.sql("SELECT version, checksum, applied_at FROM rollcall.schema_migration ORDER BY version") == before


def test_a_dry_run_says_what_it_would_do_and_does_nothing(empty):
    assert "would apply migration 0001 foundation" in empty("migrate", "--dry-run").stdout
    assert empty.sql("SELECT to_regnamespace('rollcall')") == [(None,)]


def test_a_migration_that_was_edited_after_it_landed_stops_everything(migrated):
    migrated.sql("UPDATE rollcall.schema_migration SET checksum = 'x' WHERE version = 1")
    done = migrated("migrate")
    assert done.returncode == 1 and "edited after it had landed" in done.stderr and "foundation" in done.stderr


def test_two_migrations_at_once_make_one_schema(empty):
    env = environment(**empty.settings)
    both = [subprocess.Popen([build_folder() / "rollcall-server", "migrate"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for _ in range(2)]
    outputs = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert sum("applied migration 0001" in out for out, _ in outputs) == 1


def test_migrate_makes_partitions_of_the_audit_for_two_years(migrated):
    succeeded(migrated("migrate"))  # a month may have ended since the template was made
    names = [row[0] for row in migrated.sql("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'rollcall.audit'::regclass")]
    assert len(names) >= 25
    newest = max(names)
    migrated.sql(f"DROP TABLE {newest}")
    assert "made 1 partition" in succeeded(migrated("migrate"))


def test_a_program_refuses_to_start_on_a_database_without_its_schema(empty):
    stderr = refused(empty(ROLLCALL_LISTEN="127.0.0.1:1"), "rollcall-server migrate")
    assert re.search(" error server could not start", stderr)


def test_a_program_refuses_to_start_on_a_schema_that_is_too_old_and_says_which(migrated):
    migrated.sql("DELETE FROM rollcall.schema_migration WHERE version = (SELECT max(version) FROM rollcall.schema_migration)")
    refused(migrated(ROLLCALL_LISTEN="127.0.0.1:1"), "lacks 1 of the migrations", "rollcall-server migrate")
    for command in (("org", "create", "--slug", "x1", "--name", "X", "--admin-email", "a@example.org"), ("key", "create", "--org", "x", "--name", "n", "--permissions", "*")):
        refused(migrated(*command), "lacks 1 of the migrations")


def test_a_program_refuses_to_start_on_a_schema_that_declares_itself_incompatible(migrated):
    migrated.sql("INSERT INTO rollcall.schema_migration (version, name, checksum, incompatible_below) VALUES (9000, 'future', 'x', 9000)")
    refused(migrated(ROLLCALL_LISTEN="127.0.0.1:1"), "9000")


def test_a_program_starts_on_a_newer_schema_that_does_not_mind(migrated):
    migrated.sql("INSERT INTO rollcall.schema_migration (version, name, checksum) VALUES (9000, 'future', 'x')")
    json.loads(succeeded(migrated("org", "create", "--slug", "later", "--name", "Later", "--admin-email", "a@example.org")))


def test_migrate_without_the_programs_role_says_what_makes_it(empty):
    stranger = empty.settings["ROLLCALL_DATABASE_URL"].replace("rollcall:rollcall@", "stranger:x@")
    done = empty("migrate", ROLLCALL_DATABASE_URL=stranger)
    assert done.returncode == 1 and "deploy/roles.sql" in done.stderr


# --- least privilege

def test_the_programs_role_holds_exactly_what_it_needs(migrated):
    held = dict(migrated.sql("SELECT table_name, string_agg(privilege_type, ',' ORDER BY privilege_type) FROM information_schema.role_table_grants"
                             " WHERE grantee = 'rollcall' AND table_schema = 'rollcall' GROUP BY table_name"))
    tables = {row[0] for row in migrated.sql("SELECT relname FROM pg_class WHERE relnamespace = 'rollcall'::regnamespace AND relkind IN ('r', 'p')"
                                             " AND NOT relispartition")}
    purged = {name: "DELETE,INSERT,SELECT,UPDATE" for name in DELETABLE & tables}
    assert held == {name: "INSERT,SELECT,UPDATE" for name in tables} | purged | {
        "schema_migration": "SELECT", "audit": "INSERT,SELECT"}


FORBIDDEN = ["UPDATE rollcall.audit SET action = 'x'", "DELETE FROM rollcall.audit", "TRUNCATE rollcall.audit", "TRUNCATE rollcall.users",
             "UPDATE rollcall.schema_migration SET checksum = 'x'", "INSERT INTO rollcall.schema_migration (version, name, checksum) VALUES (5, 'x', 'x')",
             "DELETE FROM rollcall.schema_migration", "DELETE FROM rollcall.organization", "DELETE FROM rollcall.invitation", "CREATE TABLE rollcall.x ()", "CREATE TABLE public.x ()",
             "CREATE SCHEMA x", "ALTER TABLE rollcall.users DISABLE TRIGGER ALL", "DROP TABLE rollcall.users", "CREATE ROLE x",
             "COPY rollcall.users TO PROGRAM 'cat'", "SELECT * FROM pg_authid"]


@pytest.fixture(scope="module")
def as_program(cluster):
    database = cluster.create_database(migrated_template(cluster))
    with psycopg.connect(cluster.url("rollcall", database), autocommit=True) as db:
        yield db
    cluster.drop_database(database)


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_the_programs_role_may_not(as_program, statement):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        as_program.execute(statement)


def test_the_programs_role_may_not_touch_the_partitions_behind_the_audits_back(as_program):
    name = as_program.execute("SELECT max(inhrelid::regclass::text) FROM pg_inherits WHERE inhparent = 'rollcall.audit'::regclass").fetchone()[0]
    for statement in (f"DELETE FROM {name}", f"UPDATE {name} SET action = 'x'", f"INSERT INTO {name} DEFAULT VALUES"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            as_program.execute(statement)


# --- org create, org reinvite-admin, keys

def create(commands, *more, slug="acme", name="Acme"):
    return commands("org", "create", "--slug", slug, "--name", name, "--admin-email", "boss@example.org", *more)


def test_org_create_prints_one_line_with_a_link_that_works(migrated, cluster, logs):
    made = json.loads(succeeded(create(migrated)))
    assert set(made) == {"organization_id", "user_id", "invitation_url"}
    assert made["invitation_url"].startswith("http://127.0.0.1:1/accept#")
    with Rollcall(cluster, migrated.database, {"org_id": made["organization_id"], "admin_id": made["user_id"]}, logs, with_worker=False) as system:
        system.accept(made["invitation_url"]).ok(200)
        token = system.login("boss@example.org", PASSWORD).ok(201)["token"]
        me = system.client(token).get("/v1/me").ok(200)
        assert (me["role"], me["permissions"], me["status"]) == ("Administrator", ["*"], "active")
        rows = system.client(token).get("/v1/audit").ok(200).items
        assert rows[-1]["actor"]["kind"] == "operator"
        assert [row["kind"] for row in system.client(token).get("/v1/outbox").ok(200).items] == ["invitation"]


WRONG = {
    "--slug": (["Acme", "-acme", "a", "a" * 64, "ac me", "1acme", "acme-"], "--slug"), "--admin-email": (["boss", "boss@", ""], "--admin-email"),
    "--name": (["", "a\nb", "   ", "ї" * 201], "--name"), "--preset": (["none", ""], "--preset"), "--admin-username": (["a@b", ""], "--admin-username"),
    "--locale": (["de"], "--locale"), "--timezone": (["Mars/Olympus", "X5", "+03", "<+03>-03", "europe/kyiv", ""], "time zone"),
}


@pytest.mark.parametrize("option, value", [(option, value) for option, (values, _) in WRONG.items() for value in values], ids=repr)
def test_org_create_names_a_wrong_option_and_makes_nothing(migrated, option, value):
    arguments = {"--slug": "acme", "--name": "Acme", "--admin-email": "boss@example.org", option: value}
    done = migrated("org", "create", *[part for pair in arguments.items() for part in pair])
    assert done.returncode in (1, 2) and WRONG[option][1] in done.stderr, done.stderr
    assert migrated.sql("SELECT count(*) FROM rollcall.organization") == [(0,)]


def test_org_create_takes_a_long_name_and_a_zone_of_the_database(migrated):
    succeeded(create(migrated, "--timezone", "Europe/Kyiv", name="ї" * 200))
    assert migrated.sql("SELECT name, timezone FROM rollcall.organization") == [("ї" * 200, "Europe/Kyiv")]


def test_org_create_names_all_wrong_options_at_once(migrated):
    stderr = refused(migrated("org", "create", "--slug", "A", "--name", "", "--admin-email", "x", "--preset", "y"), code=2)
    assert all(option in stderr for option in ("--slug", "--name", "--admin-email", "--preset"))


USAGE = [("org", "create"), ("org", "create", "--slug", "acme"), ("org", "create", "--slug"), ("org", "create", "--colour", "red"), ("org",), ("org", "delete"),
         ("key", "create"), ("key", "create", "--org", "acme", "--name", "n"), ("key", "create", "--name", "n", "--permissions", "*"),
         ("key", "create", "--org", "acme", "--operator", "--name", "n"), ("key", "create", "--operator", "--name", "n", "--permissions", "*"),
         ("key",), ("key", "delete"), ("key", "list"), ("key", "list", "--org", "acme", "--operator"), ("key", "list", "--operator", "--state", "dead"),
         ("key", "list", "--operator", "--state", "active}"), ("key", "revoke"), ("key", "revoke", "--operator"), ("key", "revoke", "--id", "x"),
         ("key", "revoke", "--operator", "--id", "x"), ("key", "revoke", "--org", "acme"), ("key", "revoke", "--key", "rck_short"), ("key", "revoke", "--key", "-"),
         ("key", "revoke", "--key", "rcs_" + "A" * 64), ("key", "revoke", "--key", "rck_" + "A" * 64, "--org", "acme"), ("migrate", "--now"), ("serve",), ("--nonsense",)]


@pytest.mark.parametrize("arguments", USAGE, ids=" ".join)
def test_a_wrong_command_line_is_refused_before_anything_is_read(arguments):
    done = run_command(*arguments)
    assert done.returncode == 2 and done.stderr and done.stdout == "", (done.stdout, done.stderr)


def test_a_slug_is_taken_once(migrated):
    succeeded(create(migrated))
    refused(create(migrated), "slug")
    assert migrated.sql("SELECT count(*) FROM rollcall.organization") == [(1,)]
    assert migrated.sql("SELECT count(*) FROM rollcall.users") == [(1,)]


@pytest.mark.parametrize("preset", ["default", "hesh", "urbantz", "keycrm", "wetrack"])
def test_every_preset_makes_an_organization_whose_administrator_gets_in(cluster, logs, preset):
    from support.system import organization_template
    template, facts = organization_template(cluster, preset, logs)
    database = cluster.create_database(template)
    with Rollcall(cluster, database, facts, logs, with_worker=False) as system:
        assert system.admin.get("/v1/me").ok(200)["status"] == "active"
    cluster.drop_database(database)


def test_a_lost_administrators_link_is_replaced(migrated, cluster, logs):
    made = json.loads(succeeded(create(migrated)))
    again = json.loads(succeeded(migrated("org", "reinvite-admin", "--slug", "acme")))
    assert again["user_id"] == made["user_id"] and again["invitation_url"] != made["invitation_url"]
    with Rollcall(cluster, migrated.database, {"org_id": made["organization_id"]}, logs, with_worker=False) as system:
        system.accept(made["invitation_url"]).refused(410, "link_revoked")
        system.accept(again["invitation_url"]).ok(200)
    refused(migrated("org", "reinvite-admin", "--slug", "acme"), "no pending administrator")
    refused(migrated("org", "reinvite-admin", "--slug", "nowhere"), "no pending administrator")


def test_key_create_prints_a_key_once_and_stores_its_hash(migrated):
    succeeded(create(migrated))
    made = json.loads(succeeded(migrated("key", "create", "--org", "acme", "--name", "CI", "--permissions", "users:read,users:write", "--expires-at", "2999-01-01T00:00:00Z")))
    assert set(made) == {"id", "key"} and made["key"].startswith("rck_")
    row = migrated.sql("SELECT key_hash, name, permissions, expires_at::text FROM rollcall.api_key")[0]
    assert row == (links.token_hash(made["key"]), "CI", ["users:read", "users:write"], "2999-01-01 00:00:00+00")
    assert migrated.sql("SELECT action FROM rollcall.audit WHERE subject_kind = 'api_key'") == [("api_key.created",)]


KEYS = {"--org": ["nowhere"], "--name": ["", "a\nb", "x" * 201], "--permissions": ["", "users read", "a,,b", ",", "a\"b"], "--expires-at": ["tomorrow", "2026-02-30T00:00:00Z", "2020-01-01T00:00:00Z"],
        "--network": ["", "10.0.0.0/33", "10.0.0.0/8,", "10.0.0.0/8, 192.0.2.1", "example.org", ",".join(f"10.0.{n}.0/24" for n in range(33))]}


@pytest.mark.parametrize("option, value", [(option, value) for option, values in KEYS.items() for value in values], ids=repr)
def test_key_create_refuses_what_is_wrong(migrated, option, value):
    succeeded(create(migrated))
    arguments = {"--org": "acme", "--name": "CI", "--permissions": "users:read", option: value}
    done = migrated("key", "create", *[part for pair in arguments.items() for part in pair])
    assert done.returncode in (1, 2) and done.stderr and done.stdout == "", (done.stdout, done.stderr)
    assert migrated.sql("SELECT count(*) FROM rollcall.api_key") == [(0,)]


def make_key(commands, *more):
    return json.loads(succeeded(commands("key", "create", *more)))


def listed(commands, *more):
    return [json.loads(line) for line in succeeded(commands("key", "list", *more)).splitlines()]


def test_a_network_with_an_address_in_it_is_answered_with_the_one_that_was_meant(migrated):
    succeeded(create(migrated))
    refused(migrated("key", "create", "--org", "acme", "--name", "CI", "--permissions", "*", "--network", "10.1.2.3/8"), "10.1.2.3/8", "10.0.0.0/8 was probably meant", code=2)


def test_keys_are_listed_a_line_each_and_revoked_by_id_or_by_themselves(migrated):
    succeeded(create(migrated))
    keys = [make_key(migrated, "--org", "acme", "--name", name, "--permissions", "users:read", "--network", "127.0.0.1,2001:DB8::/32") for name in ("a", "b", "c")]
    rows = listed(migrated, "--org", "acme")
    assert [(row["id"], row["name"], row["hint"], row["state"]) for row in rows] == [
        (key["id"], name, key["key"][-4:], "active") for key, name in zip(keys, "abc")]
    assert rows[0]["networks"] == ["127.0.0.1/32", "2001:db8::/32"] and rows[0]["maker"] == {"kind": "operator", "id": None, "name": None}
    assert all(key["key"][24:] not in json.dumps(rows) for key in keys)
    assert json.loads(succeeded(migrated("key", "revoke", "--org", "acme", "--id", keys[0]["id"]))) == {"id": keys[0]["id"]}
    assert json.loads(succeeded(migrated("key", "revoke", "--key", keys[1]["key"]))) == {"id": keys[1]["id"]}
    assert [row["id"] for row in listed(migrated, "--org", "acme", "--state", "active,expired")] == [keys[2]["id"]]
    refused(migrated("key", "revoke", "--key", keys[1]["key"]), "revoked already")
    refused(migrated("key", "revoke", "--operator", "--id", keys[2]["id"]), "no such key")
    refused(migrated("key", "list", "--org", "nowhere"), "no organization")
    assert migrated.sql("SELECT actor_kind, count(*) FROM rollcall.audit WHERE action = 'api_key.revoked' GROUP BY 1") == [("operator", 2)]


def test_a_key_to_revoke_may_come_by_standard_input(migrated):
    succeeded(create(migrated))
    made = make_key(migrated, "--org", "acme", "--name", "CI", "--permissions", "*")
    done = subprocess.run([build_folder() / "rollcall-server", "key", "revoke", "--key", "-"], env=environment(**migrated.settings), input=made["key"] + "\n",
                          capture_output=True, text=True, timeout=60, check=False)
    assert json.loads(succeeded(done)) == {"id": made["id"]}


def test_operators_keys_are_made_listed_and_revoked(migrated):
    """None of them is an organization's: there need not be one."""
    keys = [make_key(migrated, "--operator", "--name", name, "--network", "10.0.0.0/8", "--expires-at", "2999-01-01T00:00:00Z") for name in ("a", "b")]
    assert all(key["key"].startswith("rco_") for key in keys)
    rows = listed(migrated, "--operator")
    assert [(row["id"], row["name"], row["hint"], row["networks"], row["expires_at"]) for row in rows] == [
        (key["id"], name, key["key"][-4:], ["10.0.0.0/8"], "2999-01-01T00:00:00Z") for key, name in zip(keys, "ab")]
    succeeded(migrated("key", "revoke", "--operator", "--id", keys[0]["id"]))
    succeeded(migrated("key", "revoke", "--key", keys[1]["key"]))
    assert listed(migrated, "--operator", "--state", "active") == [] and [row["state"] for row in listed(migrated, "--operator")] == ["revoked"] * 2
    refused(migrated("key", "revoke", "--key", keys[1]["key"]), "revoked already")
    refused(migrated("key", "create", "--operator", "--name", "late", "--expires-at", "2020-01-01T00:00:00Z"), "has passed")


# --- configuration

# For what is refused before anybody asks the database.
NO_DATABASE = {"ROLLCALL_DATABASE_URL": "postgres://rollcall@127.0.0.1:1/none", "ROLLCALL_SMTP_URL": "smtp://127.0.0.1:1?tls=none"}


def test_print_config_lists_every_variable_with_its_origin_and_masks_secrets(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("hex:" + "ab" * 32 + "\n")
    done = run_command("--print-config", ROLLCALL_SECRET=None, ROLLCALL_SECRET_FILE=secret, ROLLCALL_DATABASE_URL="postgres://rollcall:hunter2secret@db/rollcall",
                       ROLLCALL_SMTP_URL="smtp://mailer:hunter3secret@relay.example.org:587?tls=starttls")
    assert done.returncode == 0, done.stderr
    for variable in ("ROLLCALL_DATABASE_URL", "ROLLCALL_MIGRATE_DATABASE_URL", "ROLLCALL_SECRET", "ROLLCALL_LISTEN", "ROLLCALL_METRICS_LISTEN", "ROLLCALL_PUBLIC_URL",
                     "ROLLCALL_TRUSTED_PROXIES", "ROLLCALL_PROCESSES", "ROLLCALL_SMTP_URL", "ROLLCALL_SMTP_CA", "ROLLCALL_MAIL_FROM", "ROLLCALL_TEMPLATES",
                     "ROLLCALL_SENDERS", "ROLLCALL_JOBS", "ROLLCALL_POLL_INTERVAL", "ROLLCALL_PASSWORD_HASH", "ROLLCALL_HASH_THREADS", "ROLLCALL_HASH_QUEUE", "ROLLCALL_RATE_LIMIT",
                     "ROLLCALL_RATE_LIMIT_SIGNED_IN",
                     "ROLLCALL_DB_READ", "ROLLCALL_DB_WRITE", "ROLLCALL_DB_SLOW", "ROLLCALL_LOG_LEVEL", "ROLLCALL_LOG_FORMAT"):
        assert variable in done.stdout, variable
    for hidden in ("hunter2secret", "hunter3secret", "ab" * 8):
        assert hidden not in done.stdout + done.stderr
    assert str(secret) in done.stdout


def test_every_wrong_value_is_named_at_start_all_at_once():
    done = run_command(ROLLCALL_DATABASE_URL=None, ROLLCALL_SECRET="hex:00", ROLLCALL_LISTEN="nowhere", ROLLCALL_PROCESSES="many", ROLLCALL_RATE_LIMIT="-1",
                       ROLLCALL_LOG_LEVEL="loud", ROLLCALL_PUBLIC_URL="ftp://x", ROLLCALL_TRUSTED_PROXIES="10.0.0.0/99", ROLLCALL_PASSWORD_HASH="md5")
    stderr = refused(done)
    for name in ("DATABASE_URL", "SECRET", "LISTEN", "PROCESSES", "RATE_LIMIT", "LOG_LEVEL", "PUBLIC_URL", "TRUSTED_PROXIES", "PASSWORD_HASH"):
        assert f"could not use ROLLCALL_{name}:" in stderr, name


@pytest.mark.parametrize("program, variable", [("rollcall-server", "ROLLCALL_LISTEN"), ("rollcall-server", "ROLLCALL_METRICS_LISTEN"),
                                               ("rollcall-worker", "ROLLCALL_METRICS_LISTEN")])
def test_a_program_refuses_to_start_where_somebody_else_listens(program, variable):
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run_command(program=program, **{**NO_DATABASE, "ROLLCALL_LISTEN": f"127.0.0.1:{free_port()}", variable: address})
    refused(done, f"could not use {variable}:", address.split(":")[1], "Address already in use")


def test_the_api_and_its_metrics_do_not_share_an_address():
    address = f"127.0.0.1:{free_port()}"
    refused(run_command(**NO_DATABASE, ROLLCALL_LISTEN=address, ROLLCALL_METRICS_LISTEN=address), "could not use ROLLCALL_METRICS_LISTEN:")


def test_a_secret_in_the_environment_and_in_a_file_is_one_too_many(tmp_path):
    (tmp_path / "secret").write_text("hex:" + "00" * 32)
    refused(run_command(ROLLCALL_SECRET_FILE=tmp_path / "secret"), "both ROLLCALL_SECRET and ROLLCALL_SECRET_FILE are set")


def test_version_names_the_release_and_the_schema():
    assert re.fullmatch(r"rollcall-server \d+\.\d+\.\d+, schema \d+\n", succeeded(run_command("--version")))


def test_help_lists_every_command():
    stdout = succeeded(run_command("--help"))
    for word in ("migrate", "org create", "org reinvite-admin", "key create", "key list", "key revoke", "--print-config", "--version"):
        assert word in stdout


def test_the_worker_prints_its_configuration_and_version_too():
    assert "ROLLCALL_SMTP_URL" in succeeded(run_command("--print-config", program="rollcall-worker", ROLLCALL_DATABASE_URL="postgres://r@db/r",
                                                       ROLLCALL_SMTP_URL="smtp://127.0.0.1:25?tls=none"))
    assert "rollcall-worker" in succeeded(run_command("--version", program="rollcall-worker"))


def test_json_logs_are_json(migrated):
    done = migrated("org", "create", "--slug", "acme", "--name", "A", "--admin-email", "a@example.org", ROLLCALL_LOG_FORMAT="json", ROLLCALL_DATABASE_URL="postgres://rollcall@127.0.0.1:1/x")
    assert done.returncode == 1
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert lines and all({"at", "level", "program", "message"} <= set(line) for line in lines)
