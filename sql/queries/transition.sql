-- The one writer of state (DESIGN.md §2.2). Ids with their expected versions and
-- guards go in; status, invitation, sessions, password, mails and audit follow, or
-- nothing does. One user or a thousand is the same statement.
--
-- items    [{id, version, guard, guard_count, status, status_reason, ...}]
-- mails    [{id, user_id, kind, to_user, recipient, data, link}]
-- audits   [{id, user_id, action, changes, personal}]
-- actor    {kind, id, ip, request_id}
-- admin_epoch   the one that the decision saw, where administrators may become
--          fewer; null otherwise.

-- Whether this transaction has written the row u of a user, in a statement before. (The moment
-- would not do: two transactions that race begin in the same microsecond now and then.)
-- fragment: is_written_here
u.xmin = pg_current_xact_id_if_assigned()::xid

-- When a user who is active now becomes idle, and when the sweep must first look at him.
-- fragment: idle_due
(SELECT e.due FROM (SELECT now() AS at) s, :{idle_ends})
-- fragment: idle_first_check
(SELECT e.due - :{idle_first_warning} FROM (SELECT now() AS at) s, :{idle_ends})

-- Who comes every day need not move in the index of whom the sweep looks at: it looks at
-- him when it would have, finds him not due, and moves him then. Only a new date that comes
-- before the one that stands counts at once.
-- fragment: idle_check_kept
CASE WHEN p.idle_after IS NOT NULL THEN least(u.idle_check_at, :{idle_first_check}) END

-- The earliest warning that fits into the time.
-- fragment: idle_first_warning
make_interval(days => coalesce((SELECT max(d) FROM unnest(p.idle_warn_days) d WHERE make_interval(days => d) < p.idle_after), 0))

