# The two commands of the README, and what else is done often. Everything lives in .venv.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
# Tests start some hundred processes: without it, where a machine sets it, each would compile all modules anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-unit lint pictures bench bench-growth million chaos soak model mutants deploy-check image-test lock clean

demo: .venv/ready
	$(BIN)/relay demo

test: .venv/ready-dev
	$(BIN)/pytest

# The quick part: no store, no processes.
test-unit: .venv/ready-dev
	$(BIN)/pytest tests/unit

lint: .venv/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Wants a quiet machine: a round in which the measured process did not have its core is not counted. Writes the figures
# of docs/bench.json, and wherever they are told. The rival on Node is left out where there is none. Some parts alone:
# python -m tests.bench ingest deliver memory --read docs/bench.json --publish
bench: .venv/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/bench/requirements.txt
	$(BIN)/python -m tests.bench --json docs/bench.json --publish

# What a hook costs with more routes, sinks, workers, waiting deliveries…, and a day of a thousand accounts; ten minutes,
# best on a quiet machine. Writes the figures of docs/growth.md.
bench-growth: .venv/ready
	$(BIN)/python -m tests.bench.growth --json docs/growth.json --markdown docs/growth.md

# Tries to break it, for half an hour or more: kills, hangs, resets, fills. Writes the table of docs/reliability.md.
chaos: .venv/ready-dev
	$(BIN)/python -m tests.chaos --runs 6 --jobs 4 --json docs/reliability.json --markdown docs/reliability.md

# What a claim, a settle and a worker cost where a million deliveries wait, beside a thousand; minutes and a gigabyte.
million: .venv/ready-dev
	$(BIN)/python -m tests.bench.million

# Ten minutes with bad neighbours, on this machine alone: hanging names, slow senders, hostile subscribers.
soak: .venv/ready-dev
	$(BIN)/python -m tests.soak

# Lives of the store that nobody thought of, beside a model in Python: ten minutes; those that fail are made short.
model: .venv/ready-dev
	RELAY_MODEL_EXAMPLES=1000 $(BIN)/pytest -n0 --timeout 0 tests/integration/store/test_model.py tests/integration/store/test_lending_model.py

# Breaks copies of the project on purpose, and sees that tests notice; two minutes. Writes the table of docs/reliability.md.
mutants: .venv/ready-dev
	$(BIN)/python -m tests.mutants --markdown docs/reliability.md

# README's pictures of the operator's pages, taken anew of the relay of `relay demo`; a minute or two. Wants Chromium.
pictures: .venv/ready-dev
	$(BIN)/python -m tests.pictures

# Everything under deploy/ and for the platforms. `make test` does it too, but skips what a tool is missing for.
deploy-check: .venv/ready-deploy
	$(BIN)/pytest tests/deploy

# Builds deploy/Dockerfile and runs the image, without an engine. Wants Debian 12 and root.
image-test: .venv/ready
	$(BIN)/python -m tests.image

.venv/ready: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

.venv/ready-dev: .venv/ready requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	touch $@

.venv/ready-deploy: .venv/ready-dev tests/deploy/requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/deploy/requirements.txt
	touch $@

# Everything together, so that development never runs on other versions than production.
lock: .venv/ready-dev
	$(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-header \
	  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --output-file requirements.txt pyproject.toml
	$(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-header --extra dev \
	  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --constraint requirements.txt \
	  --output-file requirements-dev.txt pyproject.toml
	$(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-header --extra bench \
	  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --constraint requirements.txt \
	  --output-file tests/bench/requirements.txt pyproject.toml
	$(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-header --extra deploy \
	  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --constraint requirements-dev.txt \
	  --output-file tests/deploy/requirements.txt pyproject.toml
	$(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-header --extra otel \
	  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --constraint requirements-dev.txt \
	  --output-file deploy/otel-requirements.txt pyproject.toml
	$(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-header \
	  --only-build-deps --build-deps-for wheel \
	  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
	  --output-file deploy/build-requirements.txt pyproject.toml

clean:
	rm -rf .venv .relay
