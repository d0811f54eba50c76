-- Imports as the worker sees them: the dry run, applying, undoing. How the API shows them and
-- what begins them stands in imports.sql.
--
-- What is always true: what is written of users and what the import's rows say of it stand in
-- one transaction, so a row is applied once, however often a worker dies.

-- So many headers an organization may have said the meaning of.
-- fragment: headers_remembered
1000

-- What every stage begins with.
-- name: import_work_load (org_id, id)
SELECT i.state, i.maker_kind, i.maker_id, i.actor ->> 'kind' AS actor_kind, i.actor ->> 'id' AS actor_id,
    i.actor ->> 'ip' AS ip, i.actor ->> 'request_id' AS request_id, i.size, i.charset_wanted, i.mapping_wanted,
    i.headers, i.mapping, i.mapping_from, i.invite,
    coalesce((SELECT jsonb_object_agg(m.header, m.field) FROM (
        SELECT * FROM rollcall.import_mapping x WHERE x.org_id = i.org_id ORDER BY x.header LIMIT :{headers_remembered}) m), '{}') AS remembered,
    coalesce((SELECT jsonb_agg(jsonb_build_object('key', f.key, 'type', f.type, 'options', f.options, 'pattern', f.pattern,
            'required_for_roles', f.required_for_roles, 'labels', f.labels) ORDER BY f.key)
        FROM rollcall.field f WHERE f.org_id = i.org_id), '[]') AS fields,
    :{policy_columns}
FROM rollcall.import i
JOIN rollcall.policy p ON p.org_id = i.org_id
WHERE i.org_id = :org_id AND i.id = :id;

-- What files call by name.
-- name: import_names (org_id)
SELECT 'role' AS kind, r.id, r.name FROM rollcall.role r WHERE r.org_id = :org_id
UNION ALL
SELECT 'group', g.id, g.name FROM rollcall.user_group g WHERE g.org_id = :org_id
UNION ALL
SELECT 'department', d.id, array_to_string(:{department_path}, ' / ') FROM rollcall.department d WHERE d.org_id = :org_id;

-- name: file_part_read (org_id, file_id, number)
SELECT f.bytes
FROM rollcall.file_part f
WHERE f.org_id = :org_id AND f.file_id = :file_id AND f.number = :number::integer;

-- Of a dry run before this one.
-- name: import_rows_clear (org_id, import_id, limit) writes
DELETE FROM rollcall.import_row r
WHERE r.org_id = :org_id AND r.import_id = :import_id AND r.row IN (
    SELECT x.row FROM rollcall.import_row x WHERE x.org_id = :org_id AND x.import_id = :import_id
    ORDER BY x.row LIMIT :limit::integer)
RETURNING r.row;

-- The counts of the dry run so far are forgotten with its rows.
-- name: import_parse_begin (org_id, id) writes
UPDATE rollcall.import i SET
    rows = 0, creates = 0, updates = 0, unchanged = 0, errors = 0, skipped = 0, stage_began_at = now(), stage_done = 0, stage_rows = NULL
WHERE i.org_id = :org_id AND i.id = :id;

-- What the file was taken for, once its headers have come.
-- name: import_parse_headers (org_id, id, format, charset, charset_percent, delimiter, headers, mapping, mapping_from) writes
UPDATE rollcall.import i SET
    format = :format, charset = :charset, charset_percent = :charset_percent::smallint, delimiter = :delimiter,
    headers = ARRAY(SELECT jsonb_array_elements_text(:headers::jsonb)), mapping = :mapping::jsonb, mapping_from = :mapping_from::jsonb,
    updated_at = now()
WHERE i.org_id = :org_id AND i.id = :id;

-- Whom each row may be about: who has its id, and who has each of its names. A row for each of
-- `wanted`, in their order.
-- wanted   [{place, id, email, username, external_id}]
-- name: import_match (org_id, wanted)
SELECT i.id AS by_id, i.version AS version_by_id, i.status AS status_by_id,
    x.id AS by_external_id, x.version AS version_by_external_id, x.status AS status_by_external_id,
    e.id AS by_email, e.version AS version_by_email, e.status AS status_by_email,
    n.id AS by_username, n.version AS version_by_username, n.status AS status_by_username