-- When the idle time of the user u is over that began at s.at: the calendar months where he
-- lives, and on top of them every day off from then on. One counts if it begins before the
-- end that the ones before it have put off: they come in their order and never overlap.
-- fragment: idle_ends
LATERAL (SELECT ((s.at AT TIME ZONE o.timezone) + p.idle_after) AT TIME ZONE o.timezone AS at) b,
    LATERAL (SELECT b.at + coalesce(sum(f.length) FILTER (WHERE f.starts_at <= b.at + coalesce(f.before, '0')), '0') AS due
        FROM (SELECT lower(x.during) AS starts_at, upper(x.during) - greatest(lower(x.during), s.at) AS length,
                sum(upper(x.during) - greatest(lower(x.during), s.at)) OVER (
                    ORDER BY lower(x.during) ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
            FROM rollcall.day_off x
            WHERE x.org_id = u.org_id AND x.user_id = u.id AND x.during && tstzrange(s.at, NULL)) f) e

-- What the audit tells of all assignments g that one loses: how many, and the first of them.
-- fragment: detached_assignments
jsonb_build_object(
        'assignments', jsonb_build_array(to_jsonb((array_agg(:{assignment_told} ORDER BY :{assignment_told}))[1:200]), NULL),
        'assignment_count', jsonb_build_array(count(*), 0))

-- fragment: assignment_told
g.app || '/' || g.type || '/' || g.resource || '#' || g.relation

-- name: user_transition (org_id, items, mails, audits, actor, admin_epoch) versioned writes notifies
WITH item AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(:items::jsonb) AS t (
        id uuid, version bigint, guard text, guard_count integer,
        status text, status_reason text, ends_sessions boolean, keep_session uuid, restarts_idle_clock boolean,
        logged_in boolean, password_hash text, forgets_guesses boolean, drops_password boolean,
        invitation text, invited_by uuid, invitation_mail uuid, accepted_through text,
        password_reset text, cancels_mails boolean, assignment_epoch bigint, email_change text, new_email text, is_new boolean)
),
locked AS MATERIALIZED (
    SELECT u.id
    FROM rollcall.users u
    JOIN item i ON i.id = u.id
    WHERE u.org_id = :org_id AND i.is_new IS NOT TRUE
      AND (i.version IS NULL OR u.version = i.version)
      -- A day off that began meanwhile has put off the next look (idle_recompute_user).
      AND (i.guard IS DISTINCT FROM 'idle' OR u.idle_due_at <= now() AND u.idle_check_at <= now())
      -- Who was assigned something since the decision is decided again: it would stay with him.
      AND (i.assignment_epoch IS NULL OR u.assignment_epoch = i.assignment_epoch)
      -- Who was inactivated meanwhile is not locked as well.
      AND (i.guard IS DISTINCT FROM 'lock' OR u.status IN ('pending', 'active'))
      -- Who forgot his password: as it is by now, for of many who ask at once nobody decides again.
      AND (i.guard IS DISTINCT FROM 'reset'
        OR u.status IN ('pending', 'active') AND u.email IS NOT NULL AND :{resets_this_hour} < i.guard_count)
      -- Behind an edit in the same transaction: only if that edit came to pass.
      AND (i.guard IS DISTINCT FROM 'edited' OR :{is_written_here} AND u.status IN ('pending', 'active'))
    ORDER BY u.id
    FOR UPDATE OF u
),
at_threshold AS MATERIALIZED (
    SELECT c.user_id
    FROM rollcall.credential c
    JOIN locked l ON l.id = c.user_id
    JOIN item i ON i.id = l.id
    WHERE c.org_id = :org_id AND i.guard = 'lock' AND c.failed_attempts >= i.guard_count
    FOR UPDATE OF c
),
-- Who was made in this transaction, and as he is to be: nobody else sees him yet, and his
-- row, which stands in many indexes, is written once. (Looked up one by one: nothing is known
-- of a table that grows by a thousand rows at once.)
made AS MATERIALIZED (
    SELECT n.id, n.version, n.session_epoch, n.email
    FROM item i
    CROSS JOIN LATERAL (
        SELECT u.id, u.version, u.session_epoch, u.email FROM rollcall.users u
        WHERE u.org_id = :org_id AND u.id = i.id AND :{is_written_here} OFFSET 0) n
    WHERE i.is_new
),
passed AS MATERIALIZED (
    SELECT l.id
    FROM locked l
    JOIN item i ON i.id = l.id
    WHERE i.guard IS DISTINCT FROM 'lock' OR l.id IN (SELECT user_id FROM at_threshold)
    UNION ALL
    SELECT id FROM made
),
gate AS (
    UPDATE rollcall.organization SET admin_epoch = admin_epoch + 1
    WHERE id = :org_id AND admin_epoch = :admin_epoch::bigint AND EXISTS (SELECT FROM passed)
    RETURNING id
),
changed AS MATERIALIZED (
    SELECT i.*
    FROM item i
    JOIN passed USING (id)
    WHERE :admin_epoch::bigint IS NULL OR EXISTS (SELECT FROM gate)
),
mail AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(:mails::jsonb) AS t (
        id uuid, user_id uuid, kind text, to_user boolean, recipient text, data jsonb, link text)
),
moved AS (
    UPDATE rollcall.users u SET
        status = coalesce(c.status, u.status),
        status_reason = CASE WHEN c.status IS NULL THEN u.status_reason ELSE c.status_reason END,
        status_changed_at = CASE WHEN c.status IS NULL THEN u.status_changed_at ELSE now() END,
        status_before_lock = CASE WHEN c.status IS NULL THEN u.status_before_lock WHEN c.status = 'locked' THEN u.status END,
        lock_is_news = CASE WHEN c.status IS NULL THEN u.lock_is_news ELSE c.status = 'locked' END,
        session_epoch = u.session_epoch + coalesce(c.ends_sessions, false)::integer,
        email = CASE WHEN c.email_change = 'replace' THEN c.new_email ELSE u.email END,
        last_login_at = CASE WHEN c.logged_in THEN now() ELSE u.last_login_at END,
        last_active_at = CASE WHEN c.logged_in THEN now() ELSE u.last_active_at END,
        idle_due_at = CASE WHEN coalesce(c.status, u.status) <> 'active' THEN NULL
            WHEN c.restarts_idle_clock THEN :{idle_due} ELSE u.idle_due_at END,
        idle_check_at = CASE WHEN coalesce(c.status, u.status) <> 'active' THEN NULL
            WHEN c.restarts_idle_clock THEN :{idle_first_check} ELSE u.idle_check_at END,
        version = u.version + 1,
        updated_at = now()
    FROM changed c, rollcall.organization o, rollcall.policy p
    WHERE u.org_id = :org_id AND u.id = c.id AND c.is_new IS NOT TRUE AND o.id = :org_id AND p.org_id = :org_id
    RETURNING u.id, u.version, u.session_epoch, u.email
),
stored AS (
    SELECT * FROM moved
    UNION ALL
    SELECT * FROM made WHERE :admin_epoch::bigint IS NULL OR EXISTS (SELECT FROM gate)
),
sessions_ended AS (
    DELETE FROM rollcall.session s USING changed c
    WHERE s.org_id = :org_id AND s.user_id = c.id AND c.ends_sessions AND s.id IS DISTINCT FROM c.keep_session
),
session_kept AS (
    UPDATE rollcall.session s SET session_epoch = t.session_epoch
    FROM changed c JOIN stored t ON t.id = c.id
    WHERE s.org_id = :org_id AND s.user_id = c.id AND s.id = c.keep_session
),
password_set AS (
    INSERT INTO rollcall.credential (org_id, user_id, password_hash)
    SELECT :org_id, c.id, c.password_hash FROM changed c WHERE c.password_hash IS NOT NULL
    ON CONFLICT (org_id, user_id, kind) DO UPDATE SET
        password_hash = EXCLUDED.password_hash, must_reset = false, failed_attempts = 0, failed_at = NULL, changed_at = now()
),
guesses_forgotten AS (
    UPDATE rollcall.credential k SET
        failed_attempts = 0, failed_at = NULL, must_reset = k.must_reset OR coalesce(c.drops_password, false)
    FROM changed c
    WHERE k.org_id = :org_id AND k.user_id = c.id AND c.password_hash IS NULL
      AND (c.forgets_guesses OR c.drops_password)
),
issued AS (
    INSERT INTO rollcall.invitation AS v (org_id, user_id, generation, state, previous_expired, invited_by, expires_at, has_link, outbox_id)
    SELECT :org_id, c.id, 1, 'pending', c.invitation = 'renew', c.invited_by, now() + p.invitation_ttl, c.invitation <> 'issue_letter',
        c.invitation_mail
    FROM changed c
    JOIN rollcall.policy p ON p.org_id = :org_id
    WHERE c.invitation IN ('issue', 'issue_letter', 'renew')
    ON CONFLICT (org_id, user_id) DO UPDATE SET
        generation = v.generation + 1, state = 'pending', previous_expired = EXCLUDED.previous_expired,
        invited_by = coalesce(EXCLUDED.invited_by, v.invited_by), issued_at = now(), expires_at = EXCLUDED.expires_at,
        renewals = CASE WHEN EXCLUDED.previous_expired THEN v.renewals + 1 ELSE 0 END,
        accepted_at = NULL, accepted_through = NULL, has_link = EXCLUDED.has_link, outbox_id = EXCLUDED.outbox_id
    RETURNING user_id, generation, expires_at
),
invitation_ended AS (
    UPDATE rollcall.invitation v SET
        generation = v.generation + (c.invitation = 'revoke')::integer,
        previous_expired = v.previous_expired AND c.invitation <> 'revoke',
        state = CASE c.invitation WHEN 'revoke' THEN 'revoked' WHEN 'accept' THEN 'accepted' ELSE 'expired' END,
        accepted_at = CASE WHEN c.invitation = 'accept' THEN now() ELSE v.accepted_at END,
        accepted_through = CASE WHEN c.invitation = 'accept' THEN c.accepted_through ELSE v.accepted_through END
    FROM changed c
    WHERE v.org_id = :org_id AND v.user_id = c.id AND c.invitation IN ('revoke', 'accept', 'expire')
),
reset_issued AS (
    INSERT INTO rollcall.password_reset AS v (org_id, user_id, generation, state, session_epoch, releases_lock, expires_at)
    SELECT :org_id, c.id, 1, 'pending', t.session_epoch, c.password_reset = 'issue_for_lock', now() + p.password_reset_ttl
    FROM changed c
    JOIN stored t ON t.id = c.id
    JOIN rollcall.policy p ON p.org_id = :org_id
    WHERE c.password_reset IN ('issue', 'issue_for_lock')
    ON CONFLICT (org_id, user_id) DO UPDATE SET
        generation = v.generation + 1, state = 'pending', session_epoch = EXCLUDED.session_epoch,
        releases_lock = EXCLUDED.releases_lock, issued_at = now(), expires_at = EXCLUDED.expires_at
    RETURNING user_id, generation, expires_at
),
reset_used AS (
    UPDATE rollcall.password_reset v SET state = 'used'
    FROM changed c
    WHERE v.org_id = :org_id AND v.user_id = c.id AND c.password_reset = 'use'
),
email_change_issued AS (
    INSERT INTO rollcall.email_change AS v (org_id, user_id, generation, state, email, session_epoch, expires_at)
    SELECT :org_id, c.id, 1, 'pending', c.new_email, t.session_epoch, now() + p.email_change_ttl
    FROM changed c
    JOIN stored t ON t.id = c.id
    JOIN rollcall.policy p ON p.org_id = :org_id
    WHERE c.email_change = 'issue'
    ON CONFLICT (org_id, user_id) DO UPDATE SET
        generation = v.generation + 1, state = 'pending', email = EXCLUDED.email, session_epoch = EXCLUDED.session_epoch,
        issued_at = now(), expires_at = EXCLUDED.expires_at
    RETURNING user_id, generation
),
email_change_ended AS (
    UPDATE rollcall.email_change v SET
        state = CASE c.email_change WHEN 'replace' THEN 'used' ELSE 'withdrawn' END,
        email = NULL
    FROM changed c
    WHERE v.org_id = :org_id AND v.user_id = c.id AND c.email_change IN ('replace', 'withdraw')
),
-- Queued ones, said in a way that does not tempt the planner to look for them among all
-- that are queued: a plan made while the queue is empty would do so when it is long.
mails_cancelled AS (
    UPDATE rollcall.outbox m SET state = 'cancelled', last_reply = 'no longer wanted'
    WHERE m.org_id = :org_id AND m.user_id = ANY (ARRAY(SELECT c.id FROM changed c WHERE c.cancels_mails))
      AND m.state <> ALL ('{sent,failed,cancelled,bounced}')
      AND m.kind IN ('invitation', 'invitation_expired', 'password_reset', 'idle_warning', 'login_info', 'email_change_confirm')
),
mails_queued AS (
    INSERT INTO rollcall.outbox (org_id, id, kind, user_id, recipient, data, generation, request_id)
    SELECT :org_id, m.id, m.kind, m.user_id, CASE WHEN m.to_user THEN t.email ELSE m.recipient END,
        coalesce(m.data, '{}'),
        CASE m.link WHEN 'invitation' THEN n.generation WHEN 'password_reset' THEN s.generation WHEN 'email_change' THEN e.generation END,
        :actor::jsonb ->> 'request_id'
    FROM mail m
    JOIN stored t ON t.id = m.user_id
    LEFT JOIN issued n ON n.user_id = m.user_id
    LEFT JOIN reset_issued s ON s.user_id = m.user_id
    LEFT JOIN email_change_issued e ON e.user_id = m.user_id
),
-- All that was assigned to him; the epoch says that this sees all of it.
detached AS (
    DELETE FROM rollcall.assignment g
    USING changed c
    WHERE g.org_id = :org_id AND g.user_id = c.id AND c.assignment_epoch IS NOT NULL
    RETURNING g.*
),
detached_told AS (
    SELECT g.user_id, :{detached_assignments} AS changes FROM detached g GROUP BY g.user_id
),
audit_row AS MATERIALIZED (
    SELECT a.* FROM jsonb_to_recordset(:audits::jsonb) AS a (
        id uuid, user_id uuid, action text, changes jsonb, personal jsonb)
    JOIN stored t ON t.id = a.user_id
),
audited AS (
    INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
    SELECT :org_id, a.id, b.kind, b.id, a.action, 'user', a.user_id,
        coalesce(a.changes, '{}') || CASE WHEN a.changes ? 'status' AND g.changes IS NOT NULL THEN g.changes ELSE '{}' END,
        b.ip, b.request_id
    FROM audit_row a
    LEFT JOIN detached_told g ON g.user_id = a.user_id,
        jsonb_to_record(:actor::jsonb) AS b (kind text, id uuid, ip inet, request_id text)
),
audited_values AS (
    INSERT INTO rollcall.audit_value (org_id, audit_id, user_id, changes)
    SELECT :org_id, a.id, a.user_id, a.personal FROM audit_row a WHERE a.personal IS NOT NULL
)
SELECT t.id, t.version, t.session_epoch, n.generation AS invitation_generation, n.expires_at AS invitation_expires_at
FROM stored t
LEFT JOIN issued n ON n.user_id = t.id;
