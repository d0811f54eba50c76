-- Exports: people as the rows of a file, by pages in the order of their ids.

-- One column for each of common/user_columns.c, named by its key; the values of the
-- organization's own fields as one array in the order of `keys`. Behind the CTE page (id).
-- Those of the page are kept aside, for no planner shall look for a department's users to
-- find out whether it is wanted.
-- fragment: user_export_rows
who AS MATERIALIZED (
    SELECT u.org_id, u.id, u.email, u.username, u.first_name, u.last_name, u.phone, u.external_id, u.kind, u.role_id, u.department_id,
        u.position_id, u.locale, u.status, u.version, u.attributes
    FROM page JOIN rollcall.users u ON u.org_id = :org_id AND u.id = page.id
)
SELECT u.id, u.email, u.username, u.first_name, u.last_name, u.phone, u.external_id, u.kind, r.name AS role,
    way.path AS department, j.title AS position,
    array_to_string(ARRAY(
        SELECT g.name FROM rollcall.group_member m JOIN rollcall.user_group g ON g.org_id = m.org_id AND g.id = m.group_id
        WHERE m.org_id = u.org_id AND m.user_id = u.id ORDER BY g.name), '; ') AS groups,
    u.locale, u.status, u.version,
    ARRAY(SELECT u.attributes ->> k.key FROM unnest(:keys::text[]) WITH ORDINALITY k (key, place) ORDER BY k.place) AS attributes
FROM who u
LEFT JOIN rollcall.role r ON r.org_id = u.org_id AND r.id = u.role_id
LEFT JOIN rollcall.position j ON j.org_id = u.org_id AND j.id = u.position_id
LEFT JOIN (
    SELECT d.id, array_to_string(:{department_path}, ' / ') AS path
    FROM rollcall.department d
    WHERE d.org_id = :org_id AND d.id IN (SELECT w.department_id FROM who w)
) way ON way.id = u.department_id
ORDER BY u.id

-- name: user_export_page (org_id, status, kind, role_id, email, username, external_id, updated_since, search, department_id, group_id, incomplete, vacation, assignable, at, after_id, limit, keys)
WITH page AS MATERIALIZED (
    :{page_oldest}
),
:{user_export_rows};

-- name: user_export_search (org_id, status, kind, role_id, email, username, external_id, updated_since, search, department_id, group_id, incomplete, vacation, assignable, at, after_id, limit, keys)
WITH sample AS MATERIALIZED (
    :{search_sample}
),
page AS MATERIALIZED (
    :{page_search_oldest}
),
:{user_export_rows};

-- With their labels: what stands in the columns behind those that everybody has.
-- fragment: export_fields
coalesce((
        SELECT jsonb_agg(jsonb_build_object('key', f.key, 'type', f.type, 'label', :{field_label}) ORDER BY f.key)
        FROM rollcall.field f WHERE f.org_id = o.id), '[]')

-- name: user_export_begin (org_id, language)
SELECT :{export_fields} AS fields, o.slug, to_char(now(), 'YYYY-MM-DD') AS day
FROM rollcall.organization o
WHERE o.id = :org_id;

-- What an API client sees.
-- fragment: export_view
    e.id, e.state, e.format, e.filter, e.rows,
    CASE WHEN e.state = 'ready' THEN '/v1/exports/' || e.id || '/file' END AS file_url,
    e.problem, e.created_at, e.expires_at

-- One that is over is gone, though its rows may not be yet.
-- name: export_get (org_id, id)
SELECT :{export_view}
FROM rollcall.export e
WHERE e.org_id = :org_id AND e.id = :id AND e.expires_at > now();

-- name: export_list (org_id, after_id, limit)
SELECT :{export_view}
FROM rollcall.export e
WHERE e.org_id = :org_id AND e.expires_at > now() AND (:after_id::uuid IS NULL OR e.id < :after_id::uuid)
ORDER BY e.id DESC
LIMIT :limit::integer;

-- name: export_count (org_id)
SELECT count(*) AS total
FROM rollcall.export e
WHERE e.org_id = :org_id AND e.expires_at > now();

-- Of what it was narrowed to the audit keeps the names: the values may be people's.
-- fragment: filter_names
jsonb_build_array(NULL, (SELECT coalesce(jsonb_agg(k.name ORDER BY k.name), '[]') FROM jsonb_object_keys(:filter::jsonb) k (name)))