FROM jsonb_to_recordset(:wanted::jsonb) AS w (place integer, id uuid, email text, username text, external_id text)
LEFT JOIN LATERAL (SELECT u.* FROM rollcall.users u WHERE u.org_id = :org_id AND u.id = w.id AND u.anonymised_at IS NULL OFFSET 0) i ON true
LEFT JOIN LATERAL (SELECT u.* FROM rollcall.users u WHERE u.org_id = :org_id AND u.external_id = w.external_id OFFSET 0) x ON true
LEFT JOIN LATERAL (SELECT u.* FROM rollcall.users u WHERE u.org_id = :org_id AND lower(u.email) = lower(w.email) OFFSET 0) e ON true
LEFT JOIN LATERAL (SELECT u.* FROM rollcall.users u WHERE u.org_id = :org_id AND lower(u.username) = lower(w.username) OFFSET 0) n ON true
ORDER BY w.place;

-- A page of the dry run.
-- rows     [{row, cells, body, outcome, user_id, version, same_as, errors}]
-- name: import_rows_add (org_id, import_id, rows) writes
WITH item AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(:rows::jsonb) AS t (row integer, cells text[], body jsonb, outcome text, user_id uuid,
        version bigint, same_as integer, errors jsonb)
),
added AS (
    INSERT INTO rollcall.import_row (org_id, import_id, row, cells, body, outcome, user_id, version, same_as, errors)
    SELECT :org_id, :import_id, t.row, t.cells, t.body, t.outcome, t.user_id, t.version, t.same_as, coalesce(t.errors, '[]')
    FROM item t
    RETURNING outcome
)
UPDATE rollcall.import i SET
    rows = i.rows + n.rows, creates = i.creates + n.creates, updates = i.updates + n.updates, unchanged = i.unchanged + n.unchanged,
    errors = i.errors + n.errors, skipped = i.skipped + n.skipped, stage_done = i.stage_done + n.rows, updated_at = now()
FROM (SELECT count(*) AS rows, count(*) FILTER (WHERE a.outcome = 'create') AS creates,
        count(*) FILTER (WHERE a.outcome = 'update') AS updates, count(*) FILTER (WHERE a.outcome = 'unchanged') AS unchanged,
        count(*) FILTER (WHERE a.outcome = 'error') AS errors, count(*) FILTER (WHERE a.outcome = 'skipped') AS skipped
    FROM added a) n
WHERE i.org_id = :org_id AND i.id = :import_id;

-- The end of a stage; with a problem it stopped, and undoing may be what is left to do.
-- name: import_stage_end (org_id, id, state, problem) writes
UPDATE rollcall.import i SET
    state = :state, problem = :problem::jsonb,
    stage_began_at = NULL, stage_rows = NULL, updated_at = now()
WHERE i.org_id = :org_id AND i.id = :id;

-- What is said of rows comes as an object with their numbers as names, and what belongs to a
-- row is looked up for it: so the keys find all of it, whatever the planner believes of
-- tables that have grown by a hundred thousand rows since he looked at them last. (The first
-- and the last of them are said as well: by those he reads a part of the index.) It is read
-- once, and not anew wherever something is looked up in it; and looked up by name, for an
-- array would be gone through from its beginning for every row.
-- fragment: items_given
given AS MATERIALIZED (SELECT :items::jsonb AS items)

-- fragment: items
(SELECT given.items FROM given)

-- fragment: row_of_items
r.org_id = :org_id AND r.import_id = :import_id AND :{items} ? r.row::text
  AND r.row >= (SELECT min(k.row::integer) FROM jsonb_object_keys(:{items}) k (row))
  AND r.row <= (SELECT max(k.row::integer) FROM jsonb_object_keys(:{items}) k (row))

-- fragment: user_named
(:{items} ->> r.row::text)::uuid

-- fragment: version_named
(SELECT u.version FROM rollcall.users u WHERE u.org_id = :org_id AND u.id = :{user_named})

-- fragment: is_user_written
(SELECT :{is_written_here} FROM rollcall.users u WHERE u.org_id = :org_id AND u.id = :{user_named})

-- fragment: item_named
(:{items} -> r.row::text)

-- What is still to be applied, in the order of the file. A row that is about whom another
-- row makes finds him through that one.
-- name: import_apply_next (org_id, import_id, after_row, limit)
SELECT r.row, r.body, r.outcome, r.same_as, coalesce(r.user_id, (
    SELECT q.user_id FROM rollcall.import_row q
    WHERE q.org_id = r.org_id AND q.import_id = r.import_id AND q.row = r.same_as AND q.outcome IN ('applied', 'unchanged'))) AS user_id,
    r.version
FROM rollcall.import_row r
WHERE r.org_id = :org_id AND r.import_id = :import_id AND (:after_row::integer IS NULL OR r.row > :after_row::integer) AND r.outcome IN ('create', 'update')
ORDER BY r.row
LIMIT :limit::integer;

