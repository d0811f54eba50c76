-- What the clock does: expired links, released locks, idle users, digests, purging.
--
-- Sweeps take at most 1000 rows a statement, and repeat. They lock nothing while they
-- look: two clocks may take the same rows, and the second one then finds that their
-- versions have moved and leaves them alone. A row that somebody holds for longer than
-- lock_timeout fails the statement that decides its organization's rows, and nothing of
-- it is written: they are all still due, and the next round takes them again. Purging
-- alone skips what others hold.

-- When the next link expires: for a clock that has nothing else to do.
-- name: deadline_next () all_organizations
SELECT greatest(ceil(extract(epoch FROM min(i.expires_at) - now()) * 1000), 0)::bigint AS wait_ms
FROM rollcall.invitation i
WHERE i.state = 'pending';

-- The due ones first: what they are joined with is looked up for them alone.
-- name: sweep_expired_invitations (limit) all_organizations
WITH due AS MATERIALIZED (
    SELECT v.org_id, v.user_id, v.expires_at
    FROM rollcall.invitation v
    WHERE v.state = 'pending' AND v.expires_at <= now()
    ORDER BY v.expires_at
    LIMIT :limit::integer
)
SELECT u.org_id, :{subject}
FROM due
JOIN :{subject_from_joined}
ORDER BY due.expires_at;

-- fragment: subject_from_joined
    rollcall.users u ON u.org_id = due.org_id AND u.id = due.user_id
    JOIN rollcall.organization o ON o.id = u.org_id
    JOIN rollcall.policy p ON p.org_id = u.org_id
    LEFT JOIN rollcall.role r ON r.org_id = u.org_id AND r.id = u.role_id
    LEFT JOIN rollcall.invitation i ON i.org_id = u.org_id AND i.user_id = u.id
    LEFT JOIN rollcall.credential c ON c.org_id = u.org_id AND c.user_id = u.id AND c.kind = 'password'

-- Locks whose time is over.
-- name: sweep_released_locks (limit) all_organizations
SELECT u.org_id, :{subject}
FROM :{subject_from}
WHERE u.status = 'locked' AND p.lockout_release = 'interval' AND u.status_changed_at + p.lockout_interval <= now()
ORDER BY u.status_changed_at
LIMIT :limit::integer;

-- Guesses that stood at the threshold for 30 s without a lock: the process that
-- checked the last one has died, or the threshold was lowered since. However old they
-- are: until this is finished, every login of theirs is put off.
-- name: sweep_unfinished_guesses (limit) all_organizations
WITH due AS MATERIALIZED (
    SELECT k.org_id, k.user_id, k.failed_at
    FROM rollcall.credential k
    JOIN rollcall.policy t ON t.org_id = k.org_id
    JOIN rollcall.users s ON s.org_id = k.org_id AND s.id = k.user_id
    WHERE k.kind = 'password' AND k.failed_attempts > 0 AND k.failed_at < now() - interval '30 seconds'
      AND t.lockout_threshold > 0 AND k.failed_attempts >= t.lockout_threshold AND s.status IN ('pending', 'active')
    ORDER BY k.failed_at
    LIMIT :limit::integer
)
SELECT u.org_id, :{subject}
FROM due
JOIN :{subject_from_joined}
ORDER BY due.failed_at;

-- The last administrator is not locked: his count starts anew, the throttle slows him.
-- name: guesses_reset (org_id, user_id) writes
UPDATE rollcall.credential SET failed_attempts = 0, failed_at = NULL
WHERE org_id = :org_id AND user_id = :user_id AND kind = 'password';

-- Organizations whose policy about idleness, or whose time zone, is not the one their
-- users were computed with. "idle_applied" is its text.
-- fragment: idle_setting
coalesce(p.idle_after::text, 'off') || ' ' || p.idle_warn_days::text || ' ' || o.timezone

-- name: idle_stale_organizations () all_organizations
SELECT p.org_id, :{idle_setting} AS setting
FROM rollcall.policy p
JOIN rollcall.organization o ON o.id = p.org_id
WHERE p.idle_applied IS DISTINCT FROM :{idle_setting};

-- From the latest of last login, last use and the last change of status, which for
-- an active user who never came is his activation.
-- fragment: idle_since_life
(SELECT greatest(u.last_login_at, u.last_active_at, u.status_changed_at) AS at) s

