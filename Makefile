# Verbs of the project: `make help` lists each with one line.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
STORE ?= .store
MODEL ?= magika
LABEL ?= latest
PORT ?= 8080
WORKERS ?= 2

VENV := .venv
BIN := $(VENV)/bin
MINOR := import sys; print(sys.version_info[:2])
MINISTACK := .cache/ministack
MLSERVER := .cache/mlserver
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes

# Store of a verb: a deployed stage's if STAGE= names one, else the folder STORE.
PLACE = $(if $(STAGE),--stage "$(STAGE)",--store "$(STORE)")

.PHONY: help
help: ## List the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# These targets are the first prerequisites: they refuse wrong arguments before any installation.
.NOTPARALLEL:
.PHONY: python-fits stage-known stage-named model-known version-named file-known folders-named
python-fits:
	@command -v "$(PYTHON)" >/dev/null || { echo "there is no $(PYTHON): make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Coldpress needs Python 3.11 or newer; $(PYTHON) is older: make PYTHON=/path/to/python3.11" >&2; exit 2; }
ifneq ($(origin PYTHON),file)
	@test ! -e $(BIN)/python || test "$$("$(PYTHON)" -c '$(MINOR)')" = "$$($(BIN)/python -c '$(MINOR)')" || \
		{ echo "$(VENV) is of another Python than $(PYTHON): make clean, then again" >&2; exit 2; }
endif

stage-named:
	@test -n "$(STAGE)" || { echo "name the stage: make $(MAKECMDGOALS) STAGE=dev" >&2; exit 2; }

stage-known:
	@test -f "infra/stages/$(or $(STAGE),dev).toml" || \
		{ echo "there is no stage $(STAGE): write infra/stages/$(STAGE).toml" >&2; exit 2; }

model-known:
	@test -d "models/$(MODEL)" || { echo "there is no folder models/$(MODEL): name one of $$(ls models | xargs)" >&2; exit 2; }

version-named:
	@test -n "$(VERSION)" || { echo "name the version: make promote MODEL=$(MODEL) VERSION=3" >&2; exit 2; }

file-known:
	@test -n "$(FILE)" || { echo "name the input: make predict MODEL=$(MODEL) FILE=README.md" >&2; exit 2; }
	@test -f "$(FILE)" || { echo "there is no file $(FILE)" >&2; exit 2; }

folders-named:
	@test -n "$(INPUT)" -a -n "$(OUTPUT)" || \
		{ echo "name the folders: make batch MODEL=$(MODEL) INPUT=dir OUTPUT=dir" >&2; exit 2; }

# Print a line before pip's silence: $(call INSTALL,requirements file,purpose,usual time).
INSTALL = @echo "installing $$(grep -c '^[a-z].*==' $(1)) packages for $(2) into $(VENV): $(3), once" >&2; \
	$(PIP_INSTALL) -r $(1)

$(VENV)/python.stamp: | python-fits
	@"$(PYTHON)" -m venv $(VENV)
	@touch $@

$(VENV)/run.stamp: requirements/run.txt | $(VENV)/python.stamp
	$(call INSTALL,$<,running models,about a minute)
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt | $(VENV)/python.stamp
	$(call INSTALL,$<,tests and checks,two to four minutes)
	@touch $@ $(VENV)/run.stamp $(VENV)/infra.stamp $(VENV)/cloud.stamp

$(VENV)/infra.stamp: requirements/infra.txt | $(VENV)/python.stamp
	$(call INSTALL,$<,deploying,about a minute)
	@touch $@

$(VENV)/cloud.stamp: requirements/cloud.txt | $(VENV)/python.stamp
	$(call INSTALL,$<,the emulated cloud,about two minutes)
	@touch $@ $(VENV)/run.stamp $(VENV)/infra.stamp

# The stand-in for EFS: pyfuse3 is compiled on this machine, and its tests trace system calls.
$(VENV)/faults.stamp: requirements/faults.txt | $(VENV)/python.stamp
	@{ command -v fusermount3 && command -v strace && pkg-config --exists fuse3; } >/dev/null 2>&1 || \
		{ echo "Debian packages are missing: make system-packages installs them, as root" >&2; exit 1; }
	$(call INSTALL,$<,tests of a failing file system,half a minute)
	@touch $@

# Tests of the page run in Debian's Chromium.
$(VENV)/browser.stamp: requirements/browser.txt | $(VENV)/python.stamp
	@command -v chromium >/dev/null 2>&1 || \
		{ echo "Debian packages are missing: make system-packages installs them, as root" >&2; exit 1; }
	$(call INSTALL,$<,tests of the page,half a minute)
	@touch $@

# Packages that conflict with the other environments get their own, in the folder of their stamp.
define OWN_ENVIRONMENT
@"$(PYTHON)" -m venv $(@D)
@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
@touch $@
endef