-- Before an edit in the same transaction: what the user's body will be when it is undone. The
-- version that the edit rests on says that this is what was there.
-- items    {row: user_id}
-- name: import_remember (org_id, import_id, items) writes
WITH :{items_given}
UPDATE rollcall.import_row r SET before = (
    SELECT (
        SELECT coalesce(jsonb_object_agg(k.name, CASE k.name
            WHEN 'attributes' THEN (SELECT coalesce(jsonb_object_agg(a.key, u.attributes -> a.key), '{}') FROM jsonb_object_keys(r.body -> 'attributes') a (key))
            ELSE v.all -> k.name END), '{}')
        FROM jsonb_object_keys(r.body) k (name)
        WHERE v.all ? k.name OR k.name = 'attributes')
        || CASE WHEN r.body ? 'email' THEN '{"email_pending": null}' ELSE '{}' END::jsonb
    FROM rollcall.users u
    LEFT JOIN rollcall.position j ON j.org_id = u.org_id AND j.id = u.position_id
    CROSS JOIN LATERAL (SELECT jsonb_build_object('email', u.email, 'username', u.username, 'first_name', u.first_name, 'last_name', u.last_name,
        'phone', u.phone, 'external_id', u.external_id, 'kind', u.kind, 'role_id', u.role_id, 'department_id', u.department_id,
        'position', j.title, 'locale', u.locale, 'group_ids', to_jsonb(:{groups_of_user})) AS all) v
    WHERE u.org_id = :org_id AND u.id = :{user_named})
WHERE :{row_of_items} AND r.outcome = 'update';

-- Behind what a round writes, in its transaction: whose row was written in it, that one is
-- applied; of several about one user all know the first. Hashes of passwords are not needed any more.
-- items    {row: user_id}
-- name: import_applied (org_id, import_id, items) writes
WITH :{items_given},
written AS (
    UPDATE rollcall.import_row r SET
        outcome = 'applied', user_id = :{user_named}, version = :{version_named}, written_at = now(), body = r.body - 'password_hash',
        same_as = coalesce((SELECT q.same_as FROM rollcall.import_row q
            WHERE q.org_id = r.org_id AND q.import_id = r.import_id AND q.row = r.same_as), r.same_as)
    WHERE :{row_of_items} AND r.outcome IN ('create', 'update') AND :{is_user_written}
    RETURNING r.row
),
position_new AS (
    SELECT coalesce(array_agg(j.id), '{}') AS ids FROM rollcall.position j
    WHERE j.org_id = :org_id AND j.created_at = now() AND j.xmin = pg_current_xact_id_if_assigned()::xid
)
UPDATE rollcall.import i SET
    applied = i.applied + n.count, stage_done = i.stage_done + n.count, positions_made = i.positions_made || x.ids, updated_at = now()
FROM (SELECT count(*) AS count FROM written) n, position_new x
WHERE i.org_id = :org_id AND i.id = :import_id;

-- What came to nothing: refused by now, or as it should be already.
-- items    {row: {outcome, errors}}
-- name: import_not_applied (org_id, import_id, items) writes
WITH :{items_given},
planned AS MATERIALIZED (
    SELECT r.row, r.outcome AS plan, :{item_named} ->> 'outcome' AS outcome
    FROM rollcall.import_row r
    WHERE :{row_of_items} AND r.outcome IN ('create', 'update')
),
told AS (
    UPDATE rollcall.import_row r SET
        outcome = :{item_named} ->> 'outcome', errors = coalesce(:{item_named} -> 'errors', '[]'), body = r.body - 'password_hash'
    WHERE :{row_of_items} AND r.outcome IN ('create', 'update')
)
UPDATE rollcall.import i SET
    errors = i.errors + n.errors, unchanged = i.unchanged + n.unchanged, creates = i.creates - n.creates, updates = i.updates - n.updates,
    stage_done = i.stage_done + n.errors + n.unchanged, updated_at = now()
FROM (SELECT count(*) FILTER (WHERE t.outcome = 'error') AS errors, count(*) FILTER (WHERE t.outcome = 'unchanged') AS unchanged,
        count(*) FILTER (WHERE t.plan = 'create') AS creates, count(*) FILTER (WHERE t.plan = 'update') AS updates
    FROM planned t) n
WHERE i.org_id = :org_id AND i.id = :import_id;

