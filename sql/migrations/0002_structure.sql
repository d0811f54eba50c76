-- Where people stand: departments, positions and groups; and the fields that an
-- organization adds to what is known of them.

-- Moves with every change of the department tree: who moves a department saw all of it,
-- so that two moves at once cannot make a circle.
ALTER TABLE rollcall.organization ADD COLUMN structure_epoch bigint NOT NULL DEFAULT 0;

CREATE TABLE rollcall.department (
    org_id     uuid NOT NULL,
    id         uuid NOT NULL,
    parent_id  uuid,
    name       text NOT NULL,
    version    bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT department_pkey PRIMARY KEY (org_id, id),
    CONSTRAINT department_organization_fkey FOREIGN KEY (org_id) REFERENCES rollcall.organization (id),
    CONSTRAINT department_parent_fkey FOREIGN KEY (org_id, parent_id) REFERENCES rollcall.department (org_id, id),
    CONSTRAINT department_parent_check CHECK (parent_id <> id)
);
CREATE UNIQUE INDEX department_name_key ON rollcall.department (org_id, parent_id, lower(name)) NULLS NOT DISTINCT;

CREATE TABLE rollcall.position (
    org_id     uuid NOT NULL,
    id         uuid NOT NULL,
    title      text NOT NULL,
    version    bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT position_pkey PRIMARY KEY (org_id, id),
    CONSTRAINT position_organization_fkey FOREIGN KEY (org_id) REFERENCES rollcall.organization (id)
);
CREATE UNIQUE INDEX position_title_key ON rollcall.position (org_id, lower(title));

CREATE TABLE rollcall.user_group (
    org_id     uuid NOT NULL,
    id         uuid NOT NULL,
    name       text NOT NULL,
    version    bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT user_group_pkey PRIMARY KEY (org_id, id),
    CONSTRAINT user_group_organization_fkey FOREIGN KEY (org_id) REFERENCES rollcall.organization (id)
);
CREATE UNIQUE INDEX user_group_name_key ON rollcall.user_group (org_id, lower(name));

CREATE TABLE rollcall.group_member (
    org_id   uuid NOT NULL,
    group_id uuid NOT NULL,
    user_id  uuid NOT NULL,
    CONSTRAINT group_member_pkey PRIMARY KEY (org_id, group_id, user_id),
    -- No cascade: whose groups change is edited, so his version moves and his history tells it.
    CONSTRAINT group_member_group_fkey FOREIGN KEY (org_id, group_id) REFERENCES rollcall.user_group (org_id, id),
    CONSTRAINT group_member_users_fkey FOREIGN KEY (org_id, user_id) REFERENCES rollcall.users (org_id, id) ON DELETE CASCADE
);
CREATE INDEX group_member_user_idx ON rollcall.group_member (org_id, user_id, group_id);

CREATE TABLE rollcall.field (
    org_id             uuid NOT NULL,
    id                 uuid NOT NULL,
    key                text NOT NULL,
    -- By language: {"en": "Hub"}.
    labels             jsonb NOT NULL DEFAULT '{}',
    type               text NOT NULL,
    options            text[] NOT NULL DEFAULT '{}',
    -- A regular expression that a text must match as a whole; null for none.
    pattern            text,
    required_for_roles uuid[] NOT NULL DEFAULT '{}',
    version            bigint NOT NULL DEFAULT 1,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT field_pkey PRIMARY KEY (org_id, id),
    CONSTRAINT field_key_key UNIQUE (org_id, key),
    CONSTRAINT field_organization_fkey FOREIGN KEY (org_id) REFERENCES rollcall.organization (id),
    CONSTRAINT field_key_check CHECK (key ~ '^[a-z][a-z0-9_]{0,62}$'),
    CONSTRAINT field_type_check CHECK (type IN ('text', 'number', 'boolean', 'date', 'choice'))
);

ALTER TABLE rollcall.users
    ADD COLUMN department_id uuid,
    ADD COLUMN position_id uuid,
    -- Values of the organization's fields, by key.
    ADD COLUMN attributes jsonb NOT NULL DEFAULT '{}',
    ADD CONSTRAINT users_department_fkey FOREIGN KEY (org_id, department_id) REFERENCES rollcall.department (org_id, id),
    ADD CONSTRAINT users_position_fkey FOREIGN KEY (org_id, position_id) REFERENCES rollcall.position (org_id, id),
    ADD CONSTRAINT users_attributes_check CHECK (jsonb_typeof(attributes) = 'object');
CREATE INDEX users_department_idx ON rollcall.users (org_id, department_id, sort_name, id);
CREATE INDEX users_position_idx ON rollcall.users (org_id, position_id) WHERE position_id IS NOT NULL;