-- name: idle_recompute (org_id, after_id, limit) writes
WITH page AS MATERIALIZED (
    SELECT u.id FROM rollcall.users u
    WHERE u.org_id = :org_id AND u.status = 'active'
      AND u.id > coalesce(:after_id::uuid, '00000000-0000-0000-0000-000000000000')
    ORDER BY u.id
    LIMIT :limit::integer
    FOR UPDATE
),
recomputed AS (
    UPDATE rollcall.users u SET
        (idle_due_at, idle_check_at) = (SELECT e.due, e.due - :{idle_first_warning} FROM :{idle_since_life}, :{idle_ends})
    FROM page, rollcall.organization o, rollcall.policy p
    WHERE u.org_id = :org_id AND u.id = page.id AND o.id = :org_id AND p.org_id = :org_id
    RETURNING u.id
)
SELECT max(id::text) AS last_id, count(*) AS count FROM recomputed;

-- Behind a change of his days off. Where his date stays, no warning is given twice; and
-- while he is away nobody looks at him.
-- name: idle_recompute_user (org_id, user_id) writes
UPDATE rollcall.users u SET
    (idle_due_at, idle_check_at) = (
        SELECT e.due, greatest(
            CASE WHEN e.due = u.idle_due_at AND e.due > now() THEN u.idle_check_at ELSE e.due - :{idle_first_warning} END,
            :{idle_back_at})
        FROM :{idle_since_life}, :{idle_ends})
FROM rollcall.organization o, rollcall.policy p
WHERE u.org_id = :org_id AND u.id = :user_id AND u.status = 'active' AND u.idle_due_at IS NOT NULL
  AND o.id = :org_id AND p.org_id = :org_id;

-- When the day off is over that he has now; null without one.
-- fragment: idle_back_at
(SELECT upper(f.during) FROM rollcall.day_off f WHERE f.org_id = u.org_id AND f.user_id = u.id AND f.during @> now())

-- A day off today spares: who has one is looked at when he is back.
-- name: idle_spare (org_id) writes
UPDATE rollcall.users u SET idle_check_at = :{idle_back_at}
WHERE u.org_id = :org_id AND u.status = 'active' AND u.idle_check_at IS NOT NULL AND u.idle_check_at <= now()
  AND EXISTS (SELECT FROM rollcall.day_off f WHERE f.org_id = :org_id AND f.user_id = u.id AND f.during @> now());

-- name: idle_recomputed (org_id, setting) writes
UPDATE rollcall.policy SET idle_applied = :setting WHERE org_id = :org_id;

-- Organizations with somebody to look at now, and what the brake says: how many are
-- active, and how many of them fall due within 24 hours.
-- name: idle_due_organizations () all_organizations
WITH RECURSIVE org AS (
    (SELECT u.org_id FROM rollcall.users u
     WHERE u.status = 'active' AND u.idle_check_at IS NOT NULL
     ORDER BY u.org_id LIMIT 1)
    UNION ALL
    SELECT (SELECT u.org_id FROM rollcall.users u
            WHERE u.status = 'active' AND u.idle_check_at IS NOT NULL AND u.org_id > org.org_id
            ORDER BY u.org_id LIMIT 1)
    FROM org WHERE org.org_id IS NOT NULL
)
SELECT org.org_id, p.idle_brake, o.idle_braked_at IS NOT NULL AS is_braked,
    coalesce(o.idle_brake_released_until > now(), false) AS is_released,
    coalesce(o.idle_brake_mailed_at > now() - interval '1 day', false) AS is_mailed
FROM org
JOIN rollcall.organization o ON o.id = org.org_id
JOIN rollcall.policy p ON p.org_id = org.org_id
WHERE p.idle_applied IS NOT DISTINCT FROM :{idle_setting}
  AND EXISTS (SELECT FROM rollcall.users u
      WHERE u.org_id = org.org_id AND u.status = 'active' AND u.idle_check_at IS NOT NULL AND u.idle_check_at <= now());

-- Costs what the due ones cost: the active ones are counted where more than `free_users` are
-- due, and only until those are known to be no more than `brake` percent of them.
-- name: idle_brake_count (org_id, free_users, brake)
SELECT d.due, CASE WHEN d.due > :free_users::integer THEN (
    SELECT count(*)
    FROM (SELECT FROM rollcall.users u WHERE u.org_id = :org_id AND u.status = 'active'
        LIMIT d.due * 100 / :brake::integer + 1) a)
    ELSE 0 END AS active
