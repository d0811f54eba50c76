-- Imports as the API sees them: what was uploaded, what the dry run said of it, and what the
-- worker is told to do. The worker's own statements stand elsewhere; both write in one table,
-- and the state says whose turn it is: while a job is under way it is the worker's.

-- A part of a file, of which only the last is smaller.
-- fragment: import_part_bytes
1048576

-- fragment: import_part_count
((i.size + :{import_part_bytes} - 1) / :{import_part_bytes})

-- The parts that are not there yet. At most 32 are looked for.
-- fragment: import_missing
(SELECT coalesce(array_agg(n ORDER BY n), '{}')
     FROM generate_series(0, :{import_part_count} - 1) n
     WHERE NOT EXISTS (SELECT FROM rollcall.file_part f WHERE f.org_id = i.org_id AND f.file_id = i.id AND f.number = n))

-- Headers and what they mean are left to the sight of one: they are as long as the file's
-- author likes.
-- fragment: import_view
    i.id, i.state, i.file_name, i.content_type, i.size, i.format, coalesce(i.charset, i.charset_wanted) AS charset,
    i.charset_percent, i.charset_percent < 100 AS charset_guess, i.delimiter, i.invite,
    jsonb_build_object('rows', i.rows, 'create', i.creates, 'update', i.updates, 'unchanged', i.unchanged, 'error', i.errors,
        'applied', i.applied, 'skipped', i.skipped, 'undone', i.undone, 'left', i.left_alone) AS counts,
    CASE WHEN i.state = 'uploading' THEN
        jsonb_build_object('count', :{import_part_count}, 'bytes', :{import_part_bytes}, 'missing', :{import_missing}) END AS parts,
    CASE WHEN s.is_under_way THEN jsonb_build_object('done', i.stage_done, 'rows', i.stage_rows) END AS progress,
    s.per_s AS rate_per_s,
    CASE WHEN i.stage_rows IS NOT NULL THEN ceil(greatest(i.stage_rows - i.stage_done, 0) / nullif(s.per_s, 0))::integer END AS remaining_s,
    i.problem,
    jsonb_build_object('kind', i.maker_kind, 'id', i.maker_id, 'name',
        CASE i.maker_kind WHEN 'user' THEN coalesce(
            (SELECT d.pseudonym FROM rollcall.deleted_user d WHERE d.org_id = i.org_id AND d.id = i.maker_id),
            (SELECT u.first_name || ' ' || u.last_name FROM rollcall.users u WHERE u.org_id = i.org_id AND u.id = i.maker_id))
        ELSE (SELECT k.name FROM rollcall.api_key k WHERE k.org_id = i.org_id AND k.id = i.maker_id) END) AS maker,
    i.created_at, i.updated_at

-- fragment: import_from
rollcall.import i
CROSS JOIN LATERAL (SELECT i.state IN ('parsing', 'applying', 'undoing') AS is_under_way) u
CROSS JOIN LATERAL (SELECT u.is_under_way, CASE WHEN u.is_under_way AND i.stage_done > 0 AND now() > i.stage_began_at
    THEN round(i.stage_done / extract(epoch FROM now() - i.stage_began_at), 1) END AS per_s) s

-- name: import_list (org_id, state, after_id, limit)
SELECT :{import_view}
FROM :{import_from}
WHERE i.org_id = :org_id AND i.state <> 'expired'
  AND (:state::text[] IS NULL OR i.state = ANY (:state::text[]))
  AND (:after_id::uuid IS NULL OR i.id < :after_id::uuid)
ORDER BY i.id DESC
LIMIT :limit::integer;

-- name: import_count (org_id, state)
SELECT count(*) AS total
FROM rollcall.import i
WHERE i.org_id = :org_id AND i.state <> 'expired'
  AND (:state::text[] IS NULL OR i.state = ANY (:state::text[]));

-- name: import_get (org_id, id)
SELECT :{import_view}, i.headers, coalesce(i.mapping, i.mapping_wanted) AS mapping, i.mapping_from
FROM :{import_from}
WHERE i.org_id = :org_id AND i.id = :id AND i.state <> 'expired';

