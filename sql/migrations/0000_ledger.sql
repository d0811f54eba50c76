-- The table that records which migrations have landed, this one among them.
-- (See common/schema.h; the programs read it before they serve.)

CREATE SCHEMA IF NOT EXISTS rollcall;

CREATE TABLE rollcall.schema_migration (
    version            integer NOT NULL,
    name               text NOT NULL,
    checksum           text NOT NULL,
    -- Programs whose newest migration is under this refuse to start.
    incompatible_below integer,
    applied_at         timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT schema_migration_pkey PRIMARY KEY (version)
);
