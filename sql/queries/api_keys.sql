-- API keys: who an application is, and what its organization's administrators see of its key.
--
-- A key is never deleted: what it did is told by its name. One that is made locks its
-- organization first, so that of two together neither goes past the limit.

-- fragment: api_key_state
CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked' WHEN k.expires_at <= now() THEN 'expired' ELSE 'active' END

-- fragment: api_key_view
    k.id, k.name, k.hint, k.permissions, k.networks, :{api_key_state} AS state, k.expires_at, k.revoked_at,
    k.last_used_at, k.last_used_ip, k.refused_at AS last_refused_at,
    CASE WHEN k.maker_kind IS NOT NULL THEN jsonb_build_object('kind', k.maker_kind, 'id', k.maker_id, 'name',
        CASE k.maker_kind WHEN 'user' THEN coalesce(
            (SELECT d.pseudonym FROM rollcall.deleted_user d WHERE d.org_id = k.org_id AND d.id = k.maker_id),
            (SELECT u.first_name || ' ' || u.last_name FROM rollcall.users u WHERE u.org_id = k.org_id AND u.id = k.maker_id))
        WHEN 'api_key' THEN (SELECT m.name FROM rollcall.api_key m WHERE m.org_id = k.org_id AND m.id = k.maker_id) END) END AS maker,
    k.version, k.created_at, k.updated_at

-- fragment: api_key_filter
(:search::text IS NULL OR lower(k.name) LIKE lower(:search::text))
  AND (:state::text[] IS NULL OR :{api_key_state} = ANY (:state::text[]))
  AND (:expires_before::timestamptz IS NULL OR k.expires_at < :expires_before::timestamptz)

-- name: api_key_list (org_id, search, state, expires_before, after_key, after_id, limit)
SELECT :{api_key_view}, lower(k.name) AS cursor_key
FROM rollcall.api_key k
WHERE k.org_id = :org_id
  AND :{api_key_filter}
  AND (:after_id::uuid IS NULL OR (lower(k.name) COLLATE rollcall.names, k.id) > (:after_key::text, :after_id::uuid))
ORDER BY lower(k.name) COLLATE rollcall.names, k.id
LIMIT :limit::integer;

-- name: api_key_count (org_id, search, state, expires_before)
SELECT count(*) AS total
FROM rollcall.api_key k
WHERE k.org_id = :org_id AND :{api_key_filter};

-- name: api_key_get (org_id, id)
SELECT :{api_key_view}
FROM rollcall.api_key k
WHERE k.org_id = :org_id AND k.id = :id;

-- What a new or a changed key rests on. A key that makes another one is its bound: what
-- it makes neither lives longer than it nor is used from elsewhere.
-- Of a key that is edited, `of_key`, what the body does not name stays as it is.
-- name: api_key_judge (org_id, by_key, expires_at, networks, of_key, keeps_expiry, keeps_networks)
SELECT :expires_at::timestamptz <= now() AS is_over,
    (SELECT count(*) FROM rollcall.api_key k WHERE k.org_id = o.id AND k.revoked_at IS NULL) AS standing,
    coalesce(b.expires_at < coalesce(n.expires_at, 'infinity'), false) AS outlives_caller,
    b.networks IS NOT NULL AND (n.networks IS NULL
        OR EXISTS (SELECT FROM unnest(n.networks) AS w (network) WHERE NOT w.network <<= ANY (b.networks))) AS is_wider_than_caller
FROM rollcall.organization o
LEFT JOIN rollcall.api_key b ON b.org_id = o.id AND b.id = :by_key::uuid
LEFT JOIN rollcall.api_key e ON e.org_id = o.id AND e.id = :of_key::uuid
CROSS JOIN LATERAL (SELECT CASE WHEN :keeps_expiry::boolean THEN e.expires_at ELSE :expires_at::timestamptz END AS expires_at,
    CASE WHEN :keeps_networks::boolean THEN e.networks ELSE :networks::cidr[] END AS networks) n
WHERE o.id = :org_id;

-- Before api_key_create, in the same transaction: whoever makes a key is not put out until
-- it is made, or makes none. Else he who has found a key, and asks for others while it is
-- revoked, has one more than anybody saw. No row: he is out.
-- name: api_key_hold_maker (org_id, kind, id, token_hash)
WITH :{maker_held}
SELECT id FROM signed_in
UNION ALL
SELECT id FROM application;

-- The same before api_key_edit, which gives away as much: who is out is asked anew who he is, for
-- dividing by zero is how a statement says that nothing shall stand (server/job.c).
-- name: api_key_require_maker (org_id, kind, id, token_hash)
WITH :{maker_held}
SELECT 1 / count(*) AS is_held
FROM (SELECT id FROM signed_in UNION ALL SELECT id FROM application) held;

-- fragment: maker_held
person AS MATERIALIZED (
    SELECT u.id, u.session_epoch
    FROM rollcall.users u
    WHERE :kind::text = 'user' AND u.org_id = :org_id AND u.id = :id AND u.status = 'active'
    FOR SHARE
),
signed_in AS MATERIALIZED (
    SELECT s.user_id AS id
    FROM rollcall.session s
    JOIN person ON person.id = s.user_id AND person.session_epoch = s.session_epoch
    WHERE s.org_id = :org_id AND s.token_hash = :token_hash
    FOR SHARE OF s
),
application AS MATERIALIZED (
    SELECT k.id
    FROM rollcall.api_key k
    WHERE :kind::text = 'api_key' AND k.org_id = :org_id AND k.id = :id AND :{key_is_alive}
    FOR SHARE
)

