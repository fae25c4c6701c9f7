# Everything a person types. `make` lists the targets.
PYTHON ?= python3
PORT ?= 4566
VENV := .venv
# Relative: the folder's own path may have spaces.
BIN := $(VENV)/bin
CDK := node_modules/.bin/cdk
export PATH := $(CURDIR)/$(BIN):$(CURDIR)/node_modules/.bin:$(PATH)
export JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION := 1
export CDK_DISABLE_CLI_TELEMETRY := 1
INSTALLED := $(VENV)/.installed
# checkov asks for other releases of packages that the project uses.
AUDIT_VENV := .venv-audit
CDK_FLAGS := --require-approval never --no-notices
# The local AWS is a distribution of its own, and a repository that a factory was seeded into has none.
LOCALAWS := $(wildcard localaws/pyproject.toml)

.DEFAULT_GOAL := help
.PHONY: help install need-localaws demo up env status logs down doctor quotas deploy destroy synth model-init train run approve rollback history verify batch mlflow erase audit test test-aws test-all lint lint-templates unit unit-options unit-others unit-localaws unit-slow coverage e2e e2e-more bench bench-serving bench-scale bench-synth snapshot reference lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

install: $(INSTALLED) ## make the virtual environment and the CDK CLI (in this folder only)

$(INSTALLED): requirements.lock package-lock.json $(LOCALAWS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is %s: make PYTHON=python3.12 ..." % sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m operations.install
	$(if $(LOCALAWS),$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e ./localaws)
	npm ci --silent --no-audit --no-fund
	@touch $@

# Where the local AWS is needed.
need-localaws:
ifndef LOCALAWS
	@echo "there is no folder localaws/: clone the project itself to run a factory without an AWS account" >&2; exit 1
endif

demo: need-localaws install ## the whole factory on this machine, from `cdk deploy` to `cdk destroy`; KEEP=1 leaves it up
	@$(BIN)/python -m operations.demo.demo --port $(PORT) $(if $(KEEP),--keep)

up: need-localaws install ## start the local AWS; make up IMAGE=0 runs no toolkit of AWS's and is no evidence for AWS
	@$(BIN)/python -m localaws up --port $(PORT) $(if $(filter 0,$(IMAGE)),--no-image)

env: need-localaws ## shell exports for the local AWS: eval "$$(make env)"
	@$(BIN)/python -m localaws env
	@echo 'export PATH="$(CURDIR)/$(BIN):$(CURDIR)/node_modules/.bin:$$PATH"'

status: ## the local AWS, and the factory in the account that the shell points to
ifdef LOCALAWS
	@$(BIN)/python -m localaws status
endif
	@$(BIN)/python -m operations.status --model "$$MODEL"

logs: need-localaws ## follow the local AWS's own log
	@$(BIN)/python -m localaws logs -f

down: ## stop the local AWS and all that it started
ifdef LOCALAWS
	@$(BIN)/python -m localaws down
endif

synth: install ## write the CloudFormation template to cdk.out
	@$(CDK) synth --quiet --no-notices

doctor: install ## whether the account, its region, quotas and bootstrap are fit for a deployment; reads only: make doctor JSON=1
	@$(BIN)/python -m operations.doctor $(if $(JSON),--json)

quotas: install ## SageMaker's quotas against what the settings start: make quotas YES=1 asks AWS for what is missing
	@$(BIN)/python -m operations.quotas $(if $(YES),--request)

deploy: install ## doctor, then bootstrap an account that has none, then cdk deploy; make deploy DOCTOR=0 asks no doctor
	@$(if $(filter 0,$(DOCTOR)),$(CDK) synth --quiet --no-notices,$(BIN)/python -m operations.doctor)
	@$(BIN)/python -m operations.bootstrap
	@$(CDK) deploy --app cdk.out $(CDK_FLAGS)
	@$(BIN)/python -m operations.clone_url

# A template that is not deployed is not validated.
destroy: install ## cdk destroy
	@$(BIN)/python -m operations.account
	@CDK_VALIDATION=false $(CDK) destroy --force --no-notices

model-init: install ## draft a model of a CSV or Parquet file: make model-init DATA=rows.csv TARGET=column NAME=model
	@$(BIN)/python -m operations.model_init --data "$$DATA" --target "$$TARGET" --name "$$NAME"

train: install ## tune and evaluate the model on this machine, without AWS: make train TRIALS=3 DATA=folder
	@$(BIN)/python -m operations.train --model "$$MODEL" $(if $(TRIALS),--trials "$$TRIALS") $(if $(DATA),--data "$$DATA")

mlflow: ## MLflow's own pages, in the browser or by their address
	@$(BIN)/python -m operations.mlflow_pages

# make hands its command line's variables on in the environment: in a recipe's text the shell would read their quotes.
run: ## start a delivery by hand: make run REASON="why" DATA=raw/2026/ COMMIT=<id>
	@$(BIN)/python -m operations.run --model "$$MODEL" --reason "$$REASON" --data "$$DATA" --commit "$$COMMIT"

approve: ## let the waiting delivery go on to production
	@$(BIN)/python -m operations.approve --model "$$MODEL"

rollback: ## put the previous production version back, guarded: make rollback TO=<version>
	@$(BIN)/python -m operations.rollback --model "$$MODEL" --to "$$TO"

history: ## who was in production from when to when, approved by whom and why
	@$(BIN)/python -m operations.history --model "$$MODEL"

verify: ## invoke the production endpoint and compare with the truth
	@$(BIN)/python -m operations.verify --model "$$MODEL"

batch: ## score a CSV file: make batch INPUT=rows.csv (or s3://…) VERSION=<version, else production>
	@$(BIN)/python -m operations.batch --model "$$MODEL" --input "$$INPUT" --version "$$VERSION"

erase: ## say where one person's rows are: make erase KEY=<column> VALUE=<value>; YES=1 erases them, old versions included
	@$(BIN)/python -m operations.erase --model "$$MODEL" --key "$$KEY" --value "$$VALUE" $(if $(YES),--yes)

audit: ## list what the account still has of the factory; nothing after a destroy
	@$(BIN)/python -m operations.audit

# Side by side: mypy without its cache takes minutes on one core, the factory's life mostly waits, the unit tests mostly compute.
test: install ## lint, types, unit tests, the life of a factory from end to end
	@$(MAKE) --no-print-directory -j2 lint $(if $(LOCALAWS),e2e) unit-options unit-others $(if $(LOCALAWS),unit-localaws)

test-aws: install ## the life of a factory in the account that the shell points to: says what it costs and asks; make test-aws YES=1
	@$(BIN)/python -m operations.life_on_aws $(if $(YES),--yes)

test-all: test lint-templates unit-slow e2e-more ## and checkov, parliament, slow unit tests, the end-to-end tests of options and of what guards production

lint: install
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
ifdef LOCALAWS
	@cd localaws && ../$(BIN)/mypy
endif

lint-templates: install $(AUDIT_VENV)/.installed ## checkov and parliament over the template of every configuration
	@$(BIN)/python -m pytest tests/scanners

$(AUDIT_VENV)/.installed: requirements-audit.lock | install
	$(PYTHON) -m venv --clear --without-pip $(AUDIT_VENV)
	$(BIN)/python -m operations.install requirements-audit.lock --python $(AUDIT_VENV)/bin/python
	@touch $@

# Side by side: the options compute, the others mostly wait.
unit: install
	@$(MAKE) --no-print-directory -j2 unit-options unit-others $(if $(LOCALAWS),unit-localaws)

unit-options:
	@$(BIN)/python -m pytest -m "not slow" tests/options

UNIT_OTHERS := tests/model tests/project tests/stacks tests/ml_code tests/operations $(if $(LOCALAWS),tests/security)

unit-others:
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow" $(UNIT_OTHERS)

unit-localaws:
	@cd localaws && ../$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"

unit-slow:
	@$(BIN)/python -m pytest -m slow tests/options
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m slow $(UNIT_OTHERS)
ifdef LOCALAWS
	@cd localaws && ../$(BIN)/python -m pytest -n 2 --dist loadfile -m slow
endif

coverage: install ## the share of the branches of stacks/ and ml_code/ that the unit tests reach; 90 % at least
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest tests/model tests/stacks tests/ml_code tests/project tests/operations tests/options $(if $(LOCALAWS),tests/security)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report --skip-covered
	@$(BIN)/coverage json --quiet -o .coverage.json
	@$(BIN)/python -c 'import json, sys; share = json.load(sys.stdin)["totals"]["percent_branches_covered"]; sys.exit(f"{share:.1f} % of the branches are reached; at least 90 % are needed" if share < 90 else print(f"{share:.1f} % of the branches are reached"))' < .coverage.json

e2e: need-localaws install
	@$(BIN)/python -m pytest tests/e2e/test_factory.py tests/e2e/test_job_wheels.py

e2e-more: need-localaws install
	@$(BIN)/python -m pytest tests/e2e --ignore tests/e2e/test_factory.py --ignore tests/e2e/test_job_wheels.py

bench: need-localaws install ## seconds from a push to a verified production endpoint, against bare scripts
	@$(BIN)/python -m operations.benchmarks.push --port $(PORT)

bench-serving: install ## requests per second of the endpoint's code, against mlflow models serve
	@$(BIN)/python -m operations.benchmarks.serving

bench-scale: install ## preprocess and training by rows and hosts: seconds, memory; make bench-scale ROWS="100000 1000000"
	@$(BIN)/python -m operations.benchmarks.scale $(if $(ROWS),--rows $(ROWS))

bench-synth: install ## seconds of a synthesis, against a bare CDK app and an import of the SageMaker SDK
	@$(BIN)/python -m operations.benchmarks.synth

snapshot: install ## write the reviewed template and the transcripts of the docs anew, after a change that is meant
	@UPDATE_SNAPSHOT=1 $(BIN)/python -m pytest tests/stacks/test_snapshot.py $(if $(LOCALAWS),tests/operations/test_doctor.py)

reference: install ## write docs/settings.md and the JSON Schemas anew, after a change of the settings
	@UPDATE_REFERENCE=1 $(BIN)/python -m pytest tests/project/test_settings_reference.py

lock: install ## write all locks anew, after a change of the requirements: make lock UPGRADE=1 takes the newest releases
	@UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-annotate $(if $(UPGRADE),--upgrade) --output-file requirements.lock requirements-dev.txt $(LOCALAWS)
	@UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-annotate $(if $(UPGRADE),--upgrade) --output-file requirements-audit.lock requirements-audit.txt
	@$(MAKE) --no-print-directory install
	@npm install --silent --package-lock-only --omit-lockfile-registry-resolved
	@UPDATE_LOCKS=1 $(BIN)/python -m pytest tests/project/test_locks.py

clean: down ## remove what the targets above made in this folder
	rm -rf $(VENV) $(AUDIT_VENV) node_modules cdk.out .localaws demo-output train-output
