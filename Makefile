# Everything a fresh machine needs is Python 3.11+, git and make.
PYTHON ?= python3
BIN := .venv/bin
ENV := PATH="$(CURDIR)/$(BIN):$$PATH"

TESTS :=
BASE := main
TOLERANCE :=
KEEP :=

# Trainings at once (empty: as many as there is room for), or a Dask scheduler whose workers train.
JOBS :=
SCHEDULER :=
# Stages, also by patterns, as in TARGETS='evaluate@*-unet-*'; empty: the whole pipeline.
TARGETS :=
REPRO = $(ENV) python src/repro.py $(foreach target,$(TARGETS),'$(target)') \
	$(if $(JOBS),--jobs $(JOBS)) $(if $(SCHEDULER),--scheduler $(SCHEDULER))

# Settings of make experiment, as in S='-S label_fraction=0.05 -S seeds=[42,1]'.
S :=

SWEEP := 0.01,0.02,0.05,0.2,0.3,0.5,1.0

.PHONY: repro experiment sweep test lint verify metrics-diff clean

repro: .venv/installed
	$(REPRO)

experiment: .venv/installed  # dvc exp run with the same -S
	$(if $(S),,$(error S: which parameters? For example S='-S label_fraction=0.05'))$(REPRO) $(S)

sweep: .venv/installed  # the label budgets of SWEEP beside 10 and 15 %; plots/<dataset>/budget.png
	$(REPRO) -S 'sweep=[$(SWEEP)]'

# A file's tests stay in one process, since they share what it made. The files keep the order that
# tests/conftest.py gives them: those that take longest start first.
test: .venv/installed
	$(ENV) pytest -n auto --dist loadfile --no-loadscope-reorder $(TESTS)

lint: .venv/installed-dev
	$(ENV) ruff check
	$(ENV) ruff format --check
	$(ENV) mypy

verify: .venv/installed  # the committed pipeline again from nothing: equal metrics?
	$(ENV) python src/verify.py $(if $(TOLERANCE),--tolerance $(TOLERANCE)) $(if $(KEEP),--keep $(KEEP))

metrics-diff: .venv/installed  # Markdown, of the work tree against BASE
	@$(ENV) python src/metrics_diff.py $(BASE)

.venv/installed: requirements.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q -r requirements.txt
	touch $@

.venv/installed-dev: requirements-dev.txt .venv/installed
	$(BIN)/python -m pip install -q -r requirements-dev.txt
	touch $@

clean:  # the environment and the caches; data, runs and DVC's cache stay
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache
