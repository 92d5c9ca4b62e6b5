# The two commands of a new user: `make demo` and `make test`. `make help` lists the rest.
# uv is used when it is on the PATH, otherwise plain venv + pip; `make UV= ...` forces the latter.

VENV ?= .venv
UV ?= $(shell command -v uv 2>/dev/null)
PYTEST_ARGS ?=
# Most tests wait for processes and deadlines: more workers than cores are no loss.
TEST_WORKERS ?= 4
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PY := $(VENV)/bin/python
# Stamps: empty files newer than what they were made from, so that a second call is instant.
BASE := $(VENV)/.installed-base
DEV := $(VENV)/.installed-dev
LOCK_UV := build/lock-venv/bin/uv

# By the rules of the lock: these versions with these hashes, nothing else. A lock names all that is
# needed, so nothing is left to resolve; pip would look for newer versions of extras, and fail.
locked = --require-hashes --no-deps
ifeq ($(strip $(UV)),)
install = $(PY) -m pip install --quiet --disable-pip-version-check
else
install = $(UV) pip install --quiet --python $(PY)
endif

# Whole files to each worker, as their fixtures are; tests/conftest.py puts the long ones first.
# Where CI is set, one run has the slow tests, too: to collect tests takes a minute.
pytest = $(PY) -m pytest -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: help setup demo dev test test-all slow thorough check lint types contracts spelling sizes site bench lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "One test, one bench, one real archive: see CONTRIBUTING.md, Tests."

setup: $(BASE) ## Make .venv with the base package (no TensorFlow)

demo: $(BASE) ## Send three studies through a node and an archive on this machine
	$(VENV)/bin/pacs-ai demo

test: $(DEV) ## Install what the tests need (TensorFlow too), run all tests but the slow ones
	$(pytest) -m "$(if $(CI),,not slow and )not thorough and not bench and not gpu" $(PYTEST_ARGS)

test-all: test $(if $(CI),,slow) ## Run the slow tests too

slow: $(DEV) ## Run the slow tests
	$(pytest) -m "slow and not thorough and not bench and not gpu" $(PYTEST_ARGS)

thorough: $(DEV) ## Run what CI leaves out: more killed nodes, sources, networks
	$(pytest) -m "thorough and not bench and not gpu" $(PYTEST_ARGS)

dev: $(DEV) ## A node, Orthanc with OHIF and sample studies, until Ctrl-C
	$(PY) -m tests.dev

check: lint types contracts spelling sizes test ## Lint, types, contracts, then `make test`

lint: $(DEV) ## ruff: rules and format
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

types: $(DEV) ## mypy, strict
	$(VENV)/bin/mypy

contracts: $(DEV) ## Who may import what
	$(VENV)/bin/lint-imports

spelling: $(DEV) ## codespell over code and texts
	$(VENV)/bin/codespell

sizes: $(DEV) ## No file over 300 lines, no copyleft in the base install
	$(PY) -m pytest -q -p no:randomly tests/unit/test_layout.py tests/unit/test_licences.py

site: $(DEV) ## The pages of docs/ as a web site in build/site; its links are checked
	$(VENV)/bin/mkdocs build --quiet --strict

bench: $(DEV) ## Measure, side by side with others; judges nothing, renews docs/performance.md
	$(PY) -m tests.bench.receive --write
	$(PY) -m tests.bench.paired --write
	$(PY) -m tests.bench.busy --write
	$(PY) -m tests.bench.latency --write
	$(PY) -m tests.bench.rate --studies 50 --write
	$(PY) -m tests.bench.shadow --write
	$(PY) -m tests.bench.site --write
	$(PY) -m tests.bench.scale --write
	$(PY) -m tests.bench.runtimes --write
	$(PY) -m tests.bench.decoding --write
	$(PY) -m tests.bench.studies --write
	$(PY) -m tests.bench.results --write
	$(PY) -m tests.bench.integrity --write
	$(PY) -m tests.bench.feeding --write
	$(PY) -m pytest tests/bench -m bench -p no:randomly -s --timeout=0 $(PYTEST_ARGS)

lock: $(if $(strip $(UV)),,$(LOCK_UV)) ## Renew the locked versions in requirements/
	sh requirements/lock.sh $(if $(strip $(UV)),$(UV),$(LOCK_UV))

clean: ## Remove .venv and everything that was built
	rm -rf $(VENV) build dist demo-output test-output *.egg-info \
	  .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

$(PY):
	@sh requirements/venv.sh $(VENV) "$(strip $(UV))"

$(BASE): requirements/base.txt pyproject.toml | $(PY)
	@echo "Installing pacs-ai and what it needs (about 200 MB, a minute or two) ..."
	$(install) $(locked) -r requirements/base.txt
	$(install) --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): requirements/dev.txt $(BASE)
	@echo "Installing what training and tests need (TensorFlow: about 400 MB more) ..."
	$(install) $(locked) -r requirements/dev.txt
	@touch $@

$(LOCK_UV):
	sh requirements/venv.sh build/lock-venv ""
	build/lock-venv/bin/python -m pip install --quiet --disable-pip-version-check uv
