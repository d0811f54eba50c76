-- Test mails: to whom, and how many of late.

-- Whose address it is, if it is that of somebody here who is not shut out: he is written to in his
-- language, and by his name.
-- name: test_mail_recipient (org_id, recipient)
SELECT u.id AS user_id, coalesce(u.email, :recipient) AS recipient
FROM (VALUES (1)) always
LEFT JOIN rollcall.users u ON u.org_id = :org_id AND lower(u.email) = lower(:recipient) AND u.status IN ('pending', 'active');

-- They are asked for one after another, so that they can be counted.
-- name: test_mail_gate (org_id)
SELECT p.org_id
FROM rollcall.policy p
WHERE p.org_id = :org_id
FOR NO KEY UPDATE;

-- No row: there were as many within the hour.
-- name: test_mail_create (org_id, id, user_id, recipient, hourly_max, audit_id, actor) writes notifies
WITH made AS (
    INSERT INTO rollcall.outbox (org_id, id, kind, user_id, recipient, request_id)
    SELECT :org_id, :id, 'test', :user_id, :recipient, :actor::jsonb ->> 'request_id'
    WHERE :hourly_max::integer > (
        SELECT count(*)
        FROM rollcall.outbox m
        WHERE m.org_id = :org_id AND m.kind = 'test' AND m.created_at > now() - interval '1 hour')
    RETURNING id
)
INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, ip, request_id)
SELECT :org_id, :audit_id, a.kind, a.id, 'mail.tested', 'mail', made.id, a.ip, a.request_id
FROM made, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text)
RETURNING subject_id AS id;

-- In how many seconds the next one may be asked for.
-- name: test_mail_wait (org_id, hourly_max)
SELECT greatest(ceil(extract(epoch FROM min(recent.created_at) + interval '1 hour' - now())), 1)::integer AS retry_after_s
FROM (
    SELECT m.created_at
    FROM rollcall.outbox m
    WHERE m.org_id = :org_id AND m.kind = 'test' AND m.created_at > now() - interval '1 hour'
    ORDER BY m.created_at DESC
    LIMIT :hourly_max::integer) recent;