-- What was said of the headers of a file, for the files to come. One that is applied replaces what
-- was said of them before, which is forgotten first; one that was only looked at changes nothing
-- for others, and is remembered of headers that nobody has said anything of.
-- name: import_mapping_forget (org_id, headers) writes
DELETE FROM rollcall.import_mapping m
WHERE m.org_id = :org_id AND m.header = ANY (ARRAY(SELECT jsonb_array_elements_text(:headers::jsonb)));

-- mapping  {header: field}
-- name: import_mapping_remember (org_id, mapping, replaces) writes
INSERT INTO rollcall.import_mapping AS m (org_id, header, field)
SELECT :org_id, w.key, w.value FROM jsonb_each_text(:mapping::jsonb) w
ORDER BY w.key
LIMIT greatest(:{headers_remembered} - (SELECT count(*) FROM rollcall.import_mapping x WHERE x.org_id = :org_id), 0)
ON CONFLICT (org_id, header) DO UPDATE SET field = EXCLUDED.field WHERE :replaces::boolean;

-- Undoing.

-- Whether nobody but the clock has touched the user u since the row r was applied: each change
-- moves his version by one, and what the clock does to him is in the audit. (That a link has
-- been sent to an administrator stands there as well, and is no change.)
-- fragment: untouched_since_import
(u.version = last.version + (SELECT count(*) FROM rollcall.audit a
    WHERE a.org_id = u.org_id AND a.subject_id = u.id AND a.actor_kind = 'system' AND a.at > last.written_at
      AND a.action <> 'user.link_issued'))

-- What was applied, the last first. `is_made`: the import made him.
-- name: import_undo_next (org_id, import_id, before_row, limit)
SELECT r.row, r.before, r.before IS NULL AS is_made, r.user_id, u.version, u.id IS NULL AS is_gone,
    CASE WHEN u.id IS NOT NULL THEN :{untouched_since_import} END AS is_untouched
FROM (
    SELECT * FROM rollcall.import_row f
    WHERE f.org_id = :org_id AND f.import_id = :import_id AND f.outcome = 'applied'
      AND (:before_row::integer IS NULL OR f.row < :before_row::integer)
    ORDER BY f.row DESC
    LIMIT :limit::integer) r
LEFT JOIN LATERAL (
    SELECT u.org_id, u.id, u.version FROM rollcall.users u
    WHERE u.org_id = r.org_id AND u.id = r.user_id AND u.anonymised_at IS NULL OFFSET 0) u ON true
-- The last of the rows that are about him, applied or undone.
CROSS JOIN LATERAL (
    SELECT g.version, g.written_at
    FROM (
        SELECT r.version, r.written_at
        UNION ALL
        SELECT f.version, f.written_at FROM rollcall.import_row f
        WHERE f.org_id = r.org_id AND f.import_id = r.import_id AND f.same_as = coalesce(r.same_as, r.row)
        UNION ALL
        SELECT f.version, f.written_at FROM rollcall.import_row f
        WHERE f.org_id = r.org_id AND f.import_id = r.import_id AND f.row = r.same_as) g
    WHERE g.written_at IS NOT NULL
    ORDER BY g.version DESC LIMIT 1) last
ORDER BY r.row DESC;

