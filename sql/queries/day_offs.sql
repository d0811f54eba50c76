-- Days off: when people are away, to the minute, and what follows from it: who may be
-- assigned anything, and whose idle time rests meanwhile.

-- Whether the user u is away at the moment m.at.
-- fragment: is_away
EXISTS (SELECT FROM rollcall.day_off f WHERE f.org_id = u.org_id AND f.user_id = u.id AND f.during @> m.at)

-- fragment: on_day_off
(SELECT :{is_away} FROM (SELECT now() AS at) m)

-- With the policy p of his organization.
-- fragment: assignable
(u.status = 'active' AND (p.assignable_on_day_off OR NOT :{on_day_off}))

-- What the list asks of days off, at any moment. Whoever is away is found first where only
-- those are wanted: they are few.
-- fragment: day_off_filter
(:vacation::boolean IS NOT TRUE OR u.id = ANY (ARRAY(
      SELECT f.user_id FROM rollcall.day_off f WHERE f.org_id = :org_id AND f.during @> coalesce(:at::timestamptz, now()))))
  AND (coalesce(:vacation::boolean, true) OR NOT (SELECT :{is_away} FROM (SELECT coalesce(:at::timestamptz, now()) AS at) m))
  AND (:assignable::boolean IS NULL OR :assignable::boolean = (u.status = 'active' AND (
      (SELECT p.assignable_on_day_off FROM rollcall.policy p WHERE p.org_id = :org_id)
      OR NOT (SELECT :{is_away} FROM (SELECT coalesce(:at::timestamptz, now()) AS at) m))))

-- fragment: day_off_view
    d.id, d.user_id, lower(d.during) AS starts_at, upper(d.during) AS ends_at, d.note,
    d.version, d.created_at, d.updated_at

-- Two of one user never begin at the same moment: their beginning is key enough.
-- name: day_off_list (org_id, user_id, after_key, limit)
SELECT :{day_off_view}, (extract(epoch FROM lower(d.during)) * 1000000)::bigint AS cursor_key
FROM rollcall.day_off d
WHERE d.org_id = :org_id AND d.user_id = :user_id
  AND (:after_key::bigint IS NULL OR (extract(epoch FROM lower(d.during)) * 1000000)::bigint > :after_key::bigint)
ORDER BY lower(d.during)
LIMIT :limit::integer;

-- No row: there is no such user.
-- name: day_off_count (org_id, user_id)
SELECT (SELECT count(*) FROM rollcall.day_off d WHERE d.org_id = u.org_id AND d.user_id = u.id) AS total
FROM rollcall.users u
WHERE u.org_id = :org_id AND u.id = :user_id;

-- name: day_off_get (org_id, user_id, id)
SELECT :{day_off_view}
FROM rollcall.day_off d
WHERE d.org_id = :org_id AND d.user_id = :user_id AND d.id = :id;

-- Moments as they would be, and what is wrong with them. Either may be null, and then the
-- one of the day off stands, if there is one.
-- name: day_off_judge (org_id, user_id, id, starts_at, ends_at)
SELECT w.starts_at AS wanted_starts_at, w.ends_at AS wanted_ends_at,
    w.ends_at <= w.starts_at AS is_reversed,
    w.starts_at < '1900-01-01 00:00+00' AS is_too_early,
    w.ends_at > '9999-12-31 00:00+00' AS is_too_late,
    w.ends_at > w.starts_at + interval '10 years' AS is_too_long
FROM (SELECT coalesce(:starts_at::timestamptz, lower(d.during)) AS starts_at, coalesce(:ends_at::timestamptz, upper(d.during)) AS ends_at
      FROM (VALUES (1)) one
      LEFT JOIN rollcall.day_off d ON d.org_id = :org_id AND d.user_id = :user_id AND d.id = :id::uuid) w;

-- The user comes first, as in every statement that locks both. What it means for his idle
-- time is written by idle_recompute_user behind it, before the same sync.
-- fragment: day_off_locked
locked AS MATERIALIZED (
    SELECT u.id FROM rollcall.users u WHERE u.org_id = :org_id AND u.id = :user_id FOR NO KEY UPDATE
)

-- When is nobody's secret where the audit is read; the note is the user's own.
-- name: day_off_create (org_id, user_id, id, starts_at, ends_at, note, audit_id, actor, changes, personal) versioned writes
WITH :{day_off_locked},
made AS (
    INSERT INTO rollcall.day_off (org_id, id, user_id, during, note)
    SELECT :org_id, :id, locked.id, tstzrange(:starts_at::timestamptz, :ends_at::timestamptz), :note FROM locked
    RETURNING id, user_id
),
audited AS (
    INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
    SELECT :org_id, :audit_id, a.kind, a.id, 'day_off.created', 'user', made.user_id, :changes::jsonb, a.ip, a.request_id
    FROM made, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text)
),
audited_values AS (
    INSERT INTO rollcall.audit_value (org_id, audit_id, user_id, changes)
    SELECT :org_id, :audit_id, made.user_id, :personal::jsonb FROM made WHERE :personal::jsonb <> '{}'
)
SELECT id FROM made;

-- Its moments and its note as they will be.
-- name: day_off_edit (org_id, user_id, id, version, starts_at, ends_at, note, audit_id, actor, changes, personal) versioned writes
WITH :{day_off_locked},
made AS (
    UPDATE rollcall.day_off d SET
        during = tstzrange(:starts_at::timestamptz, :ends_at::timestamptz),
        note = :note,
        version = d.version + 1,
        updated_at = now()
    FROM locked
    WHERE d.org_id = :org_id AND d.user_id = locked.id AND d.id = :id AND d.version = :version::bigint
    RETURNING d.id, d.user_id
),
audited AS (
    INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
    SELECT :org_id, :audit_id, a.kind, a.id, 'day_off.edited', 'user', made.user_id, :changes::jsonb, a.ip, a.request_id
    FROM made, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text)
),
audited_values AS (
    INSERT INTO rollcall.audit_value (org_id, audit_id, user_id, changes)
    SELECT :org_id, :audit_id, made.user_id, :personal::jsonb FROM made WHERE :personal::jsonb <> '{}'
)
SELECT id FROM made;

-- name: day_off_remove (org_id, user_id, id, version, audit_id, actor, changes, personal) versioned writes
WITH :{day_off_locked},
made AS (
    DELETE FROM rollcall.day_off d
    USING locked
    WHERE d.org_id = :org_id AND d.user_id = locked.id AND d.id = :id AND d.version = :version::bigint
    RETURNING d.id, d.user_id
),
audited AS (
    INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
    SELECT :org_id, :audit_id, a.kind, a.id, 'day_off.deleted', 'user', made.user_id, :changes::jsonb, a.ip, a.request_id
    FROM made, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text)
),
audited_values AS (
    INSERT INTO rollcall.audit_value (org_id, audit_id, user_id, changes)
    SELECT :org_id, :audit_id, made.user_id, :personal::jsonb FROM made WHERE :personal::jsonb <> '{}'
)
SELECT id FROM made;
