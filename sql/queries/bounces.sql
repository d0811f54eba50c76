-- Reports about mails that a relay had taken, and then could not deliver.

-- A report may be here before the mail is settled, or although the relay's answer was lost:
-- what was offered once may have bounced. Once is enough: the second time, nothing changes.
-- name: mail_bounced (org_id, id, status, reply, audit_id, actor) writes
WITH before AS (
    SELECT m.id, m.state
    FROM rollcall.outbox m
    WHERE m.org_id = :org_id AND m.id = :id AND (m.state = 'sent' OR m.state = 'queued' AND m.attempts > 0)
    FOR NO KEY UPDATE
),
bounced AS (
    UPDATE rollcall.outbox m SET
        state = 'bounced',
        last_reply = CASE WHEN NOT :{is_deleted} THEN :reply END,
        sent_at = coalesce(m.sent_at, now()),
        leased_by = NULL
    FROM before
    WHERE m.org_id = :org_id AND m.id = before.id
    RETURNING m.id, jsonb_build_object('state', jsonb_build_array(before.state, 'bounced'),
        'status', jsonb_build_array(NULL, nullif(:status::text, ''))) AS changes
)
-- What the server said quotes addresses: it stands in the outbox, not here.
INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
SELECT :org_id, :audit_id, a.kind, a.id, 'mail.bounced', 'mail', bounced.id, bounced.changes, a.ip, a.request_id
FROM bounced, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text);

-- Some server on the way still tries: it is only noted.
-- name: mail_delayed (org_id, id, reply) writes
UPDATE rollcall.outbox m SET last_reply = :reply
WHERE m.org_id = :org_id AND m.id = :id AND m.state = 'sent' AND NOT :{is_deleted};

-- Whose mail it is, for a report that only names the mail. Through the organizations, because
-- each key begins with one.
-- name: mail_owner (id) all_organizations
SELECT m.org_id
FROM rollcall.organization o
JOIN rollcall.outbox m ON m.org_id = o.id
WHERE m.id = :id::uuid;
