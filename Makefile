# From a bare clone: `make demo` or `make test`. Needs Python 3.11 or newer, make, and PyPI.
SHELL := /bin/sh
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
INSTALLED := .venv/.installed
EXTRAS := train,serve,station,genicam,precision,dev,docs
# The versions that were tested; `make CONSTRAINTS= setup` takes the newest instead.
CONSTRAINTS ?= constraints.txt
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check

.PHONY: help setup hooks demo test coverage check docs package image bench soak constraints

help:
	@echo "make setup        make .venv and install Blemish with all it needs (once)"
	@echo "make demo         generate the sample line, learn, measure, write runs/demo/report.html"
	@echo "make test         all tests but the slow ones"
	@echo "make coverage     the same tests, and which lines they run: build/coverage/html/index.html"
	@echo "make check        ruff, mypy, import-linter"
	@echo "make docs         build the documentation into build/site and check its links and command lines"
	@echo "make package      build the wheel and the sdist into dist and check both in fresh environments"
	@echo "make image        build the container image with and without the laboratory, and try both (needs buildah)"
	@echo "make bench        measure time and memory"
	@echo "make soak         the slow tests"
	@echo "make hooks        check what changed before every commit"
	@echo "make constraints  take the newest versions of all that is needed, and write them to constraints.txt"

# Compiled as pip compiles what it installs: where Python may not write bytecode, each process would begin with that.
setup: $(INSTALLED)
	@$(BIN)/python -m compileall -q src

# Installed anew only when the list of what is needed, or the version, has changed.
$(INSTALLED): pyproject.toml constraints.txt src/blemish/__init__.py
	@test -n "$(PYTHON)" || { echo "Python is not installed: install Python 3.11 or newer." >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is not Python 3.11 or newer: install it, or name it: make PYTHON=/path/to/python3.11" >&2; \
	  exit 1; }
	@test -x $(BIN)/pip || "$(PYTHON)" -m venv .venv
	@echo "Installing into .venv; the first time takes a few minutes."
	@$(INSTALL) $(if $(CONSTRAINTS),--constraint $(CONSTRAINTS)) --editable '.[$(EXTRAS)]' || { \
	  echo "If a version in constraints.txt is not there for this Python or system: make CONSTRAINTS= setup" >&2; \
	  exit 1; }
	@touch $@

constraints: setup
	@$(INSTALL) --upgrade --upgrade-strategy eager --editable '.[$(EXTRAS)]'
	@$(BIN)/python packaging/write_constraints.py
	@touch $(INSTALLED)

hooks: setup
	@$(BIN)/pre-commit install

demo: setup
	@$(BIN)/blemish demo --out runs/demo

# A file's tests stay together, for they share what is slow to make, in the order of tests/conftest.py: the slowest
# first. Small trainings are quicker on one thread each. One process more than there are processors, for those of
# servers and browsers wait more than they work; each takes 1.5 to 2.5 GB: make test PROCESSES=1
PROCESSES ?= $(shell expr $$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2) + 1)
TEST := -m "not slow" -n $(PROCESSES) --maxprocesses 4 --dist loadfile --no-loadscope-reorder \
  --durations 20 --durations-min 5
test: setup
	@OMP_NUM_THREADS=1 $(BIN)/pytest $(TEST)

coverage: setup
	@OMP_NUM_THREADS=1 $(BIN)/pytest $(TEST) --cov --cov-report=html --cov-report=json --cov-report=term:skip-covered
	@$(BIN)/python bench/coverage_of_tests.py

soak: setup
	@$(BIN)/pytest -m slow
	@$(BIN)/python bench/station.py --minutes 60

check: setup
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

docs: setup
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@$(BIN)/python docs/check_links.py
	@$(BIN)/python docs/check_commands.py
	@echo "build/site holds the pages; to read them: $(BIN)/python -m http.server --directory build/site"

package: setup
	@rm -rf dist
	@$(BIN)/python -m build --outdir dist
	@$(BIN)/twine check --strict dist/*
	@$(BIN)/python packaging/check_package.py dist

# Elsewhere than at a registry: make image IMAGE="--debian --pip-folder /opt/wheels"
IMAGE ?=
image: setup
	@$(BIN)/python packaging/build_image.py $(IMAGE)

# Two scripts need something to be there first.
bench: setup
	@for script in $(filter-out bench/same_as.py bench/coverage_of_tests.py,$(sort $(wildcard bench/*.py))); do \
	  $(BIN)/python "$$script" || exit 1; \
	done
