-- Signing in, and who is asking.

-- fragment: permissions_of_user
coalesce(r.permissions, '{}') || u.own_permissions

-- The one query of authentication: token, epoch, status, expiry and permissions at
-- once, so that nobody who is out is ever let in by a step in between.
-- name: session_authenticate (org_id, token_hash)
SELECT s.id AS session_id, s.kind, s.user_id, u.role_id, :{permissions_of_user} AS permissions,
    s.seen_at < now() - interval '1 minute' AS stale, o.admin_epoch, u.locale, o.locale AS organization_locale
FROM rollcall.session s
JOIN rollcall.organization o ON o.id = s.org_id
JOIN rollcall.users u ON u.org_id = s.org_id AND u.id = s.user_id
JOIN rollcall.policy p ON p.org_id = s.org_id
LEFT JOIN rollcall.role r ON r.org_id = u.org_id AND r.id = u.role_id
WHERE s.org_id = :org_id AND s.token_hash = :token_hash
  AND s.session_epoch = u.session_epoch AND u.status = 'active'
  AND s.expires_at > now() AND s.seen_at > now() - p.session_idle_ttl;

-- fragment: key_is_alive
k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())

-- fragment: key_refusal_is_news
(k.refused_at IS NULL OR k.refused_at < now() - interval '1 minute')

-- fragment: key_use
coalesce(k.last_used_at < now() - interval '1 minute', true) AS stale,
    k.networks IS NULL OR :ip::inet <<= ANY (k.networks) AS is_from_its_networks, :{key_refusal_is_news} AS refusal_is_news

-- name: api_key_authenticate (org_id, token_hash, ip)
SELECT k.id AS api_key_id, k.permissions, o.admin_epoch, NULL::text AS locale, o.locale AS organization_locale, :{key_use}
FROM rollcall.api_key k
JOIN rollcall.organization o ON o.id = k.org_id
WHERE k.org_id = :org_id AND k.key_hash = :token_hash AND :{key_is_alive};

-- At most once a minute for each session: what "last active" and idleness rest on. The
-- user comes first, as in every statement that locks both.
-- name: session_touch (org_id, user_id, token_hash) writes
WITH active AS (
    UPDATE rollcall.users u SET
        last_active_at = now(),
        idle_due_at = :{idle_due},
        idle_check_at = :{idle_check_kept}
    FROM rollcall.organization o, rollcall.policy p
    WHERE u.org_id = :org_id AND u.id = :user_id AND u.status = 'active' AND o.id = :org_id AND p.org_id = :org_id
    RETURNING u.id
)
UPDATE rollcall.session s SET seen_at = now()
FROM active
WHERE s.org_id = :org_id AND s.token_hash = :token_hash AND s.user_id = active.id;

-- name: api_key_touch (org_id, token_hash, ip) writes
UPDATE rollcall.api_key SET last_used_at = now(), last_used_ip = :ip::inet
WHERE org_id = :org_id AND key_hash = :token_hash;

-- By slug or by id; without either the only organization of the deployment, or none.
-- name: organization_find (slug, id)
SELECT o.id, o.slug, o.name, o.locale
FROM rollcall.organization o
WHERE o.id = CASE
    WHEN :id::uuid IS NOT NULL THEN :id::uuid
    WHEN :slug::text IS NOT NULL THEN (SELECT x.id FROM rollcall.organization x WHERE x.slug = :slug::text)
    ELSE (SELECT (array_agg(two.id))[1] FROM (SELECT x.id FROM rollcall.organization x LIMIT 2) two HAVING count(*) = 1)
END;

-- fragment: throttle_columns
t.failures, greatest(ceil(extract(epoch FROM t.blocked_until - now())), 0)::integer AS blocked_s

-- fragment: login_columns
    u.id IS NOT NULL AS is_known, c.password_hash, c.must_reset, c.failed_attempts, :{throttle_columns},
    :{subject}

-- A name that nobody has still brings the policy and the throttle: known and
-- unknown go the same way.
-- fragment: login_joins
LEFT JOIN rollcall.login_throttle t ON t.org_id = o.id AND t.login_digest = :login_digest
LEFT JOIN rollcall.role r ON r.org_id = u.org_id AND r.id = u.role_id
LEFT JOIN rollcall.invitation i ON i.org_id = u.org_id AND i.user_id = u.id
LEFT JOIN rollcall.credential c ON c.org_id = u.org_id AND c.user_id = u.id AND c.kind = 'password'
WHERE o.id = :org_id

