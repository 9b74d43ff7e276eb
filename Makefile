# Everything a developer runs. `make run` and `make test` need nothing but Python 3.11, make, node and npm.
PYTHON ?= python3
BIN := .venv/bin
UV_VERSION := 0.13.9
DEBIAN_PACKAGES := tests/setup/debian-packages
IMAGES := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/storecast/images

.PHONY: help install run test test-images check format bench soak chaos scale fuzz attack asyncapi picture lock clean
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

install: .venv/.installed ## Python packages into .venv

# The lock names versions and hashes but no address, so that it works behind any mirror of the registries.
.venv/.installed: requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=python3.11" >&2; exit 1; }
	@PYTHON=$(PYTHON) $(DEBIAN_PACKAGES) python3-venv
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet uv==$(UV_VERSION)
	$(BIN)/uv pip sync --quiet --require-hashes requirements-dev.lock
	$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

run: install ## start the whole system on http://127.0.0.1:8080
	@$(DEBIAN_PACKAGES) libcurl4
	$(BIN)/storecast up

# In the order of their folders: xdist would begin with the files of most tests, and end with those that take minutes each.
test: install tests/node_modules/.installed ## all tests, with coverage
	@$(DEBIAN_PACKAGES) nginx-light redis-server haproxy prometheus chromium libcurl4
	@tests/setup/debian-13 kubectl docker-compose docker-cli prometheus
	$(BIN)/pytest --cov -n 2 --dist loadfile --no-loadscope-reorder

test-images: install tests/node_modules/.installed ## build the images, and run all of docker-compose.yml with podman: root, minutes
	@$(DEBIAN_PACKAGES) aardvark-dns buildah catatonit debootstrap iptables libcurl4 netavark podman runc
	@tests/setup/debian-13 docker-compose
	$(BIN)/python -m tests.images

check: install ## what a change must pass before it is tested: ruff, formatting, imports, mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/mypy

format: install ## mend what ruff can
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: install tests/node_modules/.installed ## hold the emitter and the whole system against Node: make bench QUICK=1
	@$(DEBIAN_PACKAGES) nginx-light redis-server libcurl4
	$(BIN)/python -m tests.benchmarks $(if $(QUICK),--quick,--write)

soak: install ## have clients come and go, and watch the emitter's memory: make soak MINUTES=30
	$(BIN)/python -m tests.soak --minutes $(or $(MINUTES),30)

chaos: install tests/node_modules/.installed ## break the running system at random: make chaos EMITTERS=3 SECONDS=300 SEED=1
	@$(DEBIAN_PACKAGES) nginx-light redis-server libcurl4
	$(BIN)/python -m tests.chaos --emitters $(or $(EMITTERS),1) --seconds $(or $(SECONDS),300) $(if $(SEED),--seed $(SEED))

fuzz: install ## send both services all that their OpenAPI documents allow, and what they do not: make fuzz CASES=10000
	@$(DEBIAN_PACKAGES) nginx-light libcurl4
	$(BIN)/python -m tests.fuzz --cases $(or $(CASES),10000) $(if $(SEED),--seed $(SEED))

scale: install tests/node_modules/.installed ## thousands of clients on three emitters: make scale ONLY=rolling,devices
	@$(DEBIAN_PACKAGES) haproxy redis-server libcurl4
	$(BIN)/python -m tests.scale $(if $(ONLY),--only $(ONLY))

asyncapi: install ## renew docs/asyncapi.json, and the same for the emitter to serve
	$(BIN)/python -m deploy.asyncapi

tests/node_modules/.installed: tests/package.json tests/package-lock.json
	npm --prefix tests ci --loglevel=error
	touch $@

attack: install ## attack the running system beside honest clients: make attack SECONDS=30 ONLY=flood
	@$(DEBIAN_PACKAGES) nginx-light libcurl4
	$(BIN)/python -m tests.attack --seconds $(or $(SECONDS),30) $(if $(ONLY),--only $(ONLY))

picture: install ## take the picture of the live page in the README anew
	@$(DEBIAN_PACKAGES) nginx-light chromium libcurl4
	$(BIN)/python -m tests.documents.picture

lock: install ## resolve the dependencies of pyproject.toml again
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --custom-compile-command "make lock" \
		pyproject.toml --output-file requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --custom-compile-command "make lock" \
		pyproject.toml --all-extras --group dev --output-file requirements-dev.lock

clean: ## remove what the other targets made, but not the data of `make run`
	rm -rf .venv tests/node_modules tests/artefacts build dist *.egg-info .coverage .coverage.* .hypothesis
	rm -rf .mypy_cache .pytest_cache .ruff_cache $(IMAGES)
	find api_service deploy shared tests ws_service -name __pycache__ -type d -prune -exec rm -rf {} +
