#!/usr/bin/env bash
# All tests in an ephemeral kind cluster: `run-all-tests.sh --help`. Bash 3.2 must do; the work is in flow/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

if [ -x .venv/bin/foundry ]; then
    # kind, helm and kubectl as `make setup` provides them.
    eval "$(.venv/bin/foundry env)"
fi
python=.venv/bin/python
[ -x "$python" ] || python=$(command -v python3) || {
    echo "run-all-tests.sh needs Python 3.11 or newer. Try: make setup" >&2
    exit 4
}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "run-all-tests.sh needs Python 3.11 or newer; $python is $("$python" -V 2>&1). Try: make setup" >&2
    exit 4
}
# exec: a signal sent to this script must reach the one who tidies up.
PYTHONPATH=testing/k8s/scripts exec "$python" -m flow "$@"
