# Targets of this repository; `make help` lists them. Requires GNU make 3.81 and bash 3.2.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
LOCK := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url 

.PHONY: help
help: ## list all targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The development environment: packages from hashed lock files, seatrial and foundry as editable installations.
$(STAMP): locks/uv.txt locks/dev.txt seatrial/pyproject.toml foundry/pyproject.toml
	@scripts/venv.sh "$(PYTHON)"
	@touch $@

.PHONY: setup
setup: $(STAMP) ## install the tests' requirements: Python environment, Docker engine, tools, images
	@$(BIN)/foundry up

.PHONY: test
test: test-k8s ## run test-k8s
	@echo "make test runs in Kubernetes. The same tests in Docker Compose, as before: make test-integration" >&2

.PHONY: test-k8s
test-k8s: setup ## run floe's tests in an ephemeral Kubernetes cluster with the production charts; KEEP=always, ARGS="-k s3"
	@testing/k8s/scripts/run-all-tests.sh $(ARGS)

.PHONY: test-docker
test-docker: setup ## run the same tests in Docker Compose; KEEP=always, ARGS="-k s3"
	@$(BIN)/foundry up docker-compose
	@testing/docker/scripts/run-all-tests.sh $(ARGS)

.PHONY: test-integration
test-integration: test-docker ## run test-docker: what `make test` was before the tests ran in Kubernetes

.PHONY: test-all
test-all: setup ## run floe's tests in Compose and in Kubernetes; fails unless both are proven equal; ARGS="--reruns 2"
	@$(BIN)/foundry up docker-compose
	@testing/docker/scripts/compare-environments.sh $(ARGS)

.PHONY: lint
lint: $(STAMP) ## run ruff, shellcheck, and the checks of words and hosts
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/python scripts/check_tree.py

.PHONY: types
types: $(STAMP) ## run mypy in strict mode and check the import contracts
	@$(BIN)/python scripts/check_types.py

.PHONY: check-seed
check-seed: $(STAMP) ## check docs/seed-map.md; ARGS=--apply removes each feature on a cluster
	@$(BIN)/python scripts/check_seed.py $(ARGS)

.PHONY: check-parity
check-parity: setup ## plant differences and check that seatrial compare finds and explains each; ARGS="memory" selects
	@seatrial/e2e/parity/check.sh $(ARGS)

.PHONY: fuzz
fuzz: $(STAMP) ## fuzz the decoders of pod data, 10 s per target; ARGS="--seconds 600 decoder"
	@cd seatrial/tests && ../../$(BIN)/python -m fuzz.run $(ARGS)

.PHONY: coverage
coverage: $(STAMP) ## run seatrial's tests without a cluster; fails if branch coverage of a part is below its floor
	@$(BIN)/python scripts/check.py seatrial coverage

.PHONY: coverage-cluster
coverage-cluster: setup ## measure what the tests on a cluster execute; ARGS="test_logs.py" names files, ARGS=--write writes docs/coverage.md
	@$(BIN)/python scripts/cluster_coverage.py $(ARGS)

.PHONY: mutate
mutate: $(STAMP) ## mutation test of pure modules that changed; ARGS="runner/verdict_rules.py" names modules
	@$(BIN)/python scripts/mutate.py $(ARGS)

.PHONY: check
check: ## run all of this repository's tests except those of check-more
	@scripts/check.sh

.PHONY: check-more
check-more: setup ## run the slow tests: run script, parity patches, engine starts, tutorials, shared clusters
	@$(BIN)/python scripts/check.py more

.PHONY: check-blame
check-blame: setup ## measure blame on a kept cluster: 60 planted causes, 200 honest failures; ARGS="-k policy --keep"
	@$(BIN)/python seatrial/e2e/check_blame.py --output seatrial/docs/explanation/blame.md $(ARGS)

.PHONY: bench
bench: setup ## compare seatrial with plain commands in 30 minutes; BENCH="layer tag --rounds 5" runs a part
	@$(BIN)/foundry up docker-compose
	@cd seatrial && ../$(BIN)/python -m benchmarks $(BENCH)

.PHONY: locks
locks: $(STAMP) ## update the lock files
	@echo uv | $(LOCK) --python-version 3.11 -o locks/uv.txt -
	@$(LOCK) --python-version 3.11 --group dev -o locks/dev.txt pyproject.toml
	@$(LOCK) --python-version 3.11 --group dist -o locks/dist.txt pyproject.toml
	@$(LOCK) --python-version 3.13 --group floe -o locks/floe.txt pyproject.toml
	@printf 'pip\nhatchling>=1.28\n' | $(LOCK) --python-version 3.11 -o locks/action.txt seatrial/pyproject.toml -

.PHONY: dist
dist: $(STAMP) ## build seatrial's wheel and sdist reproducibly and test their installation; ARGS=--release
	@$(BIN)/python scripts/dist.py $(ARGS)

.PHONY: clean
clean: ## delete files of runs and builds in this checkout, but not foundry's cache
	@rm -rf .seatrial .foundry build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage .coverage.* coverage.xml
	@find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +

.PHONY: distclean
distclean: clean ## run clean, and delete foundry's cache and the Python environment
	@if [ -x $(BIN)/foundry ]; then $(BIN)/foundry clean; fi
	@rm -rf .venv
