-- Users who wait for their invitation, and the queued mails of it: nothing else is queued.

DELETE FROM rollcall.outbox WHERE state = 'queued';

CREATE TABLE public.bench_mail AS
SELECT n::integer, (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint + n), 12, '0') || '7'
    || substr(md5('m' || n), 1, 3) || '8' || substr(md5('m' || n), 4, 15))::uuid AS id
FROM generate_series(1, %(mails)s::integer) n;

INSERT INTO rollcall.users (org_id, id, email, first_name, last_name, status, status_reason, version)
SELECT %(org_id)s, b.id, 'newcomer' || b.n || '@example.org', 'Olena', 'Koval', 'pending', 'invited', 1
FROM public.bench_mail b;

INSERT INTO rollcall.invitation (org_id, user_id, generation, state, expires_at, outbox_id)
SELECT %(org_id)s, b.id, 1, 'pending', now() + interval '1 day', b.id
FROM public.bench_mail b;

INSERT INTO rollcall.outbox (org_id, id, kind, user_id, recipient, generation)
SELECT %(org_id)s, b.id, 'invitation', b.id, 'newcomer' || b.n || '@example.org', 1
FROM public.bench_mail b;
