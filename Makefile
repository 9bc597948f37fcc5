PYTHON ?= python3

VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.run.stamp
DEV := $(VENV)/.dev.stamp
RABBITMQCTL ?= rabbitmqctl
SET_POLICY = $(RABBITMQCTL) set_policy -p '$(or $(RABBITMQ_VHOST),/)' --apply-to queues
QUEUES := model_training|image_generation
DEAD_LETTER := "dead-letter-exchange": "", "dead-letter-routing-key": "dead"
ENTRY := PYTHONPATH=src $(BIN)/python -m entrypoints.cli
PIP := $(BIN)/python -m pip --disable-pip-version-check
# What is in a lock is what is installed, whatever has been released since: nothing is resolved, and nothing is built, since
# what builds a package is not locked. `make run WHEELS=` does build where there is no wheel, given the compilers.
# What is used is compiled when it is first used; compiling everything takes a third of the time.
WHEELS ?= --only-binary :all:
INSTALL := $(PIP) install --quiet --no-compile --no-deps --require-hashes $(WHEELS)
CHECK := $(PIP) check --quiet || { echo "'make clean' removes what an earlier lock has left in $(VENV)."; false; }
# Two jobs at once and, where this make can, each job's output in one piece.
PARALLEL := --no-print-directory --keep-going --jobs 2 $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)
# Measured on two cores: two workers take a quarter to a third off. WORKERS=0 runs tests in one process, as a debugger likes it.
WORKERS ?= 2
FAST_TESTS := tests/test_architecture.py tests/test_documents.py tests/core

.DEFAULT_GOAL := help
.PHONY: help run demo test coverage test-faults simulate check fmt bench migrate schema relay redrive maintenance reconcile cors admin cli rabbitmq-policy lock sbom licenses clean \
	check-format check-lint check-types check-imports check-tests

help: ## List the commands
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  Python 3.11 or newer is all that is needed; PYTHON=/path/to/python3 names another one than python3."

run: $(RUN) ## Start the service with everything it needs, state in .data/
	@$(ENTRY) run

demo: $(RUN) ## Play an artist and a buyer through the API and save the image (ARGS=admin: the day of an operator)
	@$(ENTRY) demo $(ARGS)

test: $(DEV) ## Run every test, on a real PostgreSQL, RabbitMQ, storage emulator and OpenID provider
	@$(BIN)/python -m pytest --numprocesses $(WORKERS) $(ARGS)

coverage: $(DEV) ## Run every test and measure line and branch coverage of src/ in every process
	@rm -f .coverage .coverage.*
	@$(BIN)/coverage run -m pytest --numprocesses $(WORKERS) $(ARGS)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report --fail-under=95
	@echo "src/core alone:"
	@$(BIN)/coverage report --include='src/core/*' --fail-under=100

test-faults: $(DEV) ## Kill, freeze and stop the service and its dependencies under load; some minutes (ARGS="--seed 42")
	@PYTHONPATH=src $(BIN)/python -m tests.faults $(ARGS)

simulate: $(DEV) ## Play random histories with crashes, losses and repetitions, and check the ledger after every step
	@PYTHONPATH=src $(BIN)/python -m tests.simulation $(ARGS)

check: $(DEV) ## Formatting, lint, types, import rules and the fast tests
	@$(MAKE) $(PARALLEL) check-types check-tests check-imports check-lint check-format

fmt: $(DEV) ## Format the code and apply automatic lint fixes
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

bench: $(DEV) ## Measure every call next to its limits (ARGS="--json new.json" COMPARE=old.json)
	@PYTHONPATH=src $(BIN)/python -m benchmarks $(if $(COMPARE),--compare '$(COMPARE)') $(ARGS)

migrate: $(RUN) ## Upgrade the database of DATABASE_URL, or the embedded one
	@$(ENTRY) migrate

schema: $(DEV) ## Write src/adapters/postgres/schema.sql, the whole schema to read, from the migrations
	@PYTHONPATH=src $(BIN)/python -W ignore -m tests.support.schema

relay: $(RUN) ## Publish tasks and run maintenance passes, as a separate process
	@$(ENTRY) relay

redrive: $(RUN) ## Move dead letters back to their queues (ARGS="--limit 10")
	@$(ENTRY) tasks redrive $(ARGS)

