-- An organization with 20,000 users: all with an invitation that was mailed and accepted,
-- 1,000 of them signed in, 2,000 with a password. tests/bench/quick.py runs it statement
-- by statement, with its parameters.

INSERT INTO rollcall.role (org_id, id, name, permissions)
VALUES (%(org_id)s, gen_random_uuid(), 'Member', '{users:read,product:view,product:edit}');

-- Ids are UUIDv7 of the last hour, in the order of their making.
CREATE TABLE public.bench_user AS
SELECT n::integer, t.token_hash, (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint - 3600000 + n), 12, '0') || '7'
    || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid AS id
FROM generate_series(1, 20000) n
LEFT JOIN unnest(%(token_hashes)s::text[]) WITH ORDINALITY AS t (token_hash, n) USING (n);
ALTER TABLE public.bench_user ADD PRIMARY KEY (n);

INSERT INTO rollcall.users (org_id, id, email, first_name, last_name, phone, role_id, status, status_reason, version,
    idle_due_at, idle_check_at)
SELECT %(org_id)s, b.id, 'member' || b.n || '@example.org', 'Olena' || mod(b.n, 97), 'Koval' || mod(b.n, 991), '+38044' || 1000000 + b.n,
    r.id, 'active', 'accepted', 2, now() + interval '90 days', now() + interval '76 days'
FROM public.bench_user b, rollcall.role r
WHERE r.org_id = %(org_id)s AND r.name = 'Member';

INSERT INTO rollcall.outbox (org_id, id, kind, user_id, recipient, generation, state, attempts, last_reply, sent_at)
SELECT %(org_id)s, b.id, 'invitation', b.id, 'member' || b.n || '@example.org', 1, 'sent', 1, '250 2.0.0 ok', now()
FROM public.bench_user b;

INSERT INTO rollcall.invitation (org_id, user_id, generation, state, expires_at, accepted_at, accepted_through, outbox_id)
SELECT %(org_id)s, b.id, 1, 'accepted', now() + interval '1 day', now(), 'user', b.id
FROM public.bench_user b;

INSERT INTO rollcall.credential (org_id, user_id, password_hash)
SELECT %(org_id)s, b.id, %(password_hash)s FROM public.bench_user b WHERE b.n <= 2000;

INSERT INTO rollcall.session (org_id, token_hash, id, user_id, session_epoch, expires_at)
SELECT %(org_id)s, b.token_hash, b.id, b.id, 0, now() + interval '10 hours'
FROM public.bench_user b WHERE b.token_hash IS NOT NULL;

-- Seen in the future: a session last seen a minute ago would write now, a thousand of
-- them at the same moment, which happens to nobody who has not planted them together.
UPDATE rollcall.session SET seen_at = now() + interval '1 hour';

GRANT USAGE ON SCHEMA public TO rollcall;
GRANT SELECT ON public.bench_user TO rollcall;
