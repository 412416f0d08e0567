# `make demo` and `make test` need nothing but Python 3.11 or newer: they make their own environment in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help demo test test-all lint docs format clean
help:
	@echo "make demo      run the whole line on what ships with qprobe, and print the table"
	@echo "make test      run the tests (docker tests where a Docker engine answers)"
	@echo "make test-all  the slow tests too"
	@echo "make lint      ruff and mypy, as CI runs them"
	@echo "make docs      the documentation as a site in build/site, warnings as errors"
	@echo "make clean     remove the environment"

demo: $(VENV)/.user
	$(BIN)/qprobe demo

test: $(VENV)/.developer
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow and not network and not gpu"

test-all: $(VENV)/.developer
	$(BIN)/python -m pytest

lint: $(VENV)/.developer
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.writer
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

format: $(VENV)/.developer
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "qprobe needs Python 3.11 or newer: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "Python's venv module is missing (Debian: apt-get install python3-venv)" >&2; rm -rf $(VENV); exit 1; }

$(VENV)/.user: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.developer: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[hub,dev]'
	@touch $@ $(VENV)/.user

$(VENV)/.writer: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	@touch $@ $(VENV)/.user

clean:
	rm -rf $(VENV)
