-- What files said of somebody who is deleted: the rows that are about him, and those about nobody
-- yet that have his name.
CREATE INDEX import_row_user_idx ON rollcall.import_row (org_id, user_id) WHERE user_id IS NOT NULL;
CREATE INDEX import_row_unapplied_idx ON rollcall.import_row (org_id, import_id) WHERE user_id IS NULL OR outcome IN ('error', 'skipped');
