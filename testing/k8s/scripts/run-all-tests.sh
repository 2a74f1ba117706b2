#!/usr/bin/env bash
# Run all tests in an ephemeral kind cluster with the settings of seatrial.toml: `run-all-tests.sh --help`.
# KEEP=on-failure keeps the cluster after a failure, KEEP=always after every run; also `make test-k8s KEEP=always`.
# Arguments are passed to `seatrial run`, and may include pytest's: `run-all-tests.sh -k s3 -x`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
if [ ! -x .venv/bin/seatrial ]; then
    echo "run-all-tests.sh: seatrial is not installed in .venv
  hint: make setup" >&2
    exit 4
fi
# Add kind, helm and kubectl of `make setup` to PATH.
path=$(.venv/bin/foundry env)
eval "$path"
# exec: a signal to this script must reach seatrial, which cleans up.
exec .venv/bin/seatrial run --keep "${KEEP:-never}" "$@"
