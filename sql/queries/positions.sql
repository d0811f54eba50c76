-- Positions: the titles that people may have.

-- fragment: position_view
    j.id, j.title,
    (SELECT count(*) FROM rollcall.users u WHERE u.org_id = j.org_id AND u.position_id = j.id) AS users,
    j.version, j.created_at, j.updated_at

-- name: position_list (org_id, search, after_key, after_id, limit)
SELECT :{position_view}, lower(j.title) AS cursor_key
FROM rollcall.position j
WHERE j.org_id = :org_id
  AND (:search::text IS NULL OR lower(j.title) LIKE lower(:search::text))
  AND (:after_id::uuid IS NULL OR (lower(j.title) COLLATE rollcall.names, j.id) > (:after_key::text, :after_id::uuid))
ORDER BY lower(j.title) COLLATE rollcall.names, j.id
LIMIT :limit::integer;

-- name: position_count (org_id, search)
SELECT count(*) AS total
FROM rollcall.position j
WHERE j.org_id = :org_id AND (:search::text IS NULL OR lower(j.title) LIKE lower(:search::text));

-- name: position_get (org_id, id)
SELECT :{position_view}
FROM rollcall.position j
WHERE j.org_id = :org_id AND j.id = :id;

-- name: position_create (org_id, id, body, audit_id, actor, changes) writes
WITH made AS (
    INSERT INTO rollcall.position (org_id, id, title)
    SELECT :org_id, :id, b.title FROM jsonb_to_record(:body::jsonb) AS b (title text)
    RETURNING id
)
INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
SELECT :org_id, :audit_id, a.kind, a.id, 'position.created', 'position', made.id, :changes::jsonb, a.ip, a.request_id
FROM made, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text);

-- name: position_edit (org_id, id, version, patch, audit_id, actor, changes) versioned writes
WITH edited AS (
    UPDATE rollcall.position j SET
        title = coalesce(:patch::jsonb ->> 'title', j.title),
        version = j.version + 1,
        updated_at = now()
    WHERE j.org_id = :org_id AND j.id = :id AND j.version = :version::bigint
    RETURNING j.id
)
INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
SELECT :org_id, :audit_id, a.kind, a.id, 'position.edited', 'position', edited.id, :changes::jsonb, a.ip, a.request_id
FROM edited, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text)
RETURNING subject_id AS id;

-- name: position_remove (org_id, id, version, audit_id, actor) versioned writes
WITH removed AS (
    DELETE FROM rollcall.position j
    WHERE j.org_id = :org_id AND j.id = :id AND j.version = :version::bigint
    RETURNING j.id, j.title
)
INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
SELECT :org_id, :audit_id, a.kind, a.id, 'position.deleted', 'position', removed.id,
    jsonb_build_object('title', jsonb_build_array(removed.title, NULL)), a.ip, a.request_id
FROM removed, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text)
RETURNING subject_id AS id;
