-- Assignments: what client applications have given to users and departments.

-- fragment: assignment_view
    g.id, g.app, g.type, g.resource, g.relation, g.user_id, g.department_id, g.version, g.created_at, g.updated_at

-- All relations of a resource, or one.
-- name: assignment_get (org_id, app, type, resource, relation)
SELECT :{assignment_view}
FROM rollcall.assignment g
WHERE g.org_id = :org_id AND g.app = :app AND g.type = :type AND g.resource = :resource
  AND (:relation::text IS NULL OR g.relation = :relation::text)
ORDER BY g.relation;

-- In the order in which they came.
-- name: assignment_list_of_user (org_id, user_id, after_id, limit)
SELECT :{assignment_view}
FROM rollcall.assignment g
WHERE g.org_id = :org_id AND g.user_id = :user_id AND (:after_id::uuid IS NULL OR g.id > :after_id::uuid)
ORDER BY g.id
LIMIT :limit::integer;

-- No row: there is no such user.
-- name: assignment_count_of_user (org_id, user_id)
SELECT (SELECT count(*) FROM rollcall.assignment g WHERE g.org_id = u.org_id AND g.user_id = u.id) AS total
FROM rollcall.users u
WHERE u.org_id = :org_id AND u.id = :user_id;

-- Who should hold it, and whether he may.
-- name: assignment_load_holder (org_id, user_id, department_id)
SELECT u.id AS user_id, u.status, :{on_day_off} AS on_day_off, p.assignable_on_day_off, d.id AS department_id
FROM rollcall.policy p
LEFT JOIN rollcall.users u ON u.org_id = p.org_id AND u.id = :user_id::uuid
LEFT JOIN rollcall.department d ON d.org_id = p.org_id AND d.id = :department_id::uuid
WHERE p.org_id = :org_id;

-- Made, or given to somebody else: as it was seen (version null: not there), or not at all.
-- The user is locked first, is active still, and his epoch tells a transition that takes his
-- assignments away of this one.
-- name: assignment_put (org_id, id, app, type, resource, relation, version, user_id, department_id, audit_id, actor, changes) versioned writes
WITH holder AS MATERIALIZED (
    UPDATE rollcall.users u SET assignment_epoch = u.assignment_epoch + 1
    WHERE u.org_id = :org_id AND u.id = :user_id::uuid AND u.status = 'active'
    RETURNING u.id
),
put AS (
    INSERT INTO rollcall.assignment AS g (org_id, id, app, type, resource, relation, user_id, department_id)
    SELECT :org_id, :id, :app, :type, :resource, :relation, :user_id::uuid, :department_id::uuid
    WHERE :user_id::uuid IS NULL OR EXISTS (SELECT FROM holder)
    ON CONFLICT (org_id, app, type, resource, relation) DO UPDATE SET
        user_id = EXCLUDED.user_id, department_id = EXCLUDED.department_id, version = g.version + 1, updated_at = now()
    WHERE g.version = :version::bigint
    RETURNING g.id
)
INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
SELECT :org_id, :audit_id, a.kind, a.id, 'assignment.set', 'assignment', put.id, :changes::jsonb, a.ip, a.request_id
FROM put, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text)
RETURNING subject_id AS id;

-- items [{id, version, audit_id, changes}]: those that were seen, as they were.
-- name: assignment_remove (org_id, app, type, resource, items, actor) versioned writes
WITH removed AS (
    DELETE FROM rollcall.assignment g
    USING jsonb_to_recordset(:items::jsonb) AS i (id uuid, version bigint, audit_id uuid, changes jsonb)
    WHERE g.org_id = :org_id AND g.app = :app AND g.type = :type AND g.resource = :resource
      AND g.id = i.id AND g.version = i.version
    RETURNING g.id, i.audit_id, i.changes
)
INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
SELECT :org_id, removed.audit_id, a.kind, a.id, 'assignment.removed', 'assignment', removed.id, removed.changes, a.ip, a.request_id
FROM removed, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text)
RETURNING subject_id AS id;
