-- Keys that clients give their requests, and what was done under them (server/idempotency.c).

-- name: idempotency_find (org_id, caller_id, route, key)
SELECT i.digest, i.steps, i.view, i.view_params, i.answer
FROM rollcall.idempotency i
WHERE i.org_id = :org_id AND i.caller_id = :caller_id AND i.route = :route AND i.key = :key;

-- What an operator's key has founded: his key stands with the organization that came of it.
-- name: idempotency_find_founded (caller_id, key) all_organizations
SELECT i.digest, i.steps, i.view, i.view_params, i.answer
FROM rollcall.idempotency i
WHERE i.route = 'POST /v1/organizations' AND i.caller_id = :caller_id AND i.key = :key;

-- Behind the effect, in its transaction. Whatever is done leaves a line in the audit: where there
-- is none of this request and this transaction, a guard has failed, and no key is kept; nor is one
-- for what died of its wrong number, which is a refusal.
-- Who came first with the key has it; the other's transaction fails, and he looks again.
-- name: idempotency_keep (org_id, caller_id, route, key, digest, steps, view, view_params, since, request_id) writes
INSERT INTO rollcall.idempotency (org_id, caller_id, route, key, digest, steps, view, view_params)
SELECT :org_id, :caller_id, :route, :key, :digest, :steps::smallint, :view, :view_params::jsonb
WHERE EXISTS (
    SELECT FROM rollcall.audit u
    WHERE u.org_id = :org_id AND u.id > :since AND u.request_id = :request_id AND u.action <> 'selection.died' AND :{is_written_here})
RETURNING key;

-- What was answered, or would be if nothing more came of it: that never takes the place of the other.
-- name: idempotency_answer (org_id, caller_id, route, key, answer, is_last) writes
UPDATE rollcall.idempotency i SET answer = :answer::jsonb
WHERE i.org_id = :org_id AND i.caller_id = :caller_id AND i.route = :route AND i.key = :key AND (:is_last::boolean OR i.answer IS NULL);

-- name: purge_idempotency (limit) writes all_organizations
DELETE FROM rollcall.idempotency i
WHERE (i.org_id, i.caller_id, i.route, i.key) IN (
    SELECT x.org_id, x.caller_id, x.route, x.key FROM rollcall.idempotency x WHERE x.created_at < now() - interval '24 hours'
    LIMIT :limit::integer FOR UPDATE SKIP LOCKED);
