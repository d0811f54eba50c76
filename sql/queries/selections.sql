-- Selections: users chosen by a filter, and what is done to all of them once that is confirmed
-- (DESIGN.md §6).

-- The number is for its maker alone. One whose time has passed is dead, whether or not
-- somebody has tried.
-- fragment: selection_view
    d.id, d.op, CASE WHEN d.state = 'pending' AND d.expires_at <= now() THEN 'dead' ELSE d.state END AS state,
    CASE WHEN d.state = 'pending' AND d.expires_at > now() AND d.maker_kind = :maker_kind AND d.maker_id = :maker_id::uuid THEN d.code END AS code,
    d.count, d.done, d.failed, d.problem, d.created_at, d.expires_at

-- name: selection_get (org_id, id, maker_kind, maker_id)
SELECT :{selection_view}
FROM rollcall.selection d
WHERE d.org_id = :org_id AND d.id = :id;

-- Who it is about is written down with it. No row in `made`: they are more than `most`, or
-- too many selections wait for their number already.
-- name: selection_create (org_id, status, kind, role_id, email, username, external_id, updated_since, search, department_id, group_id, incomplete, vacation, assignable, at, id, op, code, filter, most, most_pending, audit_id, actor) writes
WITH chosen AS MATERIALIZED (
    SELECT u.id
    FROM rollcall.users u :{required_of_role}
    WHERE :{user_list_statuses} AND :{user_list_filter}
      AND (:search::text IS NULL OR u.search LIKE lower(:search::text))
    LIMIT :most::integer + 1
),
pending AS (
    SELECT count(*) AS count FROM rollcall.selection d
    WHERE d.org_id = :org_id AND d.state = 'pending' AND d.expires_at > now()
),
made AS (
    INSERT INTO rollcall.selection (org_id, id, op, state, maker_kind, maker_id, actor, code, filter, count, expires_at)
    SELECT :org_id, :id, :op, 'pending', a.kind, a.id, :actor::jsonb, :code, :filter::jsonb, (SELECT count(*) FROM chosen),
        now() + interval '10 minutes'
    FROM jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid)
    WHERE (SELECT count(*) FROM chosen) <= :most::integer AND (SELECT count FROM pending) < :most_pending::integer
    RETURNING id, op, count
),
members AS (
    INSERT INTO rollcall.selection_user (org_id, selection_id, user_id)
    SELECT :org_id, made.id, chosen.id FROM chosen, made
),
audited AS (
    INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
    SELECT :org_id, :audit_id, a.kind, a.id, 'selection.created', 'selection', made.id,
        jsonb_build_object('op', jsonb_build_array(NULL, made.op), 'count', jsonb_build_array(NULL, made.count)), a.ip, a.request_id
    FROM made, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text)
)
SELECT (SELECT count(*) FROM chosen) > :most::integer AS are_too_many, (SELECT count FROM pending) >= :most_pending::integer AS is_full;

-- Whether there is one that he may confirm, alive or not.
-- name: selection_find (org_id, id, maker_kind, maker_id)
SELECT d.op
FROM rollcall.selection d
WHERE d.org_id = :org_id AND d.id = :id AND d.maker_kind = :maker_kind AND d.maker_id = :maker_id::uuid;

-- As deletion_try; the right number makes it a job.
-- name: selection_try (org_id, id, maker_kind, maker_id, code, audit_id, actor) writes notifies
WITH tried AS (
    UPDATE rollcall.selection d SET
        wrong_codes = d.wrong_codes + :{is_wrong_code}::integer,
        state = CASE WHEN :{ends_confirmation} THEN 'dead' WHEN :{is_wrong_code} THEN d.state ELSE 'running' END,
        actor = :actor::jsonb
    WHERE d.org_id = :org_id AND d.id = :id AND d.maker_kind = :maker_kind AND d.maker_id = :maker_id::uuid AND d.state = 'pending'
    RETURNING d.id, d.op, d.count, d.state, NOT :{is_wrong_code} AS is_right, d.expires_at <= now() AS has_passed
),
queued AS (
    INSERT INTO rollcall.job (org_id, id, kind)
    SELECT :org_id, t.id, 'selection' FROM tried t WHERE t.state = 'running'
),
audited AS (
    INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
    SELECT :org_id, :audit_id, a.kind, a.id, CASE t.state WHEN 'running' THEN 'selection.confirmed' ELSE 'selection.died' END, 'selection', t.id,
        CASE t.state WHEN 'running' THEN jsonb_build_object('op', jsonb_build_array(NULL, t.op), 'count', jsonb_build_array(NULL, t.count))
            ELSE jsonb_build_object('reason', jsonb_build_array(NULL, CASE WHEN t.has_passed THEN 'expired' ELSE 'wrong_code' END)) END,
        a.ip, a.request_id
    FROM tried t, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text)
    WHERE t.state IN ('running', 'dead')
)
SELECT state, is_right FROM tried;

