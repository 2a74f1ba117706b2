#!/usr/bin/env bash
# The development environment in .venv, from hashed lock files. $1: the Python to make it with (3.11 or newer).
set -euo pipefail
python=$1
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "seatrial needs Python 3.11 or newer; '$python' is $("$python" -V 2>&1). Try: make PYTHON=/path/to/python3 setup" >&2
    exit 4
}
# Debian's python3 comes without venv until python3-venv is installed.
"$python" -c 'import ensurepip' 2>/dev/null || { apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null; }
[ -x .venv/bin/python ] || "$python" -m venv .venv
.venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r locks/uv.txt
export VIRTUAL_ENV=$PWD/.venv
.venv/bin/uv pip sync --quiet --require-hashes locks/dev.txt
.venv/bin/uv pip install --quiet --no-deps --no-build-isolation -e seatrial -e foundry
