-- Jobs: how the worker comes to what it shall do to many users at once. What a job works
-- on is in the statements of its kind.

-- After the n-th attempt that came to nothing: n seconds times n, up to five minutes.
-- fragment: job_back_off
make_interval(secs => least(j.attempts * j.attempts, 300))

-- fragment: own_job
j.org_id = :org_id AND j.id = :id AND j.leased_by = :worker AND j.attempts = :attempts::integer

-- A lease is an attempt: run_at becomes the lease's end. Of kinds that this release does
-- not know, those of a newer one, it lets go. What else the organization has waiting goes behind
-- all that waits already: so each has its turn, however much one of them asks for.
-- name: job_claim (worker, lease_s, kinds) writes all_organizations
WITH head AS (
    SELECT j.org_id, j.id
    FROM rollcall.job j
    WHERE j.run_at <= now() AND j.kind = ANY (:kinds::text[])
    ORDER BY j.run_at, j.created_at
    LIMIT 1
    FOR UPDATE SKIP LOCKED
),
beside AS (
    SELECT j.org_id, j.id
    FROM rollcall.job j
    JOIN head ON head.org_id = j.org_id AND head.id <> j.id
    WHERE j.run_at <= now()
    FOR UPDATE OF j SKIP LOCKED
),
behind AS (
    UPDATE rollcall.job j SET run_at = now()
    FROM beside
    WHERE j.org_id = beside.org_id AND j.id = beside.id
)
UPDATE rollcall.job j SET
    attempts = j.attempts + 1,
    run_at = now() + make_interval(secs => :lease_s::integer),
    leased_by = :worker
FROM head
WHERE j.org_id = head.org_id AND j.id = head.id
RETURNING j.org_id, j.id, j.kind, j.attempts;

-- The first statement of whatever is written for a job (or job_prove is). Who no longer holds
-- it shall write nothing: dividing by zero is how a statement says so (common/database.c).
-- From here to the commit the row is locked, so nobody can claim it while the lease is
-- prolonged.
-- name: job_hold (org_id, id, worker, attempts, lease_s) writes
WITH held AS (
    UPDATE rollcall.job j SET run_at = now() + make_interval(secs => :lease_s::integer)
    WHERE :{own_job}
    RETURNING j.id
)
SELECT 1 / count(*) AS is_held
FROM held;

-- The same where several transactions of one job are on their way at a time: the row is locked
-- against whoever claims, and not against each other. Prolonged it is between them.
-- name: job_prove (org_id, id, worker, attempts)
WITH held AS MATERIALIZED (
    SELECT j.id FROM rollcall.job j
    WHERE :{own_job}
    FOR SHARE
)
SELECT 1 / count(*) AS is_held
FROM held;

-- As job_hold, for the last words of a job.
-- name: job_finish (org_id, id, worker, attempts) writes
WITH gone AS (
    DELETE FROM rollcall.job j
    WHERE :{own_job}
    RETURNING j.id
)
SELECT 1 / count(*) AS is_held
FROM gone;

-- For somebody else, or for later. An attempt that ended because the worker stops is none.
-- name: job_release (org_id, id, worker, attempts, stopped) writes
UPDATE rollcall.job j SET
    attempts = j.attempts - :stopped::boolean::integer,
    run_at = CASE WHEN :stopped::boolean THEN now() ELSE now() + :{job_back_off} END,
    leased_by = NULL
WHERE :{own_job};

-- Of one who is known to be dead. What he sent last may still be on its way: it is fenced
-- by the attempts.
-- name: job_free (worker) writes all_organizations
UPDATE rollcall.job j SET run_at = now() + :{job_back_off}, leased_by = NULL
WHERE j.leased_by = :worker;

-- When the next job is due, for one who has nothing to do.
-- name: job_next (kinds) all_organizations
SELECT greatest(ceil(extract(epoch FROM min(j.run_at) - now()) * 1000), 0)::bigint AS wait_ms
FROM rollcall.job j
WHERE j.kind = ANY (:kinds::text[]);

-- name: job_depth () all_organizations
SELECT count(*) FILTER (WHERE j.leased_by IS NULL) AS queued,
    coalesce(extract(epoch FROM now() - min(j.created_at)), 0)::bigint AS oldest_s
FROM rollcall.job j;

-- Giving up: what is said of a thing whose job failed too often.
-- name: import_give_up (org_id, id, problem) writes
UPDATE rollcall.import i SET state = 'failed', problem = :problem::jsonb, stage_began_at = NULL, updated_at = now()
WHERE i.org_id = :org_id AND i.id = :id AND i.state IN ('parsing', 'applying', 'undoing');

-- name: export_give_up (org_id, id, problem) writes
UPDATE rollcall.export e SET state = 'failed', problem = :problem::jsonb
WHERE e.org_id = :org_id AND e.id = :id AND e.state IN ('queued', 'running');

-- name: selection_give_up (org_id, id, problem) writes
UPDATE rollcall.selection s SET state = 'dead', problem = :problem::jsonb
WHERE s.org_id = :org_id AND s.id = :id AND s.state = 'running';

-- The mail about an import that has ended, for its last transaction, behind what it says of
-- its end. Who asked for what was done last hears of it: a user who is active and has an
-- address; for an API key the organization's contact. What its rows say counts.
-- name: import_tell (org_id, import_id, mail_id) writes notifies
INSERT INTO rollcall.outbox (org_id, id, kind, recipient, request_id, data)
SELECT i.org_id, :mail_id, 'import_done', coalesce(u.email, o.contact_email), i.actor ->> 'request_id', jsonb_strip_nulls(jsonb_build_object(
    'recipient_id', u.id, 'import_id', i.id, 'file_name', i.file_name, 'applied', i.state = 'applied', 'rows', i.rows,
    'created', n.created, 'updated', n.updated, 'errors', n.errors))
FROM rollcall.import i
JOIN rollcall.organization o ON o.id = i.org_id
LEFT JOIN rollcall.users u ON i.actor ->> 'kind' = 'user' AND u.org_id = i.org_id AND u.id = (i.actor ->> 'id')::uuid
    AND u.status = 'active' AND u.email IS NOT NULL
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE r.outcome = 'applied' AND r.before IS NULL) AS created,
        count(*) FILTER (WHERE r.outcome = 'applied' AND r.before IS NOT NULL) AS updated,
        count(*) FILTER (WHERE r.outcome IN ('error', 'skipped')) AS errors
    FROM rollcall.import_row r
    WHERE r.org_id = i.org_id AND r.import_id = i.id) n
WHERE i.org_id = :org_id AND i.id = :import_id AND (u.id IS NOT NULL OR i.actor ->> 'kind' = 'api_key');

-- As whom a job acts: its maker as he is now. No row: he is no longer let in.
-- name: job_caller (org_id, kind, id)
SELECT u.role_id, :{permissions_of_user} AS permissions, o.admin_epoch, coalesce(u.locale, o.locale) AS language
FROM rollcall.users u
JOIN rollcall.organization o ON o.id = u.org_id
LEFT JOIN rollcall.role r ON r.org_id = u.org_id AND r.id = u.role_id
WHERE :kind::text = 'user' AND u.org_id = :org_id AND u.id = :id AND u.status = 'active'
UNION ALL
SELECT NULL, k.permissions, o.admin_epoch, o.locale
FROM rollcall.api_key k
JOIN rollcall.organization o ON o.id = k.org_id
WHERE :kind::text = 'api_key' AND k.org_id = :org_id AND k.id = :id AND k.revoked_at IS NULL
  AND (k.expires_at IS NULL OR k.expires_at > now());
