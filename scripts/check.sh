#!/usr/bin/env bash
# `make check`: what it needs, then scripts/check.py with all the steps.
set -euo pipefail
command -v shellcheck >/dev/null || { apt-get update -qq && apt-get install -y -qq shellcheck >/dev/null; }
make --no-print-directory setup
exec .venv/bin/python scripts/check.py
