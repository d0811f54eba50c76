-- Where a user stands: what his making and his editing need to know and do about his
-- department, position and groups. The fragments are part of user_insert and user_edit
-- (users.sql), so that all of an edit comes to pass, or nothing.

-- What a body names, as it is; and how the user stands (null: a new one).
-- group_ids holds null where there is no id; the places of unknown ones count from 0.
-- name: user_structure_load (org_id, user_id, department_id, position, group_ids)
SELECT :{structure_facts}
FROM (SELECT :user_id::uuid AS user_id, :department_id::uuid AS department_id, :position::text AS position,
        :group_ids::uuid[] AS group_ids) n
:{structure_joins};

-- fragment: structure_facts
    (SELECT d.id FROM rollcall.department d WHERE d.org_id = o.id AND d.id = n.department_id) AS department_id,
    j.id AS position_id, j.title AS position,
    ARRAY(SELECT w.place - 1 FROM unnest(n.group_ids) WITH ORDINALITY AS w (id, place)
        WHERE w.id IS NOT NULL
          AND NOT EXISTS (SELECT FROM rollcall.user_group g WHERE g.org_id = o.id AND g.id = w.id)
        ORDER BY w.place) AS unknown_groups,
    to_jsonb(ARRAY(SELECT w.id FROM unnest(n.group_ids) AS w (id) ORDER BY w.id)) AS group_ids,
    b.id AS position_id_before, b.title AS position_before,
    to_jsonb(ARRAY(SELECT m.group_id FROM rollcall.group_member m
        WHERE m.org_id = o.id AND m.user_id = n.user_id ORDER BY m.group_id)) AS group_ids_before

-- fragment: structure_joins
JOIN rollcall.organization o ON o.id = :org_id
LEFT JOIN rollcall.position j ON j.org_id = o.id AND lower(j.title) = lower(n.position)
LEFT JOIN LATERAL (SELECT x.org_id, x.position_id FROM rollcall.users x WHERE x.org_id = :org_id AND x.id = n.user_id OFFSET 0) u ON true
LEFT JOIN rollcall.position b ON b.org_id = u.org_id AND b.id = u.position_id

-- A title that is written for the first time, told as a change of its own. Another may
-- write it at the same moment: then it is his, and ours all the same.
-- `position_wanted` holds what to make: id, title, audit_id; or nothing.
-- fragment: position_made
position_made AS (
    INSERT INTO rollcall.position AS j (org_id, id, title)
    SELECT :org_id, w.id, w.title FROM position_wanted w
    ON CONFLICT (org_id, lower(title)) DO UPDATE SET title = j.title
    RETURNING j.id, j.title
),
position_told AS (
    INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
    SELECT :org_id, w.audit_id, a.kind, a.id, 'position.created', 'position', w.id,
        jsonb_build_object('title', jsonb_build_array(NULL, w.title)), a.ip, a.request_id
    FROM position_made JOIN position_wanted w USING (id),
        jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text)
)

-- Before user_insert, which finds the position by its title.
-- name: position_make (org_id, positions, actor) writes
WITH position_wanted AS (
    SELECT DISTINCT ON (lower(t.title)) t.*
    FROM jsonb_to_recordset(:positions::jsonb) AS t (id uuid, title text, audit_id uuid)
    ORDER BY lower(t.title), t.id
),
:{position_made}
SELECT id FROM position_made;

-- fragment: inserted_position
coalesce(t.position_id, (SELECT j.id FROM rollcall.position j WHERE j.org_id = :org_id AND lower(j.title) = lower(t.position)))

-- Of user_edit: `locked` has passed the version, `gate` the epoch where there is one.
-- fragment: edited_position
position_wanted AS MATERIALIZED (
    SELECT DISTINCT ON (lower(t.title)) t.*
    FROM locked l JOIN item i ON i.id = l.id,
        jsonb_to_record(i.patch -> 'new_position') AS t (id uuid, title text, audit_id uuid)
    WHERE t.id IS NOT NULL AND (:admin_epoch::bigint IS NULL OR EXISTS (SELECT FROM gate))
    ORDER BY lower(t.title), t.id
),
:{position_made}

-- His groups are those that the patch names, and no others.
-- fragment: edited_groups
groups_entered AS (
    INSERT INTO rollcall.group_member (org_id, group_id, user_id)
    SELECT :org_id, w.id::uuid, e.id
    FROM edited e JOIN item i ON i.id = e.id, jsonb_array_elements_text(i.patch -> 'group_ids') AS w (id)
    ON CONFLICT (org_id, group_id, user_id) DO NOTHING
),
groups_left AS (
    DELETE FROM rollcall.group_member m USING edited e JOIN item i ON i.id = e.id
    WHERE m.org_id = :org_id AND m.user_id = e.id
      AND i.patch ? 'group_ids' AND NOT i.patch -> 'group_ids' ? m.group_id::text
)
