-- Roles: reading and changing them, and those that a preset brings.
--
-- Locks are taken in one order everywhere: users by id, then the organization (the gate
-- of admin_epoch), then the role. A gate that was passed for a role whose version had
-- moved leaves the epoch one higher, which harms nobody.

-- fragment: role_view
    j.id, j.name, j.permissions, j.color,
    (SELECT count(*) FROM rollcall.users u WHERE u.org_id = j.org_id AND u.role_id = j.id) AS users,
    j.version, j.created_at, j.updated_at

-- name: role_list (org_id, search, after_key, after_id, limit)
SELECT :{role_view}, lower(j.name) AS cursor_key
FROM rollcall.role j
WHERE j.org_id = :org_id
  AND (:search::text IS NULL OR lower(j.name) LIKE lower(:search::text))
  AND (:after_id::uuid IS NULL OR (lower(j.name) COLLATE rollcall.names, j.id) > (:after_key::text, :after_id::uuid))
ORDER BY lower(j.name) COLLATE rollcall.names, j.id
LIMIT :limit::integer;

-- name: role_count (org_id, search)
SELECT count(*) AS total
FROM rollcall.role j
WHERE j.org_id = :org_id AND (:search::text IS NULL OR lower(j.name) LIKE lower(:search::text));

-- name: role_get (org_id, id)
SELECT :{role_view}
FROM rollcall.role j
WHERE j.org_id = :org_id AND j.id = :id;

-- What a change rests on. The users of the role would hold `words` in place of its own:
-- what it is edited to, or what the role has that they move to. Whether nobody would be
-- left who administers is asked only where somebody would cease to. Without a role (one is
-- made) the policy alone is read.
-- name: role_load (org_id, id, permissions, move_to)
SELECT p.custom_roles, p.required_fields, p.default_permissions, r.permissions AS role_permissions,
    t.id AS move_to_id, t.permissions AS move_to_permissions,
    CASE WHEN r.permissions && '{*,users:write,roles:write}' AND EXISTS (
        SELECT FROM rollcall.users a
        CROSS JOIN LATERAL (SELECT r.permissions || a.own_permissions AS now, n.words || a.own_permissions AS next) w
        WHERE a.org_id = r.org_id AND a.role_id BETWEEN r.id AND r.id AND a.status = 'active'
          AND (w.now && '{*}' OR w.now @> '{users:write,roles:write}')
          AND NOT (w.next && '{*}' OR w.next @> '{users:write,roles:write}'))
    THEN NOT (EXISTS (
        SELECT FROM rollcall.role ar
        CROSS JOIN LATERAL (SELECT FROM rollcall.users a WHERE :{is_of_role} AND a.status = 'active' OFFSET 0) a
        CROSS JOIN LATERAL (SELECT CASE WHEN ar.id = r.id THEN n.words ELSE ar.permissions END AS words) w
        WHERE ar.org_id = p.org_id AND (w.words && '{*}' OR w.words @> '{users:write,roles:write}'))
     OR EXISTS (
        SELECT FROM rollcall.users a
        LEFT JOIN rollcall.role ar ON ar.org_id = a.org_id AND ar.id = a.role_id
        CROSS JOIN LATERAL (SELECT CASE WHEN ar.id = r.id THEN n.words ELSE coalesce(ar.permissions, '{}') END
            || a.own_permissions AS words) w
        WHERE a.org_id = p.org_id AND a.status = 'active' AND :{has_own_powers}
          AND (w.words && '{*}' OR w.words @> '{users:write,roles:write}')))
    ELSE false END AS leaves_no_administrator
FROM rollcall.policy p
LEFT JOIN rollcall.role r ON r.org_id = p.org_id AND r.id = :id::uuid
LEFT JOIN rollcall.role t ON t.org_id = p.org_id AND t.id = :move_to::uuid
CROSS JOIN LATERAL (SELECT coalesce(:permissions::text[], t.permissions, r.permissions) AS words) n
WHERE p.org_id = :org_id;

-- Who has the role, and whether he lacks a field that the other one requires.
-- name: role_users (org_id, id, move_to, limit)
SELECT u.id AS user_id, u.version, u.own_permissions,
    EXISTS (SELECT FROM rollcall.field f
        WHERE f.org_id = u.org_id AND :move_to::uuid = ANY (f.required_for_roles) AND NOT u.attributes ? f.key) AS lacks_fields
FROM rollcall.users u
WHERE u.org_id = :org_id AND u.role_id = :id
ORDER BY u.id
LIMIT :limit::integer;