-- Who never came: gone as if erased, whatever the policy says of deleting. Who has accepted,
-- signed in, been assigned something, administers, or holds more than who undoes is left.
-- users    {user_id: {row, version, audit_id}}
-- Other files that name them forget it; but for rows of which somebody may yet come.
-- name: import_undo_made (org_id, import_id, users, permissions, actor) writes
WITH locked AS MATERIALIZED (
    SELECT u.id, 'Deleted user' AS first_name, upper(right(u.id::text, 6)) AS last_name,
        (:users::jsonb -> u.id::text ->> 'audit_id')::uuid AS audit_id, (:users::jsonb -> u.id::text ->> 'row')::integer AS row
    FROM rollcall.users u
    JOIN rollcall.policy p ON p.org_id = u.org_id
    LEFT JOIN rollcall.role r ON r.org_id = u.org_id AND r.id = u.role_id
    LEFT JOIN rollcall.invitation v ON v.org_id = u.org_id AND v.user_id = u.id
    WHERE u.org_id = :org_id AND u.id = ANY (ARRAY(SELECT k.id::uuid FROM jsonb_object_keys(:users::jsonb) k (id)))
      AND u.version = (:users::jsonb -> u.id::text ->> 'version')::bigint
      AND u.anonymised_at IS NULL AND u.last_login_at IS NULL AND v.accepted_at IS NULL
      AND NOT :{is_administrator}
      AND u.assignment_epoch = 0
      AND (:permissions::text[] && '{*}' OR coalesce(r.permissions, '{}') || u.own_permissions <@ (:permissions::text[] || p.default_permissions))
    ORDER BY u.id
    FOR UPDATE OF u
),
removed AS (
    DELETE FROM rollcall.users u USING locked l
    WHERE u.org_id = :org_id AND u.id = l.id
    RETURNING l.*
),
remembered AS (
    INSERT INTO rollcall.deleted_user (org_id, id, pseudonym, mode)
    SELECT :org_id, r.id, r.first_name || ' ' || r.last_name, 'erase' FROM removed r
),
:{removed_forgotten},
:{removed_names},
imported AS MATERIALIZED (
    SELECT w.import_id, w.row
    FROM rollcall.import_row w
    WHERE w.org_id = :org_id AND w.import_id <> :import_id AND w.user_id IN (SELECT r.id FROM removed r)
    UNION
    SELECT w.import_id, w.row
    FROM rollcall.import_row w
    WHERE w.org_id = :org_id AND w.import_id <> :import_id AND w.outcome NOT IN ('create', 'update') AND :{names_removed}
),
:{imported_forgotten},
audited AS (
    INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
    SELECT :org_id, r.audit_id, a.kind, a.id, 'user.import_undone', 'user', r.id, '{}', a.ip, a.request_id
    FROM removed r, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text)
),
told AS (
    UPDATE rollcall.import_row w SET outcome = 'undone', user_id = NULL
    WHERE w.org_id = :org_id AND w.import_id = :import_id AND (SELECT jsonb_object_agg(r.row, true) FROM removed r) ? w.row::text
      AND w.row >= (SELECT min(r.row) FROM removed r) AND w.row <= (SELECT max(r.row) FROM removed r)
    RETURNING w.row
),
counted AS (
    UPDATE rollcall.import i SET undone = i.undone + n.count, stage_done = i.stage_done + n.count, updated_at = now()
    FROM (SELECT count(*) AS count FROM told) n
    WHERE i.org_id = :org_id AND i.id = :import_id
)
SELECT row FROM told;

-- Behind it in the same transaction: who of them is still there, and as he was seen.
-- users    as above
-- name: import_undo_stayed (org_id, users)
SELECT (:users::jsonb -> u.id::text ->> 'row')::integer AS row, u.version = (:users::jsonb -> u.id::text ->> 'version')::bigint AS is_untouched
FROM rollcall.users u
WHERE u.org_id = :org_id AND u.id = ANY (ARRAY(SELECT k.id::uuid FROM jsonb_object_keys(:users::jsonb) k (id))) AND u.anonymised_at IS NULL;

-- As import_applied, for who got his values back.
-- items    {row: user_id}
-- name: import_undone (org_id, import_id, items) writes
WITH :{items_given},
written AS (
    UPDATE rollcall.import_row r SET outcome = 'undone', version = :{version_named}, written_at = now()
    WHERE :{row_of_items} AND r.outcome = 'applied' AND :{is_user_written}
    RETURNING r.row
)
UPDATE rollcall.import i SET undone = i.undone + n.count, stage_done = i.stage_done + n.count, updated_at = now()
FROM (SELECT count(*) AS count FROM written) n
WHERE i.org_id = :org_id AND i.id = :import_id;

-- What is left as it is, and why; or was undone because there was nothing to do.
-- items    {row: {outcome, errors}}
-- name: import_not_undone (org_id, import_id, items) writes
WITH :{items_given},
told AS (
    UPDATE rollcall.import_row r SET outcome = :{item_named} ->> 'outcome', errors = coalesce(:{item_named} -> 'errors', '[]')
    WHERE :{row_of_items} AND r.outcome = 'applied'
    RETURNING r.outcome
)
UPDATE rollcall.import i SET
    left_alone = i.left_alone + n.left_alone, undone = i.undone + n.undone, stage_done = i.stage_done + n.left_alone + n.undone, updated_at = now()
FROM (SELECT count(*) FILTER (WHERE t.outcome = 'left') AS left_alone, count(*) FILTER (WHERE t.outcome = 'undone') AS undone FROM told t) n
WHERE i.org_id = :org_id AND i.id = :import_id;

-- Positions that the import made, and nobody has.
-- name: import_undo_positions (org_id, id) writes
DELETE FROM rollcall.position j
USING rollcall.import i
WHERE i.org_id = :org_id AND i.id = :id AND j.org_id = i.org_id AND j.id = ANY (i.positions_made)
  AND NOT EXISTS (SELECT FROM rollcall.users u WHERE u.org_id = j.org_id AND u.position_id = j.id);
