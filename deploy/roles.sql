-- Makes Rollcall's two roles and its database. For a superuser, with psql, once:
--
--     psql -v owner_password=... -v program_password=... -f deploy/roles.sql
--
-- rollcall_owner owns the database and is used by `rollcall-server migrate` alone;
-- rollcall is what the programs run as: `migrate` grants it what it needs and no
-- more. Run again it changes the passwords and nothing else. Another name for the
-- database: -v database=NAME.

\set ON_ERROR_STOP on
\if :{?database}
\else
    \set database rollcall
\endif
\if :{?owner_password}
\else
    -- psql can say no only through a failing statement.
    SELECT '-v owner_password=... is missing'::boolean;
\endif
\if :{?program_password}
\else
    SELECT '-v program_password=... is missing'::boolean;
\endif

SELECT format('CREATE ROLE %I', name)
FROM unnest(ARRAY['rollcall_owner', 'rollcall']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
\gexec

-- Statements with a password in them stay out of the server's log.
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
SET log_min_duration_statement = -1;
ALTER ROLE rollcall_owner
    LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'owner_password';
ALTER ROLE rollcall
    LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'program_password';

-- The programs set stricter limits for themselves. These hold for whoever else
-- comes in by their role: nobody keeps a transaction open, and with it old rows.
ALTER ROLE rollcall SET idle_in_transaction_session_timeout = '60s';
ALTER ROLE rollcall SET statement_timeout = '60s';
ALTER ROLE rollcall SET lock_timeout = '5s';

-- UTF-8 whatever the cluster's default is; sorting that people see uses ICU.
SELECT format('CREATE DATABASE %I OWNER rollcall_owner ENCODING ''UTF8'' TEMPLATE template0', :'database')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database')
\gexec

REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO rollcall;

\connect :"database"
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO rollcall_owner;