-- name: role_create (org_id, id, body, audit_id, actor, changes) writes
WITH made AS (
    INSERT INTO rollcall.role (org_id, id, name, permissions, color)
    SELECT :org_id, :id, b.name, b.permissions, b.color
    FROM jsonb_to_record(:body::jsonb) AS b (name text, permissions text[], color text)
    RETURNING id
)
INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
SELECT :org_id, :audit_id, a.kind, a.id, 'role.created', 'role', made.id, :changes::jsonb, a.ip, a.request_id
FROM made, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text);

-- With new users who bring their roles: first the roles, in one order, so that two requests
-- do not wait for each other; and behind the users what became of them.
-- roles    [{id, body, audit_id, changes}]
-- name: role_make (org_id, roles) writes
INSERT INTO rollcall.role (org_id, id, name, permissions, color)
:{roles_made};

-- Of many, one whose name is taken is left out, and its user with it (user_insert_free). Of those who want
-- the same name the first has it (ids are in their order).
-- name: role_make_free (org_id, roles) writes
INSERT INTO rollcall.role (org_id, id, name, permissions, color)
:{roles_made}
ON CONFLICT DO NOTHING;

-- fragment: roles_made
SELECT :org_id, t.id, b.name, b.permissions, b.color
FROM jsonb_to_recordset(:roles::jsonb) AS t (id uuid, body jsonb),
    jsonb_to_record(t.body) AS b (name text, permissions text[], color text)
ORDER BY lower(b.name), t.id

-- Where the user was left out his role goes again: neither is there without the other.
-- name: role_tell_made (org_id, roles, actor) writes
WITH item AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(:roles::jsonb) AS t (id uuid, audit_id uuid, changes jsonb)
),
used AS MATERIALIZED (
    SELECT t.* FROM item t
    WHERE EXISTS (SELECT FROM rollcall.users u WHERE u.org_id = :org_id AND u.role_id = t.id)
),
unused AS (
    DELETE FROM rollcall.role r USING item t
    WHERE r.org_id = :org_id AND r.id = t.id AND NOT EXISTS (SELECT FROM used s WHERE s.id = t.id)
)
INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
SELECT :org_id, s.audit_id, a.kind, a.id, 'role.created', 'role', s.id, s.changes, a.ip, a.request_id
FROM used s, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text);

-- Gated by admin_epoch where it takes an administrator's word away. Its users keep their
-- versions: what they hold is read at each request.
-- name: role_edit (org_id, id, version, patch, admin_epoch, audit_id, actor, changes) versioned writes
WITH gate AS (
    UPDATE rollcall.organization SET admin_epoch = admin_epoch + 1
    WHERE id = :org_id AND admin_epoch = :admin_epoch::bigint
    RETURNING id
),
edited AS (
    UPDATE rollcall.role r SET
        name = coalesce(j.patch ->> 'name', r.name),
        permissions = CASE WHEN j.patch ? 'permissions'
            THEN ARRAY(SELECT jsonb_array_elements_text(j.patch -> 'permissions')) ELSE r.permissions END,
        color = CASE WHEN j.patch ? 'color' THEN j.patch ->> 'color' ELSE r.color END,
        version = r.version + 1,
        updated_at = now()
    FROM (SELECT :patch::jsonb AS patch) j
    WHERE r.org_id = :org_id AND r.id = :id AND r.version = :version::bigint
      AND (:admin_epoch::bigint IS NULL OR EXISTS (SELECT FROM gate))
    RETURNING r.id
)
INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
SELECT :org_id, :audit_id, a.kind, a.id, 'role.edited', 'role', edited.id, :changes::jsonb, a.ip, a.request_id
FROM edited, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text)
RETURNING subject_id AS id;

