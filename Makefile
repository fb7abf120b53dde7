# What people and CI type. Needs make and Python 3.11 or newer; everything else goes into .venv.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
# A stamp says what was installed from this pyproject.toml, so that a second run is instant.
BASE := $(VENV)/.installed
READING := $(VENV)/.installed-reading
DEV := $(VENV)/.installed-dev
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

WORDS := dashboard/i18n/locale
# What says anything that the dashboard shows.
SPEAKING := dashboard search_core ingest sightline/workspace.py

SOAK_TESTS := \
	tests/integration/test_killed_ingest.py \
	tests/integration/test_bulk_from_bucket.py \
	tests/integration/test_restarted_milvus.py \
	tests/integration/test_full_disk.py \
	tests/search_core/store/test_killed_index_work.py \
	tests/cli/test_hostile_arguments.py \
	tests/ingest/sources/test_hostile_files.py

.DEFAULT_GOAL := help
.PHONY: help setup setup-tests demo serve test soak check bench format words reference programs clean

help: ## Say what can be made
	@echo "make demo         render sample footage, ingest it, search it, open the dashboard (Ctrl-C ends it)"
	@echo "                  HEADLESS=1 stops after the searches"
	@echo "make serve        the dashboard, the ingest worker and the embedded Milvus"
	@echo "make setup        install Sightline into $(VENV); then: $(BIN)/sightline --help"
	@echo "make test         the tests; ARGS='-k search' chooses"
	@echo "make soak         kill -9 at 100 random moments of ingests and 20 of comparisons and rebuilds,"
	@echo "                  Milvus restarted, disks full, hostile arguments and files (hours); ARGS chooses"
	@echo "make check        ruff, mypy, import rules"
	@echo "make words        bring the dashboard's translations up to its code; then fill in what is empty"
	@echo "make reference    write docs/commands.md, the reference of all commands"
	@echo "make bench        Sightline beside its peers, as ratios"

setup: $(BASE)

demo: $(READING)
	$(BIN)/sightline demo $(if $(filter-out 0 no false,$(HEADLESS)),--headless)

serve: $(BASE)
	$(BIN)/sightline serve

test: setup-tests
	$(BIN)/python -m pytest -n logical --maxprocesses 6 --dist loadfile $(ARGS)

setup-tests: $(DEV) programs

soak: $(DEV)
	SIGHTLINE_SOAK=1 $(BIN)/python -m pytest $(SOAK_TESTS) $(ARGS)

check: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(DEV)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

words: $(DEV)
	$(BIN)/pybabel -q extract --add-location=file --sort-by-file --width=100 \
		--mapping-file=pyproject.toml --project=Sightline --output=$(WORDS)/sightline.pot $(SPEAKING)
	$(BIN)/pybabel -q update --domain=sightline --input-file=$(WORDS)/sightline.pot \
		--output-dir=$(WORDS) --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date \
		--width=100
	rm $(WORDS)/sightline.pot

reference: $(DEV)
	$(BIN)/python -m tests.docs.reference

bench: $(DEV)
	$(BIN)/python -m benchmarks $(ARGS)

# pyproject.toml says which versions may be used, constraints.txt which ones are installed here.
# torch first and by itself: pip takes the build its configuration prefers (CPU or CUDA), and what
# follows keeps it.
$(BASE): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" && $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Sightline needs Python 3.11 or newer; name one with make PYTHON=/path/to/python"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing Sightline into $(VENV) (about two minutes the first time) …"
	@$(PIP) torch
	@$(PIP) --editable .
	@touch $@

$(READING): $(BASE)
	@echo "Installing what reads lettering …"
	@$(PIP) --editable '.[reading]'
	@touch $@

$(DEV): $(BASE)
	@echo "Installing what the tests and checks need …"
	@$(PIP) --editable '.[dev]'
	@touch $@

# Tests skip themselves without Chromium and Redis; getting them is tried, never required.
programs:
	@.ci/programs

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis *.egg-info
