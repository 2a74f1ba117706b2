#!/bin/bash
# Apply each file of /migrations that was not applied before, in the order of their names. Each runs in its own
# transaction, which also adds its row to floe.migration. PGHOST, PGUSER and other variables set the database.
set -euo pipefail
psql() { command psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 "$@"; }
psql <<'SQL'
set client_min_messages = warning;
create schema if not exists floe;
create table if not exists floe.migration (
    name text primary key,
    applied_at timestamptz not null default clock_timestamp()
);
SQL
for file in /migrations/*.sql; do
    name=$(basename "$file" .sql)
    if [ "$(psql --tuples-only --no-align --set "name=$name" <<<"select 1 from floe.migration where name = :'name'")" = 1 ]; then
        echo "$name already applied"
        continue
    fi
    psql --single-transaction --set "name=$name" <<SQL
\\i $file
insert into floe.migration (name) values (:'name');
SQL
    echo "$name applied"
done
