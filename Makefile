# `make help` lists everything. Continuous integration runs these targets and nothing private.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Compiled modules are kept: without them every process compiles its libraries anew (Airflow's tasks: 2-5 s each).
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test unit check fmt docs lock bench drill up down mlflow

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: ## Make .venv and .cache; quick when everything is there
	@.ci/setup

demo: setup ## The whole loop under a real scheduler, then the addresses and a table of results
	@letterpress demo

test: ## Every test, with all set-up
	@.ci/system-packages
	@.ci/setup
	@pytest -n 2 --dist loadfile

unit: setup ## The quick tests only
	@pytest -n 2 --dist loadfile tests/unit src

check: setup ## Format, lint, types, import contract, SQL lint, unit tests
	@ruff format --check .
	@ruff check .
	@mypy
	@lint-imports
	@sqlfluff lint --disable-progress-bar dbt/models
	@pytest -q -n 2 --dist loadfile tests/unit src

fmt: setup ## Format and mend what can be mended by itself
	@ruff format .
	@ruff check --fix .
	@sqlfluff fix --disable-progress-bar dbt/models

docs: setup ## Rewrite the documents that are made from the code
	@python -m letterpress.site.room_map docs/rooms.md
	@python -m letterpress.events.schemas docs/events

bench: setup ## Measure against peers: make bench [NAME=rank]; all are resumed after an interruption
	@python -m bench $(NAME)

drill: setup ## Fault drills that are too long for the tests: make drill [NAME=...]
	@if grep -rqs "mark.drill" tests; then pytest -m drill $(if $(NAME),-k $(NAME)) tests; else echo "there are no drills yet"; fi

up: setup ## Start Airflow, the service and the site in the background
	@letterpress up

down: ## Stop every process that was started here
	@if [ -x .venv/bin/letterpress ]; then letterpress down; fi

mlflow: setup ## Open the model registry in MLflow's own UI, in the foreground
	@letterpress mlflow

lock: setup ## Resolve the locked requirements again
	@uv pip compile -q pyproject.toml --all-extras --python .venv/bin/python --generate-hashes \
		--no-emit-index-url --no-annotate --no-header -o .ci/requirements.txt
	@uv pip compile -q pyproject.toml --python .venv/bin/python --generate-hashes -c .ci/requirements.txt \
		--no-emit-index-url --no-annotate --no-header -o bentos/ranking/requirements.txt
