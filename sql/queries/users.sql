-- Users: reading them, the facts a decision needs, making and editing them.

-- What an API client sees (DESIGN.md §6).
-- fragment: user_view
    u.id, u.org_id AS organization_id, u.email, :{email_pending} AS email_pending, u.username, u.first_name, u.last_name, u.phone,
    u.external_id, u.kind, u.status, u.status_reason, :{status_label} AS status_label, u.status_changed_at,
    u.role_id, r.name AS role,
    :{effective_permissions} AS permissions,
    u.own_permissions,
    u.department_id,
    j.title AS position,
    :{groups_of_user} AS group_ids,
    u.attributes,
    u.locale,
    :{fields_missing} AS incomplete,
    :{on_day_off} AS on_day_off,
    :{assignable} AS assignable,
    CASE WHEN i.user_id IS NOT NULL THEN jsonb_build_object(
        'state', :{invitation_state_now},
        'expires_at', to_char(i.expires_at, :{rfc3339}), 'invited_by', i.invited_by, 'renewals', i.renewals,
        'accepted_at', to_char(i.accepted_at, :{rfc3339}), 'delivery', :{delivery})
    END AS invitation,
    :{photo_url} AS photo_url,
    u.last_login_at, u.last_active_at, u.version, u.created_at, u.updated_at

-- fragment: user_view_from
    rollcall.users u
    :{user_view_joins}

-- fragment: user_view_joins
    JOIN rollcall.policy p ON p.org_id = u.org_id
    LEFT JOIN rollcall.role r ON r.org_id = u.org_id AND r.id = u.role_id
    LEFT JOIN rollcall.position j ON j.org_id = u.org_id AND j.id = u.position_id
    LEFT JOIN rollcall.invitation i ON i.org_id = u.org_id AND i.user_id = u.id
    LEFT JOIN rollcall.outbox d ON d.org_id = i.org_id AND d.id = i.outbox_id

