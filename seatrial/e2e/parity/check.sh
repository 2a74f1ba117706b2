#!/usr/bin/env bash
# Check `seatrial compare` against planted differences: `check.sh [WORD…]`. Words select plants by their names.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
path=$(.venv/bin/foundry env)
eval "$path"
exec .venv/bin/python seatrial/e2e/parity/check_parity.py "$@"
