# Every target does all of its own set-up: python3 with pip, git and make is all that a machine needs.
# No virtual environment module, no uv and no rights are asked for: uv comes into .tools, the rest into .venv.

PYTHON ?= python3

export UV_SYSTEM_CERTS := 1
export UV_PYTHON_DOWNLOADS := never
# An environment that happens to be active is not this project's.
unexport VIRTUAL_ENV CONDA_PREFIX PYTHONHOME PYTHONPATH

UV := .tools/bin/uv
BIN := .venv/bin
# The environment's scripts hold this checkout's path: a checkout that was copied or moved makes its own.
HERE := $(firstword $(shell printf '%s' '$(CURDIR)' | cksum))
CREATED := .venv/created-$(HERE)
SYNCED := .venv/synced-$(HERE)
READY := .venv/ready-$(HERE)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test chaos check lock dist clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' Makefile

setup: $(READY) ## install everything (the other targets do it themselves)

demo: $(READY) ## run the main job: simulator, daemon, subscriptions, a lost connection
	@$(BIN)/wsmgr demo

test: $(READY) ## run the tests
	@$(BIN)/pytest

SEEDS ?= 20
MINUTES ?= 60

chaos: $(READY) ## run the manager on virtual time among faults: make chaos SEEDS=500 MINUTES=60
	@$(BIN)/python bench/chaos.py --seeds $(SEEDS) --minutes $(MINUTES)

check: $(READY) ## lint, format, types, import order, locked versions
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy
	$(BIN)/pyright
	$(UV) pip check --quiet --python $(BIN)/python

lock: $(UV) ## write requirements.lock from pyproject.toml
	$(UV) pip compile --quiet --universal --python-version 3.11 --all-extras --generate-hashes \
		--custom-compile-command 'make lock' --output-file requirements.lock pyproject.toml

dist: $(READY) ## build the sdist, and the wheel from the sdist, into dist/
	@rm -rf build dist && mkdir -p build
	$(BIN)/python -m hatchling build --target sdist --directory dist
	@tar -xzf dist/wsmgr-*.tar.gz -C build
	cd build/wsmgr-* && ../../$(BIN)/python -m hatchling build --target wheel --directory ../../dist
	@rm -rf build

clean: ## remove everything that make made
	rm -rf .tools .venv build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find $(wildcard src tests bench examples) -name __pycache__ -type d -prune -exec rm -rf {} +

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
		"wsmgr needs Python 3.11 or newer, and $(PYTHON) is " + sys.version.split()[0] + ": name another, make PYTHON=...")'
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --upgrade --target .tools uv

$(CREATED): | $(UV)
	$(UV) venv --quiet --clear --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" .venv
	@touch $@

# Nothing is built from source except wsmgr itself, so nothing comes in that the lock holds no hash of.
$(SYNCED): requirements.lock $(CREATED)
	$(UV) pip sync --quiet --require-hashes --no-build --python $(BIN)/python requirements.lock
	@touch $@

# hatchling is in the lock: no isolated build that would fetch another.
$(READY): pyproject.toml $(SYNCED)
	$(UV) pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python --editable .
	@touch $@
