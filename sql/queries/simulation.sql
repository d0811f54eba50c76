-- What a change of policy would mean, and for whom (POST /v1/policy/simulate).

-- Each branch stands for one column: the users who would be treated otherwise from the
-- moment of the change on. A column without a branch speaks of users to come, or of how
-- long things are kept: nobody is affected now. Branches of columns that do not change
-- cost nothing.
-- fragment: affected_users
    SELECT 'email_required' AS policy, u.id FROM rollcall.users u, setting s
    WHERE u.org_id = :org_id AND :changes::jsonb ? 'email_required' AND (s.new).email_required AND u.email IS NULL
    UNION ALL
    SELECT 'email_change', u.id FROM rollcall.users u, setting s
    WHERE u.org_id = :org_id AND :changes::jsonb ? 'email_change' AND u.email IS NOT NULL
      AND ((s.old).email_change = 'admin' OR (s.old).email_change = 'while_pending' AND u.status = 'pending')
        <> ((s.new).email_change = 'admin' OR (s.new).email_change = 'while_pending' AND u.status = 'pending')
    UNION ALL
    -- Who could sign in with a name and can no longer, or the other way round.
    SELECT 'login_identifier', u.id FROM rollcall.users u, setting s
    WHERE u.org_id = :org_id AND :changes::jsonb ? 'login_identifier' AND u.status <> 'inactive'
      AND (u.email IS NOT NULL AND ((s.old).login_identifier <> 'username') <> ((s.new).login_identifier <> 'username')
        OR u.username IS NOT NULL AND ((s.old).login_identifier <> 'email') <> ((s.new).login_identifier <> 'email'))
    UNION ALL
    SELECT 'username_change', u.id FROM rollcall.users u
    WHERE u.org_id = :org_id AND :changes::jsonb ? 'username_change' AND u.username IS NOT NULL
    UNION ALL
    SELECT 'invite_on_email_added', u.id FROM rollcall.users u
    WHERE u.org_id = :org_id AND :changes::jsonb ? 'invite_on_email_added' AND u.status = 'pending' AND u.email IS NULL
    UNION ALL
    -- Those whose link is open: what happens to it, and who hears of it.
    SELECT k.policy, i.user_id FROM rollcall.invitation i
    JOIN rollcall.users u ON u.org_id = i.org_id AND u.id = i.user_id AND u.status = 'pending'
    CROSS JOIN unnest('{invitation_letter,invitation_on_expiry,invitation_expiry_recipient,invitation_max_renewals}'::text[]) k (policy)
    WHERE i.org_id = :org_id AND :changes::jsonb ? k.policy AND i.state = 'pending'
    UNION ALL
    SELECT 'invitation_resend_to', u.id FROM rollcall.users u
    WHERE u.org_id = :org_id AND :changes::jsonb ? 'invitation_resend_to' AND u.status = 'active'
    UNION ALL
    SELECT k.policy, u.id FROM rollcall.users u
    CROSS JOIN unnest('{activation_on,admin_password_activates,admin_activates_pending}'::text[]) k (policy)
    WHERE u.org_id = :org_id AND :changes::jsonb ? k.policy AND u.status = 'pending'
    UNION ALL
    SELECT 'role_required', u.id FROM rollcall.users u, setting s
    WHERE u.org_id = :org_id AND :changes::jsonb ? 'role_required' AND (s.new).role_required AND u.role_id IS NULL
    UNION ALL
    SELECT 'permissions_per_user', u.id FROM rollcall.users u, setting s
    WHERE u.org_id = :org_id AND :changes::jsonb ? 'permissions_per_user' AND NOT (s.new).permissions_per_user AND u.own_permissions <> '{}'
    UNION ALL
    SELECT 'required_fields', u.id FROM rollcall.users u
    WHERE u.org_id = :org_id AND :changes::jsonb ? 'required_fields' AND :{fields_missing} <> '{}'
    UNION ALL
    SELECT 'deletion', u.id FROM rollcall.users u, setting s
    WHERE u.org_id = :org_id AND :changes::jsonb ? 'deletion' AND ((s.old).deletion = 'forbidden') <> ((s.new).deletion = 'forbidden')
    UNION ALL
    -- Whose status gets another word, in any language.
    SELECT 'status_labels', u.id FROM rollcall.users u, setting s
    WHERE u.org_id = :org_id AND :changes::jsonb ? 'status_labels'
      AND EXISTS (SELECT FROM unnest('{en,uk,ru}'::text[]) l (language)
          WHERE (s.old).status_labels #>> ARRAY[l.language, :{status_key}]
              IS DISTINCT FROM (s.new).status_labels #>> ARRAY[l.language, :{status_key}])
    UNION ALL
    SELECT 'blocked_position', u.id FROM rollcall.users u
    WHERE u.org_id = :org_id AND :changes::jsonb ? 'blocked_position' AND u.status IN ('inactive', 'locked')
    UNION ALL
    SELECT DISTINCT 'assignments_on_inactivate', g.user_id FROM rollcall.assignment g
    WHERE g.org_id = :org_id AND :changes::jsonb ? 'assignments_on_inactivate' AND g.user_id IS NOT NULL
    UNION ALL
    SELECT 'assignable_on_day_off', u.id FROM rollcall.users u
    WHERE u.org_id = :org_id AND :changes::jsonb ? 'assignable_on_day_off' AND u.status = 'active' AND :{on_day_off}
    UNION ALL
    SELECT 'reactivation_password', u.id FROM rollcall.users u
    WHERE u.org_id = :org_id AND :changes::jsonb ? 'reactivation_password' AND u.status IN ('inactive', 'locked')
    UNION ALL
    -- Whose next wrong password would lock him.
    SELECT 'lockout_threshold', c.user_id FROM rollcall.credential c
    JOIN rollcall.users u ON u.org_id = c.org_id AND u.id = c.user_id AND u.status IN ('pending', 'active')
    CROSS JOIN setting s
    WHERE c.org_id = :org_id AND :changes::jsonb ? 'lockout_threshold' AND (s.new).lockout_threshold > 0
      AND c.failed_attempts + 1 >= (s.new).lockout_threshold
    UNION ALL
    SELECT k.policy, u.id FROM rollcall.users u
    CROSS JOIN unnest('{lockout_release,lockout_interval}'::text[]) k (policy)
    WHERE u.org_id = :org_id AND :changes::jsonb ? k.policy AND u.status = 'locked'
    UNION ALL
    -- Who falls idle at once; or, where nobody does any more, who would have.
    SELECT 'idle_after', u.id FROM rollcall.users u
    JOIN rollcall.organization o ON o.id = u.org_id
    CROSS JOIN setting w
    CROSS JOIN LATERAL (SELECT (w.new).idle_after AS idle_after) p
    CROSS JOIN LATERAL (SELECT greatest(u.last_login_at, u.last_active_at, u.status_changed_at) AS at) s
    CROSS JOIN :{idle_ends}
    WHERE u.org_id = :org_id AND :changes::jsonb ? 'idle_after' AND u.status = 'active'
      AND CASE WHEN p.idle_after IS NULL THEN u.idle_due_at IS NOT NULL ELSE e.due <= now() AND NOT :{on_day_off} END
    UNION ALL
    SELECT 'idle_warn_days', u.id FROM rollcall.users u
    WHERE u.org_id = :org_id AND :changes::jsonb ? 'idle_warn_days' AND u.status = 'active' AND u.idle_due_at IS NOT NULL
    UNION ALL
    SELECT 'admin_password_notice', u.id FROM rollcall.users u
    WHERE u.org_id = :org_id AND :changes::jsonb ? 'admin_password_notice' AND u.status = 'active' AND u.email IS NOT NULL
    UNION ALL
    SELECT 'password_self_reset', u.id FROM rollcall.users u
    WHERE u.org_id = :org_id AND :changes::jsonb ? 'password_self_reset' AND u.status IN ('pending', 'active') AND u.email IS NOT NULL
    UNION ALL
    SELECT 'user_kinds', u.id FROM rollcall.users u, setting s
    WHERE u.org_id = :org_id AND :changes::jsonb ? 'user_kinds' AND u.kind <> ALL ((s.new).user_kinds)
    UNION ALL
    -- Whose session has been quiet for longer than it then may.
    SELECT DISTINCT 'session_idle_ttl', u.id FROM rollcall.session x
    JOIN rollcall.users u ON u.org_id = x.org_id AND u.id = x.user_id AND u.session_epoch = x.session_epoch
    CROSS JOIN setting s
    WHERE x.org_id = :org_id AND :changes::jsonb ? 'session_idle_ttl' AND x.expires_at > now()
      AND x.seen_at > now() - (s.old).session_idle_ttl AND x.seen_at <= now() - (s.new).session_idle_ttl

-- name: policy_simulate (org_id, patch, changes)
WITH setting AS MATERIALIZED (
    SELECT p AS old, n AS new
    FROM rollcall.policy p, jsonb_populate_record(p, :patch::jsonb) n
    WHERE p.org_id = :org_id
),
affected AS MATERIALIZED (
    SELECT a.policy, a.id
    FROM (
    :{affected_users}
    ) a
    JOIN rollcall.users u ON u.org_id = :org_id AND u.id = a.id AND u.anonymised_at IS NULL
),
ranked AS (
    SELECT a.policy, a.id, row_number() OVER (PARTITION BY a.policy ORDER BY a.id) AS place FROM affected a
)
SELECT c.key AS policy, c.value -> 0 AS "from", c.value -> 1 AS "to",
    (SELECT count(*) FROM affected a WHERE a.policy = c.key) AS users,
    coalesce((SELECT jsonb_agg(jsonb_build_object('id', u.id, 'first_name', u.first_name, 'last_name', u.last_name, 'status', u.status)
            ORDER BY k.place)
        FROM ranked k
        JOIN rollcall.users u ON u.org_id = :org_id AND u.id = k.id
        WHERE k.policy = c.key AND k.place <= 5), '[]') AS examples
FROM jsonb_each(:changes::jsonb) c
ORDER BY c.key;
