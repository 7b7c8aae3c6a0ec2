# Two commands matter: `make demo` and `make test`. Each sets up what it needs on a fresh machine.
PY := .venv/bin/python
export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/node_modules/.bin:$(PATH)

.PHONY: soak demo test setup setup-test check lint types unit unit-postgres extensions journey chaos chaos-sqlite \
  chaos-postgres build clean \
  bench bench-matrix bench-measurement bench-judgement

demo: setup build ## The whole product on this machine; ONCE=1 walks the journey, checks it, and stops
	$(PY) -m shopify_upsell.cli.main demo $(if $(ONCE),--once) $(if $(ORDERS_FILE),--orders-file $(ORDERS_FILE))

test: setup-test check extensions unit unit-postgres chaos journey ## Everything CI runs

setup:
	@tools/setup.sh demo

setup-test:
	@tools/setup.sh test

build: ## Bundles of the extensions, where a source is newer
	@npm run --silent build

check: lint types ## Formatting, lint, layers, types

lint:
	ruff format --check .
	ruff check .
	lint-imports

types:
	mypy

unit: ## The suite on SQLite
	TEST_DATABASE=sqlite $(PY) tools/with_services.py --redis -- pytest -n 2 -m "not browser and not chaos"

unit-postgres: ## The suite on PostgreSQL
	TEST_DATABASE=postgresql $(PY) tools/with_services.py --postgres --redis -- pytest -n 2 -m "not browser and not chaos"

extensions: build ## Lint, size gates and tests of the extensions
	npm run --silent check

chaos: ## Kill -9 and convergence, on both databases at the same time: they mostly wait
	@$(MAKE) --no-print-directory -j2 --output-sync=target chaos-sqlite chaos-postgres

chaos-sqlite:
	TEST_DATABASE=sqlite pytest -m chaos

chaos-postgres:
	TEST_DATABASE=postgresql $(PY) tools/with_services.py --postgres -- pytest -m chaos

soak: ## The long forms of the chaos tests, on both databases
	SOAK=1 TEST_DATABASE=sqlite pytest -m chaos --durations=0
	SOAK=1 TEST_DATABASE=postgresql $(PY) tools/with_services.py --postgres -- pytest -m chaos --durations=0

journey: build ## A shopper in headless Chromium, and the self-checking demo on both sets of engines
	$(PY) tools/with_services.py --postgres --redis -- pytest -m browser

bench: ## Ratios against named peers in the same run; never part of the tests
	$(PY) tools/with_services.py --postgres --redis -- $(PY) -m bench.run

bench-matrix: setup ## Learning against its peers, one thread. MATRIX_DATA=folder of the histories, ARGS="--sets aw,cjt …"
	@[ -x .venv-bench/bin/python ] || python3 -m venv .venv-bench
	@cmp -s bench/requirements.txt .venv-bench/installed.txt || \
	  { .venv-bench/bin/pip install --quiet --disable-pip-version-check -r bench/requirements.txt && \
	    cp bench/requirements.txt .venv-bench/installed.txt; }
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 \
	  .venv-bench/bin/python -W ignore -m bench.matrix_bench $(ARGS)
	@TEST_DATABASE=sqlite $(PY) -m bench.matrix_lookup
	@TEST_DATABASE=postgresql $(PY) tools/with_services.py --postgres -- $(CURDIR)/$(PY) -m bench.matrix_lookup

bench-measurement: setup ## The acceptance table of measurement, all rows. MEASUREMENT_DATA=folder, ARGS="--rows B1,B2 --scale .1"
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(PY) -m bench.measurement.run $(ARGS)

bench-judgement: setup ## What one decision takes in a large shop, on both databases. ARGS="--customers 100000"
	@TEST_DATABASE=sqlite $(PY) -m bench.judgement $(ARGS)
	@TEST_DATABASE=postgresql $(PY) tools/with_services.py --postgres -- $(CURDIR)/$(PY) -m bench.judgement $(ARGS)

clean:
	rm -rf .venv .venv-bench node_modules var build extensions/*/dist