-- Behind api_key_hold_maker: it counts when nobody else is making one.
-- name: api_key_lock (org_id)
SELECT o.id FROM rollcall.organization o WHERE o.id = :org_id FOR NO KEY UPDATE;

-- A key that is over already, one too many, or of a maker who is out, is not made: no row.
-- The command line has no maker_hash.
-- name: api_key_create (org_id, id, key_hash, hint, limit, maker_hash, body, audit_id, actor, changes) writes
WITH made AS (
    INSERT INTO rollcall.api_key (org_id, id, key_hash, hint, name, permissions, expires_at, networks, maker_kind, maker_id)
    SELECT :org_id, :id, :key_hash, :hint, b.name, b.permissions, b.expires_at, b.networks, a.kind, a.id
    FROM jsonb_to_record(:body::jsonb) AS b (name text, permissions text[], expires_at timestamptz, networks cidr[]),
        jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid)
    WHERE (b.expires_at IS NULL OR b.expires_at > now())
      AND (SELECT count(*) FROM rollcall.api_key k WHERE k.org_id = :org_id AND k.revoked_at IS NULL) < :limit::integer
      AND (:maker_hash::text IS NULL
        OR EXISTS (SELECT FROM rollcall.session s JOIN rollcall.users u ON u.org_id = s.org_id AND u.id = s.user_id
            WHERE s.org_id = :org_id AND s.token_hash = :maker_hash::text AND s.session_epoch = u.session_epoch AND u.status = 'active')
        OR EXISTS (SELECT FROM rollcall.api_key k WHERE k.org_id = :org_id AND k.key_hash = :maker_hash::text AND :{key_is_alive}))
    RETURNING id
)
INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
SELECT :org_id, :audit_id, a.kind, a.id, 'api_key.created', 'api_key', made.id, :changes::jsonb, a.ip, a.request_id
FROM made, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text)
RETURNING subject_id AS id;

-- name: api_key_edit (org_id, id, version, patch, audit_id, actor, changes) versioned writes
WITH edited AS (
    UPDATE rollcall.api_key k SET
        name = coalesce(n.name, k.name),
        permissions = coalesce(n.permissions, k.permissions),
        expires_at = CASE WHEN p.patch ? 'expires_at' THEN n.expires_at ELSE k.expires_at END,
        networks = CASE WHEN p.patch ? 'networks' THEN n.networks ELSE k.networks END,
        version = k.version + 1,
        updated_at = now()
    FROM (SELECT :patch::jsonb AS patch) p,
        jsonb_to_record(p.patch) AS n (name text, permissions text[], expires_at timestamptz, networks cidr[])
    WHERE k.org_id = :org_id AND k.id = :id AND k.version = :version::bigint
    RETURNING k.id
)
INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, changes, ip, request_id)
SELECT :org_id, :audit_id, a.kind, a.id, 'api_key.edited', 'api_key', edited.id, :changes::jsonb, a.ip, a.request_id
FROM edited, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text)
RETURNING subject_id AS id;

-- fragment: api_key_revoke_audited
INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, ip, request_id)
SELECT :org_id, :audit_id, a.kind, a.id, 'api_key.revoked', 'api_key', revoked.id, a.ip, a.request_id
FROM revoked, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text)
RETURNING subject_id AS id

-- name: api_key_revoke (org_id, id, version, audit_id, actor) versioned writes
WITH revoked AS (
    UPDATE rollcall.api_key k SET revoked_at = now(), version = k.version + 1, updated_at = now()
    WHERE k.org_id = :org_id AND k.id = :id AND k.version = :version::bigint
    RETURNING k.id
)
:{api_key_revoke_audited};

-- By its id, or by the key itself: rollcall-server key revoke. No row: there is none, or
-- it is revoked.
-- name: api_key_revoke_found (org_id, id, key_hash, audit_id, actor) writes
WITH revoked AS (
    UPDATE rollcall.api_key k SET revoked_at = now(), version = k.version + 1, updated_at = now()
    WHERE k.org_id = :org_id AND (k.id = :id::uuid OR k.key_hash = :key_hash::text) AND k.revoked_at IS NULL
    RETURNING k.id
)
:{api_key_revoke_audited};

-- The right key from the wrong address: told to the organization, at most once a minute.
-- name: api_key_refuse (org_id, id, audit_id, actor) writes
WITH refused AS (
    UPDATE rollcall.api_key k SET refused_at = now()
    WHERE k.org_id = :org_id AND k.id = :id AND :{key_refusal_is_news}
    RETURNING k.id
)
INSERT INTO rollcall.audit (org_id, id, actor_kind, actor_id, action, subject_kind, subject_id, ip, request_id)
SELECT :org_id, :audit_id, a.kind, a.id, 'api_key.refused', 'api_key', refused.id, a.ip, a.request_id
FROM refused, jsonb_to_record(:actor::jsonb) AS a (kind text, id uuid, ip inet, request_id text);
