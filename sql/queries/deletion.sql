-- Deleting users (DESIGN.md §6, Deletion): asking for it, confirming it, doing it.
--
-- Both ways remove the row, and what hangs on it goes by its foreign keys: sessions,
-- password, invitation, reset links, memberships, assignments. Anonymising makes a new row
-- of the same id without a name, in the same statement: whoever waited for the old row
-- finds it gone and reads again, so nothing is hung on the new one by mistake.

-- fragment: deletion_view
    d.id, d.state, CASE WHEN d.state = 'pending' THEN d.code END AS code, cardinality(d.user_ids) AS count,
    d.reference_counts AS "references", d.expires_at

-- What client applications have registered for these users, and would lose.
-- fragment: deletion_references
(SELECT coalesce(jsonb_agg(to_jsonb(f) ORDER BY f.user_id, f.app, f.type), '[]')
     FROM (SELECT a.user_id, a.app, a.type, count(*) AS count
           FROM rollcall.assignment a
           WHERE a.org_id = :org_id AND a.user_id = ANY (:user_ids::uuid[])
           GROUP BY a.user_id, a.app, a.type) f)

-- Somebody who administers and is not among these.
-- fragment: administrator_remains
EXISTS (SELECT FROM :{administrators} x WHERE x.id <> ALL (:user_ids::uuid[]))

-- What is true of the set as a whole.
-- name: deletion_facts (org_id, user_ids)
SELECT :{deletion_references} AS "references", :{administrator_remains} AS administrator_remains, :{policy_columns}
FROM rollcall.policy p
WHERE p.org_id = :org_id;

-- name: deletion_subjects (org_id, user_ids)
SELECT :{subject}
FROM :{subject_from}
WHERE u.org_id = :org_id AND u.id = ANY (:user_ids::uuid[])
ORDER BY u.id;

-- name: deletion_get (org_id, id)
SELECT :{deletion_view}
FROM rollcall.deletion d
WHERE d.org_id = :org_id AND d.id = :id;

-- name: deletion_create (org_id, id, mode, code, user_ids, versions, references, audit_id, actor) writes
WITH made AS (
    INSERT INTO rollcall.deletion (org_id, id, state, mode, code, maker_kind, maker_id, user_ids, versions, reference_counts)
    SELECT :org_id, :id, 'pending', :mode, :code, a.kind, a.id, :user_ids::uuid[], :versions::bigint[], :references::jsonb
    FROM jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid)
    RETURNING id, mode, user_ids
)
INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
SELECT :org_id, :audit_id, a.kind, a.id, 'deletion.created', 'deletion', made.id,
    jsonb_build_object('count', jsonb_build_array(NULL, cardinality(made.user_ids)), 'mode', jsonb_build_array(NULL, made.mode)),
    a.ip, a.request_id
FROM made, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text);

-- Whether there is one that he may confirm, alive or not.
-- name: deletion_find (org_id, id, maker_kind, maker_id)
SELECT d.state
FROM rollcall.deletion d
WHERE d.org_id = :org_id AND d.id = :id AND d.maker_kind = :maker_kind AND d.maker_id = :maker_id::uuid;

-- What is to be confirmed is called d, here and in selections.sql.
-- fragment: is_wrong_code
(d.code IS DISTINCT FROM :code)

-- fragment: ends_confirmation
(d.expires_at <= now() OR d.code IS DISTINCT FROM :code AND d.wrong_codes >= 2)