$(MINISTACK)/stamp: requirements/ministack.txt | $(VENV)/python.stamp
	@echo "installing the emulator of AWS into $(MINISTACK): half a minute, once" >&2
	$(OWN_ENVIRONMENT)

# Another server of the protocol, whose packages Coldpress does not use.
$(MLSERVER)/stamp: requirements/mlserver.txt | $(VENV)/python.stamp
	@echo "installing MLServer into $(MLSERVER): about a minute, once" >&2
	$(OWN_ENVIRONMENT)

.PHONY: install
install: $(VENV)/run.stamp ## Make .venv with the packages that running models needs

.PHONY: demo
demo: install ## Publish a real model, call it, swap it while it is being called
	@$(BIN)/python -m docs.demo --store "$(STORE)"

.PHONY: cloud-demo
cloud-demo: $(VENV)/cloud.stamp $(MINISTACK)/stamp ## A whole stage on an emulated AWS: deploy, publish, call, batch, swap
	@$(BIN)/python -m docs.cloud_demo

.PHONY: cloud
cloud: stage-known $(VENV)/cloud.stamp $(MINISTACK)/stamp ## An emulated AWS with a STAGE on it, until Ctrl-C (STAGE=dev)
	@exec $(BIN)/python -m infra.emulated --stage "$(or $(STAGE),dev)" --store .cache/cloud/mount

.PHONY: sync-model
sync-model: model-known install ## Publish models/MODEL into STORE, or to a deployed STAGE (MODEL=magika STORE=.store)
	@$(BIN)/python -m model_sync publish "models/$(MODEL)" $(PLACE)

.PHONY: sync-packages
sync-packages: model-known install ## Publish the packages that models/MODEL names, as a set alone (MODEL=minilm STORE=.store)
	@$(BIN)/python -m model_sync packages publish "models/$(MODEL)" $(PLACE)

.PHONY: models
models: install ## List the models in STORE, or in a deployed STAGE, as a table
	@$(BIN)/python -m model_sync list $(PLACE)

.PHONY: history
history: install ## List the changes of MODEL: when, by which user, and why
	@$(BIN)/python -m model_sync history "$(MODEL)" $(PLACE)

.PHONY: promote
promote: version-named install ## Put a label on a version (MODEL=magika VERSION=3 LABEL=latest)
	@$(BIN)/python -m model_sync promote "$(MODEL)" "$(VERSION)" --label "$(LABEL)" $(PLACE)

.PHONY: rollback
rollback: install ## Put a label back on the version that it named before (MODEL=magika LABEL=latest)
	@$(BIN)/python -m model_sync rollback "$(MODEL)" --label "$(LABEL)" $(PLACE)

.PHONY: prepare
prepare: install ## Measure the variants of MODEL on the ONNX Runtime here, or of a STAGE, and keep the best (MODEL=magika)
	@$(BIN)/python -m model_sync prepare "$(MODEL)" $(PLACE)

.PHONY: verify
verify: install ## Read every byte of a store again and compare
	@$(BIN)/python -m model_sync verify $(PLACE)

.PHONY: sweep
sweep: install ## Delete versions that were retired a day ago and that nothing names
	@$(BIN)/python -m model_sync sweep $(PLACE)

.PHONY: serve
serve: $(if $(filter lambda,$(RUNTIME)),$(VENV)/cloud.stamp,install) ## Serve STORE here (PORT=8080; RUNTIME=lambda ENVIRONMENTS=4 MEMORY=1024: a fleet)
	@exec $(BIN)/python -m inference serve --store "$(STORE)" --port $(PORT) \
		$(if $(RUNTIME),--runtime "$(RUNTIME)") $(if $(ENVIRONMENTS),--environments "$(ENVIRONMENTS)") \
		$(if $(MEMORY),--memory "$(MEMORY)") \
		$(if $(filter command environment,$(origin MODEL)),--model "$(MODEL)")

.PHONY: predict
predict: file-known install ## One prediction without a server (MODEL=magika FILE=README.md)
	@$(BIN)/python -m inference predict "$(MODEL)" "$(FILE)" --store "$(STORE)"

.PHONY: batch
batch: folders-named install ## Answer a folder of inputs (MODEL=magika INPUT=dir OUTPUT=dir)
	@$(BIN)/python -m inference batch "$(MODEL)" "$(INPUT)" "$(OUTPUT)" --store "$(STORE)"

.PHONY: synth
synth: stage-known $(VENV)/infra.stamp ## The CloudFormation template of a stage, offline (STAGE=dev)
	@$(BIN)/python -m infra.synth --stage "$(or $(STAGE),dev)"

.PHONY: deploy
deploy: stage-named stage-known $(VENV)/infra.stamp ## Deploy a stage to the AWS account whose keys are there (STAGE=dev)
	@$(BIN)/python -m infra.cdk --stage "$(STAGE)" deploy

# Distribution of tests over WORKERS processes, and their order: tests/sharing.py.
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --no-loadscope-reorder

