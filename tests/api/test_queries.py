"""Every query of build/generated/queries.c against the migrated schema: it can be prepared, has the parameters
that its list names, and stays in one organization unless it says that it does not."""
import ast
import pathlib
import re

import pytest

from support.cluster import ROOT
from support.system import migrated_template

GENERATED = ROOT / "build" / "generated" / "queries.c"
# The worker's claims and sweeps, the operator's, and what is about the database as a whole (DESIGN.md §3).
SPANNING = {
    "audit_months_ahead", "deadline_next", "sweep_expired_invitations", "sweep_released_locks", "sweep_unfinished_guesses", "idle_stale_organizations",
    "idle_due_organizations", "lock_digest_organizations", "purge_outbox", "purge_sessions", "purge_throttles", "purge_deletions", "purge_idempotency", "purge_audit_values", "outbox_claim", "outbox_read", "outbox_settle",
    "outbox_next", "outbox_depth", "outbox_undelivered", "mail_owner", "idle_braked", "schema_exists", "schema_state", "schema_migrations", "schema_migration_record", "schema_session_prepare", "schema_lock_try",
    "schema_lock_wait", "schema_audit_partitions", "schema_audit_exists", "schema_audit_expired", "schema_role_exists", "schema_grants", "schema_refresh_statistics",
    "timezone_find", "doctor_server", "doctor_connections", "doctor_extensions", "doctor_role", "doctor_time_zones", "doctor_expiring_keys", "user_batch_load_nobody", "job_claim", "job_free", "job_next", "job_depth",
    "operator_key_authenticate", "operator_key_require", "operator_key_touch", "operator_key_refuse", "operator_key_create", "operator_key_list", "operator_key_revoke",
    "organization_list", "organization_count", "idempotency_find_founded",
    "purge_imports_expire", "purge_import_files", "purge_import_rows", "purge_imports", "purge_export_files", "purge_exports", "purge_selection_users", "purge_selections",
}
# These find an organization, by what a stranger calls it.
FINDING = {"organization_find", "organization_founder"}
# They change no row, and must not be sent twice, or to a server that only reads.
EFFECTS = {"outbox_notify", "login_wait_for_disk", "login_take_turn"}


def read_queries(text):
    params = {name: re.findall(r'"([^"]*)"', body) for name, body in re.findall(r"params_(\w+)\[\] = \{(.*?)\};", text)}
    for match in re.finditer(r"const struct query query_(\w+) = \{\n(.*?)\n\};", text, re.S):
        lines = re.findall(r'^\t("(?:[^"\\]|\\.)*")', match[2], re.M)
        sql = "".join(ast.literal_eval(line.replace("\\?", "?")) for line in lines[1:])
        yield match[1], sql, params.get(match[1], []), set(re.findall(r"QUERY_\w+", match[2].rsplit('"', 1)[1]))


QUERIES = {name: rest for name, *rest in read_queries(GENERATED.read_text())} if GENERATED.exists() else {}


@pytest.fixture(scope="module")
def schema(cluster):
    database = cluster.create_database(migrated_template(cluster))
    with cluster.connect(database) as db:
        db.execute("SET ROLE rollcall_owner")
        yield db
    cluster.drop_database(database)


def test_there_are_queries():
    assert len(QUERIES) > 50
    assert {name for name, (_, _, flags) in QUERIES.items() if "QUERY_ALL_ORGANIZATIONS" in flags} >= SPANNING & set(QUERIES)


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_can_be_prepared_with_the_parameters_of_its_list(schema, name):
    sql, params, _ = QUERIES[name]
    schema.execute(f'PREPARE "{name}" AS {sql}'.encode())
    types = schema.execute("SELECT parameter_types::text[] FROM pg_prepared_statements WHERE name = %s", [name]).fetchone()[0]
    assert len(types) == len(params)


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_binds_its_organization_unless_it_is_flagged(name):
    sql, params, flags = QUERIES[name]
    if "QUERY_ALL_ORGANIZATIONS" in flags:
        assert name in SPANNING, "a new query that spans organizations: is it one of the worker's? add it here"
    elif name not in FINDING | EFFECTS:
        assert params and params[0] == "org_id" and re.search(r"\$1\b", sql), "bind org_id, or flag it all_organizations"


TENANT_TABLES = r"rollcall\.(users|credential|login_throttle|invitation|password_reset|email_change|session|api_key|outbox|audit|audit_value|role|policy|department|position|user_group|group_member|field|deletion|deleted_user|photo|day_off|assignment|job|file_part|import|import_row|import_mapping|export|selection|selection_user)\b"


@pytest.mark.parametrize("name", [name for name in QUERIES if "QUERY_ALL_ORGANIZATIONS" not in QUERIES[name][2]])
def test_every_table_of_a_query_is_held_to_the_organization(name):
    """Each mention of a tenant's table has an org_id or an organization beside it to be joined by."""
    sql = QUERIES[name][0]
    mentions = len(re.findall(TENANT_TABLES, sql))
    bound = len(re.findall(r"\borg_id\b", sql)) + len(re.findall(r"\$1\b", sql))
    assert bound >= mentions


