-- A nudge for the workers, after the commit that queued a mail (DESIGN.md §2.6). In a
-- transaction of its own: NOTIFY takes a lock that all commits of the cluster share.
-- name: outbox_notify () writes
SELECT pg_notify('rollcall_outbox', '');
