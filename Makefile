# One command to serve, one to test; `make` alone lists them all.
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= python3
CASES ?= 200000
EXAMPLES ?= 100
ENGINE ?= sqlite
WORKERS ?= auto
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: help run test check agreement openapi bench fmt lock system clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/run.stamp ## Set everything up and serve on the embedded database
	@exec $(BIN)/bkend serve

test: system $(VENV)/dev.stamp ## Set everything up and run all tests
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

check: $(VENV)/dev.stamp ## Lint, types, layers, documentation
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest -q tests/docs

agreement: $(VENV)/dev.stamp ## Compare the engines with the reference over CASES generated queries
	@BKEND_AGREEMENT_CASES=$(CASES) $(BIN)/python -m pytest -q tests/query/test_agreement.py $(ARGS)

openapi: $(VENV)/dev.stamp ## Ask what the OpenAPI documents promise, EXAMPLES times each
	@BKEND_OPENAPI_EXAMPLES=$(EXAMPLES) BKEND_OPENAPI_ENGINE=$(ENGINE) $(BIN)/python -m pytest -q tests/openapi $(ARGS)

bench: $(VENV)/bench.stamp ## Measure this server beside PocketBase (takes some minutes)
	@$(BIN)/python -m bench $(ARGS)

fmt: $(VENV)/dev.stamp ## Format the code and apply safe fixes
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(VENV)/dev.stamp ## Renew the hashed requirements from pyproject.toml and requirements/*.in
	@scripts/lock $(BIN)

system: # What the tests need from the operating system: a browser, Node, PgBouncer, proxies
	@scripts/system-packages

clean: ## Remove the environment and caches (never any data)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist

$(VENV)/bin/python:
	@echo "Creating the environment in $(VENV) …"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or later is needed; name one with: make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements/build.txt requirements/base.txt pyproject.toml | $(VENV)/bin/python
	@echo "Installing what the server needs …"
	@$(PIP) install --require-hashes -r requirements/build.txt -r requirements/base.txt
	@$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp requirements/dev.txt
	@echo "Installing what the tests need …"
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/bench.stamp: $(VENV)/dev.stamp requirements/bench.txt
	@echo "Installing what the benchmark needs …"
	@$(PIP) install --require-hashes -r requirements/bench.txt
	@touch $@
