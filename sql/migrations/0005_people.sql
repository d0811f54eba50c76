-- What belongs to people: photos, days off, and what client applications assign to them.

CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE TABLE rollcall.photo (
    org_id     uuid NOT NULL,
    user_id    uuid NOT NULL,
    media_type text NOT NULL,
    -- Cleaned of all that is not needed to draw it.
    bytes      bytea NOT NULL,
    -- SHA-256 of the bytes as hex: the entity tag.
    hash       text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT photo_pkey PRIMARY KEY (org_id, user_id),
    CONSTRAINT photo_users_fkey FOREIGN KEY (org_id, user_id) REFERENCES rollcall.users (org_id, id) ON DELETE CASCADE,
    CONSTRAINT photo_media_type_check CHECK (media_type IN ('image/png', 'image/jpeg')),
    CONSTRAINT photo_hash_check CHECK (hash ~ '^[0-9a-f]{64}$')
);
-- Pictures are packed already.
ALTER TABLE rollcall.photo ALTER COLUMN bytes SET STORAGE EXTERNAL;

CREATE TABLE rollcall.day_off (
    org_id     uuid NOT NULL,
    id         uuid NOT NULL,
    user_id    uuid NOT NULL,
    during     tstzrange NOT NULL,
    note       text,
    version    bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT day_off_pkey PRIMARY KEY (org_id, id),
    CONSTRAINT day_off_users_fkey FOREIGN KEY (org_id, user_id) REFERENCES rollcall.users (org_id, id) ON DELETE CASCADE,
    -- From its first moment up to its last, which is not in it: one may follow another at once.
    CONSTRAINT day_off_during_check CHECK (NOT isempty(during) AND NOT lower_inf(during) AND NOT upper_inf(during)
        AND lower_inc(during) AND NOT upper_inc(during)),
    CONSTRAINT day_off_during_excl EXCLUDE USING gist (org_id WITH =, user_id WITH =, during WITH &&)
);
-- Who is away at a moment.
CREATE INDEX day_off_moment_idx ON rollcall.day_off USING gist (org_id, during);

-- What an application has given to somebody: its task 4711 to Olena. It knows what its
-- words mean, Rollcall who may be given anything.
CREATE TABLE rollcall.assignment (
    org_id        uuid NOT NULL,
    id            uuid NOT NULL,
    app           text NOT NULL,
    type          text NOT NULL,
    resource      text NOT NULL,
    relation      text NOT NULL DEFAULT 'assignee',
    user_id       uuid,
    department_id uuid,
    version       bigint NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT assignment_pkey PRIMARY KEY (org_id, app, type, resource, relation),
    CONSTRAINT assignment_users_fkey FOREIGN KEY (org_id, user_id) REFERENCES rollcall.users (org_id, id) ON DELETE CASCADE,
    CONSTRAINT assignment_department_fkey FOREIGN KEY (org_id, department_id) REFERENCES rollcall.department (org_id, id),
    CONSTRAINT assignment_holder_check CHECK (num_nonnulls(user_id, department_id) = 1),
    CONSTRAINT assignment_words_check CHECK (app ~ '^[a-z0-9_.-]{1,64}$' AND type ~ '^[a-z0-9_.-]{1,64}$'
        AND relation ~ '^[a-z0-9_.-]{1,64}$'),
    CONSTRAINT assignment_resource_check CHECK (length(resource) BETWEEN 1 AND 200 AND resource !~ '/')
);
CREATE INDEX assignment_user_idx ON rollcall.assignment (org_id, user_id, id) WHERE user_id IS NOT NULL;
CREATE INDEX assignment_department_idx ON rollcall.assignment (org_id, department_id) WHERE department_id IS NOT NULL;

-- Moves whenever the user is assigned something: a transition that takes all his assignments
-- away saw them all, or is decided again.
ALTER TABLE rollcall.users ADD COLUMN assignment_epoch bigint NOT NULL DEFAULT 0;
