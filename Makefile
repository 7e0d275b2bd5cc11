# One door to everything a developer does. Paths are relative and tools run as `python -m`, so that a checkout may lie
# anywhere, also below a folder with spaces in its name.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
# A file's tests stay in one process: they share what their fixtures start.
TESTS := -m pytest -n 4 --dist loadfile --no-loadscope-reorder
test test-all gate: export OMP_NUM_THREADS := 1  # four workers already; more threads would wait for a core by spinning
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test test-all test-interop gate up down load bench results

help: ## List these targets
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/' | expand -t 18

demo: $(VENV)/installed ## From nothing to a prediction on this machine: install, start, deploy, learn, ask
	@$(RUN) -m penstock.cli demo

test: $(VENV)/installed ## The tests that finish within ten minutes on two cores
	@$(RUN) $(TESTS) -m "not slow"

test-all: $(VENV)/installed .venv-schemathesis/installed ## All tests, the longer proofs too
	@$(RUN) $(TESTS)

test-interop: $(VENV)/installed .venv-interop-v2/installed .venv-interop-v3/installed ## SageMaker's Python SDK v2 and v3 against the embedded AWS (1.3 GB of virtualenvs, 15 minutes)
	@$(RUN) -m pytest tests/interop --durations=0

gate: $(VENV)/installed ## Everything a change must pass: format, lint, types, imports, templates, tests with coverage, docs
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m mypy
	cd training && MYPYPATH=. ../$(RUN) -m mypy --strict --config-file ../pyproject.toml -p learners -p judge -p data -m container -m train -m evaluate -m inference -m tables -m prepare -m erase
	$(RUN) -c "from importlinter.cli import lint_imports_command; lint_imports_command()" --no-logo
	$(RUN) -c "import sys; from cfnlint.runner import main; sys.exit(main())" statemachine/template.yaml
	$(RUN) -m pytest tests/architecture
	$(RUN) $(TESTS) --cov --cov-report=term:skip-covered

up: $(VENV)/installed ## Start the embedded AWS
	@$(RUN) -m penstock.cli up

down: $(VENV)/installed ## Stop the embedded AWS; its state is kept
	@$(RUN) -m penstock.cli down

load: $(VENV)/installed ## Load-test the API of stage local with Locust, batching off and on, beside the workshop's figures
	@$(RUN) -m penstock.cli load workshop-42 --compare batching

bench: $(VENV)/installed ## Measure, and write bench/results/; with the demo's timeline, if there is one
	@mkdir -p bench/results
	@test ! -f .penstock/timeline.json || { echo "Timeline of the first demo, in seconds:"; tee bench/results/timeline.json < .penstock/timeline.json; }
	$(RUN) bench/sagemaker.py
	$(RUN) bench/pipeline.py

results: $(VENV)/installed ## Measure the learners on the real data, and write docs/results.md
	$(RUN) bench/results_tabular.py
	$(RUN) bench/results.py

# The virtualenv, renewed when a pin changes; Chalice takes no pip from 26.3 on. The Lambda package's wheels are kept
# too, so that deploying works offline.
$(VENV)/installed: constraints.txt pyproject.toml requirements.txt
	@command -v "$(PYTHON)" >/dev/null || { echo "There is no $(PYTHON). Install Python 3.11 to 3.13, or name one: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { echo "$(PYTHON) is $$("$(PYTHON)" -V 2>&1); Penstock needs Python 3.11 to 3.13. Name one: make PYTHON=python3.12" >&2; exit 1; }
	@echo "Installing into $(VENV) (once; a few minutes when nothing is cached) ..."
	@started=$$(date +%s); \
	test -x $(RUN) || "$(PYTHON)" -m venv $(VENV); \
	$(RUN) -m pip install --quiet --disable-pip-version-check "pip>=24.1,<26.3"; \
	$(RUN) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"; \
	mkdir -p .penstock; rm -rf .penstock/wheels.new; \
	if $(RUN) -m pip download --quiet --disable-pip-version-check -c constraints.txt -d .penstock/wheels.new -r requirements.txt; \
	then rm -rf .penstock/wheels; mv .penstock/wheels.new .penstock/wheels; \
	else rm -rf .penstock/wheels.new; echo "Note: the Lambda package's wheels could not be kept; deploying will need the network." >&2; fi; \
	echo $$(( $$(date +%s) - started )) > $(VENV)/install-seconds
	@touch $(VENV)/installed

# Schemathesis brings a stack of its own and is needed by one test.
.venv-schemathesis/installed: tests/e2e/requirements-schemathesis.txt $(VENV)/installed
	@echo "Installing Schemathesis into .venv-schemathesis ..."
	@test -x .venv-schemathesis/bin/python || $(RUN) -m venv .venv-schemathesis
	@.venv-schemathesis/bin/python -m pip install --quiet --disable-pip-version-check -r tests/e2e/requirements-schemathesis.txt
	@touch $@

# SDK v2 and v3 cannot share a virtualenv, nor ours: each has its own, renewed when its pins change.
.venv-interop-%/installed: tests/interop/requirements-%.txt $(VENV)/installed
	@echo "Installing the SageMaker Python SDK $* into .venv-interop-$* ..."
	@test -x .venv-interop-$*/bin/python || $(RUN) -m venv .venv-interop-$*
	@.venv-interop-$*/bin/python -m pip install --quiet --disable-pip-version-check -r tests/interop/requirements-$*.txt
	@touch $@
