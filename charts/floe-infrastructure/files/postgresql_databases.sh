#!/bin/bash
# Makes a role and a database of the same name, owned by it, for each file in /run/roles; the file holds the role's password.
# PostgreSQL's image runs this once, when the data directory is new, with a server that listens on its socket only.
set -euo pipefail
for file in /run/roles/*; do
    # psql reads the password itself: it must not show among the arguments of a process.
    psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --username postgres --dbname postgres \
        --set "role=$(basename "$file")" --set "file=$file" <<'SQL'
\set password `cat :'file'`
CREATE ROLE :"role" LOGIN PASSWORD :'password';
CREATE DATABASE :"role" OWNER :"role";
REVOKE ALL ON DATABASE :"role" FROM PUBLIC;
SQL
done
