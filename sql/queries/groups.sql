-- Groups, and who is in them. Who comes or goes is changed as a user: his version moves
-- and his history tells it, so that two changes of his groups never pass each other.

-- fragment: group_view
    g.id, g.name,
    (SELECT count(*) FROM rollcall.group_member m WHERE m.org_id = g.org_id AND m.group_id = g.id) AS users,
    g.version, g.created_at, g.updated_at

-- name: group_list (org_id, search, after_key, after_id, limit)
SELECT :{group_view}, lower(g.name) AS cursor_key
FROM rollcall.user_group g
WHERE g.org_id = :org_id
  AND (:search::text IS NULL OR lower(g.name) LIKE lower(:search::text))
  AND (:after_id::uuid IS NULL OR (lower(g.name) COLLATE rollcall.names, g.id) > (:after_key::text, :after_id::uuid))
ORDER BY lower(g.name) COLLATE rollcall.names, g.id
LIMIT :limit::integer;

-- name: group_count (org_id, search)
SELECT count(*) AS total
FROM rollcall.user_group g
WHERE g.org_id = :org_id AND (:search::text IS NULL OR lower(g.name) LIKE lower(:search::text));

-- name: group_get (org_id, id)
SELECT :{group_view}
FROM rollcall.user_group g
WHERE g.org_id = :org_id AND g.id = :id;

-- name: group_create (org_id, id, body, audit_id, actor, changes) writes
WITH made AS (
    INSERT INTO rollcall.user_group (org_id, id, name)
    SELECT :org_id, :id, b.name FROM jsonb_to_record(:body::jsonb) AS b (name text)
    RETURNING id
)
INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
SELECT :org_id, :audit_id, a.kind, a.id, 'group.created', 'group', made.id, :changes::jsonb, a.ip, a.request_id
FROM made, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text);

-- name: group_edit (org_id, id, version, patch, audit_id, actor, changes) versioned writes
WITH edited AS (
    UPDATE rollcall.user_group g SET
        name = coalesce(:patch::jsonb ->> 'name', g.name),
        version = g.version + 1,
        updated_at = now()
    WHERE g.org_id = :org_id AND g.id = :id AND g.version = :version::bigint
    RETURNING g.id
)
INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
SELECT :org_id, :audit_id, a.kind, a.id, 'group.edited', 'group', edited.id, :changes::jsonb, a.ip, a.request_id
FROM edited, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text)
RETURNING subject_id AS id;

-- last_leaver   a line of the audit that group_member_change writes before this, in the same transaction,
--          where somebody has to leave first. It writes all of them or none: without it somebody was
--          changed meanwhile, nobody has left, and the group stays, too, until that is looked at anew.
-- name: group_remove (org_id, id, version, last_leaver, audit_id, actor) versioned writes
WITH removed AS (
    DELETE FROM rollcall.user_group g
    WHERE g.org_id = :org_id AND g.id = :id AND g.version = :version::bigint
      AND (:last_leaver::uuid IS NULL
        OR EXISTS (SELECT FROM rollcall.audit a WHERE a.org_id = :org_id AND a.id = :last_leaver::uuid))
    RETURNING g.id, g.name
)
INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
SELECT :org_id, :audit_id, a.kind, a.id, 'group.deleted', 'group', removed.id,
    jsonb_build_object('name', jsonb_build_array(removed.name, NULL)), a.ip, a.request_id
FROM removed, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text)
RETURNING subject_id AS id;

-- name: group_member_list (org_id, group_id, after_key, after_id, limit)
SELECT u.id, u.first_name, u.last_name, u.email, u.status, u.sort_name AS cursor_key
FROM rollcall.group_member m
JOIN rollcall.users u ON u.org_id = m.org_id AND u.id = m.user_id
WHERE m.org_id = :org_id AND m.group_id = :group_id
  AND (:after_id::uuid IS NULL OR (u.sort_name, u.id) > (:after_key::text COLLATE rollcall.names, :after_id::uuid))
ORDER BY u.sort_name, u.id
LIMIT :limit::integer;

-- No row: there is no such group. Counting is left out unless somebody wants to know.
-- name: group_member_count (org_id, group_id, wants_count)
SELECT CASE WHEN :wants_count::boolean THEN (
    SELECT count(*) FROM rollcall.group_member m WHERE m.org_id = g.org_id AND m.group_id = g.id) END AS total
FROM rollcall.user_group g
WHERE g.org_id = :org_id AND g.id = :group_id;

-- Everybody whom a change names, at his place in the list; and as many of the others who are in
-- the group, where they are to leave it. What is no id is null there; of the anonymised only the
-- id is left, and they belong nowhere. Each is found by himself (OFFSET 0): a plan by statistics that
-- know of fewer would look through the whole organization for each.
-- name: group_member_load (org_id, group_id, user_ids, others)
SELECT w.place - 1 AS place, w.id IS NOT NULL AND u.id IS NULL AS is_unknown, u.id AS user_id, u.version,
    m.user_id IS NOT NULL AS is_member,
    coalesce(r.permissions, '{}') || u.own_permissions AS permissions, p.default_permissions
