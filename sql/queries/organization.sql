-- Organizations: making them (rollcall-server org create, POST /v1/organizations), and what
-- their administrators see and change of them.

-- name: organization_create (org_id, slug, name, contact_email, locale, timezone, audit_id, actor) writes
WITH made AS (
    INSERT INTO rollcall.organization (id, slug, name, contact_email, locale, timezone)
    VALUES (:org_id, :slug, :name, :contact_email, :locale, :timezone)
    RETURNING id, slug, name
)
INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
SELECT :org_id, :audit_id, a.kind, a.id, 'organization.created', 'organization', made.id,
    jsonb_build_object('slug', jsonb_build_array(NULL, made.slug), 'name', jsonb_build_array(NULL, made.name)), a.ip, a.request_id
FROM made, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text);

-- PostgreSQL takes more for a zone than there is: "X5" is five hours west of Greenwich.
-- name: timezone_find (name) all_organizations
SELECT name FROM pg_catalog.pg_timezone_names WHERE name = :name;

-- What its administrators see of it.
-- fragment: organization_view
    o.id, o.slug, o.name, o.contact_email, o.locale, o.timezone, o.version, o.created_at, o.updated_at

-- name: organization_get (org_id)
SELECT :{organization_view}
FROM rollcall.organization o
WHERE o.id = :org_id;

-- PostgreSQL knows which time zones there are; looking them up costs it some work.
-- name: organization_load (org_id, timezone)
SELECT o.name, o.contact_email, o.locale, o.timezone, o.version,
    :timezone::text IS NULL OR EXISTS (SELECT FROM pg_timezone_names z WHERE z.name = :timezone::text) AS timezone_is_known
FROM rollcall.organization o
WHERE o.id = :org_id;

-- name: organization_edit (org_id, version, patch, audit_id, actor, changes) versioned writes notifies
WITH edited AS (
    UPDATE rollcall.organization o SET
        name = coalesce(:patch::jsonb ->> 'name', o.name),
        contact_email = coalesce(:patch::jsonb ->> 'contact_email', o.contact_email),
        locale = coalesce(:patch::jsonb ->> 'locale', o.locale),
        timezone = coalesce(:patch::jsonb ->> 'timezone', o.timezone),
        version = o.version + 1,
        updated_at = now()
    WHERE o.id = :org_id AND o.version = :version::bigint
    RETURNING o.id
)
INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
SELECT :org_id, :audit_id, a.kind, a.id, 'organization.edited', 'organization', edited.id, :changes::jsonb, a.ip, a.request_id
FROM edited, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text)
RETURNING subject_id AS id;

-- Whoever is made under it has his dates by it from the first: there is nothing to recompute.
-- name: policy_create (org_id, columns) writes
INSERT INTO rollcall.policy
SELECT n.*
FROM jsonb_populate_record(NULL::rollcall.policy, :columns::jsonb || jsonb_build_object(
    'org_id', :org_id::uuid, 'version', 1, 'updated_at', now())) p
JOIN rollcall.organization o ON o.id = p.org_id
CROSS JOIN jsonb_populate_record(p, jsonb_build_object('idle_applied', :{idle_setting})) n;

-- The first administrator of an organization: who may be invited anew from the command line.
-- name: organization_founder (organization)
SELECT o.id AS org_id, o.name AS organization, u.id AS founder_id
FROM rollcall.organization o
JOIN rollcall.users u ON u.org_id = o.id
JOIN rollcall.role r ON r.org_id = u.org_id AND r.id = u.role_id
WHERE o.slug = :organization::text AND r.permissions && '{*}' AND u.status = 'pending'
ORDER BY u.id
LIMIT 1;
