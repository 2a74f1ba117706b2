# floe, tested by seatrial. `make help` lists the targets. GNU make 3.81 and bash 3.2 must do.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
LOCK := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url 

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The development environment: hashed lock files only, and the two tools of this repository in place.
$(STAMP): locks/uv.txt locks/dev.txt seatrial/pyproject.toml foundry/pyproject.toml
	@scripts/venv.sh "$(PYTHON)"
	@touch $@

.PHONY: setup
setup: $(STAMP) ## install what the tests need: Python environment, engine, tools, images
	@$(BIN)/foundry up

.PHONY: test
test: test-k8s ## the same as test-k8s

.PHONY: test-k8s
test-k8s: setup ## all tests inside an ephemeral Kubernetes cluster, with the charts of production; KEEP=always, ARGS="-k s3"
	@testing/k8s/scripts/run-all-tests.sh $(ARGS)

.PHONY: lint
lint: $(STAMP) ## ruff, shellcheck, words that must not occur
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/python scripts/check_tree.py

.PHONY: types
types: $(STAMP) ## mypy strict and the import contracts
	@$(BIN)/python scripts/check_types.py

.PHONY: check-seed
check-seed: $(STAMP) ## docs/seed-map.md against the repository; ARGS=--apply takes each feature away on a cluster
	@$(BIN)/python scripts/check_seed.py $(ARGS)

.PHONY: fuzz
fuzz: $(STAMP) ## mutated bytes for what reads a pod's output, 10 s a target; ARGS="--seconds 600 decoder"
	@cd seatrial/tests && ../../$(BIN)/python -m fuzz.run $(ARGS)

.PHONY: coverage
coverage: $(STAMP) ## the tool's own tests without a cluster; fails below 95 % of its pure parts' branches
	@$(BIN)/python scripts/check.py tool "tool's coverage"

.PHONY: check
check: ## the project's own tests, test-k8s included; names what it leaves to check-more
	@scripts/check.sh

.PHONY: check-more
check-more: setup ## the slow tests: run script, parity patches, engine starts, tutorials, shared clusters
	@$(BIN)/python scripts/check.py more

.PHONY: bench
bench: setup ## seatrial beside the plain commands, half an hour; BENCH="layer tag --rounds 5": some of it
	@cd seatrial && ../$(BIN)/python -m benchmarks $(BENCH)

.PHONY: locks
locks: $(STAMP) ## write the lock files anew
	@echo uv | $(LOCK) --python-version 3.11 -o locks/uv.txt -
	@$(LOCK) --python-version 3.11 --group dev -o locks/dev.txt pyproject.toml
	@$(LOCK) --python-version 3.11 --group dist -o locks/dist.txt pyproject.toml
	@$(LOCK) --python-version 3.13 --group floe -o locks/floe.txt pyproject.toml
	@printf 'pip\nhatchling>=1.28\n' | $(LOCK) --python-version 3.11 -o locks/action.txt seatrial/pyproject.toml -

.PHONY: dist
dist: $(STAMP) ## seatrial's wheel and sdist in dist/, reproducible, checked and installed as users do; ARGS=--release
	@$(BIN)/python scripts/dist.py $(ARGS)

.PHONY: clean
clean: ## remove what runs and builds left in this checkout; the foundry's cache stays
	@rm -rf .seatrial .foundry build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage .coverage.* coverage.xml
	@find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +

.PHONY: distclean
distclean: clean ## clean, and the foundry's cache and the Python environment too
	@if [ -x $(BIN)/foundry ]; then $(BIN)/foundry clean; fi
	@rm -rf .venv
