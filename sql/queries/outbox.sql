-- The outbox: what administrators see of it, and the worker's claim and settling.

-- fragment: outbox_view
    m.id, m.kind, m.user_id, m.recipient, m.state, m.attempts,
    CASE WHEN m.state = 'queued' THEN m.run_at END AS next_attempt_at, m.last_reply, m.created_at, m.sent_at

-- name: outbox_list (org_id, state, kind, user_id, after_id, limit)
SELECT :{outbox_view}
FROM rollcall.outbox m
WHERE m.org_id = :org_id
  AND (:state::text[] IS NULL OR m.state = ANY (:state::text[]))
  AND (:kind::text IS NULL OR m.kind = :kind::text)
  AND (:user_id::uuid IS NULL OR m.user_id = :user_id::uuid)
  AND (:after_id::uuid IS NULL OR m.id < :after_id::uuid)
ORDER BY m.id DESC
LIMIT :limit::integer;

-- name: outbox_count (org_id, state, kind, user_id)
SELECT count(*) AS total
FROM rollcall.outbox m
WHERE m.org_id = :org_id
  AND (:state::text[] IS NULL OR m.state = ANY (:state::text[]))
  AND (:kind::text IS NULL OR m.kind = :kind::text)
  AND (:user_id::uuid IS NULL OR m.user_id = :user_id::uuid);

-- name: outbox_get (org_id, id)
SELECT :{outbox_view}
FROM rollcall.outbox m
WHERE m.org_id = :org_id AND m.id = :id;

-- A failed mail may be tried again, and a queued one sooner; one that is with a
-- sender right now, sent or cancelled may not.
-- name: outbox_retry (org_id, id, audit_id, actor) writes notifies
WITH again AS (
    UPDATE rollcall.outbox m SET state = 'queued', run_at = now(), created_at = CASE WHEN m.state = 'queued' THEN m.created_at ELSE now() END,
        attempts = CASE WHEN m.state = 'queued' THEN m.attempts ELSE 0 END,
        request_id = coalesce(:actor::jsonb ->> 'request_id', m.request_id)
    WHERE m.org_id = :org_id AND m.id = :id AND m.state IN ('failed', 'queued', 'bounced') AND m.leased_by IS NULL
    RETURNING m.id
)
INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, ip, request_id)
SELECT :org_id, :audit_id, a.kind, a.id, 'mail.retried', 'mail', again.id, a.ip, a.request_id
FROM again, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text)
RETURNING subject_id AS id;

-- A lease is an attempt: run_at becomes the lease's end, so that what is claimed
-- leaves the head of the index, and what a dead sender held comes back by itself.
-- A locked row stays in its place, by which it is found without going through keys.
-- name: outbox_claim (worker, lease_s, limit) writes all_organizations
WITH head AS (
    SELECT m.ctid
    FROM rollcall.outbox m
    WHERE m.lane = 'mail' AND m.state = 'queued' AND m.run_at <= now()
    ORDER BY m.run_at
    LIMIT :limit::integer
    FOR UPDATE SKIP LOCKED
)
UPDATE rollcall.outbox m SET
    attempts = m.attempts + 1,
    run_at = now() + make_interval(secs => :lease_s::integer),
    leased_by = :worker
FROM head
WHERE m.ctid = head.ctid
RETURNING m.org_id, m.id;