-- What a file says in a column of passwords is shown to nobody, and of a long text its
-- beginning, the shorter the more columns there are: a page is bounded however the file is made. Rows are there when the dry run is
-- over: before that they are of the run before, or not all.
-- name: import_row_list (org_id, import_id, outcome, after_key, limit)
SELECT r.row, r.outcome, r.user_id, r.errors,
    (SELECT coalesce(jsonb_object_agg(c.header, left(c.cell, least(500, 16000 / nullif(cardinality(i.headers), 0)))), '{}')
     FROM unnest(i.headers, r.cells) AS c (header, cell)
     WHERE c.header <> '' AND c.cell IS NOT NULL AND i.mapping ->> c.header IS DISTINCT FROM 'password_hash') AS values,
    r.row AS cursor_key, r.import_id AS cursor_id
FROM rollcall.import i
JOIN rollcall.import_row r ON r.org_id = i.org_id AND r.import_id = i.id
WHERE i.org_id = :org_id AND i.id = :import_id AND i.state NOT IN ('uploading', 'parsing', 'expired')
  AND (:outcome::text[] IS NULL OR r.outcome = ANY (:outcome::text[]))
  AND (:after_key::bigint IS NULL OR r.row > :after_key::bigint)
ORDER BY r.row
LIMIT :limit::integer;

-- No row: there is no such import. Counting is left out unless somebody wants to know.
-- name: import_row_count (org_id, import_id, outcome, wants_count)
SELECT CASE WHEN :wants_count::boolean THEN (
    SELECT count(*) FROM rollcall.import_row r
    WHERE r.org_id = i.org_id AND r.import_id = i.id AND i.state NOT IN ('uploading', 'parsing')
      AND (:outcome::text[] IS NULL OR r.outcome = ANY (:outcome::text[]))) END AS total
FROM rollcall.import i
WHERE i.org_id = :org_id AND i.id = :import_id AND i.state <> 'expired';

-- What is decided about one.
-- name: import_load (org_id, id)
SELECT i.state, i.maker_kind, i.maker_id, i.size, i.applied, i.undone, p.import_invites,
    CASE WHEN i.state = 'uploading' THEN array_to_string(:{import_missing}, ', ') END AS missing
FROM rollcall.import i
JOIN rollcall.policy p ON p.org_id = i.org_id
WHERE i.org_id = :org_id AND i.id = :id AND i.state <> 'expired';

-- The job of what has begun; it is gone by now if there was one before.
-- fragment: import_job
job AS (
    INSERT INTO rollcall.job (org_id, id, kind)
    SELECT :org_id, begun.id, CASE begun.state WHEN 'parsing' THEN 'import_parse' WHEN 'applying' THEN 'import_apply' ELSE 'import_undo' END
    FROM begun
    WHERE begun.state <> 'uploading'
    ON CONFLICT (org_id, id) DO UPDATE SET kind = EXCLUDED.kind, attempts = 0, run_at = now(), leased_by = NULL
)

-- fragment: import_audited
INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
SELECT :org_id, :audit_id, a.kind, a.id, begun.action, 'import', begun.id, begun.changes, a.ip, a.request_id
FROM begun, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text)
RETURNING subject_id AS id

-- Uploads of an organization begin one after another, so that they can be counted. Its policy
-- is what hardly anybody else waits for.
-- name: import_gate (org_id)
SELECT p.org_id
FROM rollcall.policy p
WHERE p.org_id = :org_id
FOR NO KEY UPDATE;

-- With `bytes` (base64) the whole file; without them it is announced. No row: too many are
-- under way. What was announced more than an hour ago and never came is in nobody's way.
-- name: import_create (org_id, id, maker_kind, maker_id, file_name, content_type, size, charset, mapping, bytes, under_way_max, audit_id, actor) writes notifies
WITH begun AS (
    INSERT INTO rollcall.import (org_id, id, state, maker_kind, maker_id, actor, file_name, content_type, size, charset_wanted, mapping_wanted, stage_began_at)
    SELECT :org_id, :id, CASE WHEN :bytes::text IS NULL THEN 'uploading' ELSE 'parsing' END, :maker_kind, :maker_id, :actor::jsonb,
        :file_name, :content_type, :size::bigint, :charset, :mapping::jsonb, CASE WHEN :bytes::text IS NOT NULL THEN now() END
    WHERE :under_way_max::integer > (
        SELECT count(*) FROM rollcall.import i
        WHERE i.org_id = :org_id
          AND (i.state = 'parsing' OR i.state = 'uploading' AND i.created_at > now() - interval '1 hour'))
    RETURNING id, state, 'import.created' AS action, jsonb_build_object('size', jsonb_build_array(NULL, size)) AS changes
),
part AS (
    INSERT INTO rollcall.file_part (org_id, file_id, number, bytes)
    SELECT :org_id, begun.id, 0, decode(:bytes::text, 'base64') FROM begun WHERE :bytes::text IS NOT NULL
),
:{import_job}
:{import_audited};

