-- How many test mails an organization had of late is counted before each; hardly any mail
-- is one, so the others pay nothing.
CREATE INDEX outbox_test_idx ON rollcall.outbox (org_id, created_at) WHERE kind = 'test';