-- The export and its job, unless `most` wait already.
-- name: export_create (org_id, id, maker_kind, maker_id, format, filter, language, audit_id, actor, most) writes notifies
WITH made AS (
    INSERT INTO rollcall.export (org_id, id, state, maker_kind, maker_id, format, filter, language, expires_at)
    SELECT p.org_id, :id, 'queued', :maker_kind, :maker_id, :format, :filter::jsonb, :language, now() + p.import_retention
    FROM rollcall.policy p
    WHERE p.org_id = :org_id
      AND (SELECT count(*) FROM rollcall.export x WHERE x.org_id = :org_id AND x.state IN ('queued', 'running')) < :most::integer
    RETURNING id
),
queued AS (
    INSERT INTO rollcall.job (org_id, id, kind)
    SELECT :org_id, made.id, 'export' FROM made
)
INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
SELECT :org_id, :audit_id, a.kind, a.id, 'export.created', 'export', made.id,
    jsonb_build_object('format', jsonb_build_array(NULL, :format::text), 'filter', :{filter_names}), a.ip, a.request_id
FROM made, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text)
RETURNING subject_id AS id;

-- A file that is streamed leaves as little behind as one that was asked for: that somebody took it.
-- name: export_streamed (org_id, subject_id, filter, audit_id, actor) writes
INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
SELECT :org_id, :audit_id, a.kind, a.id, 'export.streamed', 'organization', :subject_id,
    jsonb_build_object('filter', :{filter_names}), a.ip, a.request_id
FROM jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text);

-- name: export_file (org_id, id)
SELECT e.state, e.format, o.slug || '-users-' || to_char(e.created_at, 'YYYY-MM-DD') || '.' || e.format AS file_name, e.id AS file_id, f.parts, f.size
FROM rollcall.export e
JOIN rollcall.organization o ON o.id = e.org_id,
    LATERAL (SELECT count(*) AS parts, coalesce(sum(octet_length(p.bytes)), 0) AS size
        FROM rollcall.file_part p WHERE p.org_id = e.org_id AND p.file_id = e.id) f
WHERE e.org_id = :org_id AND e.id = :id AND e.expires_at > now();

-- The bytes of a part as hex.
-- name: file_part_get (org_id, file_id, number)
SELECT encode(p.bytes, 'hex') AS bytes
FROM rollcall.file_part p
WHERE p.org_id = :org_id AND p.file_id = :file_id AND p.number = :number::integer;

-- `bytes` is base64.
-- name: file_part_add (org_id, file_id, number, bytes) writes
INSERT INTO rollcall.file_part (org_id, file_id, number, bytes)
VALUES (:org_id, :file_id, :number::integer, decode(:bytes::text, 'base64'));

-- name: file_remove (org_id, file_id) writes
DELETE FROM rollcall.file_part p
WHERE p.org_id = :org_id AND p.file_id = :file_id;

-- What the worker begins with: the parameters of the list as its query takes them
-- (server/user_filter.c has checked them).
-- name: export_load (org_id, id)
SELECT e.format, e.language,
    string_to_array(e.filter ->> 'status', ',') AS status, e.filter ->> 'kind' AS kind, e.filter ->> 'role_id' AS role_id,
    e.filter ->> 'email' AS email, e.filter ->> 'username' AS username, e.filter ->> 'external_id' AS external_id,
    e.filter ->> 'updated_since' AS updated_since,
    '%' || regexp_replace(nullif(e.filter ->> 'q', ''), '([\\%_])', '\\\1', 'g') || '%' AS search,
    e.filter ->> 'department_id' AS department_id, e.filter ->> 'group_id' AS group_id, e.filter ->> 'incomplete' AS incomplete,
    e.filter ->> 'vacation' AS vacation, e.filter ->> 'assignable' AS assignable, e.filter ->> 'at' AS at
FROM rollcall.export e
WHERE e.org_id = :org_id AND e.id = :id;

-- As he is now: no row when he may ask for nothing any more.
-- name: export_maker (org_id, id)
SELECT coalesce(r.permissions, '{}') || u.own_permissions AS permissions
FROM rollcall.export e
JOIN rollcall.users u ON u.org_id = e.org_id AND u.id = e.maker_id AND u.status = 'active'
LEFT JOIN rollcall.role r ON r.org_id = u.org_id AND r.id = u.role_id
WHERE e.org_id = :org_id AND e.id = :id AND e.maker_kind = 'user'
UNION ALL
SELECT k.permissions
FROM rollcall.export e
JOIN rollcall.api_key k ON k.org_id = e.org_id AND k.id = e.maker_id AND k.revoked_at IS NULL
    AND (k.expires_at IS NULL OR k.expires_at > now())
WHERE e.org_id = :org_id AND e.id = :id AND e.maker_kind = 'api_key';

-- name: export_progress (org_id, id, rows) writes
UPDATE rollcall.export e SET state = 'running', rows = :rows::integer
WHERE e.org_id = :org_id AND e.id = :id;

-- name: export_ready (org_id, id, rows) writes
UPDATE rollcall.export e SET state = 'ready', rows = :rows::integer
WHERE e.org_id = :org_id AND e.id = :id;

-- name: export_fail (org_id, id, problem) writes
UPDATE rollcall.export e SET state = 'failed', problem = :problem::jsonb
WHERE e.org_id = :org_id AND e.id = :id;
