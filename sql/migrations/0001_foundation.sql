-- The tables that carry an invitation from its making to a signed-in user.
-- Every table but organization leads its key with org_id; foreign keys are
-- composite, so that no row can point into another organization.

CREATE SCHEMA IF NOT EXISTS rollcall;

CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS btree_gin;

-- Names sort the way people expect, in every script; cursor, index and ORDER BY agree.
CREATE COLLATION rollcall.names (provider = icu, locale = 'und', deterministic = true);

CREATE TABLE rollcall.organization (
    id             uuid NOT NULL,
    slug           text NOT NULL,
    name           text NOT NULL,
    contact_email  text NOT NULL,
    locale         text NOT NULL DEFAULT 'en',
    timezone       text NOT NULL DEFAULT 'UTC',
    -- Moves whenever the set of administrators may have shrunk (DESIGN.md §4).
    admin_epoch    bigint NOT NULL DEFAULT 0,
    lock_digest_at timestamptz NOT NULL DEFAULT 'epoch',
    -- Idle sweep: held since when, told when, released until when.
    idle_braked_at          timestamptz,
    idle_brake_mailed_at    timestamptz,
    idle_brake_released_until timestamptz,
    version        bigint NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT organization_pkey PRIMARY KEY (id),
    CONSTRAINT organization_slug_key UNIQUE (slug),
    CONSTRAINT organization_slug_check CHECK (slug ~ '^[a-z]([a-z0-9-]{0,61}[a-z0-9])$')
);

