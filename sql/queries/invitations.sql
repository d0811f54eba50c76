-- Invitations and reset links as their holders and administrators see them.

-- The facts of the decision, and what the page shows.
-- name: link_load_invitation (org_id, user_id)
SELECT o.name AS organization, o.slug AS organization_slug, i.expires_at, :{subject}
FROM :{subject_from}
WHERE u.org_id = :org_id AND u.id = :user_id;

-- A reset link lives while its generation, its epoch and its time do.
-- name: link_load_password_reset (org_id, user_id)
SELECT o.name AS organization, o.slug AS organization_slug, x.expires_at,
    x.generation AS reset_generation, x.state AS reset_state, x.releases_lock,
    x.expires_at <= now() AS reset_passed, x.session_epoch = u.session_epoch AS reset_epoch_fits,
    :{subject}
FROM :{subject_from}
LEFT JOIN rollcall.password_reset x ON x.org_id = u.org_id AND x.user_id = u.id
WHERE u.org_id = :org_id AND u.id = :user_id;

-- name: invitation_list (org_id, state, after_id, limit)
SELECT i.user_id, u.email, u.first_name, u.last_name, :{invitation_state_now} AS state, i.expires_at, i.issued_at,
    i.invited_by, i.renewals, i.accepted_at,
    :{delivery} AS delivery
FROM rollcall.invitation i
JOIN rollcall.users u ON u.org_id = i.org_id AND u.id = i.user_id
LEFT JOIN rollcall.outbox d ON d.org_id = i.org_id AND d.id = i.outbox_id
WHERE i.org_id = :org_id
  AND (:state::text[] IS NULL OR :{invitation_state_now} = ANY (:state::text[]))
  AND (:after_id::uuid IS NULL OR i.user_id < :after_id::uuid)
ORDER BY i.user_id DESC
LIMIT :limit::integer;

-- name: invitation_count (org_id, state)
SELECT count(*) AS total
FROM rollcall.invitation i
WHERE i.org_id = :org_id AND (:state::text[] IS NULL OR :{invitation_state_now} = ANY (:state::text[]));