# Two, because a policy with a limit does not apply to classic queues, not even the rest of it.
rabbitmq-policy: ## Make RabbitMQ dead-letter rejected tasks (RABBITMQ_VHOST=/)
	@$(SET_POLICY) --priority 0 dead-letter '^($(QUEUES))$$' '{$(DEAD_LETTER)}'
	@$(SET_POLICY) --priority 1 delivery-limit '^($(QUEUES))$$' '{$(DEAD_LETTER), "delivery-limit": 5}'

reconcile: $(RUN) ## Check on the whole ledger that no token was created, lost or spent twice
	@$(ENTRY) reconcile

admin: $(RUN) ## Make a user who has signed in an admin (ARGS=someone@example.com)
	@$(ENTRY) admins add $(ARGS)

cli: $(RUN) ## Run any command (ARGS="users suspend ann --reason Spam")
	@$(ENTRY) $(ARGS)

cors: $(RUN) ## Allow CORS_ALLOWED_ORIGINS to upload to the bucket
	@$(ENTRY) cors

maintenance: $(RUN) ## Run one maintenance pass: time-outs, expiry, removal
	@$(ENTRY) maintenance

lock: $(DEV) ## Write requirements/*.txt from pyproject.toml (ARGS=--upgrade for newer versions)
	@$(BIN)/uv pip compile $(LOCK) $(ARGS) --all-extras --output-file requirements/dev.txt
	@$(BIN)/uv pip compile $(LOCK) --extra embedded --constraint requirements/dev.txt --output-file requirements/run.txt
	@$(BIN)/uv pip compile $(LOCK) --constraint requirements/dev.txt --output-file requirements/production.txt $(UNUSED:%=--no-emit-package %)

sbom: $(DEV) ## Write sbom.json, what production installs, in CycloneDX
	@PYTHONWARNINGS=ignore $(BIN)/python -m cyclonedx_py requirements --pyproject pyproject.toml --output-reproducible \
		--output-file sbom.json requirements/production.txt

licenses: $(DEV) ## Write docs/licenses.md, the licences of what production installs
	@PYTHONPATH=src $(BIN)/python -m tests.support.licenses

clean: ## Remove the virtual environment and all caches (.data/ stays)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage .coverage.* htmlcov
	find src tests migrations benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# What litestar requires for its command line and its example data, and what those alone require: the service uses neither,
# production is installed without. A test makes the whole service without.
UNUSED := faker polyfactory rich-click rich markdown-it-py mdurl pygments

# One set of versions for Linux and macOS and every Python from 3.11 on; no host name is written into it.
LOCK := pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-annotate \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

check-format:
	@$(BIN)/ruff format --check --quiet . || { echo "Not formatted; 'make fmt' does it:"; $(BIN)/ruff format --check .; false; }

check-lint:
	@$(BIN)/ruff check --quiet .

check-types:
	@$(BIN)/mypy --no-error-summary

check-imports:
	@PYTHONPATH=src $(BIN)/lint-imports --no-logo > $(VENV)/imports.log || { cat $(VENV)/imports.log; false; }

check-tests:
	@$(BIN)/python -m pytest --numprocesses $(WORKERS) --quiet -p no:cacheprovider $(wildcard $(FAST_TESTS))

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || \
		{ echo "There is no '$(PYTHON)' here. Install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "'$(PYTHON)' is $$($(PYTHON) --version 2>&1); this needs 3.11 or newer: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "'$(PYTHON)' cannot make a virtual environment (on Debian and Ubuntu: apt-get install python3-venv)"; exit 1; }

# Where the tests' packages are, too, they come along: their versions belong together.
$(RUN): requirements/run.txt | $(BIN)/python
	@echo "Installing what the service needs into $(VENV) ..."
	@$(INSTALL) -r $(if $(wildcard $(DEV)),requirements/dev.txt,requirements/run.txt)
	@$(CHECK)
	@touch $@

$(DEV): requirements/dev.txt | $(BIN)/python
	@echo "Installing what tests and tools need into $(VENV) ..."
	@$(INSTALL) -r requirements/dev.txt
	@$(CHECK)
	@touch $(RUN) $@