CREATE TABLE rollcall.policy (
    org_id                      uuid NOT NULL,
    email_required              boolean NOT NULL DEFAULT true,
    email_change                text NOT NULL DEFAULT 'while_pending',
    login_identifier            text NOT NULL DEFAULT 'email',
    username_change             text NOT NULL DEFAULT 'never',
    invite_on_create            text NOT NULL DEFAULT 'always',
    invite_on_email_added       boolean NOT NULL DEFAULT true,
    invitation_letter           text NOT NULL DEFAULT 'set_password_link',
    invitation_ttl              interval NOT NULL DEFAULT 'PT24H',
    password_reset_ttl          interval NOT NULL DEFAULT 'PT1H',
    email_change_ttl            interval NOT NULL DEFAULT 'PT24H',
    invitation_on_expiry        text NOT NULL DEFAULT 'mail_admin_new_link',
    invitation_expiry_recipient text NOT NULL DEFAULT 'inviter',
    invitation_max_renewals     integer NOT NULL DEFAULT 3,
    invitation_resend_to        text NOT NULL DEFAULT 'pending',
    initial_status              text NOT NULL DEFAULT 'pending',
    activation_on               text NOT NULL DEFAULT 'password_set',
    admin_password_activates    boolean NOT NULL DEFAULT true,
    admin_activates_pending     boolean NOT NULL DEFAULT true,
    password_at_create          text NOT NULL DEFAULT 'optional',
    role_required               boolean NOT NULL DEFAULT false,
    default_permissions         text[] NOT NULL DEFAULT '{}',
    custom_roles                boolean NOT NULL DEFAULT true,
    permissions_per_user        boolean NOT NULL DEFAULT true,
    required_fields             text NOT NULL DEFAULT 'block',
    deletion                    text NOT NULL DEFAULT 'forbidden',
    deletion_confirmation       text NOT NULL DEFAULT 'typed_number',
    deletion_references         text NOT NULL DEFAULT 'detach',
    status_labels               jsonb NOT NULL DEFAULT '{"en": {"pending": "Pending", "active": "Active", "inactive_by_admin": "Inactive", "inactive_idle": "Inactive", "locked": "Locked"}, "uk": {"pending": "Очікує", "active": "Активний", "inactive_by_admin": "Неактивний", "inactive_idle": "Неактивний", "locked": "Заблокований"}, "ru": {"pending": "В ожидании", "active": "Активный", "inactive_by_admin": "Неактивный", "inactive_idle": "Неактивный", "locked": "Заблокирован"}}',
    blocked_position            text NOT NULL DEFAULT 'in_place',
    assignments_on_inactivate   text NOT NULL DEFAULT 'keep',
    reactivation_password       text NOT NULL DEFAULT 'keep',
    lockout_threshold           integer NOT NULL DEFAULT 10,
    lockout_release             text NOT NULL DEFAULT 'admin',
    lockout_interval            interval NOT NULL DEFAULT 'PT15M',
    idle_after                  interval DEFAULT 'P3M',
    idle_warn_days              integer[] NOT NULL DEFAULT '{14,3}',
    idle_brake                  integer NOT NULL DEFAULT 20,
    admin_password_notice       boolean NOT NULL DEFAULT true,
    password_self_reset         boolean NOT NULL DEFAULT true,
    password_min_length         integer NOT NULL DEFAULT 12,
    assignable_on_day_off       boolean NOT NULL DEFAULT false,
    position_free_text          boolean NOT NULL DEFAULT true,
    user_kinds                  text[] NOT NULL DEFAULT '{employee}',
    import_invites              text NOT NULL DEFAULT 'ask',
    import_on_duplicate         text NOT NULL DEFAULT 'report',
    session_ttl                 interval NOT NULL DEFAULT 'PT12H',
    session_idle_ttl            interval NOT NULL DEFAULT 'PT2H',
    outbox_retention            interval NOT NULL DEFAULT 'P90D',
    audit_retention             interval,
    import_retention            interval NOT NULL DEFAULT 'P30D',
    -- With which idle_after and idle_warn_days the users' idle_due_at was computed;
    -- while it differs, the clock computes them anew before it sweeps.
    idle_applied                text,
    version                     bigint NOT NULL DEFAULT 1,
    updated_at                  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT policy_pkey PRIMARY KEY (org_id),
    CONSTRAINT policy_organization_fkey FOREIGN KEY (org_id) REFERENCES rollcall.organization (id),
    CONSTRAINT policy_email_change_check CHECK (email_change IN ('while_pending', 'never', 'admin')),
    CONSTRAINT policy_login_identifier_check CHECK (login_identifier IN ('email', 'username', 'either')),
    CONSTRAINT policy_username_change_check CHECK (username_change IN ('never', 'admin')),
    CONSTRAINT policy_invite_on_create_check CHECK (invite_on_create IN ('always', 'ask', 'never')),
    CONSTRAINT policy_invitation_letter_check CHECK (invitation_letter IN ('set_password_link', 'login_info')),
    CONSTRAINT policy_invitation_ttl_check CHECK (invitation_ttl BETWEEN 'PT1H' AND 'P30D'),
    CONSTRAINT policy_password_reset_ttl_check CHECK (password_reset_ttl BETWEEN 'PT5M' AND 'P7D'),
    CONSTRAINT policy_email_change_ttl_check CHECK (email_change_ttl BETWEEN 'PT5M' AND 'P30D'),
    CONSTRAINT policy_invitation_on_expiry_check CHECK (invitation_on_expiry IN
        ('mail_admin_new_link', 'mail_admin_notice', 'resend_to_user', 'nothing')),
    CONSTRAINT policy_invitation_expiry_recipient_check CHECK (invitation_expiry_recipient IN ('inviter', 'all_admins')),
    CONSTRAINT policy_invitation_max_renewals_check CHECK (invitation_max_renewals BETWEEN 0 AND 30),
    CONSTRAINT policy_invitation_resend_to_check CHECK (invitation_resend_to IN ('pending', 'any')),
    CONSTRAINT policy_initial_status_check CHECK (initial_status IN ('pending', 'chosen_by_admin')),
    CONSTRAINT policy_activation_on_check CHECK (activation_on IN ('password_set', 'first_login')),
    CONSTRAINT policy_password_at_create_check CHECK (password_at_create IN ('optional', 'required', 'forbidden')),
    CONSTRAINT policy_required_fields_check CHECK (required_fields IN ('block', 'mark_incomplete')),
    CONSTRAINT policy_deletion_check CHECK (deletion IN ('forbidden', 'anonymise', 'erase')),
    CONSTRAINT policy_deletion_confirmation_check CHECK (deletion_confirmation IN ('typed_number', 'none')),
    CONSTRAINT policy_deletion_references_check CHECK (deletion_references IN ('detach', 'refuse')),
    CONSTRAINT policy_status_labels_check CHECK (jsonb_typeof(status_labels) = 'object'),
    CONSTRAINT policy_blocked_position_check CHECK (blocked_position IN ('in_place', 'bottom')),
    CONSTRAINT policy_assignments_on_inactivate_check CHECK (assignments_on_inactivate IN ('keep', 'detach')),
    CONSTRAINT policy_reactivation_password_check CHECK (reactivation_password IN ('keep', 'must_reset')),
    CONSTRAINT policy_lockout_threshold_check CHECK (lockout_threshold BETWEEN 0 AND 100),
    CONSTRAINT policy_lockout_release_check CHECK (lockout_release IN ('admin', 'interval', 'mail_link')),
    CONSTRAINT policy_lockout_interval_check CHECK (lockout_interval BETWEEN 'PT1M' AND 'P30D'),
    CONSTRAINT policy_idle_after_check CHECK (idle_after BETWEEN 'P1D' AND 'P10Y'),
    CONSTRAINT policy_idle_brake_check CHECK (idle_brake BETWEEN 1 AND 100),
    CONSTRAINT policy_password_min_length_check CHECK (password_min_length BETWEEN 8 AND 128),
    CONSTRAINT policy_user_kinds_check CHECK (user_kinds <@ '{employee,external}' AND user_kinds <> '{}'),
    CONSTRAINT policy_import_invites_check CHECK (import_invites IN ('ask', 'true', 'false')),
    CONSTRAINT policy_import_on_duplicate_check CHECK (import_on_duplicate IN ('report', 'update', 'skip')),
    CONSTRAINT policy_session_ttl_check CHECK (session_ttl BETWEEN 'PT5M' AND 'P365D'),
    CONSTRAINT policy_session_idle_ttl_check CHECK (session_idle_ttl BETWEEN 'PT5M' AND 'P365D'),
    CONSTRAINT policy_outbox_retention_check CHECK (outbox_retention BETWEEN 'P4D' AND 'P10Y'),
    CONSTRAINT policy_audit_retention_check CHECK (audit_retention BETWEEN 'P30D' AND 'P50Y'),
    CONSTRAINT policy_import_retention_check CHECK (import_retention BETWEEN 'P1D' AND 'P10Y')
);

