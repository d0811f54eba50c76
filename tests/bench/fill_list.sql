-- For `make bench-list`: 1,000,000 users in one organization, and 1,000 organizations of
-- 1,000 beside it. tests/bench/list.py runs it statement by statement, with its parameters.

CREATE TABLE public.bench_name (n integer PRIMARY KEY, first_name text, last_name text);
INSERT INTO public.bench_name
SELECT n, (ARRAY['Olena','Ivan','Anna','Petro','Оксана','Тарас','Maria','John','Zoë','Dmytro','Ірина','Сергій','Emma','Liam','Noah','Юлія'])[1 + mod(n, 16)],
    initcap(substr(translate(md5('last' || n), '0123456789', 'aeiouyszkv'), 1, 5 + mod(n, 5)))
FROM generate_series(0, 49999) n;

INSERT INTO rollcall.organization (id, slug, name, contact_email)
SELECT md5('organization' || n)::uuid, 'small-' || n, 'Small ' || n, 'small@example.org' FROM generate_series(1, 1000) n;
INSERT INTO rollcall.policy (org_id) SELECT id FROM rollcall.organization o WHERE o.slug LIKE 'small-%%';

-- Twenty roles and two hundred departments, of very different sizes.
INSERT INTO rollcall.role (org_id, id, name, permissions)
SELECT %(org_id)s, md5('role' || n)::uuid, 'Role ' || n, '{product:view}' FROM generate_series(1, 20) n;
INSERT INTO rollcall.department (org_id, id, name)
SELECT %(org_id)s, md5('department' || n)::uuid, 'Department ' || n FROM generate_series(1, 200) n;

-- Ids are UUIDv7 of the last months, in the order of their making. Six in a hundred wait,
-- nine are inactive, one in two thousand is locked; one in five hundred is external.
INSERT INTO rollcall.users (org_id, id, email, username, first_name, last_name, phone, external_id, kind, role_id, department_id,
    status, status_reason, status_before_lock, version, created_at, idle_due_at, idle_check_at)
SELECT %(org_id)s,
    (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint - 8000000000 + t.n * 7), 12, '0') || '7' || substr(md5(t.n::text), 1, 3) || '8'
        || substr(md5(t.n::text), 4, 15))::uuid,
    lower(b.last_name) || '.' || t.n || '@example.org', 'u' || t.n, b.first_name, b.last_name, '+38044' || 1000000 + t.n, 'ext-' || t.n,
    CASE WHEN mod(t.n, 500) = 7 THEN 'external' ELSE 'employee' END,
    md5('role' || (1 + floor(19.99 * power(r.x, 4)))::integer)::uuid,
    CASE WHEN r.y < 0.9 THEN md5('department' || (1 + floor(199.99 * power(r.y, 3)))::integer)::uuid END,
    s.status, CASE s.status WHEN 'locked' THEN 'wrong_password' WHEN 'pending' THEN 'invited' WHEN 'active' THEN 'accepted' ELSE 'by_admin' END,
    CASE WHEN s.status = 'locked' THEN 'active' END, 2,
    now() - interval '8000000 seconds' + t.n * interval '7 milliseconds', now() + interval '80 days', now() + interval '66 days'
FROM generate_series(1, %(users)s) t (n)
JOIN public.bench_name b ON b.n = mod(t.n::bigint * 7919, 50000)
CROSS JOIN LATERAL (SELECT ('x' || substr(md5('x' || t.n), 1, 7))::bit(28)::integer / 268435456.0 AS x,
    ('x' || substr(md5('y' || t.n), 1, 7))::bit(28)::integer / 268435456.0 AS y) r
CROSS JOIN LATERAL (SELECT CASE WHEN mod(t.n, 2000) = 3 THEN 'locked' WHEN mod(t.n, 100) < 6 THEN 'pending' WHEN mod(t.n, 100) < 15 THEN 'inactive' ELSE 'active' END AS status) s;

INSERT INTO rollcall.users (org_id, id, email, first_name, last_name, status, status_reason, version)
SELECT md5('organization' || o)::uuid,
    (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint - 9000000000 + t.n), 12, '0') || '7' || substr(md5(o || '/' || t.n), 1, 3) || '8'
        || substr(md5(o || '/' || t.n), 4, 15))::uuid,
    'u' || t.n || '@small.example', b.first_name, b.last_name, 'active', 'accepted', 2
FROM generate_series(1, %(small)s) o, generate_series(1, 1000) t (n)
JOIN public.bench_name b ON b.n = t.n;
