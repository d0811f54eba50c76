-- Makes Rollcall's two roles and its database. For a superuser, with psql, once; the two
-- passwords, which are yours to make, come from the environment:
--
--     export OWNER_PASSWORD=$(openssl rand -hex 32) PROGRAM_PASSWORD=$(openssl rand -hex 32)
--     psql -X -f deploy/roles.sql
--
-- (or from the variables owner_password and program_password of psql, where \set has set
-- them on its standard input. Not by -v: everybody on the machine can read arguments.)
--
-- rollcall_owner owns the database and is used by `rollcall-server migrate` alone;
-- rollcall is what the programs run as: `migrate` grants it what it needs and no
-- more. Run again it makes what is missing, sets the passwords that are given, and leaves
-- those that are not. Another name for the database: -v database=NAME.

\set ON_ERROR_STOP on
\if :{?database}
\else
    \set database rollcall
\endif

-- Statements with a password in them stay out of the server's log.
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
SET log_min_duration_statement = -1;

SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rollcall_owner') AS has_owner,
    EXISTS (SELECT FROM pg_roles WHERE rolname = 'rollcall') AS has_program
\gset
-- An empty password is none.
\if :{?owner_password}
\else
    \set owner_password ''
    \getenv owner_password OWNER_PASSWORD
\endif
\if :{?program_password}
\else
    \set program_password ''
    \getenv program_password PROGRAM_PASSWORD
\endif
SELECT :'owner_password' <> '' AS sets_owner, :'program_password' <> '' AS sets_program
\gset

-- psql can say no only through a failing statement.
\if :has_owner
\elif :sets_owner
\else
    SELECT 'OWNER_PASSWORD is not set'::boolean;
\endif
\if :has_program
\elif :sets_program
\else
    SELECT 'PROGRAM_PASSWORD is not set'::boolean;
\endif

SELECT format('CREATE ROLE %I', name)
FROM unnest(ARRAY['rollcall_owner', 'rollcall']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
\gexec

ALTER ROLE rollcall_owner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
ALTER ROLE rollcall LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
\if :sets_owner
    ALTER ROLE rollcall_owner PASSWORD :'owner_password';
\endif
\if :sets_program
    ALTER ROLE rollcall PASSWORD :'program_password';
\endif

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