-- Everything a mail says, read when it is sent: names, addresses and links as they
-- are now. `is_alive` is false when its link has died or its reason has gone.
-- name: outbox_read (ids) all_organizations
SELECT m.org_id, m.id, m.kind, m.user_id, m.recipient, m.data, m.generation, m.attempts, m.request_id,
    m.created_at < now() - interval '3 days' AS is_too_old, m.created_at,
    o.name AS organization, o.slug AS organization_slug, o.contact_email, coalesce(u.locale, a.locale, o.locale) AS language,
    o.locale AS organization_language, a.first_name AS administrator_first_name, a.last_name AS administrator_last_name,
    u.first_name, u.last_name, u.email, u.username, p.login_identifier, p.invitation_expiry_recipient,
    i.invited_by, coalesce(r.permissions, '{}') || u.own_permissions AS permissions,
    to_char(CASE m.kind WHEN 'password_reset' THEN x.expires_at WHEN 'account_locked' THEN x.expires_at
        WHEN 'email_change_confirm' THEN e.expires_at ELSE i.expires_at END
        AT TIME ZONE o.timezone, 'YYYY-MM-DD HH24:MI') AS expires_on, o.timezone,
    to_char(u.idle_due_at AT TIME ZONE o.timezone, 'YYYY-MM-DD') AS idle_on,
    greatest(ceil(extract(epoch FROM u.idle_due_at - now()) / 86400), 0)::integer AS idle_days,
    CASE m.kind
        WHEN 'invitation' THEN i.generation = m.generation AND i.state = 'pending' AND i.expires_at > now() AND u.status IN ('pending', 'active')
        WHEN 'invitation_expired' THEN i.generation = m.generation AND i.state = 'pending' AND i.expires_at > now() AND u.status = 'pending'
            AND p.invitation_letter = 'set_password_link'
        -- A letter has no link that could die: it goes to his address while it is the newest.
        WHEN 'login_info' THEN i.outbox_id = m.id AND lower(u.email) = lower(m.recipient) AND u.status IN ('pending', 'active')
        WHEN 'email_change_confirm' THEN e.generation = m.generation AND e.state = 'pending' AND e.expires_at > now()
            AND e.session_epoch = u.session_epoch AND u.status = 'active'
        WHEN 'invitation_lapsed' THEN i.state = 'expired' AND u.status = 'pending'
        WHEN 'password_reset' THEN x.generation = m.generation AND x.state = 'pending' AND x.expires_at > now()
            AND x.session_epoch = u.session_epoch AND u.status IN ('pending', 'active', 'locked')
        WHEN 'idle_warning' THEN u.status = 'active' AND u.idle_due_at <= now() + make_interval(days => (m.data ->> 'days')::integer)
        WHEN 'account_locked' THEN u.status = 'locked'
        WHEN 'lock_digest' THEN a.status = 'active'
        WHEN 'idle_brake' THEN a.status = 'active'
        -- Of an API key's import the organization's contact hears.
        WHEN 'import_done' THEN a.status = 'active' OR NOT m.data ? 'recipient_id'
        ELSE true
    END AND (m.user_id IS NULL OR u.id IS NOT NULL) AS is_alive,
    m.kind = 'account_locked' AND x.generation = m.generation AND x.state = 'pending' AND x.releases_lock AS has_reset_link
FROM jsonb_to_recordset(:ids::jsonb) AS t (org_id uuid, id uuid)
JOIN rollcall.outbox m ON m.org_id = t.org_id AND m.id = t.id
JOIN rollcall.organization o ON o.id = m.org_id
JOIN rollcall.policy p ON p.org_id = m.org_id
LEFT JOIN rollcall.users u ON u.org_id = m.org_id AND u.id = m.user_id
-- To whom a mail about the organization itself goes.
LEFT JOIN rollcall.users a ON m.user_id IS NULL AND a.org_id = m.org_id AND a.id = (m.data ->> 'recipient_id')::uuid
LEFT JOIN rollcall.role r ON r.org_id = u.org_id AND r.id = u.role_id
LEFT JOIN rollcall.invitation i ON i.org_id = m.org_id AND i.user_id = m.user_id
LEFT JOIN rollcall.password_reset x ON x.org_id = m.org_id AND x.user_id = m.user_id
LEFT JOIN rollcall.email_change e ON e.org_id = m.org_id AND e.user_id = m.user_id
-- As they were made: ids grow. (What is claimed together is due together: a lease's end.)
ORDER BY m.id;

-- Who may be handed the link of the one in the CTE invited (words): active, with an address,
-- may invite, and his permissions contain the invited one's, but for those that everybody
-- starts with.
-- fragment: may_be_handed
    SELECT a.id, a.email, a.first_name, a.last_name, a.locale
    FROM invited
    JOIN rollcall.users a ON a.org_id = :org_id
    JOIN rollcall.policy p ON p.org_id = a.org_id
    LEFT JOIN rollcall.role r ON r.org_id = a.org_id AND r.id = a.role_id
    CROSS JOIN LATERAL (SELECT coalesce(r.permissions, '{}') || a.own_permissions AS words) h
    WHERE a.status = 'active' AND a.email IS NOT NULL AND a.id <> :user_id
      AND CASE WHEN h.words && '{*}' THEN true
          WHEN h.words && '{users:invite}' THEN h.words || p.default_permissions @> invited.words
          ELSE false END

-- The preferred one first. They are found by themselves, by what their role allows, and by
-- their own words: never among all users.
-- name: administrators_for_user (org_id, user_id, preferred_id)
WITH invited AS MATERIALIZED (
    SELECT coalesce(r.permissions, '{}') || u.own_permissions AS words
    FROM rollcall.users u
    LEFT JOIN rollcall.role r ON r.org_id = u.org_id AND r.id = u.role_id
    WHERE u.org_id = :org_id AND u.id = :user_id
)
SELECT x.id, x.email, x.first_name, x.last_name, coalesce(x.locale, o.locale) AS language
FROM (
    (:{may_be_handed} AND a.id = :preferred_id::uuid)
    UNION
    SELECT y.*
    FROM rollcall.role ar
    CROSS JOIN LATERAL (:{may_be_handed} AND :{is_of_role} ORDER BY a.role_id, a.id LIMIT 50) y
    WHERE ar.org_id = :org_id AND ar.permissions && '{*,users:invite}'
    UNION
    (:{may_be_handed} AND :{has_own_powers} ORDER BY a.id LIMIT 50)) x
JOIN rollcall.organization o ON o.id = :org_id
ORDER BY x.id = :preferred_id::uuid DESC NULLS LAST, x.id
LIMIT 50;

-- fragment: own_mail
rollcall.outbox m
        WHERE m.org_id = t.org_id AND m.id = t.id AND m.attempts = t.attempts AND m.leased_by = :worker
          AND (m.state = 'queued' OR m.state = 'cancelled' AND t.state = 'sent')

-- Settled only where the attempt still matches: a sender whose lease ran out does not
-- overwrite what the next one found. What somebody else has locked is left, so that it
-- holds up no other, and counted: the sender asks again with the same results, which no
-- longer match what is settled. An audit row is written with the settling of its mail.
--
-- Each mail is looked up by its key, in a subquery that no planner turns round, and written
-- where it was found: a join was turned into reading the whole outbox for the few that are
-- leased. (One that moved in between is left over, too.)
-- name: outbox_settle (results, audits, actor, worker) writes all_organizations
WITH result AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(:results::jsonb) AS t (
        org_id uuid, id uuid, attempts integer, state text, reply text, recipient text, delay_s double precision, unattempted boolean)
),
mine AS MATERIALIZED (
    SELECT count((SELECT m.id FROM :{own_mail})) AS total
    FROM result t
),
free AS MATERIALIZED (
    SELECT t.*, m.ctid AS place
    FROM result t
    CROSS JOIN LATERAL (
        SELECT m.ctid FROM :{own_mail}
        FOR UPDATE SKIP LOCKED
    ) m
),
settled AS (
    UPDATE rollcall.outbox m SET
        state = t.state,
        last_reply = CASE WHEN NOT :{is_deleted} THEN t.reply END,
        -- Who was deleted while it was sent is not written down again.
        recipient = CASE WHEN NOT :{is_deleted} THEN coalesce(t.recipient, m.recipient) END,
        sent_at = CASE WHEN t.state = 'sent' THEN now() ELSE m.sent_at END,
        attempts = m.attempts - t.unattempted::integer,
        run_at = now() + make_interval(secs => coalesce(t.delay_s, 0)),
        leased_by = NULL
    FROM free t
    WHERE m.ctid = t.place
    RETURNING m.org_id, m.id
),
audited AS (
    INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes)
    SELECT a.org_id, a.id, b.kind, b.id, a.action, 'user', a.user_id, a.changes
    FROM jsonb_to_recordset(:audits::jsonb) AS a (
        org_id uuid, outbox_id uuid, id uuid, user_id uuid, action text, changes jsonb)
    JOIN settled s ON s.org_id = a.org_id AND s.id = a.outbox_id,
        jsonb_to_record(:actor::jsonb) AS b (kind text, id uuid)
)
SELECT mine.total - (SELECT count(*) FROM settled) AS left_over
FROM mine;

