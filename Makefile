# The two commands of the README, `make train` and `make test`, set everything up themselves in .venv.

PYTHON ?= python3
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest

.PHONY: train test test-slow test-faults test-distributed test-soak notebooks docs lint format bench clean

train: .venv/installed  ## trains 9×9 Go on the CPU for about ten minutes; run it again to see the result again
	JAX_PLATFORMS=cpu $(BIN)/python experiments/go_9x9.py --preset=cpu --resume

test: .venv/installed-tests  ## all tests but the slow ones, on two processes
	$(PYTEST) -q -m "not slow" -n 2 --dist loadfile

test-slow: .venv/installed-tests  ## the tests that take minutes each, learning included
	$(PYTEST) -q -m slow

test-faults: .venv/installed-tests  ## kills, full disks, damage, strangers' files: all inputs
	$(PYTEST) -q tests/test_faults.py tests/test_untrusted.py

test-distributed: .venv/installed-tests  ## two and four processes on this machine
	$(PYTEST) -q tests/test_distributed.py tests/test_shares.py

test-soak: .venv/installed-tests  ## an hour of runs that stop and go on: memory and open files stay bounded
	SOAK_SECONDS=$${SOAK_SECONDS:-3600} $(PYTEST) -q -s -m slow tests/test_soak.py

notebooks: .venv/installed-notebooks  ## runs all of them from top to bottom
	$(PYTEST) -q -n 2 tests/test_notebooks.py

docs: .venv/installed-docs  ## the site, in dist/docs; a warning is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

lint: .venv/installed-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

format: .venv/installed-tests
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/installed-tests
	$(BIN)/python experiments/bench_go_env.py
	$(BIN)/python experiments/bench_selfplay.py

clean:
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis dist

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"{sys.executable} is Python {sys.version.split()[0]}; use PYTHON=... to name one of 3.11 or later")'
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/installed-notebooks: .venv/installed-tests
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[notebooks]'
	@touch $@

.venv/installed-docs: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@touch $@

.venv/installed-tests: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@ .venv/installed
