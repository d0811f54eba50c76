-- Mails to administrators, which are about others or about nobody: found by the address that
-- they went to, so that deleting an administrator finds them, too.

CREATE INDEX outbox_administrator_idx ON rollcall.outbox (org_id, lower(recipient))
    WHERE kind IN ('invitation_expired', 'invitation_lapsed', 'lock_digest', 'idle_brake');
