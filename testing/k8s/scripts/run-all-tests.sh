#!/usr/bin/env bash
# All tests in an ephemeral kind cluster, as seatrial.toml says: `run-all-tests.sh --help`.
# KEEP=on-failure leaves the cluster up if anything fails, KEEP=always in any case; `make test-k8s KEEP=always` works, too.
# Arguments are those of `seatrial run`, pytest's among them: `run-all-tests.sh -k s3 -x`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
if [ ! -x .venv/bin/seatrial ]; then
    echo "run-all-tests.sh: seatrial is not installed in .venv. Try: make setup" >&2
    exit 4
fi
# kind, helm and kubectl as `make setup` provides them.
path=$(.venv/bin/foundry env)
eval "$path"
# exec: a signal sent to this script must reach the one who tidies up.
exec .venv/bin/seatrial run --keep "${KEEP:-never}" "$@"
