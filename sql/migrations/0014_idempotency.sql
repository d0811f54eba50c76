-- What was done under a key that the client chose (Idempotency-Key), so that the same request sent
-- again is answered and not done again. The row stands with the effect or not at all, for it is
-- written in its transaction (server/idempotency.c).
CREATE TABLE rollcall.idempotency (
    org_id      uuid NOT NULL,
    caller_id   uuid NOT NULL,           -- the user, or the API key
    route       text NOT NULL,           -- "POST /v1/users"
    key         text NOT NULL,
    -- HMAC of the request: the same key with another one is refused.
    digest      text NOT NULL,
    -- How it is answered again: by which of the route's lists of steps, from what this
    -- query says now; or by these very words, where no query can tell.
    steps       smallint NOT NULL,
    view        text,
    view_params jsonb,
    answer      jsonb,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT idempotency_pkey PRIMARY KEY (org_id, caller_id, route, key),
    CONSTRAINT idempotency_organization_fkey FOREIGN KEY (org_id) REFERENCES rollcall.organization (id),
    CONSTRAINT idempotency_key_check CHECK (length(key) BETWEEN 1 AND 255)
);
CREATE INDEX idempotency_created_idx ON rollcall.idempotency (created_at);