@pytest.mark.parametrize("name", QUERIES)
def test_flags_tell_what_a_query_does(name):
    sql, _, flags = QUERIES[name]
    body = re.sub(r"'[^']*'", "", sql)
    changes = bool(re.search(r"^\s*(INSERT INTO|UPDATE|DELETE FROM)\b|AS (?:MATERIALIZED )?\(\s*(INSERT INTO|UPDATE|DELETE FROM)\b", body, re.M))
    assert ("QUERY_WRITES" in flags) == (changes or name in EFFECTS)
    if "QUERY_NOTIFIES" in flags:
        assert "QUERY_WRITES" in flags


@pytest.fixture
def full_outbox(schema):
    """In a transaction that is taken back: so many mails that a plan may prefer to read all of them."""
    with schema.transaction(force_rollback=True):
        schema.execute("INSERT INTO rollcall.organization (id, slug, name, contact_email) VALUES (gen_random_uuid(), 'full', 'Full', 'full@example.org')")
        schema.execute("INSERT INTO rollcall.outbox (org_id, id, kind, run_at)"
                       " SELECT o.id, lpad(n::text, 32, '0')::uuid, 'invitation', now() + n * interval '1 s' FROM rollcall.organization o, generate_series(1, 3000) n")
        schema.execute("ANALYZE rollcall.outbox")
        schema.execute("SET LOCAL enable_seqscan = off; SET LOCAL plan_cache_mode = force_generic_plan")
        yield schema


def scans(plan, table):
    if plan.get("Relation Name") == table and plan["Node Type"] != "ModifyTable":
        yield plan
    for part in plan.get("Plans", []):
        yield from scans(part, table)


@pytest.mark.parametrize("name", ["outbox_claim", "outbox_read", "outbox_settle"])
def test_a_batch_of_mails_costs_the_same_however_full_the_outbox_is(full_outbox, name):
    """Settling went through the whole outbox for what is leased: no planner knows how few a batch is."""
    sql, params, _ = QUERIES[name]
    full_outbox.execute(f"PREPARE planned AS {sql}".encode())
    plan = full_outbox.execute(f"EXPLAIN (FORMAT JSON) EXECUTE planned ({', '.join(['NULL'] * len(params))})").fetchone()[0][0]["Plan"]
    full_outbox.execute("DEALLOCATE planned")
    found = list(scans(plan, "outbox"))
    assert found
    for scan in found:
        by_key = re.search(r"org_id = .*\bid = ", scan.get("Index Cond", ""))
        of_what_is_due = scan.get("Index Name") == "outbox_claim_idx" and "run_at <= now()" in scan["Index Cond"]
        assert by_key or of_what_is_due or scan["Node Type"] == "Tid Scan", scan


ORG, ADMINISTRATOR, INVITED = (f"00000000-0000-0000-0000-{n:012}" for n in (1, 2, 3000))


@pytest.fixture
def large_organization(schema):
    """In a transaction that is taken back: one who administers among many who hold what everybody starts with."""
    with schema.transaction(force_rollback=True):
        schema.execute(f"""
            INSERT INTO rollcall.organization (id, slug, name, contact_email) VALUES ('{ORG}', 'large', 'Large', 'large@example.org');
            INSERT INTO rollcall.policy (org_id, default_permissions) VALUES ('{ORG}', '{{product:view}}');
            INSERT INTO rollcall.role (org_id, id, name, permissions)
            VALUES ('{ORG}', '{ORG}', 'Member', '{{users:read}}'), ('{ORG}', '{ADMINISTRATOR}', 'Administrator', '{{*}}');
            INSERT INTO rollcall.users (org_id, id, role_id, email, first_name, last_name, own_permissions, status, status_reason)
            SELECT '{ORG}', lpad(n::text, 32, '0')::uuid, CASE n WHEN 2 THEN '{ADMINISTRATOR}' ELSE '{ORG}' END::uuid, n || '@example.org', 'N', n::text,
                '{{product:view}}', CASE n WHEN 3000 THEN 'pending' ELSE 'active' END, 'created'
            FROM generate_series(1, 3000) n;
            ANALYZE rollcall.users, rollcall.role;
            SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL enable_seqscan = off""")
        yield schema


def rows_read(database, name, table, **values):
    """How many rows of a table a query goes through."""
    sql, params, _ = QUERIES[name]
    database.execute(f"PREPARE planned AS {sql}".encode())
    given = ", ".join(f"'{values[param]}'" if param in values else "NULL" for param in params)
    plan = database.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE planned ({given})").fetchone()[0][0]["Plan"]
    database.execute("DEALLOCATE planned")
    return sum((scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0)) * scan["Actual Loops"] for scan in scans(plan, table))


