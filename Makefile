# Everything runs from a local .venv that these targets make themselves; no sudo, no Java needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
UV_VERSION := 0.13.9
WORKERS ?= 2
# A file's tests share what they set up; files in our order, the longest first, not those of the most tests.
SHARED := --dist loadfile --no-loadscope-reorder
DEMO_HOME ?= shop
export PYTHONDONTWRITEBYTECODE :=
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help install demo test check format bench airflow jars lock clean

help: ## Show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --compile-bytecode -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

install: $(READY) ## Make the .venv from the lock

demo: $(READY) ## Run a generated shop through every flow into ./shop
	$(BIN)/sophilux demo --home $(DEMO_HOME)

test: $(READY) ## Lint, types, import direction and all tests
	$(MAKE) --no-print-directory lint
	$(BIN)/python -m pytest -n $(WORKERS) $(SHARED)

check: $(READY) ## Format, lint, types, import direction, fast tests
	$(BIN)/ruff format --check .
	$(MAKE) --no-print-directory lint
	$(BIN)/python -m pytest -n $(WORKERS) $(SHARED) -m "not slow and not parity and not scheduler and not browser and not real_data"

.PHONY: lint
lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY) ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY) ## Time the flows, identifiers, PAIR, erasure, recommendations, charts and ads
	$(BIN)/python -m tests.bench.flows
	$(BIN)/python -m tests.bench.identifiers
	$(BIN)/python -m tests.bench.pair
	$(BIN)/python -m tests.bench.erasure
	$(BIN)/python -m tests.bench.recommendations
	$(BIN)/python -m tests.bench.charts
	$(BIN)/python -m tests.bench.ads

airflow: $(READY) ## Start Airflow with the DAGs and its UI on port 8080
	$(BIN)/python docker/airflow_local.py

jars: docker/spark/jars/.ready ## Fetch the Delta jars of a local Spark (needs Java and Maven)

docker/spark/jars/.ready: docker/spark/pom.xml
	mvn --quiet --batch-mode -f docker/spark/pom.xml dependency:copy-dependencies
	@touch $@

lock: ## Resolve requirements.lock anew from pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --extra dev --extra aws --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --quiet --output-file requirements.lock

clean: ## Remove the .venv and what tests leave
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
