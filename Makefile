# setup | demo | test | check | bench | wheels: each does what is missing of `setup` first, so any one of them is the only command.
# `make demo CHECK=1` needs no screen; `make demo FILE=path/to.csv` imports a file of yours.

PYTHON := .venv/bin/python
SOURCES := weft_core tests examples scripts bench
STAMPS := build/stamps
READY := $(STAMPS)/python $(STAMPS)/node $(STAMPS)/chromium

.PHONY: setup demo test test-oldest test-long check bench wheels format clean help

help:
	@sed -n 's/^# //p' Makefile | head -2

setup: $(READY)

$(STAMPS)/python: requirements.lock pyproject.toml scripts/setup_python
	scripts/setup_python
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/node: package.json package-lock.json
	npm ci --no-fund --no-audit --loglevel=error
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/chromium: scripts/chromium
	scripts/chromium --install
	@mkdir -p $(STAMPS) && touch $@

demo: $(READY)
	$(PYTHON) scripts/demo.py $(if $(CHECK),--check) $(if $(FILE),--file "$(FILE)")

test: $(READY)
	npm test --silent
	$(PYTHON) -m pytest

# The pure half on the oldest supported Python found here; part of continuous integration.
test-oldest: $(STAMPS)/oldest
	build/oldest/bin/python -m pytest tests/laws tests/unit tests/suite tests/stores -m "not slow and not browser"

$(STAMPS)/oldest: requirements.lock pyproject.toml scripts/setup_python scripts/find_python
	scripts/setup_python --oldest
	@mkdir -p $(STAMPS) && touch $@

# Hours of chance: random programs under the five laws, real SIGKILLs. Both Pythons.
PROGRAMS ?= 20000
KILLS ?= 200
test-long: $(READY) $(STAMPS)/oldest
	$(PYTHON) -m tests.laws.long --programs $(PROGRAMS)
	build/oldest/bin/python -m tests.laws.long --programs $(PROGRAMS)
	$(PYTHON) -m tests.faults.kill --kills $(KILLS)
	$(PYTHON) -m tests.faults.explore
	$(PYTHON) -m tests.simulation --seeds 5000
	$(PYTHON) -m tests.simulation --seeds 10000 --oracle

check: $(READY)
	$(PYTHON) -m ruff format --check --quiet $(wildcard $(SOURCES))
	$(PYTHON) -m ruff check --quiet $(wildcard $(SOURCES))
	$(PYTHON) -m mypy
	npm run --silent check

format: $(READY)
	$(PYTHON) -m ruff format --quiet $(wildcard $(SOURCES))
	$(PYTHON) -m ruff check --quiet --fix $(wildcard $(SOURCES))
	npm run --silent format

bench: $(READY)
	$(PYTHON) -m bench
	npm run --silent bench

# The ordinary wheel, and the one for pages with a Pyodide of their own.
wheels: $(READY)
	$(PYTHON) -m build --wheel --no-isolation
	$(PYTHON) -m scripts.page_wheel

clean:
	rm -rf build dist browser/dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
