-- Reports: the file of an import again, with what became of its rows.

-- A workbook is made by the worker when a stage ends, and holds only as long as no other
-- is under way and nobody in it was deleted; whatever else there is to tell is told as CSV.
-- name: import_report (org_id, id)
SELECT i.state, i.format, i.delimiter, i.headers,
    regexp_replace(i.file_name, '\.[^.]*$', '') || '-report.' || CASE WHEN w.file_id IS NOT NULL THEN 'xlsx' ELSE 'csv' END AS file_name,
    w.file_id, f.parts, f.size
FROM rollcall.import i,
    LATERAL (SELECT CASE WHEN i.format = 'xlsx' AND i.state IN ('ready', 'applied', 'undone') AND NOT i.is_report_stale THEN i.report_id END AS file_id) w,
    LATERAL (SELECT count(*) AS parts, coalesce(sum(octet_length(p.bytes)), 0) AS size
        FROM rollcall.file_part p WHERE p.org_id = i.org_id AND p.file_id = w.file_id) f
WHERE i.org_id = :org_id AND i.id = :id AND i.state <> 'expired';

-- name: import_report_page (org_id, id, after_row, limit)
SELECT r.row, r.outcome, r.errors, r.user_id, r.cells
FROM rollcall.import_row r
WHERE r.org_id = :org_id AND r.import_id = :id AND r.row > :after_row::integer
ORDER BY r.row
LIMIT :limit::integer;

-- What the worker begins a workbook with: in the language of the maker, or his organization's.
-- name: import_report_load (org_id, id)
SELECT i.format, i.headers, i.report_id, coalesce(u.locale, o.locale) AS language
FROM rollcall.import i
JOIN rollcall.organization o ON o.id = i.org_id
LEFT JOIN rollcall.users u ON u.org_id = i.org_id AND u.id = i.maker_id AND i.maker_kind = 'user'
WHERE i.org_id = :org_id AND i.id = :id;

-- name: import_report_set (org_id, id, report_id) writes
UPDATE rollcall.import i SET report_id = :report_id, is_report_stale = false
WHERE i.org_id = :org_id AND i.id = :id;

-- What the template of an import is made of. Without a role wished for it is one that anybody
-- may give, where everybody needs one.
-- name: import_template_load (org_id, role_id, language)
SELECT r.id AS role_id, r.name AS role, o.slug, to_char(now(), 'YYYY-MM-DD') AS day, :{policy_columns},
    coalesce((
        SELECT jsonb_agg(jsonb_build_object('key', f.key, 'type', f.type, 'options', f.options, 'pattern', f.pattern,
            'required_for_roles', f.required_for_roles, 'label', :{field_label}) ORDER BY f.key)
        FROM rollcall.field f WHERE f.org_id = o.id), '[]') AS fields
FROM rollcall.organization o
JOIN rollcall.policy p ON p.org_id = o.id
LEFT JOIN LATERAL (
    SELECT x.id, x.name
    FROM rollcall.role x
    WHERE x.org_id = o.id AND CASE WHEN :role_id::uuid IS NOT NULL THEN x.id = :role_id::uuid ELSE p.role_required END
    ORDER BY x.permissions && '{*}', cardinality(x.permissions), x.name
    LIMIT 1
) r ON true
WHERE o.id = :org_id;
