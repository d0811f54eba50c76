-- What `rollcall-server doctor` asks of the database as a whole. Only the programs' role is
-- needed for it.

-- name: doctor_server () all_organizations
SELECT current_setting('server_version_num')::integer AS version, current_setting('server_version') AS version_words,
    pg_is_in_recovery() AS is_standby, current_setting('server_encoding') AS encoding,
    (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms,
    current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
        - coalesce(current_setting('reserved_connections', true)::integer, 0) AS connections,
    nullif(d.datconnlimit, -1) AS database_connections, nullif(r.rolconnlimit, -1) AS role_connections,
    current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on' AS is_durable,
    current_setting('synchronous_commit') <> 'off' AS waits_for_disk,
    inet_server_addr() IS NULL OR inet_client_addr() <<= '127.0.0.0/8' OR inet_client_addr() = '::1' AS is_local,
    (SELECT s.ssl FROM pg_stat_ssl s WHERE s.pid = pg_backend_pid()) AS is_encrypted
FROM pg_database d, pg_roles r
WHERE d.datname = current_database() AND r.rolname = current_user;

-- name: doctor_connections () all_organizations
SELECT count(*) FILTER (WHERE NOT c.is_ours) AS others,
    count(*) FILTER (WHERE NOT c.is_ours AND c.is_here) AS others_here,
    count(*) FILTER (WHERE NOT c.is_ours AND c.is_of_role) AS others_of_role,
    count(*) FILTER (WHERE c.is_ours AND c.name LIKE 'rollcall-worker/%') AS workers
FROM (
    SELECT coalesce(a.application_name, '') AS name, a.datname = current_database() AS is_here, a.usename = current_user AS is_of_role,
        a.datname = current_database() AND a.application_name LIKE 'rollcall-%' AS is_ours
    FROM pg_stat_activity a
    WHERE a.datid IS NOT NULL
) c;

-- name: doctor_extensions () all_organizations
SELECT string_agg(wanted.name, ', ') AS missing
FROM unnest('{pg_trgm,btree_gin,btree_gist}'::text[]) AS wanted (name)
WHERE NOT EXISTS (SELECT FROM pg_extension e WHERE e.extname = wanted.name);

-- What the programs' role could do that it should not.
-- name: doctor_role () all_organizations
SELECT r.rolname AS role, r.rolsuper AS is_superuser,
    r.rolcreatedb OR r.rolcreaterole OR r.rolreplication OR r.rolbypassrls AS is_powerful,
    (SELECT count(*) FROM pg_class c WHERE c.relnamespace = 'rollcall'::regnamespace AND pg_has_role(c.relowner, 'USAGE')) AS owned,
    has_schema_privilege('rollcall', 'CREATE') AS creates,
    (SELECT string_agg(c.relname, ', ' ORDER BY c.relname) FROM pg_class c
     WHERE c.relnamespace = 'rollcall'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
       AND has_table_privilege(c.oid, 'TRUNCATE')) AS truncates,
    has_table_privilege('rollcall.audit', 'UPDATE') OR has_any_column_privilege('rollcall.audit', 'UPDATE')
        OR has_table_privilege('rollcall.audit', 'DELETE') AS edits_audit
FROM pg_roles r
WHERE r.rolname = current_user;

-- name: doctor_time_zones () all_organizations
SELECT count(*) AS unknown
FROM rollcall.organization o
WHERE NOT EXISTS (SELECT FROM pg_timezone_names z WHERE z.name = o.timezone);

-- Keys whose end is near and that somebody would miss: in two weeks others are made, and what was not
-- used for a month is nobody's any more. The first ten of them by name; operators' keys have no
-- organization.
-- name: doctor_expiring_keys () all_organizations
WITH key AS (
    SELECT o.slug || ': ' || k.name AS name, k.expires_at, k.revoked_at, k.last_used_at
    FROM rollcall.api_key k
    JOIN rollcall.organization o ON o.id = k.org_id
    UNION ALL
    SELECT '(operator): ' || k.name, k.expires_at, k.revoked_at, k.last_used_at
    FROM rollcall.operator_key k
),
expiring AS (
    SELECT k.name, k.expires_at, row_number() OVER (ORDER BY k.expires_at, k.name) AS place
    FROM key k
    WHERE :{key_is_alive} AND k.expires_at <= now() + interval '14 days' AND k.last_used_at > now() - interval '30 days'
)
SELECT count(*) AS keys,
    string_agg(e.name || to_char(e.expires_at AT TIME ZONE 'UTC', ' (YYYY-MM-DD HH24:MI UTC)'), ', ' ORDER BY e.place) FILTER (WHERE e.place <= 10) AS names
FROM expiring e;
