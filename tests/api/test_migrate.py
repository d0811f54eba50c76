"""`rollcall-server migrate`: what it makes, what it grants, and what it and the programs refuse."""
import re
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from support.cluster import ROOT
from support.system import DELETABLE, database_settings, run_command

VERSIONS = sorted(int(path.name[:4]) for path in (ROOT / "sql/migrations").glob("*.sql"))


@pytest.fixture
def database(cluster):
    """An empty database."""
    name = cluster.create_database()
    yield name
    cluster.drop_database(name)


@pytest.fixture
def migrated(cluster, database):
    done = migrate(cluster, database)
    assert done.returncode == 0, done.stderr
    return database


def migrate(cluster, database, *arguments, **settings):
    return run_command("migrate", *arguments, **{**database_settings(cluster, database), **settings})


def serve(cluster, database):
    """The server, which must refuse to start."""
    return run_command(**database_settings(cluster, database), ROLLCALL_LISTEN="127.0.0.1:1")


def sql(cluster, database, statement, *params):
    with cluster.connect(database) as db:
        cursor = db.execute(statement, params)
        return cursor.fetchall() if cursor.description else None


def as_program(cluster, database, statement):
    with psycopg.connect(cluster.url("rollcall", database), autocommit=True) as db:
        db.execute(statement)


def tables(cluster, database, where="true"):
    return {name for (name,) in sql(cluster, database, "SELECT relname FROM pg_class WHERE relnamespace = 'rollcall'::regnamespace"
                                    f" AND relkind IN ('r', 'p') AND {where}")}


def test_a_dry_run_says_everything_and_does_nothing(cluster, database):
    done = migrate(cluster, database, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert [int(number) for number in re.findall(r"would apply migration (\d+)", done.stdout)] == VERSIONS
    assert "would make 26 partitions of the audit" in done.stdout
    assert sql(cluster, database, "SELECT to_regnamespace('rollcall') IS NULL") == [(True,)]


def test_every_migration_is_recorded_and_a_second_run_changes_nothing(cluster, migrated):
    recorded = sql(cluster, migrated, "SELECT version, checksum, applied_at FROM rollcall.schema_migration ORDER BY version")
    assert [row[0] for row in recorded] == VERSIONS
    done = migrate(cluster, migrated)
    assert done.returncode == 0 and done.stdout.splitlines() == [f"the schema has all migrations up to {VERSIONS[-1]}"]
    assert sql(cluster, migrated, "SELECT version, checksum, applied_at FROM rollcall.schema_migration ORDER BY version") == recorded


def test_migrations_that_run_at_once_wait_for_each_other(cluster, database):
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda _: migrate(cluster, database), range(4)))
    assert [done.returncode for done in runs] == [0, 0, 0, 0], [done.stderr for done in runs]
    applied = [line for done in runs for line in done.stdout.splitlines() if line.startswith("applied")]
    assert len(applied) == len(VERSIONS)


def test_a_migration_that_was_edited_after_it_landed_is_an_error(cluster, migrated):
    sql(cluster, migrated, "UPDATE rollcall.schema_migration SET checksum = 'another' WHERE version = 1")
    done = migrate(cluster, migrated)
    assert done.returncode == 1 and "was edited after it had landed" in done.stderr


def test_a_migration_that_fails_leaves_nothing_of_itself(cluster, database):
    sql(cluster, database, "CREATE SCHEMA rollcall AUTHORIZATION rollcall_owner; CREATE TABLE rollcall.outbox ()")
    done = migrate(cluster, database)
    assert done.returncode == 1 and "sqlstate=42P07" in done.stderr
    assert tables(cluster, database) == {"schema_migration", "outbox"}
    sql(cluster, database, "DROP TABLE rollcall.outbox")
    assert migrate(cluster, database).returncode == 0


def test_the_audit_has_partitions_for_every_moment_from_last_month_to_two_years_ahead(cluster, migrated):
    # Of one moment, behind which they were made: a month may end while the tests run.
    now = sql(cluster, migrated, "SELECT now()")[0]
    assert migrate(cluster, migrated).returncode == 0
    for interval in ("-1 month", "0", "1 day", "1 month", "12 months", "24 months"):
        # The smallest UUIDv7 of that moment.
        sql(cluster, migrated, """INSERT INTO rollcall.audit (org_id, id, actor_kind, action, subject_kind)
            SELECT gen_random_uuid(), (lpad(to_hex((extract(epoch FROM date_trunc('month', %s AT TIME ZONE 'UTC') + %s::interval)
                * 1000)::bigint), 12, '0') || '70008000000000000000')::uuid, 'system', 'x', 'y'""", now, interval)
    sql(cluster, migrated, "DROP TABLE " + ", ".join(
        f"rollcall.{name}" for name in sorted(tables(cluster, migrated, "relispartition"))[-2:]))
    assert "made 2 partitions of the audit" in migrate(cluster, migrated).stdout


ORGANIZATION = """WITH made AS (INSERT INTO rollcall.organization (id, slug, name, contact_email)
    VALUES (gen_random_uuid(), '{slug}', 'O', 'o@example.org') RETURNING id)
    INSERT INTO rollcall.policy (org_id, audit_retention) SELECT id, {kept} FROM made"""