-- name: login_find_by_email (org_id, login, login_digest)
SELECT :{login_columns}
FROM rollcall.organization o
JOIN rollcall.policy p ON p.org_id = o.id
LEFT JOIN rollcall.users u ON u.org_id = o.id AND lower(u.email) = lower(:login)
:{login_joins};

-- name: login_find_by_username (org_id, login, login_digest)
SELECT :{login_columns}
FROM rollcall.organization o
JOIN rollcall.policy p ON p.org_id = o.id
LEFT JOIN rollcall.users u ON u.org_id = o.id AND lower(u.username) = lower(:login)
:{login_joins};

-- A guess is counted before it is checked; past the threshold there is no row.
-- name: login_count_guess (org_id, user_id, threshold) writes
UPDATE rollcall.credential SET failed_attempts = failed_attempts + 1, failed_at = now()
WHERE org_id = :org_id AND user_id = :user_id AND kind = 'password' AND failed_attempts < :threshold::integer
RETURNING failed_attempts;

-- Every login touches its throttle. The guess that reaches the threshold blocks until it is
-- judged, or for as long as the clock waits (sweep_unfinished_guesses). Behind the free guesses
-- in a row each wrong one blocks, for 2 s doubling to 5 min. A blocked one gets no row, unless
-- it was counted for the user in the statement before.
-- name: login_touch_throttle (org_id, login_digest, user_id, threshold, free_guesses) writes
INSERT INTO rollcall.login_throttle AS t (org_id, login_digest, failures, blocked_until)
VALUES (:org_id, :login_digest, 1, CASE WHEN :threshold::integer = 1 THEN now() + interval '30 seconds' END)
ON CONFLICT (org_id, login_digest) DO UPDATE SET
    failures = t.failures + 1,
    failed_at = now(),
    blocked_until = CASE
        WHEN t.failures + 1 = :threshold::integer THEN now() + interval '30 seconds'
        WHEN t.failures >= :free_guesses::integer
            THEN now() + make_interval(secs => least(2 ^ least(t.failures - :free_guesses::integer + 1, 9), 300)) END
WHERE t.blocked_until IS NULL OR t.blocked_until <= now()
   OR EXISTS (SELECT FROM rollcall.credential u
        WHERE u.org_id = :org_id AND u.user_id = :user_id AND u.kind = 'password' AND :{is_written_here})
RETURNING failures;

-- Where a guess stands behind its counting: whether the lock has come, and its throttle. Always one row.
-- name: login_standing (org_id, user_id, login_digest)
SELECT :{throttle_columns},
    EXISTS (SELECT FROM rollcall.users u WHERE u.org_id = :org_id AND u.id = :user_id AND u.status = 'locked') AS is_locked
FROM rollcall.organization o
LEFT JOIN rollcall.login_throttle t ON t.org_id = o.id AND t.login_digest = :login_digest
WHERE o.id = :org_id;

-- The guess at the threshold is judged: others need not wait for it any more. They do while a user's
-- lock is missed that is to come (sweep_unfinished_guesses).
-- name: login_throttle_judged (org_id, login_digest, threshold, user_id) writes
UPDATE rollcall.login_throttle SET blocked_until = NULL
WHERE org_id = :org_id AND login_digest = :login_digest AND failures = :threshold::integer
  AND NOT EXISTS (
    SELECT FROM rollcall.credential c
    JOIN rollcall.users u ON u.org_id = c.org_id AND u.id = c.user_id
    WHERE c.org_id = :org_id AND c.user_id = :user_id AND c.kind = 'password' AND c.failed_attempts >= :threshold::integer
      AND u.status IN ('pending', 'active'));

-- Those who ask about one name at once come one after another, whether anybody has it or not; the
-- statement behind this one sees what was done before.
-- name: login_take_turn (org_id, login_digest) writes
SELECT pg_advisory_xact_lock(hashtextextended(:org_id::text || :login_digest, 0));

-- Where a stranger named nobody, nothing is written, and a commit that has nothing to keep
-- does not wait for the disk. Beside a statement that may or may not write, this waits always.
-- name: login_wait_for_disk (org_id) writes
SELECT pg_logical_emit_message(true, 'rollcall', :org_id::text);

-- name: login_forget_throttle (org_id, login_digest) writes
DELETE FROM rollcall.login_throttle WHERE org_id = :org_id AND login_digest = :login_digest;

