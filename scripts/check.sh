#!/usr/bin/env bash
# `make check`: what it needs, then scripts/check.py with all the steps.
set -euo pipefail
make --no-print-directory setup
.venv/bin/foundry up kubernetes-openapi actionlint
exec .venv/bin/python scripts/check.py
