-- What happened, newest first. Who is deleted goes by his pseudonym.

-- name: audit_list (org_id, subject_id, actor_id, action, since, until, after_id, limit)
SELECT a.id, a.at,
    jsonb_build_object('kind', a.actor_kind, 'id', a.actor_id, 'name',
        CASE a.actor_kind WHEN 'user' THEN coalesce(wd.pseudonym, w.first_name || ' ' || w.last_name) WHEN 'api_key' THEN k.name END) AS actor,
    a.action,
    jsonb_build_object('kind', a.subject_kind, 'id', a.subject_id, 'name', coalesce(sd.pseudonym, s.first_name || ' ' || s.last_name, :{audit_subject_name})) AS subject,
    a.changes || coalesce(v.changes, '{}') AS changes, a.ip, a.request_id
FROM rollcall.audit a
LEFT JOIN rollcall.audit_value v ON v.org_id = a.org_id AND v.audit_id = a.id
LEFT JOIN rollcall.users w ON w.org_id = a.org_id AND w.id = a.actor_id AND a.actor_kind = 'user'
LEFT JOIN rollcall.deleted_user wd ON wd.org_id = a.org_id AND wd.id = a.actor_id AND a.actor_kind = 'user'
LEFT JOIN rollcall.api_key k ON k.org_id = a.org_id AND k.id = a.actor_id AND a.actor_kind = 'api_key'
LEFT JOIN rollcall.users s ON s.org_id = a.org_id AND s.id = a.subject_id AND a.subject_kind = 'user'
LEFT JOIN rollcall.deleted_user sd ON sd.org_id = a.org_id AND sd.id = a.subject_id AND a.subject_kind = 'user'
WHERE a.org_id = :org_id
  AND :{audit_filter}
  AND (:after_id::uuid IS NULL OR a.id < :after_id::uuid)
ORDER BY a.id DESC
LIMIT :limit::integer;

-- What it is called now, as long as it is there; not everything has a name.
-- fragment: audit_subject_name
CASE a.subject_kind
        WHEN 'role' THEN (SELECT x.name FROM rollcall.role x WHERE x.org_id = a.org_id AND x.id = a.subject_id)
        WHEN 'group' THEN (SELECT x.name FROM rollcall.user_group x WHERE x.org_id = a.org_id AND x.id = a.subject_id)
        WHEN 'department' THEN (SELECT x.name FROM rollcall.department x WHERE x.org_id = a.org_id AND x.id = a.subject_id)
        WHEN 'position' THEN (SELECT x.title FROM rollcall.position x WHERE x.org_id = a.org_id AND x.id = a.subject_id)
        WHEN 'field' THEN (SELECT x.key FROM rollcall.field x WHERE x.org_id = a.org_id AND x.id = a.subject_id)
        WHEN 'import' THEN (SELECT x.file_name FROM rollcall.import x WHERE x.org_id = a.org_id AND x.id = a.subject_id)
        WHEN 'api_key' THEN (SELECT x.name FROM rollcall.api_key x WHERE x.org_id = a.org_id AND x.id = a.subject_id)
        WHEN 'organization' THEN (SELECT x.name FROM rollcall.organization x WHERE x.id = a.org_id AND x.id = a.subject_id)
    END

-- fragment: audit_filter
(:subject_id::uuid IS NULL OR a.subject_id = :subject_id::uuid)
  AND (:actor_id::uuid IS NULL OR a.actor_id = :actor_id::uuid)
  AND :{audit_of_time}

-- fragment: audit_of_time
(:action::text IS NULL OR a.action = :action::text)
  AND (:since::timestamptz IS NULL OR a.at >= :since::timestamptz)
  AND (:until::timestamptz IS NULL OR a.at < :until::timestamptz)

-- name: audit_count (org_id, subject_id, actor_id, action, since, until)
SELECT count(*) AS total
FROM rollcall.audit a
WHERE a.org_id = :org_id AND :{audit_filter};

-- No row: there never was such a user. Counting is left out unless somebody wants to know.
-- name: user_history_count (org_id, user_id, action, since, until, wants_count)
SELECT CASE WHEN :wants_count::boolean THEN (
    SELECT count(*) FROM rollcall.audit a
    WHERE a.org_id = :org_id AND a.subject_id = :user_id AND :{audit_of_time}) END AS total
FROM (SELECT FROM rollcall.users u WHERE u.org_id = :org_id AND u.id = :user_id
    UNION ALL
    SELECT FROM rollcall.deleted_user x WHERE x.org_id = :org_id AND x.id = :user_id) k;

-- Personal values die after the organization's audit_retention; who did what and when
-- stays for `migrate` to drop, a month at a time.
-- name: purge_audit_values (limit) writes all_organizations
UPDATE rollcall.audit_value v SET changes = '{}'
WHERE (v.org_id, v.audit_id) IN (
    SELECT x.org_id, x.audit_id
    FROM rollcall.policy p
    JOIN rollcall.audit_value x ON x.org_id = p.org_id AND x.changes <> '{}'
        AND x.audit_id < (lpad(to_hex((extract(epoch FROM now() - p.audit_retention) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
    LIMIT :limit::integer FOR UPDATE OF x SKIP LOCKED);

-- Partitions are named audit_YYYY_MM; `migrate` makes them ahead.
-- name: audit_months_ahead () all_organizations
SELECT count(*) AS months
FROM pg_inherits i
JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'rollcall.audit'::regclass AND right(c.relname, 7) > to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM');