-- The epoch is the one read together with the hash: a login that lost a race against
-- an inactivation, a lock or a new password gets no row, and no session.
-- name: session_create (org_id, user_id, session_epoch, session_id, token_hash, kind, ip, user_agent, login_digest, new_hash, old_hash, first_login) versioned writes
WITH alive AS (
    UPDATE rollcall.users u SET
        last_login_at = now(),
        last_active_at = now(),
        idle_due_at = :{idle_due},
        idle_check_at = :{idle_check_kept}
    FROM rollcall.organization o, rollcall.policy p
    WHERE u.org_id = :org_id AND u.id = :user_id AND u.session_epoch = :session_epoch::bigint AND u.status = 'active'
      -- Behind a first login in the same transaction: only if that came to pass, or another
      -- first login's would do.
      AND (NOT :first_login::boolean OR :{is_written_here})
      AND o.id = :org_id AND p.org_id = :org_id
    RETURNING u.id, u.session_epoch, p.session_ttl
),
guesses_forgotten AS (
    UPDATE rollcall.credential c SET
        failed_attempts = 0,
        failed_at = NULL,
        password_hash = CASE WHEN c.password_hash = :old_hash THEN coalesce(:new_hash, c.password_hash) ELSE c.password_hash END
    FROM alive
    WHERE c.org_id = :org_id AND c.user_id = alive.id AND c.kind = 'password'
    RETURNING c.user_id
),
-- Behind the credential: statements that lock both must take them in one order.
throttle_forgotten AS (
    DELETE FROM rollcall.login_throttle t USING guesses_forgotten
    WHERE t.org_id = :org_id AND t.login_digest = :login_digest
)
INSERT INTO rollcall.session (org_id, token_hash, id, user_id, kind, session_epoch, expires_at, ip, user_agent)
SELECT :org_id, :token_hash, :session_id, alive.id, :kind, alive.session_epoch, now() + alive.session_ttl, :ip::inet, :user_agent
FROM alive
RETURNING id, expires_at;

-- fragment: session_view
    s.id, s.kind, s.created_at, s.expires_at, s.seen_at, s.ip, s.user_agent

-- fragment: session_is_alive
(s.session_epoch = u.session_epoch AND s.expires_at > now() AND s.seen_at > now() - p.session_idle_ttl)

-- name: session_get (org_id, user_id, session_id, own_id)
SELECT :{session_view}, s.id = :own_id::uuid AS current
FROM rollcall.session s
JOIN rollcall.users u ON u.org_id = s.org_id AND u.id = s.user_id
JOIN rollcall.policy p ON p.org_id = s.org_id
WHERE s.org_id = :org_id AND s.user_id = :user_id AND s.id = :session_id AND :{session_is_alive};

-- No row: there is no such user.
-- name: session_count (org_id, user_id)
SELECT (SELECT count(*) FROM rollcall.session s
    WHERE s.org_id = u.org_id AND s.user_id = u.id AND :{session_is_alive}) AS total
FROM rollcall.users u
JOIN rollcall.policy p ON p.org_id = u.org_id
WHERE u.org_id = :org_id AND u.id = :user_id;

-- name: session_list (org_id, user_id, after_id, limit, own_id)
SELECT :{session_view}, s.id = :own_id::uuid AS current
FROM rollcall.session s
JOIN rollcall.users u ON u.org_id = s.org_id AND u.id = s.user_id
JOIN rollcall.policy p ON p.org_id = s.org_id
WHERE s.org_id = :org_id AND s.user_id = :user_id AND :{session_is_alive}
  AND (:after_id::uuid IS NULL OR s.id < :after_id::uuid)
ORDER BY s.id DESC
LIMIT :limit::integer;

-- name: session_delete (org_id, user_id, session_id, audit_id, actor) writes
WITH ended AS (
    DELETE FROM rollcall.session s
    WHERE s.org_id = :org_id AND s.user_id = :user_id AND (:session_id::uuid IS NULL OR s.id = :session_id::uuid)
    RETURNING s.id
),
audited AS (
    INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
    SELECT :org_id, :audit_id, a.kind, a.id, 'user.sessions_ended', 'user', :user_id,
        jsonb_build_object('sessions', jsonb_build_array((SELECT count(*) FROM ended), 0)), a.ip, a.request_id
    FROM jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text)
    WHERE EXISTS (SELECT FROM ended)
)
SELECT id FROM ended;
