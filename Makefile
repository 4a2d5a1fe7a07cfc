# From a bare clone: `make demo` or `make test`. Needs Python 3.11 or newer, make, and PyPI.
SHELL := /bin/sh
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: help setup demo test check docs bench soak

help:
	@echo "make setup   make .venv and install Blemish with all it needs (once)"
	@echo "make demo    generate the sample line, learn, measure, write runs/demo/report.html"
	@echo "make test    all tests but the slow ones"
	@echo "make check   ruff, mypy, import-linter"
	@echo "make docs    check the documentation"
	@echo "make bench   measure time and memory"
	@echo "make soak    the slow tests"

setup: $(INSTALLED)

# Installed anew only when the list of what is needed has changed.
$(INSTALLED): pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python is not installed: install Python 3.11 or newer." >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is not Python 3.11 or newer: install it, or name it: make PYTHON=/path/to/python3.11" >&2; \
	  exit 1; }
	@test -x $(BIN)/pip || "$(PYTHON)" -m venv .venv
	@echo "Installing into .venv; the first time takes a few minutes."
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[train,serve,dev]'
	@touch $@

demo: setup
	@$(BIN)/blemish demo --out runs/demo

# A file's tests stay together, for they share what is slow to make; small trainings are quicker on one thread each.
test: setup
	@OMP_NUM_THREADS=1 $(BIN)/pytest -m "not slow" -n auto --maxprocesses 4 --dist loadfile

soak: setup
	@$(BIN)/pytest -m slow

check: setup
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

docs bench: setup
	@found=no; for script in $@/*.py; do \
	  if [ -f "$$script" ]; then found=yes; $(BIN)/python "$$script" || exit 1; fi; \
	done; \
	[ $$found = yes ] || echo "There is no script in $@/ yet."
