#!/usr/bin/env bash
# Install the requirements of `make check`, then run steps of scripts/check.py: all, or those named.
set -euo pipefail
make --no-print-directory setup
scripts/browser.sh
.venv/bin/foundry up kubernetes-openapi actionlint docker-compose
exec .venv/bin/python scripts/check.py "$@"
