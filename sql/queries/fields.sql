-- Fields: what an organization adds to what is known of people, and what users have of it.
--
-- Whoever gives a user attributes holds their fields (FOR SHARE, fragment fields_stand)
-- until he commits; whoever changes or deletes a field waits for that (field_hold) in a
-- statement of its own, so that the next one sees every value that stands. So no value is
-- ever of a field, or of an option, that there is not.

-- What is shown: ids of roles that are gone are passed over.
-- fragment: field_view
    f.id, f.key, :{field_label} AS label, f.labels, f.type, f.options, f.pattern,
    :{field_roles} AS required_for_roles,
    f.version, f.created_at, f.updated_at

-- fragment: field_view_from
    rollcall.field f
    JOIN rollcall.organization o ON o.id = f.org_id

-- In the language of who reads it, else the organization's, else any.
-- fragment: field_label
coalesce(f.labels ->> :language::text, f.labels ->> o.locale, (SELECT l.value FROM jsonb_each_text(f.labels) l ORDER BY l.key LIMIT 1))

-- fragment: field_roles
ARRAY(SELECT r.id FROM unnest(f.required_for_roles) WITH ORDINALITY q (id, place)
        JOIN rollcall.role r ON r.org_id = f.org_id AND r.id = q.id ORDER BY q.place)

-- fragment: field_search
(:search::text IS NULL OR f.key LIKE lower(:search::text)
       OR EXISTS (SELECT FROM jsonb_each_text(f.labels) l WHERE lower(l.value) LIKE lower(:search::text)))

-- What common/field.c reads of the organization `o`.
-- fragment: field_definitions
coalesce((
        SELECT jsonb_agg(jsonb_build_object('key', f.key, 'type', f.type, 'options', f.options, 'pattern', f.pattern,
            'required_for_roles', f.required_for_roles) ORDER BY f.key)
        FROM rollcall.field f WHERE f.org_id = o.id), '[]')

-- Behind the CTE held (key, type, options): whether each of the `attributes` is of a field
-- that still stands, with its option.
-- fragment: fields_stand
NOT EXISTS (
        SELECT FROM jsonb_each_text(given.attributes) v
        WHERE NOT EXISTS (SELECT FROM held h WHERE h.key = v.key AND (h.type <> 'choice' OR v.value = ANY (h.options))))

-- name: field_list (org_id, search, after_key, after_id, limit, language)
SELECT :{field_view}, f.key AS cursor_key
FROM :{field_view_from}
WHERE f.org_id = :org_id
  AND :{field_search}
  AND (:after_id::uuid IS NULL OR (f.key, f.id) > (:after_key::text, :after_id::uuid))
ORDER BY f.key, f.id
LIMIT :limit::integer;

-- name: field_count (org_id, search)
SELECT count(*) AS total
FROM rollcall.field f
WHERE f.org_id = :org_id AND :{field_search};

-- name: field_get (org_id, id, language)
SELECT :{field_view}
FROM :{field_view_from}
WHERE f.org_id = :org_id AND f.id = :id;

-- What making one needs to know: which of the roles that are named there are.
-- name: field_create_load (org_id, roles)
SELECT o.locale,
    (SELECT count(*) FROM rollcall.field f WHERE f.org_id = o.id) AS fields,
    ARRAY(SELECT r.id FROM rollcall.role r WHERE r.org_id = o.id AND r.id = ANY (:roles::uuid[])) AS known_roles
FROM rollcall.organization o
WHERE o.id = :org_id;

-- How many users have an option that the new list (null: it stays) has no more. Where none is taken
-- away nobody is looked at.
-- name: field_edit_load (org_id, id, language, roles, options)
WITH taken AS MATERIALIZED (
    SELECT f.key, ARRAY(SELECT unnest(f.options) EXCEPT SELECT jsonb_array_elements_text(:options::jsonb)) AS options
    FROM rollcall.field f
    WHERE f.org_id = :org_id AND f.id = :id AND :options::jsonb IS NOT NULL
)
SELECT :{field_view}, o.locale,
    ARRAY(SELECT r.id FROM rollcall.role r WHERE r.org_id = o.id AND r.id = ANY (:roles::uuid[])) AS known_roles,
    (SELECT count(*) FROM :{losing_users}) AS users_losing
FROM :{field_view_from}
WHERE f.org_id = :org_id AND f.id = :id;

-- Behind the CTE taken (key, options): who has one of the options. Not a join, which would begin with
-- the users.
-- fragment: losing_users
rollcall.users u
    WHERE (SELECT t.options <> '{}' FROM taken t) AND u.org_id = :org_id
      AND u.attributes ->> (SELECT t.key FROM taken t) = ANY ((SELECT t.options FROM taken t)::text[])

-- One field, or (id null) all that there are: nobody can add one meanwhile either, for
-- he holds them too.
-- name: field_hold (org_id, id)
SELECT f.id FROM rollcall.field f
WHERE f.org_id = :org_id AND (:id::uuid IS NULL OR f.id = :id::uuid)
ORDER BY f.id
FOR UPDATE;

-- name: field_create (org_id, id, body, at_most, audit_id, actor, changes) versioned writes
WITH made AS (
    INSERT INTO rollcall.field (org_id, id, key, labels, type, options, pattern, required_for_roles)
    SELECT :org_id, :id, b.key, b.labels, b.type, coalesce(b.options, '{}'), b.pattern, coalesce(b.required_for_roles, '{}')
    FROM jsonb_to_record(:body::jsonb) AS b (key text, labels jsonb, type text, options text[], pattern text,
        required_for_roles uuid[])
    WHERE (SELECT count(*) FROM rollcall.field f WHERE f.org_id = :org_id) < :at_most::integer
    RETURNING id
)
INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
SELECT :org_id, :audit_id, a.kind, a.id, 'field.created', 'field', made.id, :changes::jsonb, a.ip, a.request_id
FROM made, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text)
RETURNING subject_id AS id;