@pytest.mark.parametrize("name,values", [
    ("administrators_for_user", {"user_id": INVITED}),
    ("organization_administrators", {}),
    ("user_load", {"user_id": ADMINISTRATOR}),
    ("user_batch_load", {"ids": f"{{{ADMINISTRATOR}}}"}),
    ("deletion_facts", {"user_ids": f"{{{ADMINISTRATOR}}}"}),
    ("role_load", {"id": ADMINISTRATOR, "permissions": "{}"}),
])
def test_who_administers_is_found_without_reading_everybody(large_organization, name, values):
    """A mail about an invitation that had expired took half a second among 200,000."""
    assert rows_read(large_organization, name, "users", org_id=ORG, **values) < 20


def test_who_may_have_a_link_is_found_among_many_who_may(large_organization):
    large_organization.execute("UPDATE rollcall.role SET permissions = '{users:read,users:invite}' WHERE name = 'Member'")
    assert rows_read(large_organization, "administrators_for_user", "users", org_id=ORG, user_id=INVITED) < 200


@pytest.mark.parametrize("due,most", [(10, 20), (11, 100)])
def test_the_brake_costs_what_those_cost_who_are_due(large_organization, due, most):
    large_organization.execute(f"UPDATE rollcall.users SET idle_due_at = now(), idle_check_at = now() WHERE first_name = 'N' AND last_name::integer <= {due}")
    assert rows_read(large_organization, "idle_brake_count", "users", org_id=ORG, free_users=10, brake=20) < most


def test_mails_that_every_organization_keeps_are_not_read_to_be_purged(large_organization):
    large_organization.execute(f"INSERT INTO rollcall.outbox (org_id, id, kind, state, created_at) SELECT '{ORG}', gen_random_uuid(), 'invitation', 'sent',"
                               " now() - n * interval '1 hour' FROM generate_series(1, 2163) n; ANALYZE rollcall.outbox")
    assert rows_read(large_organization, "purge_outbox", "outbox", limit=1000) < 20


@pytest.mark.parametrize("name", ["user_delete", "import_undo_made"])
def test_what_files_said_of_the_deleted_is_found_without_reading_all_that_files_said(large_organization, name):
    large_organization.execute(f"""
        INSERT INTO rollcall.import (org_id, id, state, maker_kind, maker_id, actor, file_name, size)
        VALUES ('{ORG}', '{ORG}', 'applied', 'user', '{ADMINISTRATOR}', '{{}}', 'people.csv', 1);
        INSERT INTO rollcall.import_row (org_id, import_id, row, cells, outcome, user_id)
        SELECT '{ORG}', '{ORG}', n, '{{}}', 'applied', lpad(n::text, 32, '0')::uuid FROM generate_series(1, 3000) n;
        ANALYZE rollcall.import_row""")
    sql, params, _ = QUERIES[name]
    large_organization.execute(f"PREPARE planned AS {sql}".encode())
    plan = large_organization.execute(f"EXPLAIN (FORMAT JSON) EXECUTE planned ({', '.join(['NULL'] * len(params))})").fetchone()[0][0]["Plan"]
    large_organization.execute("DEALLOCATE planned")
    read = [scan for scan in scans(plan, "import_row") if scan["Node Type"] == "Index Scan"]
    assert {"import_row_user_idx", "import_row_unapplied_idx"} <= {scan["Index Name"] for scan in read}
    assert all("import_id" in scan["Index Cond"] for scan in read if scan["Index Name"] == "import_row_pkey"), read


def test_no_c_file_holds_sql():
    for folder in ("server", "worker", "common"):
        for path in pathlib.Path(ROOT / folder).glob("*.c"):
            found = re.search(r'"\s*(SELECT|INSERT INTO|UPDATE \w+\.|DELETE FROM|WITH \w+ AS)\b', path.read_text())
            assert not found, f"{path}: {found and found[0]}"


def test_every_foreign_key_and_primary_key_leads_with_the_organization(schema):
    rows = schema.execute("""
        SELECT conrelid::regclass::text, conname, contype, (SELECT array_agg(a.attname ORDER BY k.n) FROM unnest(conkey) WITH ORDINALITY k (num, n)
            JOIN pg_attribute a ON a.attrelid = conrelid AND a.attnum = k.num)
        FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid
        WHERE connamespace = 'rollcall'::regnamespace AND contype IN ('p', 'f') AND NOT t.relispartition""").fetchall()
    assert len(rows) > 15
    for table, name, _, columns in rows:
        if table not in ("rollcall.organization", "rollcall.operator_key", "rollcall.schema_migration"):
            assert columns[0] == "org_id", name


def test_every_constraint_is_named_after_its_table(schema):
    rows = schema.execute("SELECT t.relname, conname FROM pg_constraint c JOIN pg_class t ON t.oid = conrelid"
                          " WHERE connamespace = 'rollcall'::regnamespace AND NOT t.relispartition").fetchall()
    assert all(name.startswith(table + "_") for table, name in rows), rows