-- The organization's own word for the status, in the language of who reads it; a user
-- who reads of himself before he is signed in has his own.
-- fragment: status_label
coalesce(p.status_labels #>> ARRAY[coalesce(:language::text, u.locale), :{status_key}],
        p.status_labels #>> ARRAY['en', :{status_key}], u.status)

-- fragment: status_key
CASE WHEN u.status <> 'inactive' THEN u.status WHEN u.status_reason = 'idle' THEN 'inactive_idle' ELSE 'inactive_by_admin' END

-- fragment: groups_of_user
ARRAY(SELECT g.group_id FROM rollcall.group_member g WHERE g.org_id = u.org_id AND g.user_id = u.id ORDER BY g.group_id)

-- Keys of the fields that his role requires and he lacks.
-- fragment: fields_missing
ARRAY(SELECT f.key FROM rollcall.field f
        WHERE f.org_id = u.org_id AND u.role_id = ANY (f.required_for_roles) AND NOT u.attributes ? f.key
        ORDER BY f.key)

-- The same for whole lists: what each role requires, once. Where nobody asks for it the
-- planner leaves the join out.
-- fragment: required_of_role
LEFT JOIN (
        SELECT n.role_id, array_agg(f.key) AS keys
        FROM rollcall.field f, unnest(f.required_for_roles) n (role_id)
        WHERE f.org_id = :org_id
        GROUP BY n.role_id) need ON need.role_id = u.role_id

-- What became of the invitation's latest mail.
-- fragment: delivery
CASE WHEN d.id IS NOT NULL THEN jsonb_build_object('state', d.state, 'last_reply', d.last_reply,
        'sent_at', to_char(d.sent_at, :{rfc3339}), 'attempts', d.attempts) END

-- Inside of jsonb there is no row writer: times as it writes them (sessions speak UTC).
-- fragment: rfc3339
'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'

-- A link that has lapsed counts as expired before the clock has come to it.
-- fragment: invitation_state_now
CASE WHEN i.state = 'pending' AND i.expires_at <= now() THEN 'expired' ELSE i.state END

-- fragment: effective_permissions
CASE WHEN u.own_permissions = '{}' THEN coalesce(r.permissions, '{}')
     ELSE ARRAY(SELECT DISTINCT word FROM unnest(coalesce(r.permissions, '{}') || u.own_permissions) word ORDER BY word)
END

-- fragment: is_administrator
(u.status = 'active' AND (coalesce(r.permissions, '{}') || u.own_permissions) && '{*}'
 OR u.status = 'active' AND (coalesce(r.permissions, '{}') || u.own_permissions) @> '{users:write,roles:write}')

-- The users a of the role ar. Said as a range: where nearly everybody has one role, the planner
-- expects nearly everybody in any role, and reads all; of a range it expects few. The roles come
-- first where the users of each are behind an OFFSET 0.
-- fragment: is_of_role
a.org_id = ar.org_id AND a.role_id BETWEEN ar.id AND ar.id

-- users_own_powers_idx has these, and few others: what everybody starts with is none of them.
-- fragment: has_own_powers
a.own_permissions && '{*,users:invite,users:write,roles:write}'

-- The active ones who administer the organization of the policy p: by their role alone, or with
-- words of their own. Who does either way is in it twice.
-- fragment: administrators
(SELECT a.*
     FROM rollcall.role ar
     CROSS JOIN LATERAL (SELECT a.* FROM rollcall.users a WHERE :{is_of_role} AND a.status = 'active' OFFSET 0) a
     WHERE ar.org_id = p.org_id AND (ar.permissions && '{*}' OR ar.permissions @> '{users:write,roles:write}')
     UNION ALL
     SELECT a.*
     FROM rollcall.users a
     LEFT JOIN rollcall.role ar ON ar.org_id = a.org_id AND ar.id = a.role_id
     CROSS JOIN LATERAL (SELECT coalesce(ar.permissions, '{}') || a.own_permissions AS words) w
     WHERE a.org_id = p.org_id AND a.status = 'active' AND :{has_own_powers}
       AND (w.words && '{*}' OR w.words @> '{users:write,roles:write}'))

-- Everything common/subject.c reads: the facts of a decision about one user.
-- fragment: subject
    u.id AS user_id, u.status, u.status_reason, u.status_before_lock, u.version, u.session_epoch, u.email, u.username,
    u.first_name, u.last_name, u.locale, u.kind, u.phone, u.external_id, u.role_id, u.own_permissions,
    u.department_id, u.position_id, u.attributes,
    coalesce(r.permissions, '{}') || u.own_permissions AS permissions,
    coalesce(r.permissions, '{}') AS role_permissions,
    i.state AS invitation_state, i.generation AS invitation_generation, i.renewals,
    i.expires_at <= now() AS invitation_passed, i.previous_expired, i.invited_by, NOT i.has_link AS invitation_is_letter,
    u.email_added_later,
    c.password_hash IS NOT NULL AND NOT c.must_reset AS has_password,
    u.anonymised_at IS NOT NULL AS is_anonymised,
    o.admin_epoch, u.assignment_epoch, :{is_administrator} AS is_administrator,
    CASE WHEN :{is_administrator} THEN NOT EXISTS (SELECT FROM :{administrators} x WHERE x.id <> u.id) ELSE false END AS is_last_administrator,
    :{policy_columns}

-- fragment: subject_from
    rollcall.users u
    JOIN rollcall.organization o ON o.id = u.org_id
    JOIN rollcall.policy p ON p.org_id = u.org_id
    LEFT JOIN rollcall.role r ON r.org_id = u.org_id AND r.id = u.role_id
    LEFT JOIN rollcall.invitation i ON i.org_id = u.org_id AND i.user_id = u.id
    LEFT JOIN rollcall.credential c ON c.org_id = u.org_id AND c.user_id = u.id AND c.kind = 'password'

-- name: user_get (org_id, user_id, language)
SELECT :{user_view}
FROM :{user_view_from}
WHERE u.org_id = :org_id AND u.id = :user_id;

-- Beside him the role that is what `role` describes, if there is one: name and permissions.
-- name: user_find_by_external_id (org_id, external_id, role)
SELECT u.id, (SELECT r.id FROM rollcall.role r
    WHERE r.org_id = u.org_id AND lower(r.name) = lower(:role::jsonb ->> 'name')
      AND to_jsonb(r.permissions) @> (:role::jsonb -> 'permissions') AND to_jsonb(r.permissions) <@ (:role::jsonb -> 'permissions')) AS described_role_id
FROM rollcall.users u
WHERE u.org_id = :org_id AND u.external_id = :external_id;

-- fragment: resets_this_hour
(SELECT count(*) FROM rollcall.outbox m WHERE m.org_id = u.org_id AND m.user_id = u.id
        AND m.kind = 'password_reset' AND m.created_at > now() - interval '1 hour')

-- How many mails of a kind he was sent in the last hour stands beside the facts:
-- the hourly limits of DESIGN.md §8.
-- fragment: user_facts
    :{subject}, :{email_pending} AS email_pending,
    (SELECT count(*) FROM rollcall.outbox m WHERE m.org_id = u.org_id AND m.user_id = u.id
        AND m.kind IN ('invitation', 'login_info') AND m.created_at > now() - interval '1 hour') AS invitations_this_hour,
    :{resets_this_hour} AS resets_this_hour,
    (SELECT count(*) FROM rollcall.outbox m WHERE m.org_id = u.org_id AND m.user_id = u.id
        AND m.kind = 'email_change_confirm' AND m.created_at > now() - interval '1 hour') AS email_changes_this_hour

-- name: user_load (org_id, user_id)
SELECT :{user_facts}
FROM :{subject_from}
WHERE u.org_id = :org_id AND u.id = :user_id;

-- What making a user needs to know: the policy, the fields, and the role that was named.
-- name: user_create_load (org_id, role_id)
SELECT r.id AS role_id, r.permissions AS role_permissions, o.name AS organization, :{policy_columns},
    :{field_definitions} AS fields
FROM rollcall.organization o
JOIN rollcall.policy p ON p.org_id = o.id
LEFT JOIN rollcall.role r ON r.org_id = o.id AND r.id = :role_id::uuid
WHERE o.id = :org_id;

-- Only the row; its first transition comes behind it, before the same sync, and
-- brings invitation, mail and audit; the status, too, but for who begins as the row says. A field or an option that went meanwhile:
-- no row, and the transition finds nobody.
-- name: user_insert (org_id, rows) writes
WITH :{users_made}
    RETURNING id
)
:{groups_of_made};

