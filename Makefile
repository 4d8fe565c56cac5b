# The commands of this project; `make help` lists them. Everything they build or download goes to .cache/.
SHELL := /bin/sh
.DEFAULT_GOAL := help
export PYTHONDONTWRITEBYTECODE := 1

PYTHON ?= python3
CACHE := .cache
BIN := $(CACHE)/venv/bin
INSTALLED := $(CACHE)/venv/.installed

.PHONY: help setup demo test lint check bench kubernetes image e2e-kind e2e-node generate lock clean

help: ## List the commands
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | awk -F'\t' '{ printf "  make %-12s %s\n", $$1, $$2 }'

setup: $(INSTALLED) ## Create the virtual environment in .cache/venv

$(INSTALLED): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Installing the Python packages into $(CACHE)/venv ..."
	@$(PYTHON) -m venv --clear $(CACHE)/venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement requirements/dev.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(INSTALLED) ## Show it all on a real Kubernetes (KEEP=1 leaves it running)
	@$(BIN)/python -m tools.demo $(if $(KEEP),--keep)

test: $(INSTALLED) ## Run every test
	@$(BIN)/pytest --numprocesses 2 --dist worksteal $(ARGS)

lint: $(INSTALLED) ## Check style
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

check: lint ## Check style, types, layers and that generated files are fresh
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python -m tools.generate --check

bench: $(INSTALLED) ## Measure speed on this machine: a table, and JSON in .cache/bench.json
	@$(BIN)/python -m tools.bench $(ARGS)

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