CREATE TABLE rollcall.role (
    org_id      uuid NOT NULL,
    id          uuid NOT NULL,
    name        text NOT NULL,
    permissions text[] NOT NULL DEFAULT '{}',
    version     bigint NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT role_pkey PRIMARY KEY (org_id, id),
    CONSTRAINT role_organization_fkey FOREIGN KEY (org_id) REFERENCES rollcall.organization (id)
);
CREATE UNIQUE INDEX role_name_key ON rollcall.role (org_id, lower(name));

CREATE TABLE rollcall.users (
    org_id             uuid NOT NULL,
    id                 uuid NOT NULL,
    email              text,
    username           text,
    first_name         text NOT NULL,
    last_name          text NOT NULL,
    phone              text,
    external_id        text,
    kind               text NOT NULL DEFAULT 'employee',
    role_id            uuid,
    own_permissions    text[] NOT NULL DEFAULT '{}',
    locale             text,
    status             text NOT NULL,
    status_reason      text NOT NULL,
    status_changed_at  timestamptz NOT NULL DEFAULT now(),
    status_before_lock text,
    -- Locked, and no digest to the administrators has told it yet.
    lock_is_news       boolean NOT NULL DEFAULT false,
    -- A session or a reset link made under another epoch is dead.
    session_epoch      bigint NOT NULL DEFAULT 0,
    last_login_at      timestamptz,
    last_active_at     timestamptz,
    -- When the user becomes idle, and when the idle sweep must next look at him: at
    -- the next warning or at idle_due_at. Null while not active or where policy is off.
    idle_due_at        timestamptz,
    idle_check_at      timestamptz,
    -- 0 while a creation is not yet complete; every edit and transition adds one.
    version            bigint NOT NULL DEFAULT 0,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    search             text GENERATED ALWAYS AS (lower(
        first_name || ' ' || last_name || ' ' || coalesce(email, '') || ' ' || coalesce(username, '')
        || ' ' || coalesce(phone, '') || ' ' || coalesce(external_id, ''))) STORED,
    sort_name          text COLLATE rollcall.names GENERATED ALWAYS AS (
        lower(last_name || ' ' || first_name)) STORED,
    CONSTRAINT users_pkey PRIMARY KEY (org_id, id),
    CONSTRAINT users_organization_fkey FOREIGN KEY (org_id) REFERENCES rollcall.organization (id),
    CONSTRAINT users_role_fkey FOREIGN KEY (org_id, role_id) REFERENCES rollcall.role (org_id, id),
    CONSTRAINT users_kind_check CHECK (kind IN ('employee', 'external')),
    CONSTRAINT users_status_check CHECK (status IN ('pending', 'active', 'inactive', 'locked')),
    CONSTRAINT users_status_reason_check CHECK (status_reason IN
        ('invited', 'created', 'accepted', 'first_login', 'by_admin', 'idle', 'wrong_password', 'released')),
    CONSTRAINT users_status_before_lock_check CHECK (
        (status = 'locked') = (status_before_lock IS NOT NULL) AND status_before_lock IN ('pending', 'active')),
    CONSTRAINT users_username_check CHECK (username !~ '@')
);
CREATE UNIQUE INDEX users_email_key ON rollcall.users (org_id, lower(email)) WHERE email IS NOT NULL;
CREATE UNIQUE INDEX users_username_key ON rollcall.users (org_id, lower(username)) WHERE username IS NOT NULL;
-- Without them the planner expects half a per cent of all users for a login, and reads
-- their credentials whole: it takes no statistics from an index that is partial.
CREATE STATISTICS rollcall.users_email_stats ON (lower(email)) FROM rollcall.users;
CREATE STATISTICS rollcall.users_username_stats ON (lower(username)) FROM rollcall.users;
CREATE UNIQUE INDEX users_external_id_key ON rollcall.users (org_id, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX users_role_idx ON rollcall.users (org_id, role_id) WHERE status = 'active';
CREATE INDEX users_own_permissions_idx ON rollcall.users (org_id) WHERE status = 'active' AND own_permissions <> '{}';
CREATE INDEX users_search_idx ON rollcall.users USING gin (org_id, search gin_trgm_ops);
CREATE INDEX users_name_idx ON rollcall.users (org_id, sort_name, id);
CREATE INDEX users_status_name_idx ON rollcall.users (org_id, status, sort_name, id);
CREATE INDEX users_status_idx ON rollcall.users (org_id, status, id);
CREATE INDEX users_created_idx ON rollcall.users (org_id, created_at, id);
CREATE INDEX users_idle_idx ON rollcall.users (org_id, idle_check_at) WHERE status = 'active' AND idle_check_at IS NOT NULL;
CREATE INDEX users_lock_news_idx ON rollcall.users (org_id) WHERE lock_is_news;
CREATE INDEX users_locked_idx ON rollcall.users (status_changed_at) WHERE status = 'locked';

CREATE TABLE rollcall.credential (
    org_id          uuid NOT NULL,
    user_id         uuid NOT NULL,
    -- The table has room for other kinds (passkeys, ...); Rollcall knows one so far.
    kind            text NOT NULL DEFAULT 'password',
    password_hash   text NOT NULL,
    -- Set by reactivation_password = must_reset: right or wrong, it lets nobody in.
    must_reset      boolean NOT NULL DEFAULT false,
    failed_attempts integer NOT NULL DEFAULT 0,
    failed_at       timestamptz,
    changed_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT credential_pkey PRIMARY KEY (org_id, user_id, kind),
    CONSTRAINT credential_users_fkey FOREIGN KEY (org_id, user_id) REFERENCES rollcall.users (org_id, id) ON DELETE CASCADE,
    CONSTRAINT credential_kind_check CHECK (kind IN ('password'))
) WITH (fillfactor = 80);
CREATE INDEX credential_failed_idx ON rollcall.credential (failed_at) WHERE failed_attempts > 0;

-- Guesses at a login name, whether anybody has that name or not.
CREATE TABLE rollcall.login_throttle (
    org_id        uuid NOT NULL,
    login_digest  text NOT NULL,
    failures      integer NOT NULL,
    failed_at     timestamptz NOT NULL DEFAULT now(),
    blocked_until timestamptz,
    CONSTRAINT login_throttle_pkey PRIMARY KEY (org_id, login_digest)
) WITH (fillfactor = 80);
CREATE INDEX login_throttle_failed_idx ON rollcall.login_throttle (failed_at);

-- One row a user; a new link is a new generation, so an old token can never come back.
CREATE TABLE rollcall.invitation (
    org_id      uuid NOT NULL,
    user_id     uuid NOT NULL,
    generation  bigint NOT NULL,
    state       text NOT NULL,
    -- Whether the generation before this one was replaced by the clock.
    previous_expired boolean NOT NULL DEFAULT false,
    invited_by  uuid,
    issued_at   timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    renewals    integer NOT NULL DEFAULT 0,
    accepted_at timestamptz,
    accepted_through text,
    -- The latest mail of this invitation: its delivery is shown with the user.
    outbox_id   uuid,
    CONSTRAINT invitation_pkey PRIMARY KEY (org_id, user_id),
    CONSTRAINT invitation_users_fkey FOREIGN KEY (org_id, user_id) REFERENCES rollcall.users (org_id, id) ON DELETE CASCADE,
    CONSTRAINT invitation_state_check CHECK (state IN ('pending', 'expired', 'accepted', 'revoked')),
    CONSTRAINT invitation_generation_check CHECK (generation BETWEEN 1 AND 4294967295),
    CONSTRAINT invitation_accepted_through_check CHECK (accepted_through IN ('user', 'administrator'))
);
CREATE INDEX invitation_expires_idx ON rollcall.invitation (expires_at) WHERE state = 'pending';
CREATE INDEX invitation_state_idx ON rollcall.invitation (org_id, state, user_id);

CREATE TABLE rollcall.password_reset (
    org_id        uuid NOT NULL,
    user_id       uuid NOT NULL,
    generation    bigint NOT NULL,
    state         text NOT NULL,
    session_epoch bigint NOT NULL,
    -- Made by the mail about a lock (lockout_release = mail_link): completing it releases.
    releases_lock boolean NOT NULL DEFAULT false,
    issued_at     timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz NOT NULL,
    CONSTRAINT password_reset_pkey PRIMARY KEY (org_id, user_id),
    CONSTRAINT password_reset_users_fkey FOREIGN KEY (org_id, user_id) REFERENCES rollcall.users (org_id, id) ON DELETE CASCADE,
    CONSTRAINT password_reset_state_check CHECK (state IN ('pending', 'used')),
    CONSTRAINT password_reset_generation_check CHECK (generation BETWEEN 1 AND 4294967295)
);

CREATE TABLE rollcall.session (
    org_id        uuid NOT NULL,
    token_hash    text NOT NULL,
    id            uuid NOT NULL,
    user_id       uuid NOT NULL,
    kind          text NOT NULL DEFAULT 'bearer',
    session_epoch bigint NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz NOT NULL,
    seen_at       timestamptz NOT NULL DEFAULT now(),
    ip            inet,
    user_agent    text,
    CONSTRAINT session_pkey PRIMARY KEY (org_id, token_hash),
    CONSTRAINT session_users_fkey FOREIGN KEY (org_id, user_id) REFERENCES rollcall.users (org_id, id) ON DELETE CASCADE,
    CONSTRAINT session_kind_check CHECK (kind IN ('bearer', 'cookie'))
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX session_user_key ON rollcall.session (org_id, user_id, id);
CREATE INDEX session_expires_idx ON rollcall.session (expires_at);

CREATE TABLE rollcall.api_key (
    org_id       uuid NOT NULL,
    id           uuid NOT NULL,
    key_hash     text NOT NULL,
    name         text NOT NULL,
    permissions  text[] NOT NULL,
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT api_key_pkey PRIMARY KEY (org_id, id),
    CONSTRAINT api_key_hash_key UNIQUE (org_id, key_hash),
    CONSTRAINT api_key_organization_fkey FOREIGN KEY (org_id) REFERENCES rollcall.organization (id)
);

CREATE TABLE rollcall.outbox (
    org_id     uuid NOT NULL,
    id         uuid NOT NULL,
    lane       text NOT NULL DEFAULT 'mail',
    kind       text NOT NULL,
    -- About whom; null for mails about the organization.
    user_id    uuid,
    -- Null: an administrator, chosen when it is sent.
    recipient  text,
    data       jsonb NOT NULL DEFAULT '{}',
    -- Of the link in it; null without one.
    generation bigint,
    state      text NOT NULL DEFAULT 'queued',
    attempts   integer NOT NULL DEFAULT 0,
    -- When it may be sent; while leased, when the lease ends.
    run_at     timestamptz NOT NULL DEFAULT now(),
    leased_by  text,
    last_reply text,
    created_at timestamptz NOT NULL DEFAULT now(),
    sent_at    timestamptz,
    CONSTRAINT outbox_pkey PRIMARY KEY (org_id, id),
    CONSTRAINT outbox_organization_fkey FOREIGN KEY (org_id) REFERENCES rollcall.organization (id),
    CONSTRAINT outbox_lane_check CHECK (lane IN ('mail')),
    CONSTRAINT outbox_state_check CHECK (state IN ('queued', 'sent', 'failed', 'cancelled', 'bounced'))
) WITH (fillfactor = 70);
CREATE INDEX outbox_claim_idx ON rollcall.outbox (lane, run_at) WHERE state = 'queued';
CREATE INDEX outbox_user_idx ON rollcall.outbox (org_id, user_id, id);
-- Lists of what is rare among all; each entry more is written for every mail that is sent.
CREATE INDEX outbox_state_idx ON rollcall.outbox (org_id, state, id) WHERE state IN ('failed', 'cancelled', 'bounced');
CREATE INDEX outbox_purge_idx ON rollcall.outbox (created_at) WHERE state <> 'queued';

-- Who did what, with ids and field names only. Append-only for the programs' role.
-- `rollcall-server migrate` makes its partitions, a month each, 24 ahead.
CREATE TABLE rollcall.audit (
    org_id       uuid NOT NULL,
    id           uuid NOT NULL,
    at           timestamptz NOT NULL DEFAULT now(),
    actor_kind   text NOT NULL,
    actor_id     uuid,
    action       text NOT NULL,
    subject_kind text NOT NULL,
    subject_id   uuid,
    -- Names of what changed, and before and after where that is not personal.
    changes      jsonb NOT NULL DEFAULT '{}',
    ip           inet,
    request_id   text,
    CONSTRAINT audit_pkey PRIMARY KEY (org_id, id),
    CONSTRAINT audit_actor_kind_check CHECK (actor_kind IN ('user', 'api_key', 'system', 'operator'))
) PARTITION BY RANGE (id);
CREATE INDEX audit_subject_idx ON rollcall.audit (org_id, subject_id, id);
CREATE INDEX audit_actor_idx ON rollcall.audit (org_id, actor_id, id);
CREATE INDEX audit_action_idx ON rollcall.audit (org_id, action, id);

-- Personal before and after values, apart, so that erasing a person can empty them.
CREATE TABLE rollcall.audit_value (
    org_id   uuid NOT NULL,
    audit_id uuid NOT NULL,
    user_id  uuid NOT NULL,
    changes  jsonb NOT NULL,
    CONSTRAINT audit_value_pkey PRIMARY KEY (org_id, audit_id)
);
CREATE INDEX audit_value_user_idx ON rollcall.audit_value (org_id, user_id);