-- `bytes` is base64. The lock is shared: parts come at the same time, but none after reading
-- has begun.
-- name: import_part_put (org_id, id, number, bytes) versioned writes
WITH held AS MATERIALIZED (
    SELECT i.id FROM rollcall.import i
    WHERE i.org_id = :org_id AND i.id = :id AND i.state = 'uploading'
    FOR SHARE
),
stored AS (
    INSERT INTO rollcall.file_part (org_id, file_id, number, bytes)
    SELECT :org_id, held.id, :number::integer, decode(:bytes::text, 'base64') FROM held
    ON CONFLICT (org_id, file_id, number) DO UPDATE SET bytes = EXCLUDED.bytes
)
SELECT id FROM held;

-- The dry run begins anew; what is not said stays as it was said before. The rows of the run
-- before go with the worker's first step.
-- name: import_parse (org_id, id, says_charset, charset, says_mapping, mapping, audit_id, actor) versioned writes notifies
WITH begun AS (
    UPDATE rollcall.import i SET
        state = 'parsing',
        actor = :actor::jsonb,
        charset_wanted = CASE WHEN :says_charset::boolean THEN :charset ELSE i.charset_wanted END,
        mapping_wanted = CASE WHEN :says_mapping::boolean THEN :mapping::jsonb ELSE i.mapping_wanted END,
        format = NULL, charset = NULL, charset_percent = NULL, delimiter = NULL, headers = NULL, mapping = NULL, mapping_from = NULL,
        rows = 0, creates = 0, updates = 0, unchanged = 0, errors = 0, skipped = 0, left_alone = 0,
        stage_began_at = now(), stage_done = 0, stage_rows = NULL, problem = NULL, invite = NULL,
        updated_at = now()
    WHERE i.org_id = :org_id AND i.id = :id AND i.state IN ('uploading', 'ready', 'failed') AND i.applied = 0 AND i.undone = 0
    RETURNING i.id, i.state, 'import.parsed' AS action, '{}'::jsonb AS changes
),
:{import_job}
:{import_audited};

-- name: import_apply (org_id, id, invite, audit_id, actor) versioned writes notifies
WITH begun AS (
    UPDATE rollcall.import i SET
        state = 'applying',
        actor = :actor::jsonb,
        invite = :invite::boolean,
        stage_began_at = now(), stage_done = 0, stage_rows = i.creates + i.updates, problem = NULL,
        updated_at = now()
    WHERE i.org_id = :org_id AND i.id = :id AND i.state = 'ready'
    RETURNING i.id, i.state, 'import.applied' AS action,
        jsonb_build_object('rows', jsonb_build_array(NULL, i.stage_rows), 'invite', jsonb_build_array(NULL, i.invite)) AS changes
),
:{import_job}
:{import_audited};

-- name: import_undo (org_id, id, audit_id, actor) versioned writes notifies
WITH begun AS (
    UPDATE rollcall.import i SET
        state = 'undoing',
        actor = :actor::jsonb,
        stage_began_at = now(), stage_done = 0, stage_rows = i.applied - i.undone - i.left_alone, problem = NULL,
        updated_at = now()
    WHERE i.org_id = :org_id AND i.id = :id AND (i.state = 'applied' OR i.state = 'failed' AND i.applied > 0)
    RETURNING i.id, i.state, 'import.undone' AS action, jsonb_build_object('rows', jsonb_build_array(NULL, i.stage_rows)) AS changes
),
:{import_job}
:{import_audited};
