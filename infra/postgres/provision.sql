-- One database and one login for each service. Each login owns its database and has no access to the others.
--
-- With the official image: mount it in /docker-entrypoint-initdb.d and set the three passwords. By hand:
--   AUTH_DATABASE_PASSWORD=… TASKS_DATABASE_PASSWORD=… NOTIFICATIONS_DATABASE_PASSWORD=… psql -f infra/postgres/provision.sql <superuser's URL>
-- Runs once; passwords are changed with ALTER ROLE. The launcher does the same in packages/process-supervisor/src/postgres-provision.ts.
\set ON_ERROR_STOP on
\getenv auth_password AUTH_DATABASE_PASSWORD
\getenv tasks_password TASKS_DATABASE_PASSWORD
\getenv notifications_password NOTIFICATIONS_DATABASE_PASSWORD

create role auth login nosuperuser nocreatedb nocreaterole noreplication password :'auth_password';
create role tasks login nosuperuser nocreatedb nocreaterole noreplication password :'tasks_password';
create role notifications login nosuperuser nocreatedb nocreaterole noreplication password :'notifications_password';

create database taskwire_auth owner auth template template0;
create database taskwire_tasks owner tasks template template0;
create database taskwire_notifications owner notifications template template0;

revoke all on database taskwire_auth from public;
revoke all on database taskwire_tasks from public;
revoke all on database taskwire_notifications from public;
