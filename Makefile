# Needs git, make, Python 3.11+ and the network. Everything else is fetched into .tools and .venv.
.DEFAULT_GOAL := help
.PHONY: help install demo test test-faults check soak bench bench-detection bench-peers bench-profile bench-scale dashboards \
	lint format lock sbom audit clean

ARGS ?=
# Files of tests beside each other: the long ones wait most of the time. SIDE_BY_SIDE= runs one after the other.
SIDE_BY_SIDE ?= -n 3 --dist loadfile --no-loadscope-reorder
BIN := .venv/bin
STAMP := .venv/.installed

good = $(1) -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	if $(call good,$$p); then echo $$p; break; fi; done)
UV := $(or $(shell command -v uv 2>/dev/null),.tools/bin/uv)

compile = $(UV) pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --python-version 3.11

# What pip was told of, a mirror and certificates, holds for uv and for the download of Kafka as well.
pip_knows = $$("$(or $(wildcard .tools/bin/python),$(PYTHON))" -m pip config list 2>/dev/null \
	| sed -n "s/^global\.$(1)='\(.*\)'$$/\1/p")
define pip_index
index="$${UV_DEFAULT_INDEX:-$(call pip_knows,index-url)}"; \
certs="$${SSL_CERT_FILE:-$(call pip_knows,cert)}"; \
if [ -n "$$index" ]; then export UV_DEFAULT_INDEX="$$index"; fi; \
if [ -n "$$certs" ]; then export SSL_CERT_FILE="$$certs"; fi
endef
ifneq ($(PIP_INDEX_URL),)
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif
ifneq ($(SSL_CERT_FILE),)
export REQUESTS_CA_BUNDLE ?= $(SSL_CERT_FILE)
endif

# Programs that are run apart from .venv: what they bring is not in the lock file of the tests.
tool = $(pip_index); $(UV) tool run --quiet --from
SAMPLER := 'py-spy==0.4.3' py-spy

help: ## This text.
	@echo "make TARGET [ARGS=\"...\"]"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

install: $(STAMP) ## Makes .venv from the lock file; the other targets do it by themselves.

demo: $(STAMP) ## Real Kafka, a simulated network, an incident, a page. ARGS go to `carrier-health demo`.
	@$(BIN)/carrier-health demo $(ARGS)

test: $(STAMP) ## All tests but the long fault tests. ARGS go to pytest.
	@$(BIN)/pytest $(SIDE_BY_SIDE) --durations=20 --durations-min=30 $(ARGS)

check: lint test ## What CI runs: lint, format, types, import layers, all tests.

test-faults: $(STAMP) ## Fault x step of paging, on real Kafka and Valkey, as a table. ARGS: names of faults.
	@$(BIN)/python -m tests.faults.matrix $(ARGS)

soak: $(STAMP) ## The long fault tests: every role killed at random under load, and what is around them.
	@$(BIN)/pytest -m soak $(ARGS)

bench: $(STAMP) ## Records per CPU-second of each stage. ARGS go to `carrier-health bench`.
	@$(BIN)/carrier-health bench $(ARGS)

bench-detection: $(STAMP) ## False alarms, delay, scopes against the bars. ARGS="--quick" takes minutes.
	@$(BIN)/python -m tests.bench.detection $(ARGS)

bench-peers: $(STAMP) ## The same job by Flink, Kafka Streams and others, in one run. Takes most of an hour.
	@$(pip_index); $(BIN)/python -m tests.bench.peers $(ARGS)

bench-profile: $(STAMP) | $(filter .tools/%,$(UV)) ## Where ingest's time goes, as a tree of samples. ARGS: records.
	@$(tool) $(SAMPLER) --version >/dev/null && $(BIN)/python -m tests.bench.flame \
		"$(UV) tool run --quiet --offline --from $(SAMPLER)" $(ARGS)

bench-scale: $(STAMP) ## One to four ingests, 100 to 100,000 series, a day's backlog, kills. An hour.
	@$(BIN)/python -m tests.bench.scale $(ARGS)

dashboards: $(STAMP) ## Writes grafana/dashboards/*.json anew from the code in grafana/.
	@$(BIN)/python -W ignore::DeprecationWarning -m grafana

lint: $(STAMP) ## Ruff, mypy and the import layers, without tests.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(STAMP) ## Formats the code and mends what ruff can mend.
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: | $(filter .tools/%,$(UV)) ## Writes the three lock files anew; ARGS="--upgrade" takes newer versions.
	@$(compile) --all-extras $(ARGS) pyproject.toml --output-file requirements.lock
	@$(compile) --constraint requirements.lock $(ARGS) pyproject.toml --output-file deploy/requirements.lock
	@sed -n 's/^requires = \["\(.*\)"\]$$/\1/p' pyproject.toml | $(compile) $(ARGS) - --output-file deploy/build.lock

sbom: | $(filter .tools/%,$(UV)) ## Writes dist/sbom.cdx.json (CycloneDX 1.6) of what deploy/requirements.lock installs.
	@mkdir -p dist
	@export PYTHONWARNINGS=ignore; $(tool) 'cyclonedx-bom==7.5.0' \
		cyclonedx-py requirements deploy/requirements.lock --pyproject pyproject.toml --mc-type application \
		--output-reproducible --spec-version 1.6 --of JSON -o dist/sbom.cdx.json
	@echo "dist/sbom.cdx.json: $$(grep -c '"purl"' dist/sbom.cdx.json) packages"

audit: | $(filter .tools/%,$(UV)) ## Asks for advisories about every package of requirements.lock; needs the public index.
	@$(tool) 'pip-audit==2.10.1' pip-audit --requirement requirements.lock --require-hashes --disable-pip --strict \
		--progress-spinner off $(ARGS)

clean: ## Removes .venv, .tools and caches.
	rm -rf .venv .tools .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

$(STAMP): requirements.lock pyproject.toml | $(filter .tools/%,$(UV))
	@test -n "$(PYTHON)" || { echo "make: Python 3.11 or newer is needed; name one with PYTHON=..." >&2; exit 1; }
	@echo "installing into .venv (first time, or requirements.lock or pyproject.toml has changed)"
	@$(pip_index); \
	export VIRTUAL_ENV="$(CURDIR)/.venv"; \
	$(UV) venv --quiet --allow-existing --python "$(PYTHON)" .venv && \
	$(UV) pip install --quiet --require-hashes -r requirements.lock && \
	$(UV) pip install --quiet --no-deps -e .
	@touch $@

.tools/bin/uv:
	@test -n "$(PYTHON)" || { echo "make: Python 3.11 or newer is needed; name one with PYTHON=..." >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip' 2>/dev/null || \
		{ echo "make: $(PYTHON) comes without venv; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@"$(PYTHON)" -m venv .tools
	@.tools/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9,<1'
