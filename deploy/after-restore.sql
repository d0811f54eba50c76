-- What deploy/restore does in the transaction of the restore itself: nothing is done twice
-- that may have been done after the backup was made. Runs on the schema of the backup,
-- which may be older than this release: it knows the tables of the first migration only.
--
-- :made_at when the backup was made, :moved and :revoke_links true or false.

\if :moved
\else
-- Whether it went out since, nobody knows any more. So it is for somebody to decide.
UPDATE rollcall.outbox
SET state = 'failed', leased_by = NULL,
    last_reply = 'held by a restore of the backup of ' || :'made_at' || ': it may have been sent since'
WHERE state = 'queued';

-- One of them may have been ended since: signed out, or its user inactivated.
DELETE FROM rollcall.session;

-- Who came meanwhile, nobody knows any more either. So the time that was lost does not count
-- as his absence: nobody is inactivated who was there every day.
UPDATE rollcall.users
SET idle_due_at = idle_due_at + (now() - :'made_at'::timestamptz),
    idle_check_at = idle_check_at + (now() - :'made_at'::timestamptz)
WHERE status = 'active' AND idle_due_at IS NOT NULL;
\endif

\if :revoke_links
-- The generation after this one may have been given out since, so no small step will do.
UPDATE rollcall.invitation
SET generation = generation + 1000000,
    state = CASE WHEN state IN ('pending', 'expired') THEN 'revoked' ELSE state END,
    previous_expired = false;
UPDATE rollcall.password_reset SET generation = generation + 1000000, state = 'used';
SELECT to_regclass('rollcall.email_change') IS NOT NULL AS has_email_changes \gset
\if :has_email_changes
UPDATE rollcall.email_change
SET generation = generation + 1000000, email = NULL,
    state = CASE WHEN state = 'pending' THEN 'withdrawn' ELSE state END;
\endif
\endif

-- Each organization sees in its audit why something is missing from it.
INSERT INTO rollcall.audit (org_id, id, actor_kind, action, subject_kind, subject_id, changes)
SELECT o.id,
    (lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0') || '7' || substr(r.digits, 1, 3)
        || '8' || substr(r.digits, 4, 15))::uuid,
    'operator', 'organization.restored', 'organization', o.id, jsonb_build_object('backup', jsonb_build_array(NULL, :'made_at'))
FROM rollcall.organization o, LATERAL (SELECT md5(random()::text || o.id) AS digits) r;
