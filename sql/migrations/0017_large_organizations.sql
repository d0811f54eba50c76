-- What is looked for among all of an organization's users is found without reading all of them.

-- Who administers, or may be handed a link, by words of his own. Nobody is looked for by just any
-- word of his own; and where everybody starts with some, all stand in users_own_permissions_idx,
-- which goes a release later: the one before looks there.
CREATE INDEX users_own_powers_idx ON rollcall.users (org_id, id)
    WHERE status = 'active' AND own_permissions && '{*,users:invite,users:write,roles:write}';

-- What is kept as idle_due_at is what counts: whoever's date is moved to an earlier one by hand, and nothing
-- else of him, is looked at by the next sweep. By a trigger, because an index with the date itself
-- would be written at every login; it has nothing to do behind our own statements, which say
-- themselves when to look.
CREATE FUNCTION rollcall.users_idle_due_moved() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE rollcall.users SET idle_check_at = now()
    WHERE org_id = NEW.org_id AND id = NEW.id AND idle_check_at > now();
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION rollcall.users_idle_due_moved() FROM PUBLIC;
CREATE TRIGGER users_idle_due_moved AFTER UPDATE OF idle_due_at ON rollcall.users FOR EACH ROW
    WHEN (NEW.idle_due_at < OLD.idle_due_at AND NEW.idle_check_at = OLD.idle_check_at)
    EXECUTE FUNCTION rollcall.users_idle_due_moved();