FROM (SELECT count(*) AS due FROM rollcall.users u
    WHERE u.org_id = :org_id AND u.status = 'active' AND u.idle_check_at IS NOT NULL
      AND u.idle_check_at <= now() + interval '1 day' AND u.idle_due_at <= now() + interval '1 day') d;

-- name: idle_brake_set (org_id, braked) writes
UPDATE rollcall.organization SET idle_braked_at = CASE WHEN :braked::boolean THEN coalesce(idle_braked_at, now()) END
WHERE id = :org_id;

-- The day's mails about the brake, by one clock only, however many see it hold.
-- name: idle_brake_tell (org_id, mails) writes notifies
WITH taken AS (
    UPDATE rollcall.organization SET idle_brake_mailed_at = now()
    WHERE id = :org_id AND (idle_brake_mailed_at IS NULL OR idle_brake_mailed_at <= now() - interval '1 day')
    RETURNING id
)
INSERT INTO rollcall.outbox (org_id, id, kind, recipient, data)
SELECT :org_id, m.id, 'idle_brake', m.recipient, m.data
FROM jsonb_to_recordset(:mails::jsonb) AS m (id uuid, recipient text, data jsonb), taken
RETURNING id;

-- Due ones and those to be warned, told apart by `is_due`. Under the brake only warnings. Who is
-- away is nobody's, even if his date was moved since idle_spare.
-- name: sweep_idle (org_id, warnings_only, limit)
SELECT u.idle_due_at <= now() AS is_due, u.org_id,
    (SELECT min(d) FROM unnest(p.idle_warn_days) d
        WHERE u.idle_due_at - make_interval(days => d) <= now() AND make_interval(days => d) < p.idle_after) AS warn_days,
    :{subject}
FROM :{subject_from}
WHERE u.org_id = :org_id AND u.status = 'active' AND u.idle_check_at IS NOT NULL AND u.idle_check_at <= now()
  AND (NOT :warnings_only::boolean OR u.idle_due_at > now()) AND NOT :{on_day_off}
ORDER BY u.idle_check_at
LIMIT :limit::integer;

-- A warning is no transition: it moves no version. Each is given once: the next look
-- is at the next warning, or when the user is due. Returns who was really moved on.
-- name: idle_warned (org_id, mails) writes notifies
WITH mail AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(:mails::jsonb) AS t (id uuid, user_id uuid, days integer, wants_mail boolean)
),
moved AS (
    UPDATE rollcall.users u SET
        idle_check_at = u.idle_due_at - make_interval(days => coalesce((
            SELECT max(d) FROM unnest(p.idle_warn_days) d
            WHERE d < m.days AND make_interval(days => d) < p.idle_after), 0))
    FROM mail m, rollcall.policy p
    WHERE u.org_id = :org_id AND u.id = m.user_id AND p.org_id = :org_id AND u.status = 'active'
      AND u.idle_check_at <= now() AND u.idle_due_at > now()
    RETURNING u.id, u.email, m.id AS mail_id, m.days, m.wants_mail
)
INSERT INTO rollcall.outbox (org_id, id, kind, user_id, recipient, data)
SELECT :org_id, moved.mail_id, 'idle_warning', moved.id, moved.email, jsonb_build_object('days', moved.days)
FROM moved WHERE moved.wants_mail AND moved.email IS NOT NULL
RETURNING id;

-- Somebody who cannot be idled (the last administrator) is looked at again in a day.
-- name: idle_postponed (org_id, user_id) writes
UPDATE rollcall.users SET idle_check_at = now() + interval '1 day'
WHERE org_id = :org_id AND id = :user_id AND status = 'active';

-- name: idle_braked () all_organizations
SELECT count(*) AS braked
FROM rollcall.organization o
WHERE o.idle_braked_at IS NOT NULL;

-- name: idle_release (org_id, audit_id, actor) writes notifies
WITH released AS (
    UPDATE rollcall.organization SET idle_braked_at = NULL, idle_brake_released_until = now() + interval '1 day'
    WHERE id = :org_id
    RETURNING id
),
audited AS (
    INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, ip, request_id)
    SELECT :org_id, :audit_id, a.kind, a.id, 'idle_sweep.released', 'organization', :org_id, a.ip, a.request_id
    FROM released, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text)
)
SELECT id FROM released;

-- name: idle_release_get (org_id)
SELECT o.idle_brake_released_until AS released_until FROM rollcall.organization o WHERE o.id = :org_id;