-- A number is counted as it is compared: however many are sent at once, two wrong ones
-- are answered and the third ends it.
-- name: deletion_try (org_id, id, maker_kind, maker_id, code, audit_id, actor) writes
WITH tried AS (
    UPDATE rollcall.deletion d SET
        wrong_codes = d.wrong_codes + :{is_wrong_code}::integer,
        state = CASE WHEN :{ends_confirmation} THEN 'dead' ELSE d.state END
    WHERE d.org_id = :org_id AND d.id = :id AND d.maker_kind = :maker_kind AND d.maker_id = :maker_id::uuid AND d.state = 'pending'
    RETURNING d.id, d.state, NOT :{is_wrong_code} AS is_right, d.expires_at <= now() AS has_passed,
        d.mode, d.user_ids, d.versions, d.reference_counts
),
audited AS (
    INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
    SELECT :org_id, :audit_id, a.kind, a.id, 'deletion.died', 'deletion', t.id,
        jsonb_build_object('reason', jsonb_build_array(NULL, CASE WHEN t.has_passed THEN 'expired' ELSE 'wrong_code' END)),
        a.ip, a.request_id
    FROM tried t, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text)
    WHERE t.state = 'dead'
)
SELECT state, is_right, mode, user_ids, versions, reference_counts FROM tried;

-- The set is not what it was any more; no row: somebody has confirmed it meanwhile.
-- name: deletion_kill (org_id, id, audit_id, actor) writes
WITH killed AS (
    UPDATE rollcall.deletion d SET state = 'dead'
    WHERE d.org_id = :org_id AND d.id = :id AND d.state = 'pending'
    RETURNING d.id
)
INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
SELECT :org_id, :audit_id, a.kind, a.id, 'deletion.died', 'deletion', killed.id,
    jsonb_build_object('reason', jsonb_build_array(NULL, 'changed')), a.ip, a.request_id
FROM killed, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text)
RETURNING subject_id AS id;

-- Before user_delete in the same transaction: what is assigned to them meanwhile waits, so
-- that the next statement sees all that was assigned before.
-- name: deletion_lock (org_id, user_ids)
SELECT u.id
FROM rollcall.users u
WHERE u.org_id = :org_id AND u.id = ANY (:user_ids::uuid[])
ORDER BY u.id
FOR UPDATE;

-- Of those in the CTE removed (id): what was written of them is forgotten.
-- fragment: removed_forgotten
values_emptied AS (
    UPDATE rollcall.audit_value v SET changes = '{}'
    FROM removed r
    WHERE v.org_id = :org_id AND v.user_id = r.id
),
-- What is queued is not sent, and his address is forgotten with what was.
mails_emptied AS (
    UPDATE rollcall.outbox m SET
        state = CASE m.state WHEN 'queued' THEN 'cancelled' ELSE m.state END,
        last_reply = CASE m.state WHEN 'queued' THEN 'no longer wanted' END,
        recipient = NULL,
        data = '{}'
    FROM removed r
    WHERE m.org_id = :org_id AND m.user_id = r.id
),
-- As an administrator he was sent mails about others: there only his address is forgotten,
-- the one that he has and those that he had.
address AS (
    SELECT lower(u.email) AS email
    FROM rollcall.users u JOIN removed r ON r.id = u.id
    WHERE u.org_id = :org_id
    UNION
    SELECT lower(e.address)
    FROM rollcall.audit_value v
    JOIN removed r ON r.id = v.user_id, jsonb_array_elements_text(v.changes -> 'email') AS e (address)
    WHERE v.org_id = :org_id
),
addresses_forgotten AS (
    UPDATE rollcall.outbox m SET recipient = NULL, last_reply = NULL
    FROM address a
    WHERE m.org_id = :org_id AND lower(m.recipient) = a.email
      AND m.kind IN ('invitation_expired', 'invitation_lapsed', 'lock_digest', 'idle_brake', 'import_done')
      AND (m.user_id IS NULL OR m.user_id NOT IN (SELECT r.id FROM removed r))
)

-- By what those in the CTE removed are known in files, now or before.
-- fragment: removed_names
known_as AS MATERIALIZED (
    SELECT n.kind, n.name
    FROM rollcall.users u JOIN removed r ON r.id = u.id,
        LATERAL (VALUES ('email', lower(u.email)), ('username', lower(u.username)), ('external_id', u.external_id)) n (kind, name)
    WHERE u.org_id = :org_id AND n.name IS NOT NULL
    UNION
    SELECT k.kind, CASE k.kind WHEN 'external_id' THEN n.name ELSE lower(n.name) END
    FROM rollcall.audit_value v
    JOIN removed r ON r.id = v.user_id
    CROSS JOIN (VALUES ('email'), ('username'), ('external_id')) k (kind),
        LATERAL jsonb_array_elements_text(CASE WHEN jsonb_typeof(v.changes -> k.kind) = 'array' THEN v.changes -> k.kind ELSE '[]' END) n (name)
    WHERE v.org_id = :org_id AND n.name IS NOT NULL
)

