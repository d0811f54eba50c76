-- Photos. They are part of their user: whoever puts or removes one moves his version.

-- fragment: photo_url
(SELECT '/v1/users/' || f.user_id || '/photo?v=' || left(f.hash, 16)
        FROM rollcall.photo f WHERE f.org_id = u.org_id AND f.user_id = u.id)

-- name: photo_state (org_id, user_id)
SELECT f.hash
FROM rollcall.photo f
WHERE f.org_id = :org_id AND f.user_id = :user_id;

-- The bytes as hex, unless the reader has them: `known` are the tags that he sent as If-None-Match,
-- blanks between them, or "*" (common/entity_tag.h).
-- name: photo_get (org_id, user_id, known)
SELECT f.media_type, f.hash, k.is_known,
    CASE WHEN NOT k.is_known THEN encode(f.bytes, 'hex') END AS bytes
FROM rollcall.photo f,
    LATERAL (SELECT coalesce(:known::text = '*' OR f.hash = ANY (string_to_array(:known::text, ' ')), false) AS is_known) k
WHERE f.org_id = :org_id AND f.user_id = :user_id;

-- `bytes` is base64. That there was one before is all that the audit tells.
-- name: photo_put (org_id, user_id, version, media_type, bytes, hash, audit_id, actor) versioned writes
WITH changed AS (
    UPDATE rollcall.users u SET version = u.version + 1, updated_at = now()
    WHERE u.org_id = :org_id AND u.id = :user_id AND u.version = :version::bigint
    RETURNING u.id
),
before AS (
    SELECT f.user_id FROM rollcall.photo f WHERE f.org_id = :org_id AND f.user_id = :user_id
),
stored AS (
    INSERT INTO rollcall.photo (org_id, user_id, media_type, bytes, hash)
    SELECT :org_id, changed.id, :media_type, decode(:bytes::text, 'base64'), :hash FROM changed
    ON CONFLICT (org_id, user_id) DO UPDATE SET
        media_type = EXCLUDED.media_type, bytes = EXCLUDED.bytes, hash = EXCLUDED.hash, updated_at = now()
)
INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
SELECT :org_id, :audit_id, a.kind, a.id, 'user.photo_set', 'user', changed.id,
    jsonb_build_object('photo', jsonb_build_array((SELECT 'set'::text FROM before), 'set')), a.ip, a.request_id
FROM changed, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text)
RETURNING subject_id AS id;

-- name: photo_remove (org_id, user_id, version, audit_id, actor) versioned writes
WITH changed AS (
    UPDATE rollcall.users u SET version = u.version + 1, updated_at = now()
    WHERE u.org_id = :org_id AND u.id = :user_id AND u.version = :version::bigint
    RETURNING u.id
),
removed AS (
    DELETE FROM rollcall.photo f USING changed WHERE f.org_id = :org_id AND f.user_id = changed.id
)
INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
SELECT :org_id, :audit_id, a.kind, a.id, 'user.photo_removed', 'user', changed.id,
    jsonb_build_object('photo', jsonb_build_array('set', NULL)), a.ip, a.request_id
FROM changed, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text)
RETURNING subject_id AS id;
