-- New e-mail addresses that wait to be confirmed.

-- Whether the link in the mail to the new address would be obeyed now.
-- fragment: email_change_is_alive
(x.state = 'pending' AND x.expires_at > now() AND x.session_epoch = u.session_epoch AND u.status = 'active')

-- What a user is about to be reached at; null where nothing waits.
-- fragment: email_pending
(SELECT x.email FROM rollcall.email_change x
        WHERE x.org_id = u.org_id AND x.user_id = u.id AND :{email_change_is_alive})

-- The facts of the decision, and what the page shows.
-- name: link_load_email_change (org_id, user_id)
SELECT o.name AS organization, o.slug AS organization_slug, x.expires_at, x.email AS new_email,
    x.generation AS change_generation, x.state AS change_state,
    x.expires_at <= now() AS change_passed, x.session_epoch = u.session_epoch AS change_epoch_fits,
    :{subject}
FROM :{subject_from}
LEFT JOIN rollcall.email_change x ON x.org_id = u.org_id AND x.user_id = u.id
WHERE u.org_id = :org_id AND u.id = :user_id;

-- Who has an address already.
-- name: email_find (org_id, email)
SELECT u.id
FROM rollcall.users u
WHERE u.org_id = :org_id AND lower(u.email) = lower(:email::text);
