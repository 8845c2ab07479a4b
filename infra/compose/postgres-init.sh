#!/bin/bash
# Run by the official PostgreSQL image when it makes its data folder: one database for each service, owned by a login that
# can do nothing else. The passwords come from the environment, psql quotes them.
set -euo pipefail

for service in auth tasks notifications; do
  variable="${service^^}_DATABASE_PASSWORD"
  psql --username postgres --set ON_ERROR_STOP=1 --set login="$service" --set database="taskwire_$service" --set password="${!variable}" <<'SQL'
CREATE ROLE :"login" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD :'password';
CREATE DATABASE :"database" OWNER :"login" TEMPLATE template0;
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
SQL
done
