-- At the first start of the database's container: the roles, with the passwords
-- that Compose mounts (deploy/secrets.sh makes them).
\set owner_password `cat /run/secrets/owner_password`
\set program_password `cat /run/secrets/program_password`
\i /etc/rollcall/roles.sql