-- fragment: selection_user_outcome
CASE WHEN s.status IS NULL THEN 'open' WHEN s.status < 400 THEN 'done' ELSE 'failed' END

-- Those in it, and what became of each; `outcome`: done, failed, open, or null for all.
-- name: selection_user_list (org_id, id, outcome, after_id, limit)
SELECT s.user_id, s.status, s.problem
FROM rollcall.selection_user s
WHERE s.org_id = :org_id AND s.selection_id = :id
  AND (:outcome::text IS NULL OR :outcome::text = :{selection_user_outcome})
  AND (:after_id::uuid IS NULL OR s.user_id > :after_id::uuid)
ORDER BY s.user_id
LIMIT :limit::integer;

-- No row: there is no such selection. Counted only where that is wished for.
-- name: selection_user_count (org_id, id, outcome, counts)
SELECT CASE WHEN :counts::boolean THEN (
    SELECT count(*) FROM rollcall.selection_user s
    WHERE s.org_id = d.org_id AND s.selection_id = d.id AND (:outcome::text IS NULL OR :outcome::text = :{selection_user_outcome})) END AS total
FROM rollcall.selection d
WHERE d.org_id = :org_id AND d.id = :id;

-- For the worker: what is to be done, and as whom it was asked for.
-- name: selection_load (org_id, id)
SELECT d.op, d.state, d.maker_kind, d.maker_id, d.actor ->> 'ip' AS ip, d.actor ->> 'request_id' AS request_id
FROM rollcall.selection d
WHERE d.org_id = :org_id AND d.id = :id;

-- name: selection_next (org_id, id, after_id, limit)
SELECT s.user_id
FROM rollcall.selection_user s
WHERE s.org_id = :org_id AND s.selection_id = :id AND s.status IS NULL
  AND (:after_id::uuid IS NULL OR s.user_id > :after_id::uuid)
ORDER BY s.user_id
LIMIT :limit::integer;

-- Behind what a round writes, in its transaction: who was written in it is done. So nothing
-- is done twice to anybody, whatever dies between two rounds.
-- name: selection_done (org_id, id, user_ids, status) writes
WITH written AS (
    UPDATE rollcall.selection_user s SET status = :status::smallint
    WHERE s.org_id = :org_id AND s.selection_id = :id AND s.user_id = ANY (:user_ids::uuid[]) AND s.status IS NULL
      AND (SELECT :{is_written_here} FROM rollcall.users u WHERE u.org_id = :org_id AND u.id = s.user_id)
    RETURNING s.user_id
)
UPDATE rollcall.selection d SET done = d.done + (SELECT count(*) FROM written)
WHERE d.org_id = :org_id AND d.id = :id;

-- items    [{user_id, status, problem}]
-- name: selection_failed (org_id, id, items) writes
WITH written AS (
    UPDATE rollcall.selection_user s SET status = i.status, problem = i.problem
    FROM jsonb_to_recordset(:items::jsonb) AS i (user_id uuid, status smallint, problem jsonb)
    WHERE s.org_id = :org_id AND s.selection_id = :id AND s.user_id = i.user_id AND s.status IS NULL
    RETURNING s.user_id
)
UPDATE rollcall.selection d SET failed = d.failed + (SELECT count(*) FROM written)
WHERE d.org_id = :org_id AND d.id = :id;

-- `problem` is null when it came to its end.
-- name: selection_end (org_id, id, problem, audit_id, actor) writes
WITH ended AS (
    UPDATE rollcall.selection d SET state = CASE WHEN :problem::jsonb IS NULL THEN 'done' ELSE 'dead' END, problem = :problem::jsonb
    WHERE d.org_id = :org_id AND d.id = :id AND d.state = 'running'
    RETURNING d.id, d.op, d.state, d.done, d.failed
)
INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
SELECT :org_id, :audit_id, a.kind, a.id, CASE e.state WHEN 'done' THEN 'selection.done' ELSE 'selection.died' END, 'selection', e.id,
    jsonb_build_object('op', jsonb_build_array(NULL, e.op), 'done', jsonb_build_array(NULL, e.done), 'failed', jsonb_build_array(NULL, e.failed)),
    a.ip, a.request_id
FROM ended e, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text);
