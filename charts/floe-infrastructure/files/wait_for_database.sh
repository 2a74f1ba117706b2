#!/bin/bash
# wait_for_database.sh COMMAND…: run the command once the database answers; after 30 s in any case, for its error
# message. It retries, because a node may lead a connection to the old pod while the server's pod is replaced.
set -euo pipefail
export PGCONNECT_TIMEOUT=5
until psql --no-psqlrc --command select >/dev/null || ((SECONDS > 30)); do sleep 1; done
exec "$@"
