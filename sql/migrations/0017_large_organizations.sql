-- What is looked for among all of an organization's users is found without reading all of them.

-- Who administers, or may be handed a link, by words of his own. Nobody is looked for by just any
-- word of his own; and where everybody starts with some, all stood in the index before.
DROP INDEX rollcall.users_own_permissions_idx;
CREATE INDEX users_own_powers_idx ON rollcall.users (org_id, id)
    WHERE status = 'active' AND own_permissions && '{*,users:invite,users:write,roles:write}';