-- The row w of an import that came to nothing, or is yet to be applied, has the name of one of
-- them. One that was applied is about its user, whoever had his address before or has it now.
-- import_row_unapplied_idx has these alone.
-- fragment: names_removed
((w.user_id IS NULL OR w.outcome IN ('error', 'skipped'))
 AND (lower(w.body ->> 'email') IN (SELECT k.name FROM known_as k WHERE k.kind = 'email')
      OR lower(w.body ->> 'username') IN (SELECT k.name FROM known_as k WHERE k.kind = 'username')
      OR w.body ->> 'external_id' IN (SELECT k.name FROM known_as k WHERE k.kind = 'external_id')))

-- What files said of them, from the rows in the CTE imported (import_id, row) and those that
-- follow one of these (their names are dropped), and the workbooks with the results; the files
-- themselves go with their time (import_retention). Of two who do this at once one waits.
-- fragment: imported_forgotten
imported_forgotten AS (
    UPDATE rollcall.import_row w SET cells = '{}', body = '{}', before = NULL, errors = '[]'
    FROM (
        SELECT i.import_id, i.row FROM imported i
        UNION
        SELECT f.import_id, f.row
        FROM imported i
        JOIN rollcall.import_row f ON f.org_id = :org_id AND f.import_id = i.import_id AND f.same_as = i.row
        WHERE f.user_id IS NULL) x
    WHERE w.org_id = :org_id AND w.import_id = x.import_id AND w.row = x.row
    RETURNING w.import_id
),
reports_locked AS MATERIALIZED (
    SELECT i.id FROM rollcall.import i
    WHERE i.org_id = :org_id AND i.id IN (SELECT f.import_id FROM imported_forgotten f)
    ORDER BY i.id
    FOR NO KEY UPDATE
),
reports_forgotten AS (
    UPDATE rollcall.import i SET is_report_stale = true
    FROM reports_locked l
    WHERE i.org_id = :org_id AND i.id = l.id
)

-- What goes with the user r of the CTE removed, and the audit alone still knows: what he could
-- do, where he belonged, and what was assigned to him. (It ends with
-- the statement, and is still there within it.)
-- fragment: gone_with_removed
jsonb_strip_nulls(jsonb_build_object(
        'role_id', CASE WHEN r.role_id IS NOT NULL THEN jsonb_build_array(r.role_id, NULL) END,
        'own_permissions', CASE WHEN r.own_permissions <> '{}' THEN jsonb_build_array(r.own_permissions, NULL) END,
        'group_ids', (SELECT jsonb_build_array(jsonb_agg(m.group_id ORDER BY m.group_id), NULL)
            FROM rollcall.group_member m WHERE m.org_id = :org_id AND m.user_id = r.id HAVING count(*) > 0)))
    || coalesce((SELECT :{detached_assignments}
        FROM rollcall.assignment g WHERE g.org_id = :org_id AND g.user_id = r.id HAVING count(*) > 0), '{}')

