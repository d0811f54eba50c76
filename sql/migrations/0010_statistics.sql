-- What the planner knows of people is old the moment an import has written a thousand of them,
-- and autovacuum looks once a minute: until then a statement that was planned for an empty
-- table may read all of an organization for one user. The worker has it looked at anew
-- (worker/import_pages.c). Only the tables' owner may, so it is a function of the owner's.
CREATE FUNCTION rollcall.refresh_statistics() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    ANALYZE rollcall.users, rollcall.credential, rollcall.invitation, rollcall.outbox;
END
$$;
REVOKE ALL ON FUNCTION rollcall.refresh_statistics() FROM PUBLIC;
