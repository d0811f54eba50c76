-- Operators' keys, which belong to no organization, and what they are for: organizations as
-- their operator sees them. What an operator does to one stands in its audit.

-- name: operator_key_authenticate (token_hash, ip) all_organizations
SELECT k.id AS operator_key_id, '{}'::text[] AS permissions, NULL::text AS locale, 'en' AS organization_locale,
    :{key_use}
FROM rollcall.operator_key k
WHERE k.key_hash = :token_hash AND :{key_is_alive};

-- name: operator_key_touch (token_hash, ip) writes all_organizations
UPDATE rollcall.operator_key SET last_used_at = now(), last_used_ip = :ip::inet
WHERE key_hash = :token_hash;

-- name: operator_key_refuse (id) writes all_organizations
UPDATE rollcall.operator_key k SET refused_at = now()
WHERE k.id = :id AND :{key_refusal_is_news};

-- A key that is over already is not made: no row.
-- name: operator_key_create (id, key_hash, hint, name, expires_at, networks) writes all_organizations
INSERT INTO rollcall.operator_key (id, key_hash, hint, name, expires_at, networks)
SELECT :id, :key_hash, :hint, :name, :expires_at::timestamptz, :networks::cidr[]
WHERE :expires_at::timestamptz IS NULL OR :expires_at::timestamptz > now()
RETURNING id;

-- name: operator_key_list (state) all_organizations
SELECT k.id, k.name, k.hint, k.networks, :{api_key_state} AS state, k.expires_at, k.revoked_at,
    k.last_used_at, k.last_used_ip, k.refused_at AS last_refused_at, k.created_at
FROM rollcall.operator_key k
WHERE :state::text[] IS NULL OR :{api_key_state} = ANY (:state::text[])
ORDER BY k.id;

-- name: operator_key_revoke (id, key_hash) writes all_organizations
UPDATE rollcall.operator_key k SET revoked_at = now()
WHERE (k.id = :id::uuid OR k.key_hash = :key_hash::text) AND k.revoked_at IS NULL
RETURNING k.id;

-- Before an organization is founded, in the same transaction: whose key is revoked founds none, also
-- where that happens after he was let in. Dividing by zero says that nothing shall stand (server/job.c):
-- he is asked anew who he is.
-- name: operator_key_require (id) all_organizations
WITH held AS MATERIALIZED (
    SELECT k.id FROM rollcall.operator_key k WHERE k.id = :id AND :{key_is_alive} FOR SHARE
)
SELECT 1 / count(*) AS is_held FROM held;

-- fragment: organization_filter
(:search::text IS NULL OR lower(o.name) LIKE lower(:search::text) OR o.slug LIKE lower(:search::text))

-- name: organization_list (search, after_key, after_id, limit) all_organizations
SELECT :{organization_view}, o.slug AS cursor_key
FROM rollcall.organization o
WHERE :{organization_filter}
  AND (:after_id::uuid IS NULL OR (o.slug, o.id) > (:after_key::text, :after_id::uuid))
ORDER BY o.slug, o.id
LIMIT :limit::integer;

-- name: organization_count (search) all_organizations
SELECT count(*) AS total
FROM rollcall.organization o
WHERE :{organization_filter};