-- Locks that no digest has told: at once the first time, then at most every five minutes.
-- name: lock_digest_organizations () all_organizations
SELECT o.id AS org_id
FROM rollcall.organization o
WHERE o.id IN (SELECT u.org_id FROM rollcall.users u WHERE u.lock_is_news)
  AND o.lock_digest_at < now() - interval '5 minutes';

-- name: lock_digest_write (org_id, mails) writes notifies
WITH taken AS (
    UPDATE rollcall.organization o SET lock_digest_at = now()
    WHERE o.id = :org_id AND o.lock_digest_at < now() - interval '5 minutes'
    RETURNING o.id
),
told AS (
    UPDATE rollcall.users u SET lock_is_news = false
    FROM taken
    WHERE u.org_id = :org_id AND u.lock_is_news
    RETURNING u.id
)
INSERT INTO rollcall.outbox (org_id, id, kind, recipient, data)
SELECT :org_id, m.id, 'lock_digest', m.recipient, jsonb_build_object('recipient_id', m.recipient_id,
    'users', (SELECT jsonb_agg(id) FROM (SELECT id FROM told LIMIT 100) f), 'count', (SELECT count(*) FROM told))
FROM jsonb_to_recordset(:mails::jsonb) AS m (id uuid, recipient text, recipient_id uuid), taken
WHERE EXISTS (SELECT FROM told)
RETURNING id;

-- Those who hear about the organization: active administrators with an address.
-- name: organization_administrators (org_id)
SELECT DISTINCT x.id, x.email, x.first_name, x.last_name, coalesce(x.locale, o.locale) AS language
FROM rollcall.organization o
JOIN rollcall.policy p ON p.org_id = o.id
CROSS JOIN LATERAL :{administrators} x
WHERE o.id = :org_id AND x.email IS NOT NULL
ORDER BY x.id
LIMIT 50;

-- Names for a digest.
-- name: user_names (org_id, ids)
SELECT u.first_name, u.last_name, u.email, u.username
FROM jsonb_array_elements_text(:ids::jsonb) t
JOIN rollcall.users u ON u.org_id = :org_id AND u.id = t::uuid
ORDER BY u.last_name, u.first_name;

-- The oldest first; none is read that every organization keeps.
-- name: purge_outbox (limit) writes all_organizations
DELETE FROM rollcall.outbox m
WHERE (m.org_id, m.id) IN (
    SELECT x.org_id, x.id FROM rollcall.outbox x JOIN rollcall.policy p ON p.org_id = x.org_id
    WHERE x.state <> 'queued' AND x.created_at < now() - (SELECT min(s.outbox_retention) FROM rollcall.policy s)
      AND x.created_at < now() - p.outbox_retention
    ORDER BY x.created_at
    LIMIT :limit::integer FOR UPDATE OF x SKIP LOCKED);

-- name: purge_sessions (limit) writes all_organizations
DELETE FROM rollcall.session s
WHERE (s.org_id, s.token_hash) IN (
    SELECT x.org_id, x.token_hash FROM rollcall.session x WHERE x.expires_at < now() LIMIT :limit::integer FOR UPDATE SKIP LOCKED);

-- name: purge_throttles (limit) writes all_organizations
DELETE FROM rollcall.login_throttle t
WHERE (t.org_id, t.login_digest) IN (
    SELECT x.org_id, x.login_digest FROM rollcall.login_throttle x WHERE x.failed_at < now() - interval '1 day'
    LIMIT :limit::integer FOR UPDATE SKIP LOCKED);

-- An administrators' mail that is for all of them: the first keeps the row, the others
-- get one each with the same link. Done once, however often it is tried.
-- name: mail_fan_out (org_id, id, first_id, others) writes notifies
WITH original AS (
    UPDATE rollcall.outbox m SET data = m.data || jsonb_build_object('recipient_id', :first_id::uuid)
    WHERE m.org_id = :org_id AND m.id = :id AND NOT m.data ? 'recipient_id'
    RETURNING m.kind, m.user_id, m.generation, m.request_id
)
INSERT INTO rollcall.outbox (org_id, id, kind, user_id, generation, data, request_id)
SELECT :org_id, t.id, original.kind, original.user_id, original.generation, jsonb_build_object('recipient_id', t.recipient_id),
    original.request_id
FROM original, jsonb_to_recordset(:others::jsonb) AS t (id uuid, recipient_id uuid);
