-- What common/schema.c asks: about migrations, partitions and grants. They are
-- about the database as a whole, not about one organization.

-- Is there anything yet?
-- name: schema_exists () all_organizations
SELECT to_regclass('rollcall.schema_migration') IS NOT NULL AS schema_exists;

-- What has landed, against what this program knows.
-- name: schema_state (known) all_organizations
SELECT coalesce(max(version), -1) AS version,
    coalesce(max(incompatible_below), 0) AS incompatible_below,
    (SELECT count(*)
     FROM unnest(:known::integer[]) AS known (version)
     WHERE NOT EXISTS (
        SELECT FROM rollcall.schema_migration AS landed WHERE landed.version = known.version)) AS missing
FROM rollcall.schema_migration;

-- name: schema_migrations () all_organizations
SELECT version, name, checksum
FROM rollcall.schema_migration
ORDER BY version;

-- name: schema_migration_record (version, name, checksum, incompatible_below) all_organizations writes
INSERT INTO rollcall.schema_migration (version, name, checksum, incompatible_below)
VALUES (:version, :name, :checksum, nullif(:incompatible_below::integer, 0));

-- Extensions go to public, and a migration waits for locks longer than a request
-- may, but not so long that everything queues behind it.
-- name: schema_session_prepare () all_organizations
SELECT set_config('search_path', 'public', false), set_config('lock_timeout', '10s', false);

-- One migrating program at a time. The key is "rollcall" in ASCII.
-- name: schema_lock_try () all_organizations
SELECT pg_try_advisory_lock(8245928655518264428) AS locked;

-- name: schema_lock_wait () all_organizations
SELECT pg_advisory_lock(8245928655518264428)
FROM set_config('lock_timeout', '0', false);

-- The partitions of audit that are not there yet, as statements that make them.
-- name: schema_audit_partitions (names, lows, highs) all_organizations
SELECT name,
    format('CREATE TABLE rollcall.%I PARTITION OF rollcall.audit FOR VALUES FROM (%L) TO (%L)',
        name, low, high) AS statement
FROM unnest(:names::text[], :lows::uuid[], :highs::uuid[]) AS month (name, low, high)
WHERE to_regclass(format('rollcall.%I', name)) IS NULL
ORDER BY name;

-- name: schema_audit_exists () all_organizations
SELECT to_regclass('rollcall.audit') IS NOT NULL AND to_regclass('rollcall.policy') IS NOT NULL AS audit_exists;

-- Months of the audit that nobody keeps any more, as statements that drop them with their
-- values: an organization without audit_retention keeps for ever, and what is recent
-- enough to be made again is left.
-- name: schema_audit_expired () all_organizations
SELECT month.name,
    format('DROP TABLE rollcall.%I; DELETE FROM rollcall.audit_value WHERE audit_id < %L', month.name,
        lpad(to_hex((extract(epoch FROM month.ends_at) * 1000)::bigint), 12, '0') || repeat('0', 20)) AS statement
FROM (
    SELECT c.relname AS name, (to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month') AT TIME ZONE 'UTC' AS ends_at
    FROM pg_inherits i
    JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = to_regclass('rollcall.audit') AND c.relname ~ '^audit_[0-9]{4}_[0-9]{2}$'
) month
WHERE month.ends_at <= (SELECT now() - max(p.audit_retention) FROM rollcall.policy p)
  AND NOT EXISTS (SELECT FROM rollcall.policy p WHERE p.audit_retention IS NULL)
  AND month.ends_at < date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'
ORDER BY month.name;

-- name: schema_role_exists (role) all_organizations
SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = :role::name) AS role_exists;

-- What the programs' role holds, where it differs from what it needs, as
-- statements that mend it. The audit is append-only, and its partitions are
-- reached through their parent alone; nobody may TRUNCATE.
-- name: schema_grants (role) all_organizations
WITH wanted AS (
    SELECT relation.oid, relation.relname,
        CASE
            WHEN relation.relispartition THEN '{}'
            WHEN relation.relname = 'schema_migration' THEN '{SELECT}'
            WHEN relation.relname = 'audit' THEN '{INSERT,SELECT}'
            WHEN relation.relname = 'organization' THEN '{INSERT,SELECT,UPDATE}'
            -- What is purged or ended, and what an administrator may delete. Everything else stays:
            -- a revoked invitation keeps its row.
            WHEN relation.relname IN ('session', 'outbox', 'login_throttle', 'users', 'role', 'department', 'position',
                'user_group', 'group_member', 'field', 'photo', 'day_off', 'assignment', 'deletion', 'idempotency',
                'job', 'file_part', 'import', 'import_row', 'import_mapping', 'export', 'selection', 'selection_user')
                THEN '{DELETE,INSERT,SELECT,UPDATE}'
            ELSE '{INSERT,SELECT,UPDATE}'
        END::text[] AS privileges
    FROM pg_class AS relation
    WHERE relation.relnamespace = to_regnamespace('rollcall')
        AND relation.relkind IN ('r', 'p')
), held AS (
    SELECT relation.oid,
        array_agg(acl.privilege_type ORDER BY acl.privilege_type COLLATE "C") AS privileges
    FROM pg_class AS relation
    JOIN LATERAL aclexplode(relation.relacl) AS acl ON true
    JOIN pg_roles AS role ON role.oid = acl.grantee
    WHERE relation.relnamespace = to_regnamespace('rollcall')
        AND role.rolname = :role::name
    GROUP BY relation.oid
)
SELECT format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), :role::name) AS statement
WHERE NOT has_database_privilege(:role::name, current_database(), 'CONNECT')
UNION ALL
SELECT format('GRANT USAGE ON SCHEMA %I TO %I', nspname, :role::name)
FROM pg_namespace
WHERE nspname IN ('rollcall', 'public') AND NOT has_schema_privilege(:role::name, oid, 'USAGE')
UNION ALL
SELECT format('REVOKE ALL ON rollcall.%I FROM %I', wanted.relname, :role::name)
FROM wanted
JOIN held USING (oid)
WHERE NOT held.privileges <@ wanted.privileges
UNION ALL
SELECT format('GRANT %s ON rollcall.%I TO %I', array_to_string(wanted.privileges, ', '), wanted.relname, :role::name)
FROM wanted
LEFT JOIN held USING (oid)
WHERE wanted.privileges <> '{}' AND held.privileges IS DISTINCT FROM wanted.privileges
UNION ALL
SELECT format('GRANT EXECUTE ON FUNCTION %s TO %I', function.oid::regprocedure, :role::name)
FROM pg_proc AS function
WHERE function.pronamespace = to_regnamespace('rollcall') AND function.proname = 'refresh_statistics'
    AND NOT has_function_privilege(:role::name, function.oid, 'EXECUTE');

-- After much was written: sql/migrations/0010_statistics.sql.
-- name: schema_refresh_statistics () all_organizations
SELECT rollcall.refresh_statistics();
