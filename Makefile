# The commands of this project; `make help` lists them. Everything they build or download goes to .cache/.
SHELL := /bin/sh
.DEFAULT_GOAL := help

PYTHON ?= python3
CACHE := .cache
export PYTHONPYCACHEPREFIX := $(CURDIR)/$(CACHE)/pycache
# Also where the environment asks for no bytecode: each process that a test starts would compile all that it imports.
export PYTHONDONTWRITEBYTECODE :=
BIN := $(CACHE)/venv/bin
NIGHT ?= $(shell date +1%j)
PACKAGES := $(CACHE)/venv/.packages
INSTALLED := $(CACHE)/venv/.installed

.PHONY: help setup demo test slow walks lint check docs rooms bench soak nightly screenshots kubernetes image e2e-kind e2e-node \
	generate lock clean

help: ## List the commands
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | awk -F'\t' '{ printf "  make %-12s %s\n", $$1, $$2 }'

setup: $(INSTALLED) ## Create the virtual environment in .cache/venv

$(PACKAGES): requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Installing the Python packages into $(CACHE)/venv ..."
	@$(PYTHON) -m venv --clear $(CACHE)/venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement requirements/dev.txt
	@touch $@

$(INSTALLED): $(PACKAGES) pyproject.toml
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(INSTALLED) ## Show it all on a real Kubernetes (KEEP=1 leaves it running)
	@$(BIN)/python -m tools.demo $(if $(KEEP),--keep)

test: $(INSTALLED) ## Run every test
	@$(BIN)/pytest --numprocesses 3 --dist worksteal $(ARGS)

slow: ## Run every test, and list the slowest twenty, modules and rooms, with their fixtures
	@$(MAKE) --no-print-directory test ARGS="--slowest 20 $(ARGS)"

lint: $(INSTALLED) ## Check style
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

check: lint ## Check style, types, layers and that generated files are fresh
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python -m tools.generate --check

walks: $(INSTALLED) ## Walk at random through faults (SEEDS=1000 FROM=1 STEPS=25), or again: WALK=.cache/walks/7.jsonl
	@SEEDS="$(SEEDS)" FROM="$(FROM)" STEPS="$(STEPS)" WALK="$(WALK)" $(BIN)/python -m tests.faults.walks $(ARGS)

docs: $(INSTALLED) ## Build the documentation as a site in .cache/site, and check its links
	@$(BIN)/python -m tools.site

rooms: $(INSTALLED) ## Show the map of the rooms: long modules and long functions
	@$(BIN)/python -m tools.rooms $(ARGS)

bench: $(INSTALLED) ## Measure speed on this machine: a table, and JSON in .cache/bench.json
	@$(BIN)/python -m tools.bench $(ARGS)

soak: $(INSTALLED) ## Trouble the operator for MINUTES (60), and see that nothing grows
	@$(BIN)/python -m tools.bench.soak $(or $(MINUTES),60)

nightly: $(INSTALLED) ## What takes too long for each change: a soak, walks, and every test in another order (NIGHT=1)
	@$(MAKE) --no-print-directory soak MINUTES=20
	@$(MAKE) --no-print-directory walks SEEDS=100 FROM=$(NIGHT)00
	@$(MAKE) --no-print-directory test ARGS="--nightly --shuffle $(NIGHT) $(ARGS)"

screenshots: $(INSTALLED) ## Take the pictures of the operator's page in docs/ anew (Chromium needed)
	@$(BIN)/python -m tools.screenshots

kubernetes: $(INSTALLED) ## Build or find kube-apiserver, etcd, kube-controller-manager and kubectl
	@$(BIN)/python -m tools.kubernetes build

image: $(INSTALLED) ## Build the image without Docker, measure it and try it (Linux, root, buildah)
	@$(BIN)/python -m tools.image $(ARGS)

e2e-kind: $(INSTALLED) ## Install the chart in a kind cluster and run the end-to-end tests there (Docker needed)
	@$(BIN)/python -m tools.kind

e2e-node: $(INSTALLED) ## Install, use and uninstall the chart on a real node in a network of its own (Linux, root)
	@$(BIN)/python -m tools.node $(ARGS)

generate: $(INSTALLED) ## Write the generated files: CRDs, OpenAPI, protobuf classes
	@$(BIN)/python -m tools.generate

lock: $(INSTALLED) ## Resolve the dependencies anew into requirements/
	@tools/lock.sh --upgrade

clean: ## Remove .cache/
	rm -rf $(CACHE)
