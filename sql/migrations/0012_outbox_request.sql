-- Which request a mail goes back to, as the audit has it: from the proxy's log by way of ours to
-- what the relay said. NULL: a deadline's, or one of before this migration.
ALTER TABLE rollcall.outbox ADD COLUMN request_id text;