-- When the next mail is due, for a sender that has nothing to do.
-- name: outbox_next () all_organizations
SELECT greatest(ceil(extract(epoch FROM min(m.run_at) - now()) * 1000), 0)::bigint AS wait_ms
FROM rollcall.outbox m
WHERE m.lane = 'mail' AND m.state = 'queued';

-- name: outbox_depth () all_organizations
SELECT count(*) AS queued, coalesce(extract(epoch FROM now() - min(m.created_at)), 0)::bigint AS oldest_s,
    count(*) FILTER (WHERE m.leased_by IS NOT NULL) AS leased,
    coalesce(extract(epoch FROM now() - min(m.created_at) FILTER (WHERE m.leased_by IS NOT NULL)), 0)::bigint AS leased_oldest_s,
    count(*) FILTER (WHERE m.leased_by IS NULL AND m.run_at <= now()) AS due,
    coalesce(extract(epoch FROM now() - min(m.run_at) FILTER (WHERE m.leased_by IS NULL AND m.run_at <= now())), 0)::bigint AS due_oldest_s,
    count(*) FILTER (WHERE m.leased_by IS NULL AND m.run_at > now()) AS later,
    coalesce(extract(epoch FROM now() - min(m.created_at) FILTER (WHERE m.leased_by IS NULL AND m.run_at > now())), 0)::bigint AS later_oldest_s
FROM rollcall.outbox m
WHERE m.lane = 'mail' AND m.state = 'queued';

-- What somebody may want to look at. outbox_state_idx has these, and few others.
-- name: outbox_undelivered () all_organizations
SELECT count(*) FILTER (WHERE m.state = 'failed') AS failed, count(*) FILTER (WHERE m.state = 'bounced') AS bounced
FROM rollcall.outbox m
WHERE m.state IN ('failed', 'bounced');
