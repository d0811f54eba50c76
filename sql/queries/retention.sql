-- What is kept of imports, exports and selections only for a time (policy import_retention).
--
-- What hangs on one goes before it, a page at a time, and only once nothing can begin with it.

-- An import that is under way, or was lately, is kept; an upload that was never finished is
-- not kept for long. The rows of the day before are found by created_at.
-- name: purge_imports_expire (limit) writes all_organizations
UPDATE rollcall.import i SET state = 'expired'
WHERE (i.org_id, i.id) IN (
    SELECT x.org_id, x.id
    FROM rollcall.import x
    JOIN rollcall.policy p ON p.org_id = x.org_id
    WHERE x.created_at < now() - interval '1 day'
      AND (x.state = 'uploading'
           OR x.state IN ('ready', 'failed', 'applied', 'undone') AND x.updated_at < now() - p.import_retention)
    LIMIT :limit::integer FOR UPDATE OF x SKIP LOCKED);

-- name: purge_import_files (limit) writes all_organizations
DELETE FROM rollcall.file_part f
WHERE (f.org_id, f.file_id, f.number) IN (
    SELECT x.org_id, x.file_id, x.number
    FROM rollcall.import i
    JOIN rollcall.file_part x ON x.org_id = i.org_id AND x.file_id IN (i.id, i.report_id)
    WHERE i.state = 'expired'
    LIMIT :limit::integer FOR UPDATE OF x SKIP LOCKED);

-- name: purge_import_rows (limit) writes all_organizations
DELETE FROM rollcall.import_row r
WHERE (r.org_id, r.import_id, r.row) IN (
    SELECT x.org_id, x.import_id, x.row
    FROM rollcall.import i
    JOIN rollcall.import_row x ON x.org_id = i.org_id AND x.import_id = i.id
    WHERE i.state = 'expired'
    LIMIT :limit::integer FOR UPDATE OF x SKIP LOCKED);

-- name: purge_imports (limit) writes all_organizations
DELETE FROM rollcall.import i
WHERE (i.org_id, i.id) IN (
    SELECT x.org_id, x.id
    FROM rollcall.import x
    WHERE x.state = 'expired'
      AND NOT EXISTS (SELECT FROM rollcall.file_part f WHERE f.org_id = x.org_id AND f.file_id IN (x.id, x.report_id))
      AND NOT EXISTS (SELECT FROM rollcall.import_row r WHERE r.org_id = x.org_id AND r.import_id = x.id)
    LIMIT :limit::integer FOR UPDATE OF x SKIP LOCKED);

-- One that somebody still writes is left to him: it has a job.
-- fragment: export_is_over
x.expires_at < now() AND NOT EXISTS (SELECT FROM rollcall.job j WHERE j.org_id = x.org_id AND j.id = x.id)

-- name: purge_export_files (limit) writes all_organizations
DELETE FROM rollcall.file_part f
WHERE (f.org_id, f.file_id, f.number) IN (
    SELECT y.org_id, y.file_id, y.number
    FROM rollcall.export x
    JOIN rollcall.file_part y ON y.org_id = x.org_id AND y.file_id = x.id
    WHERE :{export_is_over}
    LIMIT :limit::integer FOR UPDATE OF y SKIP LOCKED);

-- name: purge_exports (limit) writes all_organizations
DELETE FROM rollcall.export e
WHERE (e.org_id, e.id) IN (
    SELECT x.org_id, x.id
    FROM rollcall.export x
    WHERE :{export_is_over}
      AND NOT EXISTS (SELECT FROM rollcall.file_part f WHERE f.org_id = x.org_id AND f.file_id = x.id)
    LIMIT :limit::integer FOR UPDATE OF x SKIP LOCKED);

-- A selection is told of for as long as an import is kept. Nothing was done to those of whom
-- nobody confirmed it in time: them it loses then.
-- fragment: selection_is_over
x.state <> 'running' AND x.expires_at < now() - p.import_retention

-- fragment: selection_is_empty
x.state IN ('pending', 'dead') AND x.problem IS NULL AND x.expires_at < now()

-- name: purge_selection_users (limit) writes all_organizations
DELETE FROM rollcall.selection_user s
WHERE (s.org_id, s.selection_id, s.user_id) IN (
    SELECT y.org_id, y.selection_id, y.user_id
    FROM rollcall.selection x
    JOIN rollcall.policy p ON p.org_id = x.org_id
    JOIN rollcall.selection_user y ON y.org_id = x.org_id AND y.selection_id = x.id
    WHERE (:{selection_is_over} OR :{selection_is_empty})
    LIMIT :limit::integer FOR UPDATE OF y SKIP LOCKED);

-- name: purge_selections (limit) writes all_organizations
DELETE FROM rollcall.selection s
WHERE (s.org_id, s.id) IN (
    SELECT x.org_id, x.id
    FROM rollcall.selection x
    JOIN rollcall.policy p ON p.org_id = x.org_id
    WHERE :{selection_is_over}
      AND NOT EXISTS (SELECT FROM rollcall.selection_user y WHERE y.org_id = x.org_id AND y.selection_id = x.id)
    LIMIT :limit::integer FOR UPDATE OF x SKIP LOCKED);