-- All of them or none: each as he was seen, with the references that were seen, under the
-- policy that was seen. The deletion is done with it; one that nobody had to confirm is
-- written down here.
-- name: user_delete (org_id, deletion_id, mode, user_ids, versions, audit_ids, references, admin_epoch, audit_id, actor) versioned writes
WITH item AS MATERIALIZED (
    SELECT * FROM unnest(:user_ids::uuid[], :versions::bigint[], :audit_ids::uuid[]) AS t (id, version, audit_id)
),
locked AS MATERIALIZED (
    SELECT u.id, u.kind, u.version, u.created_at, 'Deleted user' AS first_name, upper(right(u.id::text, 6)) AS last_name, i.audit_id,
        u.role_id, u.own_permissions
    FROM rollcall.users u
    JOIN item i ON i.id = u.id AND i.version = u.version
    WHERE u.org_id = :org_id AND u.anonymised_at IS NULL
    ORDER BY u.id
    FOR UPDATE OF u
),
unchanged AS MATERIALIZED (
    SELECT p.deletion
    FROM rollcall.policy p
    WHERE p.org_id = :org_id AND p.deletion = :mode
      AND (SELECT count(*) FROM locked) = cardinality(:user_ids::uuid[])
      AND :{deletion_references} = :references::jsonb
),
gate AS (
    UPDATE rollcall.organization SET admin_epoch = admin_epoch + 1
    WHERE id = :org_id AND admin_epoch = :admin_epoch::bigint AND EXISTS (SELECT FROM unchanged)
    RETURNING id
),
recorded AS (
    INSERT INTO rollcall.deletion AS d (org_id, id, state, mode, maker_kind, maker_id, user_ids, versions, reference_counts)
    SELECT :org_id, :deletion_id, 'done', :mode, a.kind, a.id, :user_ids::uuid[], :versions::bigint[], :references::jsonb
    FROM unchanged, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid)
    WHERE :admin_epoch::bigint IS NULL OR EXISTS (SELECT FROM gate)
    ON CONFLICT (org_id, id) DO UPDATE SET state = 'done' WHERE d.state = 'pending' AND d.expires_at > now()
    RETURNING d.id
),
removed AS (
    DELETE FROM rollcall.users u USING locked l, recorded
    WHERE u.org_id = :org_id AND u.id = l.id
    RETURNING l.*
),
nameless AS (
    INSERT INTO rollcall.users (org_id, id, first_name, last_name, kind, status, status_reason, version, created_at, anonymised_at)
    SELECT :org_id, r.id, r.first_name, r.last_name, r.kind, 'inactive', 'by_admin', r.version + 1, r.created_at, now()
    FROM removed r
    WHERE :mode = 'anonymise'
),
remembered AS (
    INSERT INTO rollcall.deleted_user (org_id, id, pseudonym, mode)
    SELECT :org_id, r.id, r.first_name || ' ' || r.last_name, :mode FROM removed r
),
:{removed_forgotten},
:{removed_names},
imported AS MATERIALIZED (
    SELECT w.import_id, w.row
    FROM rollcall.import_row w
    WHERE w.org_id = :org_id AND w.user_id IN (SELECT r.id FROM removed r)
    UNION
    SELECT w.import_id, w.row
    FROM rollcall.import_row w
    WHERE w.org_id = :org_id AND :{names_removed}
),
:{imported_forgotten},
audited AS (
    INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
    SELECT :org_id, s.id, a.kind, a.id, s.action, s.subject_kind, s.subject_id, s.changes, a.ip, a.request_id
    FROM (
        SELECT r.audit_id AS id, 'user.deleted' AS action, 'user' AS subject_kind, r.id AS subject_id,
            jsonb_build_object('deletion', jsonb_build_array(NULL, :mode::text)) || :{gone_with_removed} AS changes
        FROM removed r
        UNION ALL
        SELECT :audit_id::uuid, 'deletion.done', 'deletion', d.id,
            jsonb_build_object('count', jsonb_build_array(NULL, cardinality(:user_ids::uuid[])), 'mode', jsonb_build_array(NULL, :mode::text))
        FROM recorded d
    ) s, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text)
)
SELECT id FROM recorded;

-- Whom a mail is about, or the administrator for whom it was made.
-- fragment: is_deleted
EXISTS (SELECT FROM rollcall.deleted_user x WHERE x.org_id = m.org_id AND x.id IN (m.user_id, (m.data ->> 'recipient_id')::uuid))

-- name: purge_deletions (limit) writes all_organizations
DELETE FROM rollcall.deletion d
WHERE (d.org_id, d.id) IN (
    SELECT x.org_id, x.id FROM rollcall.deletion x WHERE x.created_at < now() - interval '30 days'
    LIMIT :limit::integer FOR UPDATE SKIP LOCKED);
