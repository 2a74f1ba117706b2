#!/usr/bin/env bash
# Run all tests in Docker Compose and in an ephemeral kind cluster, and compare both: `compare-environments.sh --help`.
# Exit code 13 unless the four conditions for dropping Compose are proven. Arguments are passed to `seatrial parity`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
if [ ! -x .venv/bin/seatrial ]; then
    echo "compare-environments.sh: seatrial is not installed in .venv
  hint: make setup" >&2
    exit 4
fi
# Add kind, helm, kubectl and docker-compose of `make setup` to PATH.
path=$(.venv/bin/foundry env)
eval "$path"
# exec: a signal to this script must reach seatrial, which cleans up.
exec .venv/bin/seatrial parity --ready "$@"
