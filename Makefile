# mlpipe_assets. `make` lists the targets. Needs Python 3.11 to 3.14, make and git; everything else comes from requirements.lock into .venv.

SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do $$p -c '$(SUPPORTED)' 2>/dev/null && echo $$p && break; done)
UV = $(shell uv --version >/dev/null 2>&1 && echo uv || echo .venv/bin/uv)
ENVIRONMENT := .venv/.lock-stamp
PORT ?= 3000
ARGS ?=
# A file stays on one core, for its tests may share one Dagster.
PYTEST := .venv/bin/python -m pytest -q -n logical --dist loadfile --no-loadscope-reorder
# Tests that take minutes: a real dagster dev, a browser, kills and full disks, long fuzzing, a year of flights.
HEAVY := loop or browser or faults or fuzz or long

# Trust the certificates that the machine trusts, as pip does: company networks have their own.
export UV_SYSTEM_CERTS := 1
# Without bytecode `import dagster` takes twice as long; the others would let another environment leak into this one.
unexport PYTHONDONTWRITEBYTECODE PYTHONPATH PYTHONHOME VIRTUAL_ENV

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run dev shell test test-all check format bench golden sample lock clean

help:  ## List the targets
	@echo "usage: make TARGET"
	@awk -F ':.*  ## ' '/^[a-z-]+:.*  ## / { printf "  %-8s %s\n", $$1, $$2 }' Makefile

run: export DAGSTER_HOME := $(CURDIR)/.dagster
run: $(ENVIRONMENT) .dagster/dagster.yaml  ## Bring every stage up to date with data/raw (ARGS="--from 2026-01-01")
	@.venv/bin/mlpipe run $(ARGS)

dev: export DAGSTER_HOME := $(CURDIR)/.dagster
dev: $(ENVIRONMENT) .dagster/dagster.yaml  ## Dagster's UI, schedules and sensors on 127.0.0.1 (PORT=3000)
	@.venv/bin/dagster dev --workspace workspace.yaml --host 127.0.0.1 --port $(PORT)

shell: export DAGSTER_HOME := $(CURDIR)/.dagster
shell: $(ENVIRONMENT) .dagster/dagster.yaml  ## A shell that finds mlpipe, dagster and python of this checkout
	@echo "mlpipe, dagster and python are those of this checkout; leave with exit."
	@PATH="$(CURDIR)/.venv/bin:$$PATH" VIRTUAL_ENV="$(CURDIR)/.venv" exec "$${SHELL:-/bin/sh}"

test: $(ENVIRONMENT)  ## Run the tests, on all cores (ARGS="-k leak")
	@$(PYTEST) -m "not ($(HEAVY))" $(ARGS)

test-all: test  ## The same, then the heavy ones: loop, browser, faults, fuzz, long
	@$(PYTEST) -m "$(HEAVY)" $(ARGS)

check: $(ENVIRONMENT)  ## Format, lint, types, SQL and tests
	@.venv/bin/ruff format --check --quiet .
	@.venv/bin/ruff check --quiet .
	@.venv/bin/mypy
	@.venv/bin/sqlfluff lint --disable-progress-bar sql
	@$(PYTEST) -m "not ($(HEAVY))" $(ARGS)

format: $(ENVIRONMENT)  ## Format Python and SQL, and mend what the linters can
	@.venv/bin/ruff format --quiet .
	@.venv/bin/ruff check --quiet --fix .
	@.venv/bin/sqlfluff fix --disable-progress-bar sql

bench: $(ENVIRONMENT)  ## Measure speed and memory
	@.venv/bin/python -m mlpipe_assets_tests.benchmarks $(ARGS)

golden: $(ENVIRONMENT)  ## Rewrite the golden files; review the diff
	@MLPIPE_GOLDEN=1 .venv/bin/python -m pytest -q -k golden

sample: $(ENVIRONMENT)  ## Write the sample deliveries into data/raw again
	@.venv/bin/mlpipe sample $(ARGS)

lock: $(ENVIRONMENT)  ## Pin and hash the dependencies anew (ARGS=--upgrade for newer versions)
	@$(UV) pip compile --quiet --universal --generate-hashes --no-header --extra dev --python-version 3.11 $(ARGS) \
	    pyproject.toml --output-file requirements.lock

clean:  ## Remove .venv and the tools' caches; data/ and the run history in .dagster/ stay
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
	@find mlpipe_assets mlpipe_assets_tests -name __pycache__ -prune -exec rm -rf {} +

# The stamp holds the place it was made for: an unfinished or moved environment is made anew, a changed lock is synchronised.
ifneq ($(shell cat $(ENVIRONMENT) 2>/dev/null),$(CURDIR))
.PHONY: $(ENVIRONMENT)
endif

$(ENVIRONMENT): requirements.lock pyproject.toml
	@if [ "$$(cat $@ 2>/dev/null)" != "$(CURDIR)" ] || ! .venv/bin/python -c '$(SUPPORTED)' 2>/dev/null; then \
	    python="$(PYTHON)"; \
	    if [ -z "$$python" ] || ! "$$python" -c '$(SUPPORTED)' 2>/dev/null; then \
	        echo "mlpipe_assets needs Python 3.11, 3.12, 3.13 or 3.14; found: $$($${python:-python3} --version 2>&1 | head -n 1)." >&2; \
	        echo "Install one, or name it: make PYTHON=/path/to/python3.12" >&2; \
	        exit 1; \
	    fi; \
	    echo "Making the environment in .venv from requirements.lock (once, about a minute) ..."; \
	    rm -rf .venv; \
	    if [ "$(UV)" = uv ]; then \
	        uv venv --quiet --python "$$python" .venv; \
	    else \
	        "$$python" -m venv .venv && \
	        awk '/^[^ ]/ { keep = /^uv==/ } keep' requirements.lock > .venv/uv.txt && \
	        .venv/bin/python -m pip --quiet --disable-pip-version-check install --require-hashes --requirement .venv/uv.txt; \
	    fi \
	else \
	    echo "Bringing .venv in line with requirements.lock ..."; \
	fi
	@rm -f $@
	@$(UV) pip sync --quiet --require-hashes --build-constraints requirements.lock --compile-bytecode --python .venv/bin/python requirements.lock
	@$(UV) pip install --quiet --no-deps --no-build-isolation --compile-bytecode --python .venv/bin/python --editable .
	@echo "$(CURDIR)" > $@

.dagster/dagster.yaml: dagster.yaml
	@mkdir -p $(@D)
	@ln -sf ../dagster.yaml $@
