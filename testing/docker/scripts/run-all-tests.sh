#!/usr/bin/env bash
# Run all tests in Docker Compose with the settings of seatrial.toml: `run-all-tests.sh --help`.
# KEEP=on-failure keeps the containers after a failure, KEEP=always after every run; also `make test-docker KEEP=always`.
# Arguments are passed to `seatrial run`, and may include pytest's: `run-all-tests.sh -k s3 -x`.
set -euo pipefail
# exec: a signal to this script must reach seatrial, which cleans up.
exec "$(dirname "${BASH_SOURCE[0]}")/../../k8s/scripts/run-all-tests.sh" --env compose "$@"
