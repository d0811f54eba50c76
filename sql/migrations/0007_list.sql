-- Lists of users: a page costs the same at any depth of an organization of a million.
--
-- Each thing that a list may be narrowed to has an index with the status and the name
-- behind it, and one with the id, which grows with the time of creation. A list by name
-- merges the four statuses, each of which is in order (sql/queries/user_list.sql).

DROP INDEX rollcall.users_name_idx, rollcall.users_status_name_idx, rollcall.users_created_idx,
    rollcall.users_department_idx, rollcall.users_role_idx;
CREATE INDEX users_status_name_idx ON rollcall.users (org_id, status, sort_name, id);
CREATE INDEX users_kind_name_idx ON rollcall.users (org_id, kind, status, sort_name, id);
CREATE INDEX users_kind_idx ON rollcall.users (org_id, kind, id);
CREATE INDEX users_role_name_idx ON rollcall.users (org_id, role_id, status, sort_name, id);
CREATE INDEX users_role_idx ON rollcall.users (org_id, role_id, id);
CREATE INDEX users_department_name_idx ON rollcall.users (org_id, department_id, status, sort_name, id);
CREATE INDEX users_department_idx ON rollcall.users (org_id, department_id, id);

-- Logins and what is seen of sessions touch no index: with room on its page, a new version of
-- a row stays where the old one is found.
ALTER TABLE rollcall.users SET (fillfactor = 85);