-- Of many, whose address or name is taken is left out, and whose role is not there: the transition
-- does not find him. Of those who want the same address the first has it (ids are in their order).
-- Two requests that make the same people come to them in one order, else each would wait for the other.
-- name: user_insert_free (org_id, rows) writes
WITH :{users_made}
        AND (t.role_id IS NULL OR EXISTS (SELECT FROM rollcall.role g WHERE g.org_id = :org_id AND g.id = t.role_id))
    ORDER BY coalesce(lower(t.email), lower(t.username), t.external_id), t.id
    ON CONFLICT DO NOTHING
    RETURNING id
)
:{groups_of_made};

-- fragment: users_made
item AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(:rows::jsonb) AS t (id uuid, email text, username text, first_name text, last_name text,
        phone text, external_id text, kind text, role_id uuid, own_permissions text[], department_id uuid, position_id uuid,
        attributes jsonb, locale text, position text, group_ids uuid[], status text, status_reason text, version bigint)
),
held AS MATERIALIZED (
    SELECT f.key, f.type, f.options FROM rollcall.field f
    WHERE f.org_id = :org_id AND f.key IN (SELECT jsonb_object_keys(g.attributes) FROM item g)
    FOR SHARE
),
made AS (
    INSERT INTO rollcall.users (org_id, id, email, username, first_name, last_name, phone, external_id, kind, role_id,
        own_permissions, department_id, position_id, attributes, locale, status, status_reason, version)
    SELECT :org_id, t.id, t.email, t.username, t.first_name, t.last_name, t.phone, t.external_id, coalesce(t.kind, 'employee'),
        t.role_id, coalesce(t.own_permissions, '{}'), t.department_id, :{inserted_position}, coalesce(t.attributes, '{}'), t.locale,
        coalesce(t.status, 'pending'), coalesce(t.status_reason, 'created'), coalesce(t.version, 0)
    FROM item t
    CROSS JOIN LATERAL (SELECT coalesce(t.attributes, '{}') AS attributes) given
    WHERE :{fields_stand}

-- fragment: groups_of_made
INSERT INTO rollcall.group_member (org_id, group_id, user_id)
SELECT :org_id, g.id, t.id FROM made JOIN item t ON t.id = made.id, unnest(t.group_ids) AS g (id)

-- Merge patches: members that are absent stay. Gated by admin_epoch where an edit
-- may take an administrator's permissions away.
-- items    [{id, version, patch, audit_id, changes, personal}]
-- name: user_edit (org_id, items, admin_epoch, actor) versioned writes
WITH item AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(:items::jsonb) AS t (id uuid, version bigint, patch jsonb, audit_id uuid, changes jsonb, personal jsonb)
),
held AS MATERIALIZED (
    SELECT f.key, f.type, f.options FROM rollcall.field f
    WHERE f.org_id = :org_id AND f.key IN (SELECT jsonb_object_keys(i.patch -> 'attributes') FROM item i)
    FOR SHARE
),
locked AS MATERIALIZED (
    SELECT u.id
    FROM rollcall.users u
    JOIN item i ON i.id = u.id
    CROSS JOIN LATERAL (SELECT coalesce(i.patch -> 'attributes', '{}') AS attributes) given
    WHERE u.org_id = :org_id AND u.version = i.version AND :{fields_stand}
    ORDER BY u.id
    FOR UPDATE OF u
),
gate AS (
    UPDATE rollcall.organization SET admin_epoch = admin_epoch + 1
    WHERE id = :org_id AND admin_epoch = :admin_epoch::bigint AND EXISTS (SELECT FROM locked)
    RETURNING id
),
:{edited_position},
edited AS (
    UPDATE rollcall.users u SET
        email = CASE WHEN j.patch ? 'email' THEN j.patch ->> 'email' ELSE u.email END,
        username = CASE WHEN j.patch ? 'username' THEN j.patch ->> 'username' ELSE u.username END,
        first_name = CASE WHEN j.patch ? 'first_name' THEN j.patch ->> 'first_name' ELSE u.first_name END,
        last_name = CASE WHEN j.patch ? 'last_name' THEN j.patch ->> 'last_name' ELSE u.last_name END,
        phone = CASE WHEN j.patch ? 'phone' THEN j.patch ->> 'phone' ELSE u.phone END,
        external_id = CASE WHEN j.patch ? 'external_id' THEN j.patch ->> 'external_id' ELSE u.external_id END,
        kind = CASE WHEN j.patch ? 'kind' THEN j.patch ->> 'kind' ELSE u.kind END,
        locale = CASE WHEN j.patch ? 'locale' THEN j.patch ->> 'locale' ELSE u.locale END,
        role_id = CASE WHEN j.patch ? 'role_id' THEN (j.patch ->> 'role_id')::uuid ELSE u.role_id END,
        department_id = CASE WHEN j.patch ? 'department_id' THEN (j.patch ->> 'department_id')::uuid ELSE u.department_id END,
        position_id = CASE WHEN j.patch ? 'new_position'
                THEN (SELECT m.id FROM position_made m WHERE lower(m.title) = lower(j.patch -> 'new_position' ->> 'title'))
            WHEN j.patch ? 'position_id' THEN (j.patch ->> 'position_id')::uuid ELSE u.position_id END,
        -- The attributes as they will be, all of them.
        attributes = CASE WHEN j.patch ? 'attributes' THEN j.patch -> 'attributes' ELSE u.attributes END,
        own_permissions = CASE WHEN j.patch ? 'own_permissions'
            THEN ARRAY(SELECT jsonb_array_elements_text(j.patch -> 'own_permissions')) ELSE u.own_permissions END,
        email_added_later = u.email_added_later OR u.email IS NULL AND j.patch ->> 'email' IS NOT NULL,
        -- A reset link that went to the address before dies with it.
        session_epoch = u.session_epoch + (j.patch ? 'email' AND u.email IS NOT NULL)::integer,
        version = u.version + 1,
        updated_at = now()
    FROM item j
    WHERE u.org_id = :org_id AND u.id = j.id AND u.id IN (SELECT id FROM locked)
      AND (:admin_epoch::bigint IS NULL OR EXISTS (SELECT FROM gate))
    RETURNING u.id
),
:{edited_groups},
audited AS (
    INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
    SELECT :org_id, i.audit_id, a.kind, a.id, 'user.edited', 'user', i.id, i.changes, a.ip, a.request_id
    FROM edited e JOIN item i ON i.id = e.id, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text)
),
audited_values AS (
    INSERT INTO rollcall.audit_value (org_id, audit_id, user_id, changes)
    SELECT :org_id, i.audit_id, i.id, i.personal FROM edited e JOIN item i ON i.id = e.id WHERE i.personal <> '{}'
)
SELECT id FROM edited;

-- name: user_load_credential (org_id, user_id)
SELECT :{subject}, c.password_hash
FROM :{subject_from}
WHERE u.org_id = :org_id AND u.id = :user_id;
