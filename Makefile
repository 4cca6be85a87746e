# demo: the main job, from nothing. test: everything. check: style, types, floor plan. bench: speed against peers.
PYTHON ?= python3
BIN := .venv/bin
SOURCES := pyproject.toml hatch_build.py $(wildcard src/isthmus/kernels/*.c)
PYTEST_ARGS ?=

.PHONY: demo test check bench clean
.DELETE_ON_ERROR:

demo: .venv/demo
	rm -rf demo && mkdir demo
	$(BIN)/python -m isthmus.testing.community --out demo/input --seed 1
	$(BIN)/isthmus run 'demo/input/*.fastq.gz' --lake demo/lake --truth demo/input/truth.tsv --report demo/report.html \
		--min-length 1000 --min-quality 7
	@echo "open demo/report.html in a browser; look around with: $(BIN)/isthmus ls --lake demo/lake"

test: check real-parts
	$(BIN)/python -m pytest --durations=15 $(PYTEST_ARGS)

check: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/bench
	for script in benchmarks/bench_*.py benchmarks/quality.py benchmarks/strangers.py; do $(BIN)/python $$script || exit 1; done

clean:
	rm -rf .venv demo .mypy_cache .ruff_cache .pytest_cache .hypothesis src/isthmus/kernels/lib

# The virtual environment; Debian keeps venv in a package of its own.
.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "isthmus needs Python 3.11 or newer; try make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || ./tests/real-parts.sh python3-venv
	$(PYTHON) -m venv .venv

.venv/demo: .venv/bin/python $(SOURCES)
	$(BIN)/python -m pip install -q --disable-pip-version-check -e .
	touch $@

.venv/test: .venv/bin/python $(SOURCES)
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[test,check]'
	touch $@ .venv/demo

.venv/bench: .venv/bin/python $(SOURCES)
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[bench]'
	touch $@

# What the tests of real parts need from the system: a browser that looks at the report.
.PHONY: real-parts
real-parts:
	@./tests/real-parts.sh chromium