def test_months_of_the_audit_that_no_organization_keeps_are_dropped_with_their_values(cluster, migrated):
    month = lambda months: sql(cluster, migrated, "SELECT to_char(now() AT TIME ZONE 'UTC' + make_interval(months => %s), 'YYYY_MM')", months)[0][0]
    bound = ("(lpad(to_hex((extract(epoch FROM date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => {})) * 1000)::bigint), 12, '0')"
             " || '70008000000000000000')::uuid")
    for months in (-15, -14, -6):
        low, high = (sql(cluster, migrated, f"SELECT {bound.format(n)}")[0][0] for n in (months, months + 1))
        sql(cluster, migrated, f"SET ROLE rollcall_owner; CREATE TABLE rollcall.audit_{month(months)} PARTITION OF rollcall.audit"
                               f" FOR VALUES FROM ('{low}') TO ('{high}')")
        sql(cluster, migrated, "INSERT INTO rollcall.audit_value VALUES (gen_random_uuid(), %s, gen_random_uuid(), '{}')", low)
    sql(cluster, migrated, ORGANIZATION.format(slug="brief", kept="'P30D'"))
    sql(cluster, migrated, ORGANIZATION.format(slug="eternal", kept="NULL"))
    assert "no organization keeps" not in migrate(cluster, migrated).stdout
    sql(cluster, migrated, "UPDATE rollcall.policy SET audit_retention = 'P1Y' WHERE audit_retention IS NULL")
    told = f"2 partitions of the audit that no organization keeps, audit_{month(-15)} to audit_{month(-14)}"
    assert f"would drop {told}" in migrate(cluster, migrated, "--dry-run").stdout
    assert f"dropped {told}" in migrate(cluster, migrated).stdout
    assert f"audit_{month(-6)}" in tables(cluster, migrated) and f"audit_{month(-14)}" not in tables(cluster, migrated)
    assert sql(cluster, migrated, "SELECT count(*) FROM rollcall.audit_value") == [(1,)]
    # What migrate itself would make again is not dropped, however short the retention.
    sql(cluster, migrated, "UPDATE rollcall.policy SET audit_retention = 'P30D'")
    assert "dropped 1 partition of the audit" in migrate(cluster, migrated).stdout
    assert len(migrate(cluster, migrated).stdout.splitlines()) == 1


def test_the_programs_hold_what_they_need_and_no_more(cluster, migrated):
    held = dict(sql(cluster, migrated, """
        SELECT relname, coalesce(string_agg(privilege_type, ',' ORDER BY privilege_type), '')
        FROM pg_class LEFT JOIN LATERAL aclexplode(relacl) AS acl ON acl.grantee = 'rollcall'::regrole
        WHERE relnamespace = 'rollcall'::regnamespace AND relkind IN ('r', 'p') GROUP BY relname"""))
    other = {"schema_migration": "SELECT", "audit": "INSERT,SELECT"}
    other |= {table: "DELETE,INSERT,SELECT,UPDATE" for table in DELETABLE}
    for name in tables(cluster, migrated):
        partition = name.startswith("audit_2")
        assert held[name] == ("" if partition else other.get(name, "INSERT,SELECT,UPDATE")), name


@pytest.mark.parametrize("statement", [
    "TRUNCATE rollcall.users", "DELETE FROM rollcall.audit", "UPDATE rollcall.audit SET action = ''",
    "DELETE FROM rollcall.schema_migration", "DROP TABLE rollcall.users", "CREATE TABLE rollcall.mine ()",
    "CREATE TABLE public.mine ()", "DELETE FROM rollcall.organization",
])
def test_the_programs_may_not(cluster, migrated, statement):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        as_program(cluster, migrated, statement)


def test_migrate_takes_back_what_was_granted_beside_it(cluster, migrated):
    partition = max(tables(cluster, migrated, "relispartition"))
    sql(cluster, migrated, f"GRANT ALL ON rollcall.audit, rollcall.{partition} TO rollcall; REVOKE ALL ON rollcall.users FROM rollcall")
    assert "granted role rollcall what it needs" in migrate(cluster, migrated).stdout
    test_the_programs_hold_what_they_need_and_no_more(cluster, migrated)


def test_one_role_for_both_is_possible_and_warned_of(cluster, database):
    owner = cluster.url("rollcall_owner", database)
    done = migrate(cluster, database, ROLLCALL_DATABASE_URL=owner)
    assert done.returncode == 0 and "warning: the programs use the owner's role" in done.stdout


def test_a_role_that_does_not_exist_is_named(cluster, database):
    done = migrate(cluster, database, ROLLCALL_DATABASE_URL=cluster.url("nobody_at_all", database))
    assert done.returncode == 1 and "role=nobody_at_all" in done.stderr


def test_a_server_refuses_to_start_on_an_empty_database(cluster, database):
    done = serve(cluster, database)
    assert done.returncode == 1 and "the database is empty: run `rollcall-server migrate`" in done.stderr


def test_a_server_refuses_to_start_on_a_schema_that_is_older_than_it_needs(cluster, migrated):
    sql(cluster, migrated, "DELETE FROM rollcall.schema_migration WHERE version = %s", VERSIONS[-1])
    done = serve(cluster, migrated)
    assert done.returncode == 1 and f"lacks 1 of the migrations up to {VERSIONS[-1]}" in done.stderr


def test_a_server_refuses_to_start_on_a_schema_that_declares_itself_incompatible(cluster, migrated):
    newer = VERSIONS[-1] + 1
    sql(cluster, migrated, "INSERT INTO rollcall.schema_migration (version, name, checksum, incompatible_below)"
        " VALUES (%s, 'newer', '', %s)", newer, newer)
    done = serve(cluster, migrated)
    assert done.returncode == 1 and f"install a release that knows at least {newer}" in done.stderr
    # The owner of the newer release may still migrate with the older program: nothing is to do.
    assert migrate(cluster, migrated).returncode == 0


def test_the_roles_script_may_run_again(cluster):
    cluster.make_roles()
