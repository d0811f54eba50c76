-- What is done to many users at once, by the worker: imports, exports, selections; and the
-- jobs that say what is to be done next of them.

-- One for each import, export or selection that waits for the worker; `id` is its id. A
-- worker that claims it holds a lease: run_at is the end of it, and every statement that the
-- worker writes rests on leased_by. A job that is done is deleted.
CREATE TABLE rollcall.job (
    org_id     uuid NOT NULL,
    id         uuid NOT NULL,
    kind       text NOT NULL,
    attempts   integer NOT NULL DEFAULT 0,
    run_at     timestamptz NOT NULL DEFAULT now(),
    leased_by  text,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT job_pkey PRIMARY KEY (org_id, id),
    CONSTRAINT job_organization_fkey FOREIGN KEY (org_id) REFERENCES rollcall.organization (id),
    CONSTRAINT job_kind_check CHECK (kind IN ('import_parse', 'import_apply', 'import_undo', 'export', 'selection'))
);
CREATE INDEX job_run_idx ON rollcall.job (run_at);

-- Files, in parts of at most 1 MiB: what was uploaded, what was made to be downloaded.
CREATE TABLE rollcall.file_part (
    org_id  uuid NOT NULL,
    file_id uuid NOT NULL,
    number  integer NOT NULL,
    bytes   bytea NOT NULL,
    CONSTRAINT file_part_pkey PRIMARY KEY (org_id, file_id, number),
    CONSTRAINT file_part_organization_fkey FOREIGN KEY (org_id) REFERENCES rollcall.organization (id),
    CONSTRAINT file_part_number_check CHECK (number >= 0),
    CONSTRAINT file_part_bytes_check CHECK (octet_length(bytes) <= 1048576)
);
-- It is compressed already, or read once.
ALTER TABLE rollcall.file_part ALTER COLUMN bytes SET STORAGE EXTERNAL;

CREATE TABLE rollcall.import (
    org_id          uuid NOT NULL,
    id              uuid NOT NULL,
    state           text NOT NULL,
    -- Whose permissions count when it is checked and when it is applied.
    maker_kind      text NOT NULL,
    maker_id        uuid NOT NULL,
    -- Who asked for what is being done now, as the audit tells it.
    actor           jsonb NOT NULL,
    -- What was uploaded; its parts have the id of the import.
    file_name       text NOT NULL,
    content_type    text,
    size            bigint NOT NULL,
    -- What the caller says of it; null: it is guessed.
    charset_wanted  text,
    mapping_wanted  jsonb,
    -- What it was taken for.
    format          text,
    charset         text,
    charset_percent smallint,
    delimiter       text,
    headers         text[],
    mapping         jsonb,
    -- Whether people are invited when it is applied.
    invite          boolean,
    -- Of the file in its own format with the results, where the worker makes it (XLSX).
    report_id       uuid,
    -- Positions that nobody had heard of before: undoing takes them away.
    positions_made  uuid[] NOT NULL DEFAULT '{}',
    rows            integer NOT NULL DEFAULT 0,
    creates         integer NOT NULL DEFAULT 0,
    updates         integer NOT NULL DEFAULT 0,
    unchanged       integer NOT NULL DEFAULT 0,
    errors          integer NOT NULL DEFAULT 0,
    skipped         integer NOT NULL DEFAULT 0,
    applied         integer NOT NULL DEFAULT 0,
    undone          integer NOT NULL DEFAULT 0,
    left_alone      integer NOT NULL DEFAULT 0,
    -- Of the stage under way: since when, and how many rows of how many are done.
    stage_began_at  timestamptz,
    stage_done      integer NOT NULL DEFAULT 0,
    stage_rows      integer,
    -- Why it failed or stopped: {code, detail, policy?}.
    problem         jsonb,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT import_pkey PRIMARY KEY (org_id, id),
    CONSTRAINT import_organization_fkey FOREIGN KEY (org_id) REFERENCES rollcall.organization (id),
    -- expired: nothing begins with it any more; its file and rows go first, then itself.
    CONSTRAINT import_state_check CHECK (state IN ('uploading', 'parsing', 'ready', 'failed', 'applying', 'applied', 'undoing', 'undone', 'expired')),
    CONSTRAINT import_maker_kind_check CHECK (maker_kind IN ('user', 'api_key')),
    CONSTRAINT import_size_check CHECK (size BETWEEN 0 AND 33554432),
    CONSTRAINT import_format_check CHECK (format IN ('csv', 'xlsx'))
);
CREATE INDEX import_created_idx ON rollcall.import (created_at);

