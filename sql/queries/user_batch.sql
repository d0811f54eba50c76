-- Many operations on users in one request: what their decisions need to know, of all of
-- them at once, and what makes an atomic request whole. They are written by the same
-- statements as a single one (users.sql, transition.sql).

-- How many can administer here: several may be put out together while one is left.
-- fragment: administrator_count
(SELECT count(DISTINCT x.id) FROM :{administrators} x)

-- name: user_batch_load (org_id, ids)
SELECT :{user_facts},
    CASE WHEN :{is_administrator} THEN :{administrator_count} END AS administrators
FROM :{subject_from}
WHERE u.org_id = :org_id AND u.id = ANY (:ids::uuid[]);

-- When all are to be made: there is nobody yet, and only to plan the query above takes longer than
-- reading all the other facts.
-- name: user_batch_load_nobody () all_organizations
SELECT NULL::uuid AS user_id WHERE false;

-- What user_create_load reads: the first row is without any role, and it alone has the
-- policy and the fields, which may be megabytes; then one for each role that is named, known or not.
-- name: user_batch_load_roles (org_id, role_ids)
SELECT n.id AS named_role_id, r.id AS role_id, r.permissions AS role_permissions, o.name AS organization, :{policy_columns},
    CASE WHEN o.id IS NOT NULL THEN :{field_definitions} END AS fields
FROM (SELECT NULL::uuid AS id UNION SELECT unnest(:role_ids::uuid[])) n
LEFT JOIN rollcall.organization o ON o.id = :org_id AND n.id IS NULL
LEFT JOIN rollcall.policy p ON p.org_id = o.id
LEFT JOIN rollcall.role r ON r.org_id = :org_id AND r.id = n.id
ORDER BY n.id NULLS FIRST;

-- A row for each of `named`, in their order.
-- named    [{place, user_id, department_id, position, group_ids}]
-- name: user_batch_load_structure (org_id, named)
SELECT :{structure_facts}
FROM jsonb_to_recordset(:named::jsonb) AS n (place integer, user_id uuid, department_id uuid, position text, group_ids uuid[])
:{structure_joins}
ORDER BY n.place;

-- Who has the names already that each wants, for himself or for the role that he brings; `among_themselves` also whether somebody
-- before him in the list wants the same. A row for each, in their order.
-- wanted   [{place, id, email, username, external_id, role_name}]
-- name: user_batch_load_taken (org_id, wanted, among_themselves)
WITH wanted AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(:wanted::jsonb) AS t (place integer, id uuid, email text, username text, external_id text,
        role_name text)
),
asked AS (
    SELECT w.*,
        w.email IS NOT NULL AND row_number() OVER (PARTITION BY lower(w.email) ORDER BY w.place) > 1 AS repeats_email,
        w.username IS NOT NULL AND row_number() OVER (PARTITION BY lower(w.username) ORDER BY w.place) > 1 AS repeats_username,
        w.external_id IS NOT NULL AND row_number() OVER (PARTITION BY w.external_id ORDER BY w.place) > 1 AS repeats_external_id,
        w.role_name IS NOT NULL AND row_number() OVER (PARTITION BY lower(w.role_name) ORDER BY w.place) > 1 AS repeats_role_name
    FROM wanted w
)
SELECT e.id,
    coalesce(e.id <> a.id, e.id IS NOT NULL) OR :among_themselves::boolean AND a.repeats_email AS email_taken,
    coalesce(n.id <> a.id, n.id IS NOT NULL) OR :among_themselves::boolean AND a.repeats_username AS username_taken,
    coalesce(x.id <> a.id, x.id IS NOT NULL) OR :among_themselves::boolean AND a.repeats_external_id AS external_id_taken,
    m.id IS NOT NULL OR :among_themselves::boolean AND a.repeats_role_name AS role_name_taken
FROM asked a
-- One by one, by the keys, whatever the planner believes of a table that is being filled.
LEFT JOIN LATERAL (SELECT u.id FROM rollcall.users u WHERE u.org_id = :org_id AND lower(u.email) = lower(a.email) OFFSET 0) e ON true
LEFT JOIN LATERAL (SELECT u.id FROM rollcall.users u WHERE u.org_id = :org_id AND lower(u.username) = lower(a.username) OFFSET 0) n ON true
LEFT JOIN LATERAL (SELECT u.id FROM rollcall.users u WHERE u.org_id = :org_id AND u.external_id = a.external_id OFFSET 0) x ON true
LEFT JOIN LATERAL (SELECT r.id FROM rollcall.role r WHERE r.org_id = :org_id AND lower(r.name) = lower(a.role_name) OFFSET 0) m ON true
ORDER BY a.place;

-- Behind all that an atomic request writes, or that goes with one user. Who was not written in this transaction lost,
-- and nothing shall stand: dividing by zero is how a statement says so (server/job.c).
-- name: user_batch_keep_whole (org_id, ids)
SELECT 1 / (count(*) = cardinality(:ids::uuid[]))::integer AS is_whole
FROM rollcall.users u
WHERE u.org_id = :org_id AND u.id = ANY (:ids::uuid[]) AND :{is_written_here};
