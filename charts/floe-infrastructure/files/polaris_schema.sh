#!/bin/bash
# Run one admin tool at a time to create the catalog's schema, and start servers afterwards:
#   polaris_schema.sh lock     holds a lock in the database until it is stopped; creates $LOCKED once it has it
#   polaris_schema.sh record   records that the admin tool $ADMIN_TOOL has succeeded
#   polaris_schema.sh wait     waits for that record, $SECONDS_TO_WAIT at most
# PGHOST and other variables set the database.
set -euo pipefail
export PGCONNECT_TIMEOUT=5 PGAPPNAME=polaris-schema
sql() { psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 --set=tool="${ADMIN_TOOL:-}"; }

case $1 in
lock)
    # Process 1 of a container ignores unhandled signals.
    trap 'kill "$!" 2>/dev/null; exit 0' TERM INT
    until psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --command "select pg_advisory_lock(8181)" \
        --command "\\! touch '$LOCKED'" --command "select pg_sleep(86400)" >/dev/null; do
        rm -f "$LOCKED"
        sleep 1
    done &
    wait
    ;;
record)
    sql <<'SQL'
create table if not exists public.admin_tool_succeeded (tool text primary key, at timestamptz not null default now());
insert into public.admin_tool_succeeded (tool) values (:'tool') on conflict do nothing;
SQL
    ;;
wait)
    until [ "$(sql 2>/dev/null <<<"select count(*) from public.admin_tool_succeeded where tool = :'tool'" || true)" = 1 ]; do
        if ((SECONDS > SECONDS_TO_WAIT)); then
            echo "timed out after $SECONDS_TO_WAIT s waiting for the catalog's schema; see: kubectl logs -l app=polaris-schema --all-containers" >&2
            exit 1
        fi
        sleep 0.5
    done
    ;;
esac
