#!/usr/bin/env bash
# Create or update the development environment .venv from hashed lock files. $1: the Python to use (3.11 or newer).
set -euo pipefail
python=$1
command -v "$python" >/dev/null || {
    echo "'$python' is not installed. Install Python 3.11 or newer, or select one: make PYTHON=/path/to/python3 setup" >&2
    exit 4
}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "seatrial needs Python 3.11 or newer; '$python' is $("$python" -V 2>&1). Try: make PYTHON=/path/to/python3 setup" >&2
    exit 4
}
# Debian's and Ubuntu's python3 has no venv module until a separate package is installed.
has_venv() { "$python" -c 'import ensurepip' 2>/dev/null; }
if [ ! -x .venv/bin/python ] && ! has_venv; then
    package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$package"; } >/dev/null || true
    fi
    has_venv || {
        echo "'$python' has no venv module. Install it: sudo apt-get install $package" >&2
        echo "Or select a Python that has it: make PYTHON=/path/to/python3 setup" >&2
        exit 4
    }
fi
[ -x .venv/bin/python ] || "$python" -m venv .venv
.venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r locks/uv.txt
export VIRTUAL_ENV=$PWD/.venv
.venv/bin/uv pip sync --quiet --require-hashes locks/dev.txt
.venv/bin/uv pip install --quiet --no-deps --no-build-isolation -e seatrial -e foundry
