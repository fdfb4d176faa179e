# Everything a developer types. Each environment is made once and again when its stamp is older
# than what it was made from.

PYTHON ?= python3
VENV ?= .venv
PYTEST_ARGS ?=
BENCH_ARGS ?=
SOAK_ARGS ?=
LOAD_ARGS ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
PACKAGING := setup.cfg setup.py pyproject.toml
BASE := $(VENV)/.made-base
TEST := $(VENV)/.made-test
DEV := $(VENV)/.made-dev
# The real clients of the REST faces, apart from the library: what they need is not what it needs.
CLIENTS := .venv-clients/.made
# Whole services that tests ask, in one environment: they are made of the same libraries.
SERVICES := .venv-services/.made
# The projects whose own tests our adapters pass, each in an environment of its own.
COMPAT := $(VENV)-compat
# What is shared by tests is checked like the library; it lies on the tests' own import path.
SHARED := tests/servers tests/kubeapi tests/faults/laboratory tests/faketime.py tests/faketime_site tests/conftest.py

RUN_TESTS = tools/run-tests $(BIN)/python tests $(PYTEST_ARGS)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo servers environments test check compat lint types docs bench load soak format clean

help:  ## show this list
	@echo "make TARGET, with PYTHON=$(PYTHON) (3.11 or later) and VENV=$(VENV)"
	@awk -F ':.*  ## ' '/^[a-z]+:.*  ## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(BASE)  ## install the library here and watch real daemons come and go
	@$(BIN)/servicegroup demo

servers:  ## install the servers that are missing (as root), starting and enabling none
	@tools/install-servers

environments: servers $(DEV) $(CLIENTS) $(SERVICES)  ## install all that tests and checks need; -j4 makes some of it at once

test: servers $(TEST) $(CLIENTS) $(SERVICES)  ## run every test, after installing missing servers (as root)
	@echo "make: running every test, all servers required"
	@SERVICEGROUP_REQUIRE_SERVERS=1 $(RUN_TESTS)

check: $(TEST) $(CLIENTS) $(SERVICES)  ## run the tests for which the servers are there; no root, says what it left out
	@echo "make: running the tests for which the servers are there"
	@$(RUN_TESTS)

compat: $(COMPAT)-nova/.made $(COMPAT)-ironic/.made $(COMPAT)-vitrage/.made  ## run Nova's, Ironic's and Vitrage's own tests on our adapters
	@failed=0; for tests in nova ironic vitrage vitrage_drivers; do \
		echo "make: tools/compat/$${tests}_tests.py"; \
		$(COMPAT)-$${tests%%_*}/bin/python tools/compat/run.py $$tests || failed=1; \
	done; exit $$failed

$(COMPAT)-%/.made: tools/compat/requirements-%.txt $(PACKAGING) | $(VENV)/bin/python
	@echo "make: installing $* and what its tests need into $(@D)"
	@$(BIN)/python -m venv $(@D)
	@$(@D)/bin/python -m pip --quiet --disable-pip-version-check install -r $< -e .
	@touch $@

lint: $(DEV)  ## check style and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(DEV)  ## check types
	@$(BIN)/mypy servicegroup drivers synchronizer
	@MYPYPATH=tests $(BIN)/mypy --explicit-package-bases $(SHARED)

docs: $(DEV)  ## build the documentation into doc/build/html, warnings are errors
	@$(BIN)/sphinx-build -q -W -n -b html doc doc/build/html
	@echo "make: see doc/build/html/index.html"

bench: $(TEST)  ## measure all stores and write doc/benchmarks.md; BENCH_ARGS chooses
	@$(BIN)/python -m benchmarks --output doc/benchmarks.md $(BENCH_ARGS)

load: $(TEST)  ## simulate a fleet on each server, seven minutes for each; LOAD_ARGS chooses
	@$(BIN)/python -m benchmarks.load --output doc/reliability-figures.md $(LOAD_ARGS)

soak: $(TEST)  ## try random schedules of faults, for as long as SOAK_ARGS='--minutes N' says
	@PYTHONPATH=tests $(BIN)/python -m faults.laboratory $(SOAK_ARGS)

format: $(DEV)  ## format the code and mend what can be mended
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean:  ## remove everything that was made here
	rm -rf $(VENV) $(COMPAT)-* .venv-clients .venv-services build dist doc/build cover .coverage* *.egg-info
	rm -rf .hypothesis .mypy_cache .pytest_cache .ruff_cache .tox
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || \
		{ echo "make: no $(PYTHON) here; name one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "make: $(PYTHON) does not run or is older than the 3.11 that is needed;" \
			"name another: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "make: $(PYTHON) lacks venv; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo "make: making the environment $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(BASE): $(PACKAGING) | $(VENV)/bin/python
	@echo "make: installing the library"
	@$(PIP) install -e .
	@touch $@

$(TEST): $(PACKAGING) | $(VENV)/bin/python
	@echo "make: installing the library, every extra and what the tests need"
	@$(PIP) install -e '.[all,test]'
	@touch $(BASE) $@

$(CLIENTS): tools/requirements-clients.txt | $(VENV)/bin/python
	@echo "make: installing the clients that tests run against the REST faces"
	@$(BIN)/python -m venv $(@D)
	@$(@D)/bin/python -m pip --quiet --disable-pip-version-check install -r $<
	@touch $@

$(SERVICES): tools/requirements-services.txt | $(VENV)/bin/python
	@echo "make: installing the ironic and the keystone that tests ask, away from all else"
	@$(BIN)/python -m venv $(@D)
	@$(@D)/bin/python -m pip --quiet --disable-pip-version-check install --no-deps --no-compile -r $<
	@touch $@

$(DEV): $(TEST) tools/requirements-dev.txt
	@echo "make: installing the tools for development"
	@$(PIP) install -r tools/requirements-dev.txt
	@touch $@
