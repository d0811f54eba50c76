-- Deleting users: what was asked for and waits to be confirmed, and the name under which
-- the audit goes on speaking of those who are gone.

CREATE TABLE rollcall.deletion (
    org_id           uuid NOT NULL,
    id               uuid NOT NULL,
    state            text NOT NULL,
    -- As the policy said when it was asked for: nothing else is done than was announced.
    mode             text NOT NULL,
    -- The number to repeat; null where none is asked for.
    code             text,
    wrong_codes      integer NOT NULL DEFAULT 0,
    maker_kind       text NOT NULL,
    maker_id         uuid NOT NULL,
    -- The set as it was seen: users in the order of their ids, and what refers to them.
    user_ids         uuid[] NOT NULL,
    versions         bigint[] NOT NULL,
    reference_counts jsonb NOT NULL DEFAULT '[]',
    created_at       timestamptz NOT NULL DEFAULT now(),
    expires_at       timestamptz NOT NULL DEFAULT now() + interval '10 minutes',
    CONSTRAINT deletion_pkey PRIMARY KEY (org_id, id),
    CONSTRAINT deletion_organization_fkey FOREIGN KEY (org_id) REFERENCES rollcall.organization (id),
    CONSTRAINT deletion_state_check CHECK (state IN ('pending', 'done', 'dead')),
    CONSTRAINT deletion_mode_check CHECK (mode IN ('anonymise', 'erase')),
    CONSTRAINT deletion_maker_kind_check CHECK (maker_kind IN ('user', 'api_key')),
    CONSTRAINT deletion_versions_check CHECK (cardinality(versions) = cardinality(user_ids))
);
CREATE INDEX deletion_created_idx ON rollcall.deletion (created_at);

CREATE TABLE rollcall.deleted_user (
    org_id     uuid NOT NULL,
    id         uuid NOT NULL,
    pseudonym  text NOT NULL,
    mode       text NOT NULL,
    deleted_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT deleted_user_pkey PRIMARY KEY (org_id, id),
    CONSTRAINT deleted_user_organization_fkey FOREIGN KEY (org_id) REFERENCES rollcall.organization (id),
    CONSTRAINT deleted_user_mode_check CHECK (mode IN ('anonymise', 'erase'))
);

-- A row that only keeps an id: nothing is known of whose it was, and nothing comes back.
ALTER TABLE rollcall.users
    ADD COLUMN anonymised_at timestamptz,
    ADD CONSTRAINT users_anonymised_check CHECK (anonymised_at IS NULL
        OR status = 'inactive' AND email IS NULL AND username IS NULL AND phone IS NULL AND external_id IS NULL
            AND role_id IS NULL AND own_permissions = '{}' AND department_id IS NULL AND position_id IS NULL
            AND attributes = '{}' AND locale IS NULL);

-- Of those values that are still there: the clock empties them after audit_retention.
CREATE INDEX audit_value_kept_idx ON rollcall.audit_value (org_id, audit_id) WHERE changes <> '{}';
