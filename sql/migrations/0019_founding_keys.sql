-- An operator's key founds one organization, in whichever it stands: the second of two foundings at
-- once under one key waits for the first, and is answered as a repetition. Of two that both came to
-- pass before, the later one's key is forgotten.
DELETE FROM rollcall.idempotency i USING rollcall.idempotency first
WHERE i.route = 'POST /v1/organizations' AND first.route = i.route AND first.caller_id = i.caller_id AND first.key = i.key
  AND (first.created_at, first.org_id) < (i.created_at, i.org_id);
CREATE UNIQUE INDEX idempotency_founding_key ON rollcall.idempotency (caller_id, key) WHERE route = 'POST /v1/organizations';