.PHONY: test
test: $(VENV)/dev.stamp ## Install the packages that tests need, and run all but the slow tests (WORKERS=2: processes)
	@$(PYTEST)

.PHONY: test-slow
test-slow: $(VENV)/faults.stamp $(VENV)/browser.stamp $(VENV)/dev.stamp $(MINISTACK)/stamp ## Run the slow tests: real layers, large package sets, faults, a real browser
	@$(PYTEST) -m slow

.PHONY: test-exhaustive
test-exhaustive: $(VENV)/dev.stamp ## Kill the writers at every system call; run properties with more examples (minutes)
	@$(PYTEST) -m exhaustive
	@$(PYTEST) -m "hypothesis and not slow and not exhaustive" --hypothesis-profile exhaustive

.PHONY: conformance
conformance: $(VENV)/dev.stamp ## Test the server at URL against the protocol (URL=http://127.0.0.1:8080)
	@$(BIN)/python -m pytest -c tests/conformance/protocol/pytest.ini tests/conformance/protocol \
		--base-url "$(or $(URL),http://127.0.0.1:8080)" $(if $(DESCRIBE),--describe "$(DESCRIBE)")

.PHONY: conformance-mlserver
conformance-mlserver: $(VENV)/dev.stamp $(MLSERVER)/stamp ## Test MLServer against the protocol: fails if docs/conformance.md is wrong
	@$(BIN)/python -m tests.conformance.mlserver $(MLSERVER)/bin/mlserver

.PHONY: system-packages
system-packages: ## Install the Debian packages that test-slow needs, as root
	apt-get update --quiet
	apt-get install --yes --quiet --no-install-recommends libfuse3-dev fuse3 pkg-config strace chromium

.PHONY: check
check: $(VENV)/dev.stamp ## Formatting, lint, strict types, import contract
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy model_store model_sync inference infra bench tests docs/*.py
	@for model in models/*/; do $(BIN)/mypy $$model*.py || exit 1; done
	@$(BIN)/lint-imports

.PHONY: format
format: $(VENV)/dev.stamp ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

.PHONY: bench
bench: $(VENV)/faults.stamp $(VENV)/dev.stamp ## Measure; results go to bench/results/
	@$(BIN)/python -m bench.overhead
	@$(BIN)/python -m bench.bodies
	@$(BIN)/python -m bench.first_answer
	@$(BIN)/python -m bench.publish
	@$(BIN)/python -m bench.background
	@$(BIN)/python -m bench.background_fleet
	@$(BIN)/python -m bench.hot_swap
	@$(BIN)/python -m bench.threads
	@$(BIN)/python -m bench.memory
	@$(BIN)/python -m bench.cold_start
	@# Within the limits of a function; where control groups do not allow it, this says so.
	-@$(BIN)/python -m bench.cold_start --memory 2048
	@$(BIN)/python -m bench.charts

UV_COMPILE := UV_CUSTOM_COMPILE_COMMAND="make requirements" $(BIN)/uv pip compile --quiet \
	--universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate

# Packages of the environment that publishes: a build script's own requirements leave them out.
PUBLISHING_HAS := $(addprefix --no-emit-package ,numpy onnx ml-dtypes protobuf typing-extensions)

.PHONY: requirements
requirements: $(VENV)/dev.stamp ## Pin requirements/*.txt again, with hashes
	$(UV_COMPILE) requirements/dev.in -o requirements/dev.txt
	$(UV_COMPILE) requirements/run.in -c requirements/dev.txt -o requirements/run.txt
	$(UV_COMPILE) requirements/function.in -c requirements/dev.txt -o model_sync/package_sets/runtime_packages.txt
	$(UV_COMPILE) requirements/infra.in -c requirements/dev.txt -o requirements/infra.txt
	$(UV_COMPILE) requirements/cloud.in -c requirements/dev.txt -o requirements/cloud.txt
	$(UV_COMPILE) requirements/faults.in -c requirements/dev.txt -o requirements/faults.txt
	$(UV_COMPILE) requirements/browser.in -c requirements/dev.txt -o requirements/browser.txt
	$(UV_COMPILE) requirements/ministack.in -o requirements/ministack.txt
	$(UV_COMPILE) requirements/mlserver.in -o requirements/mlserver.txt
	$(UV_COMPILE) requirements/writer.in -c requirements/dev.txt -o requirements/writer.txt
	$(UV_COMPILE) --no-deps inference/local/fleet/emulator.in -o inference/local/fleet/emulator.txt
	$(UV_COMPILE) --no-deps models/minilm/requirements.in -o models/minilm/requirements.txt
	$(UV_COMPILE) $(PUBLISHING_HAS) models/digits/build.in -c requirements/dev.txt -o models/digits/build.txt

.PHONY: clean
clean: ## Remove all that make built, but not the store
	rm -rf $(VENV) .cache models/*/build bench/results .hypothesis .*_cache