FROM unnest(:user_ids::uuid[]) WITH ORDINALITY AS w (id, place)
JOIN rollcall.policy p ON p.org_id = :org_id
LEFT JOIN LATERAL (SELECT * FROM rollcall.users x WHERE x.org_id = p.org_id AND x.id = w.id AND x.anonymised_at IS NULL OFFSET 0) u ON true
LEFT JOIN rollcall.role r ON r.org_id = u.org_id AND r.id = u.role_id
LEFT JOIN LATERAL (SELECT x.user_id FROM rollcall.group_member x
    WHERE x.org_id = u.org_id AND x.group_id = :group_id AND x.user_id = u.id OFFSET 0) m ON true
UNION ALL (
SELECT NULL, false, u.id, u.version, true, coalesce(r.permissions, '{}') || u.own_permissions, p.default_permissions
FROM rollcall.group_member m
JOIN rollcall.policy p ON p.org_id = m.org_id
CROSS JOIN LATERAL (SELECT * FROM rollcall.users x WHERE x.org_id = m.org_id AND x.id = m.user_id OFFSET 0) u
LEFT JOIN rollcall.role r ON r.org_id = u.org_id AND r.id = u.role_id
WHERE m.org_id = :org_id AND m.group_id = :group_id
  AND NOT EXISTS (SELECT FROM unnest(:user_ids::uuid[]) AS w (id) WHERE w.id = m.user_id)
ORDER BY m.user_id
LIMIT :others::integer);

-- What those who are in a group hold: each set once, however many have it.
-- name: group_permission_list (org_id, group_id)
SELECT DISTINCT coalesce(r.permissions, '{}') || u.own_permissions AS permissions, p.default_permissions
FROM rollcall.group_member m
JOIN rollcall.policy p ON p.org_id = m.org_id
CROSS JOIN LATERAL (SELECT x.org_id, x.role_id, x.own_permissions FROM rollcall.users x
    WHERE x.org_id = m.org_id AND x.id = m.user_id OFFSET 0) u
LEFT JOIN rollcall.role r ON r.org_id = u.org_id AND r.id = u.role_id
WHERE m.org_id = :org_id AND m.group_id = :group_id;

-- items    [{id, version, joins, audit_id}]; all of them, or, where one has moved, none. Each is found in
--          the group by himself, and leaves from there: a plan that was made while groups were small
--          would look through the whole group for each.
-- group_version   where the group goes behind this, in the same transaction or some pages later: the
--          one that was seen. It stays until then: the row is held.
-- name: group_member_change (org_id, group_id, group_version, items, actor) versioned writes
WITH held AS MATERIALIZED (
    SELECT g.id FROM rollcall.user_group g
    WHERE g.org_id = :org_id AND g.id = :group_id AND (:group_version::bigint IS NULL OR g.version = :group_version::bigint)
    FOR NO KEY UPDATE
),
item AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(:items::jsonb) AS t (id uuid, version bigint, joins boolean, audit_id uuid)
),
locked AS MATERIALIZED (
    SELECT u.id
    FROM rollcall.users u
    JOIN item i ON i.id = u.id
    WHERE u.org_id = :org_id AND u.version = i.version
    ORDER BY u.id
    FOR UPDATE OF u
),
changed AS MATERIALIZED (
    SELECT i.*, ARRAY(
        SELECT m.group_id FROM rollcall.group_member m WHERE m.org_id = :org_id AND m.user_id = i.id ORDER BY m.group_id) AS before,
        (SELECT m.ctid FROM rollcall.group_member m WHERE m.org_id = :org_id AND m.group_id = :group_id AND m.user_id = i.id) AS place
    FROM item i
    JOIN locked USING (id)
    WHERE (SELECT count(*) FROM locked) = (SELECT count(*) FROM item) AND EXISTS (SELECT FROM held)
),
came AS (
    INSERT INTO rollcall.group_member (org_id, group_id, user_id)
    SELECT :org_id, :group_id, c.id FROM changed c WHERE c.joins
),
went AS (
    DELETE FROM rollcall.group_member m USING changed c
    WHERE m.ctid = c.place AND m.org_id = :org_id AND m.group_id = :group_id AND m.user_id = c.id AND NOT c.joins
),
audited AS (
    INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
    SELECT :org_id, c.audit_id, a.kind, a.id, 'user.edited', 'user', c.id,
        jsonb_build_object('group_ids', jsonb_build_array(c.before, ARRAY(
            SELECT g FROM unnest(CASE WHEN c.joins THEN c.before || :group_id::uuid
                ELSE array_remove(c.before, :group_id::uuid) END) g ORDER BY g))),
        a.ip, a.request_id
    FROM changed c, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text)
)
UPDATE rollcall.users u SET version = u.version + 1, updated_at = now()
FROM changed c
WHERE u.org_id = :org_id AND u.id = c.id
RETURNING u.id;