-- name: field_edit (org_id, id, version, patch, audit_id, actor, changes) versioned writes
WITH taken AS MATERIALIZED (
    SELECT f.key, ARRAY(SELECT unnest(f.options) EXCEPT SELECT jsonb_array_elements_text(:patch::jsonb -> 'options')) AS options
    FROM rollcall.field f
    WHERE f.org_id = :org_id AND f.id = :id AND :patch::jsonb ? 'options'
),
edited AS (
    UPDATE rollcall.field f SET
        labels = coalesce(j.patch -> 'labels', f.labels),
        options = CASE WHEN j.patch ? 'options' THEN ARRAY(SELECT jsonb_array_elements_text(j.patch -> 'options')) ELSE f.options END,
        pattern = CASE WHEN j.patch ? 'pattern' THEN j.patch ->> 'pattern' ELSE f.pattern END,
        required_for_roles = CASE WHEN j.patch ? 'required_for_roles'
            THEN ARRAY(SELECT jsonb_array_elements_text(j.patch -> 'required_for_roles')::uuid) ELSE f.required_for_roles END,
        version = f.version + 1,
        updated_at = now()
    FROM (SELECT :patch::jsonb AS patch) j
    WHERE f.org_id = :org_id AND f.id = :id AND f.version = :version::bigint
      AND NOT EXISTS (SELECT FROM :{losing_users})
    RETURNING f.id
)
INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
SELECT :org_id, :audit_id, a.kind, a.id, 'field.edited', 'field', edited.id, :changes::jsonb, a.ip, a.request_id
FROM edited, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text)
RETURNING subject_id AS id;

-- Where a page of users ends who have a value of it, behind `after_id`. No row: there are fewer.
-- name: field_page_end (org_id, key, after_id, users)
SELECT u.id
FROM rollcall.users u
WHERE u.org_id = :org_id AND u.id > :after_id::uuid AND u.attributes ? :key
ORDER BY u.id
OFFSET :users::integer - 1
LIMIT 1;

-- The values of such a page: what field_remove does of those who are left, while the field stands.
-- name: field_forget (org_id, id, version, after_id, last_id, audit_id, actor) versioned writes
WITH emptied AS MATERIALIZED (
    SELECT f.id, f.key FROM rollcall.field f
    WHERE f.org_id = :org_id AND f.id = :id AND f.version = :version::bigint
),
holder AS MATERIALIZED (
    SELECT u.id, d.key FROM rollcall.users u, emptied d
    WHERE u.org_id = :org_id AND u.id > :after_id::uuid AND u.id <= :last_id::uuid AND u.attributes ? d.key
    ORDER BY u.id
    FOR UPDATE OF u
),
:{field_forgotten}
INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
SELECT :org_id, :audit_id, a.kind, a.id, 'field.edited', 'field', emptied.id,
    jsonb_build_object('users', jsonb_build_array((SELECT count(*) FROM forgotten), 0)), a.ip, a.request_id
FROM emptied, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text)
RETURNING subject_id AS id;

-- fragment: field_forgotten
forgotten AS (
    UPDATE rollcall.users u SET
        attributes = u.attributes - h.key,
        version = u.version + 1,
        updated_at = now()
    FROM holder h
    WHERE u.org_id = :org_id AND u.id = h.id
    RETURNING u.id
)

-- Its values go with it, and the audit keeps how many there were, not what they were.
-- name: field_remove (org_id, id, version, audit_id, actor) versioned writes
WITH removed AS MATERIALIZED (
    DELETE FROM rollcall.field f
    WHERE f.org_id = :org_id AND f.id = :id AND f.version = :version::bigint
    RETURNING f.id, f.key, f.type, f.labels
),
holder AS MATERIALIZED (
    SELECT u.id, d.key FROM rollcall.users u, removed d
    WHERE u.org_id = :org_id AND u.attributes ? d.key
    ORDER BY u.id
    FOR UPDATE OF u
),
:{field_forgotten}
INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
SELECT :org_id, :audit_id, a.kind, a.id, 'field.deleted', 'field', removed.id,
    jsonb_build_object('key', jsonb_build_array(removed.key, NULL), 'type', jsonb_build_array(removed.type, NULL),
        'labels', jsonb_build_array(removed.labels, NULL), 'users', jsonb_build_array((SELECT count(*) FROM forgotten), 0)),
    a.ip, a.request_id
FROM removed, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text)
RETURNING subject_id AS id;

-- What the schema of a role's users is made of.
-- name: role_schema_load (org_id, role_id, language)
SELECT r.id, r.name, :{policy_columns},
    coalesce((
        SELECT jsonb_agg(jsonb_build_object('key', f.key, 'type', f.type, 'options', f.options, 'pattern', f.pattern,
            'required_for_roles', f.required_for_roles, 'label', :{field_label}) ORDER BY f.key)
        FROM rollcall.field f WHERE f.org_id = o.id), '[]') AS fields
FROM rollcall.organization o
JOIN rollcall.policy p ON p.org_id = o.id
JOIN rollcall.role r ON r.org_id = o.id AND r.id = :role_id
WHERE o.id = :org_id;
