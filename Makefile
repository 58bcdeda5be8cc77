# One word for each thing that a developer does; everything is built into the checkout.
#   make run ARGS="--port 9000 --json"
MAKEFLAGS += --no-print-directory
.PHONY: run build test fmt lint bench fuzz sim

# The system's Python only builds; the programs run on the one in .venv.
PYTHON ?= python3
HERE = .venv/bin/python
# What was built with another profile is what runs.
ifdef ROUTER_PROFILE
export TERTULIA_PROGRAMS_FOLDER ?= $(CURDIR)/target/$(patsubst dev,debug,$(ROUTER_PROFILE))
endif

run: build
	@exec .venv/bin/tertulia dev $(ARGS)

build:
	@$(PYTHON) scripts/build.py

test:
	@exec $(PYTHON) scripts/test.py

lint:
	@exec $(PYTHON) scripts/test.py lint

fmt:
	@$(PYTHON) scripts/build.py python && $(HERE) -m ruff check --fix-only --quiet . && $(HERE) -m ruff format . && $(HERE) scripts/limits.py && cargo fmt --all && npm --prefix web run --silent format

bench:
	@$(PYTHON) scripts/build.py && exec $(HERE) -m bench.run $(ARGS)

fuzz:
	@$(PYTHON) scripts/build.py python && exec $(HERE) scripts/fuzz.py $(ARGS)

# make sim SEEDS=20000, or SEED=17 to repeat one.
sim:
	@exec cargo run --locked --release --quiet --package tertulia-router-sim -- $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),5000))