-- Its users go to another role first: exactly those that the decision saw, as it saw them,
-- or nothing happens. No field requires anything for a role that is gone.
-- moves    [{id, version, audit_id}]
-- name: role_remove (org_id, id, version, move_to, moves, admin_epoch, audit_id, actor) versioned writes
WITH move AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(:moves::jsonb) AS t (id uuid, version bigint, audit_id uuid)
),
holder AS MATERIALIZED (
    SELECT u.id, u.version
    FROM rollcall.users u
    WHERE u.org_id = :org_id AND u.role_id = :id
    ORDER BY u.id
    FOR UPDATE
),
as_seen AS MATERIALIZED (
    SELECT true AS seen
    WHERE NOT EXISTS (SELECT h.id, h.version FROM holder h EXCEPT SELECT m.id, m.version FROM move m)
      AND NOT EXISTS (SELECT m.id, m.version FROM move m EXCEPT SELECT h.id, h.version FROM holder h)
),
gate AS (
    UPDATE rollcall.organization SET admin_epoch = admin_epoch + 1
    WHERE id = :org_id AND admin_epoch = :admin_epoch::bigint AND EXISTS (SELECT FROM as_seen)
    RETURNING id
),
locked AS MATERIALIZED (
    SELECT r.id, r.name, r.permissions
    FROM rollcall.role r
    WHERE r.org_id = :org_id AND r.id = :id AND r.version = :version::bigint
      AND EXISTS (SELECT FROM as_seen)
      AND (:admin_epoch::bigint IS NULL OR EXISTS (SELECT FROM gate))
    FOR UPDATE
),
moved AS (
    UPDATE rollcall.users u SET role_id = :move_to::uuid, version = u.version + 1, updated_at = now()
    FROM move m
    WHERE u.org_id = :org_id AND u.id = m.id AND EXISTS (SELECT FROM locked)
    RETURNING u.id, m.audit_id
),
required_no_more AS (
    UPDATE rollcall.field f SET
        required_for_roles = array_remove(f.required_for_roles, :id::uuid), version = f.version + 1, updated_at = now()
    WHERE f.org_id = :org_id AND :id = ANY (f.required_for_roles) AND EXISTS (SELECT FROM locked)
),
removed AS (
    DELETE FROM rollcall.role r USING locked l
    WHERE r.org_id = :org_id AND r.id = l.id
    RETURNING r.id, r.name, r.permissions
),
audited_user AS (
    INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
    SELECT :org_id, moved.audit_id, a.kind, a.id, 'user.edited', 'user', moved.id,
        jsonb_build_object('role_id', jsonb_build_array(:id::uuid, :move_to::uuid)), a.ip, a.request_id
    FROM moved, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text)
)
INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
SELECT :org_id, :audit_id, a.kind, a.id, 'role.deleted', 'role', removed.id,
    jsonb_build_object('name', jsonb_build_array(removed.name, NULL), 'permissions', jsonb_build_array(removed.permissions, NULL)),
    a.ip, a.request_id
FROM removed, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text)
RETURNING subject_id AS id;

-- A preset's roles, as far as there are none of these names.
-- roles    [{id, audit_id, name, permissions, color}]   common/policy_roles.h
-- name: preset_role_create (org_id, roles, actor) writes
WITH wanted AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(:roles::jsonb) AS t (id uuid, audit_id uuid, name text, permissions text[], color text)
),
made AS (
    INSERT INTO rollcall.role (org_id, id, name, permissions, color)
    SELECT :org_id, w.id, w.name, w.permissions, w.color FROM wanted w
    ON CONFLICT (org_id, lower(name)) DO NOTHING
    RETURNING id
)
INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
SELECT :org_id, w.audit_id, a.kind, a.id, 'role.created', 'role', w.id,
    jsonb_build_object('name', jsonb_build_array(NULL, w.name), 'permissions', jsonb_build_array(NULL, w.permissions)),
    a.ip, a.request_id
FROM wanted w JOIN made USING (id), jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text);

-- What those roles require: behind preset_role_create, in the same transaction. A field
-- that is there already is required for these roles, too.
-- fields   [{id, audit_id, key, labels, type, roles: [name]}]
-- name: preset_field_create (org_id, fields, actor) writes
WITH wanted AS MATERIALIZED (
    SELECT t.*, ARRAY(
        SELECT r.id FROM rollcall.role r
        WHERE r.org_id = :org_id AND lower(r.name) IN (SELECT lower(unnest(t.roles)))
        ORDER BY r.id) AS role_ids
    FROM jsonb_to_recordset(:fields::jsonb) AS t (id uuid, audit_id uuid, key text, labels jsonb, type text, roles text[])
),
made AS (
    INSERT INTO rollcall.field AS f (org_id, id, key, labels, type, required_for_roles)
    SELECT :org_id, w.id, w.key, w.labels, w.type, w.role_ids FROM wanted w
    ON CONFLICT (org_id, key) DO UPDATE SET
        required_for_roles = ARRAY(SELECT DISTINCT unnest(f.required_for_roles || EXCLUDED.required_for_roles) ORDER BY 1),
        version = f.version + 1, updated_at = now()
    WHERE NOT f.required_for_roles @> EXCLUDED.required_for_roles
    RETURNING f.id, f.key, f.required_for_roles
)
INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
SELECT :org_id, w.audit_id, a.kind, a.id, CASE WHEN made.id = w.id THEN 'field.created' ELSE 'field.edited' END, 'field', made.id,
    jsonb_build_object('required_for_roles', jsonb_build_array(NULL, made.required_for_roles)), a.ip, a.request_id
FROM wanted w JOIN made USING (key), jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text);
