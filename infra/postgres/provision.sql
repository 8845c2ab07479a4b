-- One database for each service, with two logins. The owner runs migrations. The login of the service reads and writes rows, and cannot change the
-- schema. No login has access to the database of another service.
--
-- With the official image: mount it in /docker-entrypoint-initdb.d and set the six passwords. By hand:
--   AUTH_DATABASE_PASSWORD=… AUTH_DATABASE_OWNER_PASSWORD=… (TASKS, NOTIFICATIONS) psql -f infra/postgres/provision.sql <superuser's URL>
-- May run again at any time: it sets these passwords, and takes the schema from a service's login that owned it before there were two.
-- The launcher uses one login for each service: packages/process-supervisor/src/servers/postgres-provision.ts.
\set ON_ERROR_STOP on
\getenv auth_password AUTH_DATABASE_PASSWORD
\getenv auth_owner_password AUTH_DATABASE_OWNER_PASSWORD
\getenv tasks_password TASKS_DATABASE_PASSWORD
\getenv tasks_owner_password TASKS_DATABASE_OWNER_PASSWORD
\getenv notifications_password NOTIFICATIONS_DATABASE_PASSWORD
\getenv notifications_owner_password NOTIFICATIONS_DATABASE_OWNER_PASSWORD

select format('create role %I', name)
from unnest(array['auth', 'auth_owner', 'tasks', 'tasks_owner', 'notifications', 'notifications_owner']) as roles (name)
where not exists (select from pg_roles where rolname = name) \gexec

alter role auth login nosuperuser nocreatedb nocreaterole noreplication password :'auth_password';
alter role auth_owner login nosuperuser nocreatedb nocreaterole noreplication password :'auth_owner_password';
alter role tasks login nosuperuser nocreatedb nocreaterole noreplication password :'tasks_password';
alter role tasks_owner login nosuperuser nocreatedb nocreaterole noreplication password :'tasks_owner_password';
alter role notifications login nosuperuser nocreatedb nocreaterole noreplication password :'notifications_password';
alter role notifications_owner login nosuperuser nocreatedb nocreaterole noreplication password :'notifications_owner_password';
-- a migration looks for sessions of older releases (docs/adr/0036-rollback.md), and those belong to the other login
grant pg_read_all_stats to auth_owner, tasks_owner, notifications_owner;

select format('create database %I owner %I template template0', 'taskwire_' || name, name || '_owner')
from unnest(array['auth', 'tasks', 'notifications']) as services (name)
where not exists (select from pg_database where datname = 'taskwire_' || name) \gexec

\connect taskwire_auth
alter database taskwire_auth owner to auth_owner;
reassign owned by auth to auth_owner;
revoke all on database taskwire_auth from public;
grant connect on database taskwire_auth to auth;
grant select, insert, update, delete on all tables in schema public to auth;
grant usage, select on all sequences in schema public to auth;
alter default privileges for role auth_owner in schema public grant select, insert, update, delete on tables to auth;
alter default privileges for role auth_owner in schema public grant usage, select on sequences to auth;

\connect taskwire_tasks
alter database taskwire_tasks owner to tasks_owner;
reassign owned by tasks to tasks_owner;
revoke all on database taskwire_tasks from public;
grant connect on database taskwire_tasks to tasks;
grant select, insert, update, delete on all tables in schema public to tasks;
grant usage, select on all sequences in schema public to tasks;
alter default privileges for role tasks_owner in schema public grant select, insert, update, delete on tables to tasks;
alter default privileges for role tasks_owner in schema public grant usage, select on sequences to tasks;

\connect taskwire_notifications
alter database taskwire_notifications owner to notifications_owner;
reassign owned by notifications to notifications_owner;
revoke all on database taskwire_notifications from public;
grant connect on database taskwire_notifications to notifications;
grant select, insert, update, delete on all tables in schema public to notifications;
grant usage, select on all sequences in schema public to notifications;
alter default privileges for role notifications_owner in schema public grant select, insert, update, delete on tables to notifications;
alter default privileges for role notifications_owner in schema public grant usage, select on sequences to notifications;
