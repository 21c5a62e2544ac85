# Everything a contributor runs. `make` alone shows this list.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Other stream processors, to be measured beside.
BENCH := .venv-bench
BENCH_STAMP := $(BENCH)/.installed
# mutmut, beside what the project needs.
MUTANTS := .venv-mutants
MUTANTS_STAMP := $(MUTANTS)/.installed
DEMO_ARGS ?=
TORTURE_ARGS ?= --faults 200
FUZZ_ARGS ?= --seconds 60

.DEFAULT_GOAL := help
.PHONY: help demo test fuzz mutants torture lint format bench bench-quick lock schemas clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

demo: $(STAMP) ## see bad senders being found, with everything in one process
	@$(BIN)/repmon demo $(DEMO_ARGS)

test: $(STAMP) ## the whole test suite
	$(BIN)/python -m pytest

fuzz: $(STAMP) ## mutated input for every format for a minute (FUZZ_ARGS="--seconds 600 --seed 7"); prints its seed
	$(BIN)/python -m tests.fuzz $(FUZZ_ARGS)

mutants: $(MUTANTS_STAMP) ## change the core in one place at a time: do the tests notice (a quarter of an hour)
	$(MUTANTS)/bin/python -m tests.mutation

torture: $(STAMP) ## ten minutes of faults mixed at random under load, then every count compared
	$(BIN)/python -m tests.faults.torture $(TORTURE_ARGS)

lint: $(STAMP) ## ruff, mypy --strict and the import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP) ## let ruff mend style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP) $(BENCH_STAMP) ## measure everything and write benchmarks/RESULTS.md (needs a quiet machine)
	$(BIN)/python -m benchmarks.throughput
	$(BIN)/python -m benchmarks.scaling
	$(BIN)/python -m benchmarks.memory
	$(BIN)/python -m benchmarks.reach
	$(BIN)/python -m benchmarks.try_policy
	$(BIN)/python -m benchmarks.size
	$(BIN)/python -m benchmarks.classify
	$(BIN)/python -m benchmarks.scan
	$(BIN)/python -m benchmarks.report

bench-quick: $(STAMP) ## a small trial of the same, without other stream processors
	$(BIN)/python -m benchmarks.throughput --trial --events 100000 --repeats 1 --no-others
	$(BIN)/python -m benchmarks.scaling --trial --events 100000 --repeats 1
	$(BIN)/python -m benchmarks.memory --trial --customers 5000
	$(BIN)/python -m benchmarks.report --folder target/bench-quick

schemas: $(STAMP) ## write the generated files anew: JSON Schemas and the dashboard
	$(BIN)/python -m jobs.setup.topics schemas
	$(BIN)/python -m schemas.policy
	$(BIN)/repmon dashboards generate

lock: ## resolve the dependencies anew, hash-locked
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet "uv>=0.9"
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header --quiet -o requirements.txt
	$(BIN)/uv pip compile benchmarks/requirements.in --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header --quiet -o benchmarks/requirements.txt
	$(BIN)/uv pip compile tests/mutation/requirements.in --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header --quiet -o tests/mutation/requirements.txt

$(STAMP): requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=python3.12 or so")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

$(BENCH_STAMP): benchmarks/requirements.txt
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r benchmarks/requirements.txt
	@touch $(BENCH_STAMP)

$(MUTANTS_STAMP): requirements.txt tests/mutation/requirements.txt pyproject.toml
	$(PYTHON) -m venv $(MUTANTS)
	$(MUTANTS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(MUTANTS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/mutation/requirements.txt
	@touch $(MUTANTS_STAMP)

clean: ## remove what can be made again
	rm -rf $(VENV) $(BENCH) $(MUTANTS) mutants build dist target *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
