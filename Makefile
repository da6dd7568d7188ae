# Two commands do all the set-up on a machine that has Python, pip and make: `make run` and `make test`.
.DEFAULT_GOAL := help
.PHONY: help run test test-quick test-environments check docs audit bench bench-peers chaos mutants deploy format lock
PYTHON ?= python3
BIN := .venv/bin
# What concerns other installations of the user must not change this one.
unexport PYTHONHOME PYTHONPATH PIP_USER PIP_TARGET PIP_PREFIX PIP_REQUIRE_VIRTUALENV
export PREFECT_SERVER_ANALYTICS_ENABLED ?= false
export DO_NOT_TRACK ?= 1
# This machine is never asked through a proxy.
comma := ,
export NO_PROXY := $(if $(NO_PROXY),$(NO_PROXY)$(comma))localhost,127.0.0.1,::1

help: ## show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

run: .venv/installed ## retrain the four variants now and write the report (ARGS="--variants lstm,gru" adds options)
	@$(BIN)/retrain run $(ARGS)

# Three processes also on two CPUs, for much of it waits for servers and workers.
test: .venv/installed-dev ## all tests, the quick ones first (ARGS="-k padding" adds options)
	@$(BIN)/pytest -n 3 --no-loadscope-reorder $(ARGS)

test-quick: .venv/installed-dev ## the tests without a Prefect server, browser, database or training child
	@$(BIN)/pytest -n 2 --no-loadscope-reorder -m "not slow" $(ARGS)

test-environments: .venv/installed-dev ## small runs in situations that machines are found in: proxies, homes, streams, folders
	@$(BIN)/pytest -n 3 --dist=load -p no:randomly tests/environments $(ARGS)

check: .venv/installed-dev ## lint, formatting, the direction of imports, types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/mypy

# Strict, because it says that nothing is known of a package also where it could not ask.
audit: .venv-audit/installed ## ask for known vulnerabilities of every locked package; needs the internet (ARGS="--vulnerability-service osv")
	@.venv-audit/bin/pip-audit --requirement requirements-dev.lock --require-hashes --disable-pip --strict --progress-spinner off $(ARGS) || { echo "make audit: not all is well. A table above names what is vulnerable: raise it in pyproject.toml, then make lock. A line with ERROR says that the database could not be asked, and nothing was audited: run it where https://pypi.org is reached." >&2; exit 1; }

bench: .venv/installed-dev ## time it beside the book's notebook loop, and write tests/benchmarks/RESULTS.md (ARGS="--full")
	@$(BIN)/python -m tests.benchmarks.run $(ARGS)

bench-peers: .venv/installed-dev .venv-peers/installed ## the same, and beside Keras on JAX and PyTorch
	@$(BIN)/python -m tests.benchmarks.run --peers .venv-peers/bin/python $(ARGS)

chaos: .venv/installed-dev ## kill, flip bits and lose workers for some hours, and write tests/e2e/RESULTS.md (ARGS="--part flips")
	@$(BIN)/python -m tests.e2e.chaos $(ARGS)

mutants: .venv/installed-dev .venv-mutation/installed ## change the code at random, see whether its tests notice, and write tests/mutation/RESULTS.md (ARGS="--seed 2")
	@$(BIN)/python -m tests.mutation.run $(ARGS)

deploy: .venv/installed ## create the work pools, deployments and alarms on the server in PREFECT_API_URL
	@test -n "$$PREFECT_API_URL" || { echo "make deploy: PREFECT_API_URL must name the Prefect server, for example http://127.0.0.1:4200/api. It is not set." >&2; exit 2; }
	@$(BIN)/prefect work-pool create retraining --type process --overwrite
	@$(BIN)/prefect work-pool create training --type process --overwrite
	@$(BIN)/prefect --no-prompt deploy --all
	@$(BIN)/python -m flows.alarms automations.yaml

docs: .venv/installed-dev ## write docs/parameters.md from flows/parameters.py
	@$(BIN)/python -m tests.parameters_page

format: .venv/installed-dev ## reformat the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: .venv/installed-dev ## resolve the dependencies again, with hashes and without index addresses
	@$(BIN)/uv pip compile pyproject.toml $(LOCK_OPTIONS) --output-file requirements.lock
	@$(BIN)/uv pip compile pyproject.toml $(LOCK_OPTIONS) --extra dev --constraint requirements.lock --output-file requirements-dev.lock

LOCK_OPTIONS := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet

# pip's own resolver takes a newer sqlalchemy through prefect's extra and then refuses the hashes; the lock is complete,
# so pip only installs it, and `pip check` says whether it fits together.
define install
	@echo "Setting up .venv from $(1) (a minute or two, once) ..."
	@test -x $(BIN)/python || "$(PYTHON)" -m venv .venv
	@$(BIN)/python operate/environment.py begin
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $(1)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m pip check --disable-pip-version-check
	@echo "Compiling the training loops for this CPU (10 seconds, once) ..."
	@$(BIN)/python -c "import tasks.kernels.network"
	@$(BIN)/python -m flows.cli.temporary_server
	@$(BIN)/python operate/environment.py end
endef

# Before make looks at .venv: an environment that cannot work is removed, and is then made again.
ifneq ($(filter-out help format,$(MAKECMDGOALS)),)
ENVIRONMENT_CHECK := $(shell "$(PYTHON)" operate/environment.py check $(if $(filter command line environment,$(origin PYTHON)),EXPLICIT) >&2 || echo failed)
ifneq ($(ENVIRONMENT_CHECK),)
$(error the environment .venv cannot be used; see the line above)
endif
endif

.venv/installed: requirements.lock pyproject.toml
	$(call install,requirements.lock)
	@touch $@

# The development lock holds everything in the other one, so it serves both.
.venv/installed-dev: requirements-dev.lock requirements.lock pyproject.toml
	$(call install,requirements-dev.lock)
	@touch .venv/installed $@

# For the benchmarks alone, and apart from the project's own environment.
.venv-peers/installed:
	@test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	@.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check "torch==2.13.0" "jax==0.10.2" "keras>=3.15.1,<4"
	@touch $@

# Likewise apart: it looks at the lock, not at what is installed.
.venv-audit/installed:
	@test -x .venv-audit/bin/python || $(PYTHON) -m venv .venv-audit
	@.venv-audit/bin/python -m pip install --quiet --disable-pip-version-check "pip-audit==2.10.1"
	@touch $@

# Apart as well: it makes the mutants, and the tests run in the project's own environment.
.venv-mutation/installed:
	@test -x .venv-mutation/bin/python || $(PYTHON) -m venv .venv-mutation
	@.venv-mutation/bin/python -m pip install --quiet --disable-pip-version-check "cosmic-ray==8.7.0"
	@touch $@
