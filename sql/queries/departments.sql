-- Departments: a tree as deep as an organization likes.
--
-- Who moves a department has seen the whole tree: structure_epoch is read with what is
-- checked, and must not have moved when the move is written (as admin_epoch, DESIGN.md §4).

-- fragment: department_view
    d.id, d.name, d.parent_id, :{department_path} AS path,
    (SELECT count(*) FROM rollcall.department c WHERE c.org_id = d.org_id AND c.parent_id = d.id) AS departments,
    (SELECT count(*) FROM rollcall.users u WHERE u.org_id = d.org_id AND u.department_id = d.id) AS users,
    d.version, d.created_at, d.updated_at

-- Names from the root down to it.
-- fragment: department_path
ARRAY(
        WITH RECURSIVE up (name, parent_id, height) AS (
            SELECT d.name, d.parent_id, 0
            UNION ALL
            SELECT p.name, p.parent_id, up.height + 1
            FROM up JOIN rollcall.department p ON p.org_id = d.org_id AND p.id = up.parent_id)
        SELECT up.name FROM up ORDER BY up.height DESC)

-- name: department_list (org_id, search, after_key, after_id, limit)
SELECT :{department_view}, lower(d.name) AS cursor_key
FROM rollcall.department d
WHERE d.org_id = :org_id
  AND (:search::text IS NULL OR lower(d.name) LIKE lower(:search::text))
  AND (:after_id::uuid IS NULL OR (lower(d.name) COLLATE rollcall.names, d.id) > (:after_key::text, :after_id::uuid))
ORDER BY lower(d.name) COLLATE rollcall.names, d.id
LIMIT :limit::integer;

-- name: department_count (org_id, search)
SELECT count(*) AS total
FROM rollcall.department d
WHERE d.org_id = :org_id AND (:search::text IS NULL OR lower(d.name) LIKE lower(:search::text));

-- name: department_get (org_id, id)
SELECT :{department_view}
FROM rollcall.department d
WHERE d.org_id = :org_id AND d.id = :id;

-- What putting a department (null: a new one) below a parent needs to know.
-- name: department_parent (org_id, id, parent_id)
SELECT o.structure_epoch,
    EXISTS (SELECT FROM rollcall.department p WHERE p.org_id = o.id AND p.id = :parent_id::uuid) AS parent_exists,
    EXISTS (
        WITH RECURSIVE up (id, parent_id) AS (
            SELECT p.id, p.parent_id FROM rollcall.department p WHERE p.org_id = o.id AND p.id = :parent_id::uuid
            UNION ALL
            SELECT p.id, p.parent_id
            FROM up JOIN rollcall.department p ON p.org_id = o.id AND p.id = up.parent_id)
        SELECT FROM up WHERE up.id = :id::uuid) AS makes_circle
FROM rollcall.organization o
WHERE o.id = :org_id;

-- name: department_create (org_id, id, body, audit_id, actor, changes) writes
WITH made AS (
    INSERT INTO rollcall.department (org_id, id, name, parent_id)
    SELECT :org_id, :id, b.name, b.parent_id FROM jsonb_to_record(:body::jsonb) AS b (name text, parent_id uuid)
    RETURNING id
)
INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
SELECT :org_id, :audit_id, a.kind, a.id, 'department.created', 'department', made.id, :changes::jsonb, a.ip, a.request_id
FROM made, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text);

-- Gated by structure_epoch where the department moves; null where it does not.
-- name: department_edit (org_id, id, version, patch, structure_epoch, audit_id, actor, changes) versioned writes
WITH locked AS MATERIALIZED (
    SELECT d.id FROM rollcall.department d
    WHERE d.org_id = :org_id AND d.id = :id AND d.version = :version::bigint
    FOR NO KEY UPDATE
),
gate AS (
    UPDATE rollcall.organization SET structure_epoch = structure_epoch + 1
    WHERE id = :org_id AND structure_epoch = :structure_epoch::bigint AND EXISTS (SELECT FROM locked)
    RETURNING id
),
edited AS (
    UPDATE rollcall.department d SET
        name = coalesce(j.patch ->> 'name', d.name),
        parent_id = CASE WHEN j.patch ? 'parent_id' THEN (j.patch ->> 'parent_id')::uuid ELSE d.parent_id END,
        version = d.version + 1,
        updated_at = now()
    FROM (SELECT :patch::jsonb AS patch) j
    WHERE d.org_id = :org_id AND d.id IN (SELECT id FROM locked)
      AND (:structure_epoch::bigint IS NULL OR EXISTS (SELECT FROM gate))
    RETURNING d.id
)
INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
SELECT :org_id, :audit_id, a.kind, a.id, 'department.edited', 'department', edited.id, :changes::jsonb, a.ip, a.request_id
FROM edited, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text)
RETURNING subject_id AS id;

-- name: department_remove (org_id, id, version, audit_id, actor) versioned writes
WITH removed AS (
    DELETE FROM rollcall.department d
    WHERE d.org_id = :org_id AND d.id = :id AND d.version = :version::bigint
    RETURNING d.id, d.name, d.parent_id
)
INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
SELECT :org_id, :audit_id, a.kind, a.id, 'department.deleted', 'department', removed.id,
    jsonb_build_object('name', jsonb_build_array(removed.name, NULL), 'parent_id', jsonb_build_array(removed.parent_id, NULL)),
    a.ip, a.request_id
FROM removed, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text)
RETURNING subject_id AS id;
