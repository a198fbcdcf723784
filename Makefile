# Every target works from a clean clone; only Python ≥ 3.11 (and Go for the collector) must be there.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
PY := .venv/bin/python
.DEFAULT_GOAL := help
# Tests that time what they do, or need all ports and processes for themselves: run when the others, two files at a time, have ended.
ALONE := tests/embedded tests/collector tests/e2e

.PHONY: help setup setup-system collector collector-full prometheus demo test soak drift-tables bench constraints clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: .venv/.ready ## create .venv with everything pinned in constraints.txt

.venv/.ready: constraints.txt pyproject.toml
	python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'sloengine needs Python 3.11 or newer; python3 here is' "$$(python3 -V)" >&2; exit 1; }
	python3 -m venv .venv
	@echo 'Installing Python packages (about 500 MB, one to two minutes)…'
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r constraints.txt
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

setup-system: ## install the Debian packages that tests use (root)
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium chromium-driver fonts-dejavu-core prometheus prometheus-alertmanager

collector: ## build the gateway collector into .bin/ (cached; needs Go)
	collector/build.sh

collector-full: ## build the collector with every way in into .bin/ (docs/gateway.md)
	collector/build.sh collector/manifest-full.yaml

prometheus: collector-full ## build the Prometheus 3 that tests of remote write use
	collector/build-prometheus.sh

demo: setup ## a fleet, a gateway, a store, an engine, a fault, one page
	@collector/build.sh --if-possible
	$(PY) -m sloengine demo

test: setup ## lint, types, and the whole fast suite
	@collector/build.sh --if-possible
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder $(ALONE:%=--ignore=%)
	.venv/bin/pytest $(ALONE)

soak: setup ## 50,000 random histories against the oracle, and whether it notices a broken engine (an hour)
	SLOENGINE_TEST_SEED=$${SLOENGINE_TEST_SEED:-$$RANDOM} SLOENGINE_ORACLE_HISTORIES=50000 SLOENGINE_ORACLE_MUTANTS=1 .venv/bin/pytest -v tests/engine/test_engine_oracle.py

drift-tables: setup ## what drift detection finds, and what it calls drift by chance: docs/drift-shown.md (some minutes)
	$(PY) -m tests.drift_tables

bench: setup ## print ratios measured side by side and write bench.json
	@collector/build.sh --if-possible
	$(PY) -m tests.bench

constraints: setup ## resolve and pin every dependency anew, with hashes and without registry addresses
	.venv/bin/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-header --no-emit-index-url \
		--no-emit-find-links --no-emit-trusted-host --extra server --extra dev -o constraints.txt pyproject.toml
	.venv/bin/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-header --no-annotate --no-emit-index-url \
		--no-emit-find-links --no-emit-trusted-host -o tests/bench/evidently.txt tests/bench/evidently.in

clean: ## remove what was built (keeps .venv)
	rm -rf .build .bin .sloengine .pytest_cache .mypy_cache .ruff_cache
