-- API keys that administrators manage, and operators' keys, which belong to no organization.

ALTER TABLE rollcall.api_key
    -- Its last four characters: which of two keys is it that somebody has found? Null: made
    -- before they were kept.
    ADD COLUMN hint         text,
    -- From where it may be used; null: from anywhere.
    ADD COLUMN networks     cidr[],
    -- Null: made before it was kept.
    ADD COLUMN maker_kind   text,
    ADD COLUMN maker_id     uuid,
    ADD COLUMN last_used_ip inet,
    -- When it was last used from elsewhere.
    ADD COLUMN refused_at   timestamptz,
    ADD COLUMN version      bigint NOT NULL DEFAULT 1,
    ADD COLUMN updated_at   timestamptz NOT NULL DEFAULT now(),
    ADD CONSTRAINT api_key_networks_check CHECK (cardinality(networks) BETWEEN 1 AND 32),
    ADD CONSTRAINT api_key_maker_kind_check CHECK (maker_kind IN ('user', 'api_key', 'operator'));
UPDATE rollcall.api_key SET updated_at = created_at;

CREATE TABLE rollcall.operator_key (
    id           uuid NOT NULL,
    key_hash     text NOT NULL,
    hint         text NOT NULL,
    name         text NOT NULL,
    networks     cidr[],
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz,
    last_used_ip inet,
    refused_at   timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT operator_key_pkey PRIMARY KEY (id),
    CONSTRAINT operator_key_hash_key UNIQUE (key_hash),
    CONSTRAINT operator_key_networks_check CHECK (cardinality(networks) BETWEEN 1 AND 32)
);
