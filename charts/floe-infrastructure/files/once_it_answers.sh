#!/bin/bash
# once_it_answers.sh COMMAND…: runs it once the database answers; after half a minute anyway, for its message.
# Asked anew each time: while the server's pod is replaced, a node may lead a connection to the old one, and nobody answers.
set -euo pipefail
export PGCONNECT_TIMEOUT=5
until psql --no-psqlrc --command select >/dev/null || ((SECONDS > 30)); do sleep 1; done
exec "$@"
