#!/usr/bin/env bash
# `make check`: every step in order, then one line with the tests' count. A step that fails ends it.
set -euo pipefail
make --no-print-directory setup
exec .venv/bin/python scripts/check.py
