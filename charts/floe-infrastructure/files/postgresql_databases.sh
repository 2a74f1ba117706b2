#!/bin/bash
# Create a role, and a database of the same name that it owns, for each file in /run/roles. The file contains the
# password. PostgreSQL's image runs this once, for a new data directory, with a server that listens on its socket only.
set -euo pipefail
for file in /run/roles/*; do
    # psql reads the password itself, so that it is not visible in the arguments of a process.
    psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --username postgres --dbname postgres \
        --set "role=$(basename "$file")" --set "file=$file" <<'SQL'
\set password `cat :'file'`
CREATE ROLE :"role" LOGIN PASSWORD :'password';
CREATE DATABASE :"role" OWNER :"role";
REVOKE ALL ON DATABASE :"role" FROM PUBLIC;
SQL
done
