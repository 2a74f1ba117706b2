#!/usr/bin/env bash
# Run all tests in Docker Compose with the settings of seatrial.toml: `run-all-tests.sh --help`.
# KEEP=on-failure keeps the containers after a failure, KEEP=always after every run; also `make test-docker KEEP=always`.
# Arguments are passed to `seatrial run`, and may include pytest's: `run-all-tests.sh -k s3 -x`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
if [ ! -x .venv/bin/seatrial ]; then
    echo "run-all-tests.sh: seatrial is not installed in .venv
  hint: make setup" >&2
    exit 4
fi
# Add the docker-compose of `make test-docker` to PATH.
path=$(.venv/bin/foundry env)
eval "$path"
# exec: a signal to this script must reach seatrial, which cleans up.
exec .venv/bin/seatrial run --env compose --keep "${KEEP:-never}" "$@"
