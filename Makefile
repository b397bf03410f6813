# Two commands do everything: `make verify` (the verdict on a real stack) and `make test` (the project's own tests).
.DEFAULT_GOAL := help
SHELL := /bin/bash
PATH := $(PATH):/usr/local/go/bin
export PATH
TOPOLOGY ?= 3node
PROFILE ?= gate
N ?= 10
DEADLINE ?= $(or $(RMQ_DEADLINE),120)
RESULTS := reports/allure-results
PY := .venv/bin/python
PYTEST := .venv/bin/pytest

.PHONY: help verify nightly test unit live sabotage lines gate bench soak options report images engine environment clean

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

engine:  ## a docker engine with compose, installed where it is missing (root on Debian)
	@scripts/engine.sh

environment:  ## .venv from requirements.lock
	@scripts/bootstrap.sh

images: engine environment  ## the images of the default line, pulled or built (RMQ_VERSION, RMQ_REGISTRY)
	@.venv/bin/rmqha images build

verify: images  ## the verification run on the reference stack, with its reports (ended after DEADLINE=120 minutes)
	@rm -rf $(RESULTS)
	@mkdir -p reports; status=0; $(PYTEST) suites/ --rmq-topology=$(TOPOLOGY) --rmq-profile=$(PROFILE) --rmq-deadline=$(DEADLINE) --alluredir=$(RESULTS) --junitxml=reports/junit.xml || status=$$?; \
	 scripts/report.sh $(RESULTS) reports/allure-report || echo "verify: the HTML report was not built; the verdict stands"; \
	 exit $$status

nightly:  ## everything on this line and topology, with its reports
	@$(MAKE) --no-print-directory verify PROFILE=nightly

test: images  ## ruff, mypy, unit, plugin, contract and sabotage tests
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	$(PYTEST) tests/unit tests/plugin tests/contract -q
	$(PYTEST) tests/sabotage -q

unit: environment  ## the tests that need no engine
	$(PYTEST) tests/unit tests/plugin -q

sabotage: images  ## planted defects must be red
	$(PYTEST) tests/sabotage -v

live: images  ## each fault measured at the affected peer (not part of `make test`)
	$(PYTEST) tests/live -v

lines: engine environment  ## a cluster of each RabbitMQ line: formed, loaded through the VIP, its leader killed
	@.venv/bin/rmqha images build --all-lines
	$(PY) scripts/lines.py

gate: images  ## bad and harmless configurations that the gate has not judged yet: docs/gate.md
	$(PY) -m tests.gate.run_mutants --missing

bench: images  ## what the harness costs: bring-up, rates, ledger, our share (RUN=folder of a run)
	@$(PY) -m scripts.bench $(if $(RUN),--run $(RUN))

soak: images  ## the gate N times unattended (N=10 PROFILE=gate MINUTES=limit), each with its seed and evidence
	@$(PY) -m scripts.soak --runs $(N) --profile $(PROFILE) $(if $(MINUTES),--minutes $(MINUTES))

options: environment  ## docs/options.md from the table of settings
	@$(PY) -m scripts.options

report:  ## the allure HTML from the last results
	@scripts/report.sh $(RESULTS) reports/allure-report

clean:  ## what dead runs left on the engine
	@.venv/bin/rmqha clean