-- One for each row of the file with anything in it, but for the row of headers.
CREATE TABLE rollcall.import_row (
    org_id     uuid NOT NULL,
    import_id  uuid NOT NULL,
    row        integer NOT NULL,
    cells      text[] NOT NULL,
    -- What they say of a user, as the body of a POST or PATCH of him; null: nothing that can be read.
    body       jsonb,
    outcome    text NOT NULL,
    -- Whom it is about, once it is known; and his version, as it was seen and then as it was written.
    user_id    uuid,
    version    bigint,
    -- When it was applied.
    written_at timestamptz,
    -- The row before it that makes the same user.
    same_as    integer,
    -- [{column, code, detail}]
    errors     jsonb NOT NULL DEFAULT '[]',
    -- What undoing gives back: null for a user that it made; the body of a PATCH for one that it changed.
    before     jsonb,
    CONSTRAINT import_row_pkey PRIMARY KEY (org_id, import_id, row),
    CONSTRAINT import_row_import_fkey FOREIGN KEY (org_id, import_id) REFERENCES rollcall.import (org_id, id) ON DELETE CASCADE,
    CONSTRAINT import_row_outcome_check CHECK (outcome IN ('create', 'update', 'unchanged', 'error', 'applied', 'skipped', 'undone', 'left'))
) WITH (fillfactor = 70);
CREATE INDEX import_row_same_idx ON rollcall.import_row (org_id, import_id, same_as) WHERE same_as IS NOT NULL;

-- What an organization has said its headers mean; a null says that the column means nothing.
CREATE TABLE rollcall.import_mapping (
    org_id uuid NOT NULL,
    header text NOT NULL,
    field  text,
    CONSTRAINT import_mapping_pkey PRIMARY KEY (org_id, header),
    CONSTRAINT import_mapping_organization_fkey FOREIGN KEY (org_id) REFERENCES rollcall.organization (id)
);

CREATE TABLE rollcall.export (
    org_id     uuid NOT NULL,
    id         uuid NOT NULL,
    state      text NOT NULL,
    maker_kind text NOT NULL,
    maker_id   uuid NOT NULL,
    format     text NOT NULL,
    -- Parameters of the list, as texts: {"status": "active", ...}.
    filter     jsonb NOT NULL,
    -- Of the headers and words in it.
    language   text NOT NULL,
    rows       integer NOT NULL DEFAULT 0,
    problem    jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    CONSTRAINT export_pkey PRIMARY KEY (org_id, id),
    CONSTRAINT export_organization_fkey FOREIGN KEY (org_id) REFERENCES rollcall.organization (id),
    CONSTRAINT export_state_check CHECK (state IN ('queued', 'running', 'ready', 'failed')),
    CONSTRAINT export_maker_kind_check CHECK (maker_kind IN ('user', 'api_key')),
    CONSTRAINT export_format_check CHECK (format IN ('csv', 'xlsx'))
);
CREATE INDEX export_expires_idx ON rollcall.export (expires_at);

-- Users chosen by a filter, for something to be done to all of them. Who they are is written
-- down when it is asked for: nothing is done to anybody who was not counted.
CREATE TABLE rollcall.selection (
    org_id      uuid NOT NULL,
    id          uuid NOT NULL,
    op          text NOT NULL,
    state       text NOT NULL,
    maker_kind  text NOT NULL,
    maker_id    uuid NOT NULL,
    actor       jsonb NOT NULL,
    -- The number to repeat.
    code        text NOT NULL,
    wrong_codes integer NOT NULL DEFAULT 0,
    filter      jsonb NOT NULL,
    count       integer NOT NULL,
    done        integer NOT NULL DEFAULT 0,
    failed      integer NOT NULL DEFAULT 0,
    problem     jsonb,
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    CONSTRAINT selection_pkey PRIMARY KEY (org_id, id),
    CONSTRAINT selection_organization_fkey FOREIGN KEY (org_id) REFERENCES rollcall.organization (id),
    CONSTRAINT selection_op_check CHECK (op IN ('activate', 'inactivate', 'invite')),
    CONSTRAINT selection_state_check CHECK (state IN ('pending', 'running', 'done', 'dead')),
    CONSTRAINT selection_maker_kind_check CHECK (maker_kind IN ('user', 'api_key'))
);
CREATE INDEX selection_expires_idx ON rollcall.selection (expires_at);

-- Without a foreign key: a hundred thousand are written by one request, with their selection,
-- and checking each would take as long again. They are deleted before it.
CREATE TABLE rollcall.selection_user (
    org_id       uuid NOT NULL,
    selection_id uuid NOT NULL,
    user_id      uuid NOT NULL,
    -- Null: nothing was done to him yet; else as HTTP would have answered.
    status       smallint,
    problem      jsonb,
    CONSTRAINT selection_user_pkey PRIMARY KEY (org_id, selection_id, user_id)
) WITH (fillfactor = 80);

-- Who is told that his import is done is told as a mail to an administrator.
DROP INDEX rollcall.outbox_administrator_idx;
CREATE INDEX outbox_administrator_idx ON rollcall.outbox (org_id, lower(recipient))
    WHERE kind IN ('invitation_expired', 'invitation_lapsed', 'lock_digest', 'idle_brake', 'import_done');
