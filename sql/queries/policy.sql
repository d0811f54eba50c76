-- The policy of an organization.

-- fragment: policy_columns
    p.email_required, p.email_change, p.login_identifier, p.username_change, p.invite_on_create,
    p.invite_on_email_added, p.invitation_letter, p.invitation_ttl, p.password_reset_ttl, p.email_change_ttl,
    p.invitation_on_expiry, p.invitation_expiry_recipient, p.invitation_max_renewals, p.invitation_resend_to,
    p.initial_status, p.activation_on, p.admin_password_activates, p.admin_activates_pending, p.password_at_create,
    p.role_required, p.default_permissions, p.custom_roles, p.permissions_per_user, p.required_fields, p.deletion,
    p.deletion_confirmation, p.deletion_references, p.status_labels, p.blocked_position, p.assignments_on_inactivate,
    p.reactivation_password, p.lockout_threshold, p.lockout_release, p.lockout_interval, p.idle_after,
    p.idle_warn_days, p.idle_brake, p.admin_password_notice, p.password_self_reset, p.password_min_length,
    p.assignable_on_day_off, p.position_free_text, p.user_kinds, p.import_invites, p.import_on_duplicate,
    p.session_ttl, p.session_idle_ttl, p.outbox_retention, p.audit_retention, p.import_retention

-- Behind policy_edit: what stands with it comes to pass with it, or not at all. Dividing by zero is
-- how a statement says so (server/job.c).
-- name: policy_keep_whole (org_id)
SELECT 1 / count(*) AS is_whole
FROM rollcall.policy u
WHERE u.org_id = :org_id AND :{is_written_here};

-- name: policy_get (org_id)
SELECT :{policy_columns}, p.version, p.updated_at
FROM rollcall.policy p
WHERE p.org_id = :org_id;

-- Whether somebody stands in the way of a login by username alone, or of everybody's having an e-mail
-- address. Where nobody does, all users are looked through: only what a change asks for.
-- name: policy_lacking (org_id, asks_username, asks_email)
SELECT
    EXISTS (SELECT FROM rollcall.users u
        WHERE :asks_username::boolean AND u.org_id = :org_id AND u.username IS NULL AND u.anonymised_at IS NULL) AS some_lack_username,
    EXISTS (SELECT FROM rollcall.users u
        WHERE :asks_email::boolean AND u.org_id = :org_id AND u.email IS NULL AND u.anonymised_at IS NULL) AS some_lack_email;

-- name: policy_edit (org_id, version, patch, audit_id, actor, changes) versioned writes notifies
WITH edited AS (
    UPDATE rollcall.policy p SET
        (email_required, email_change, login_identifier, username_change, invite_on_create, invite_on_email_added,
         invitation_letter, invitation_ttl, password_reset_ttl, email_change_ttl, invitation_on_expiry,
         invitation_expiry_recipient, invitation_max_renewals, invitation_resend_to, initial_status, activation_on,
         admin_password_activates, admin_activates_pending, password_at_create, role_required, default_permissions,
         custom_roles, permissions_per_user, required_fields, deletion, deletion_confirmation, deletion_references,
         status_labels, blocked_position, assignments_on_inactivate, reactivation_password, lockout_threshold,
         lockout_release, lockout_interval, idle_after, idle_warn_days, idle_brake, admin_password_notice,
         password_self_reset, password_min_length, assignable_on_day_off, position_free_text, user_kinds,
         import_invites, import_on_duplicate, session_ttl, session_idle_ttl, outbox_retention, audit_retention,
         import_retention)
        = (SELECT :{policy_columns_of_patch}
           FROM jsonb_populate_record(p, :patch::jsonb) n),
        version = p.version + 1,
        updated_at = now()
    WHERE p.org_id = :org_id AND p.version = :version::bigint
    RETURNING p.org_id
),
audited AS (
    INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
    SELECT :org_id, :audit_id, a.kind, a.id, 'policy.edited', 'policy', :org_id, :changes::jsonb, a.ip, a.request_id
    FROM edited, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text)
)
SELECT org_id FROM edited;

-- fragment: policy_columns_of_patch
    n.email_required, n.email_change, n.login_identifier, n.username_change, n.invite_on_create,
    n.invite_on_email_added, n.invitation_letter, n.invitation_ttl, n.password_reset_ttl, n.email_change_ttl,
    n.invitation_on_expiry, n.invitation_expiry_recipient, n.invitation_max_renewals, n.invitation_resend_to,
    n.initial_status, n.activation_on, n.admin_password_activates, n.admin_activates_pending, n.password_at_create,
    n.role_required, n.default_permissions, n.custom_roles, n.permissions_per_user, n.required_fields, n.deletion,
    n.deletion_confirmation, n.deletion_references, n.status_labels, n.blocked_position, n.assignments_on_inactivate,
    n.reactivation_password, n.lockout_threshold, n.lockout_release, n.lockout_interval, n.idle_after,
    n.idle_warn_days, n.idle_brake, n.admin_password_notice, n.password_self_reset, n.password_min_length,
    n.assignable_on_day_off, n.position_free_text, n.user_kinds, n.import_invites, n.import_on_duplicate,
    n.session_ttl, n.session_idle_ttl, n.outbox_retention, n.audit_retention, n.import_retention
