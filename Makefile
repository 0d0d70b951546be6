# The commands of this project. `make help` lists them.
# Every step is a file target: what is built is reused, and a changed configuration rebuilds what follows from it.

PYTHON ?= python3.11
HOST ?= 127.0.0.1
PORT ?= 8000
WORKERS ?= 1

VENV := .venv
SERVICE_VENV := .venv-service
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
SERVICE_INSTALLED := $(SERVICE_VENV)/installed
# torch from the CPU index only where pip is not told otherwise: set TORCH_INDEX to an index of wheels for your GPU, or leave it empty.
TORCH_INDEX ?=
PIP_FLAGS := -qq --disable-pip-version-check --no-input $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
CODE := service training export tests loadtest benchmarks examples

BUILD := build/movielens-100k
DATA := $(BUILD)/data
PRETRAINED := $(BUILD)/pretrained
TEACHER := $(BUILD)/teacher
KNOWLEDGE := $(BUILD)/knowledge
STUDENT := $(BUILD)/student
BUNDLE := $(BUILD)/bundle
CONFIGS := configs/movielens-100k

SETS ?=
JOBS ?= 2

LOAD_HOST ?= http://$(HOST):$(PORT)
LOAD_USERS ?= 20
LOAD_TIME ?= 30s
EXAMPLES ?= 1000

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help serve bundle teachers studies test test-service test-rest check format openapi docs bench screenshots load fuzz clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ── install ──────────────────────────────────────────────────────────────────────────────────────────────────────────

$(INSTALLED): pyproject.toml constraints.txt
	@echo "installing what training, export, service and tests need into $(VENV) (some minutes, once) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install $(PIP_FLAGS) -c constraints.txt -e '.[train,dev,bench,docs]'
	@touch $@

$(SERVICE_INSTALLED): pyproject.toml constraints.txt
	@echo "installing what the service and its tests need, without torch, into $(SERVICE_VENV) ..."
	@test -x $(SERVICE_VENV)/bin/python || $(PYTHON) -m venv $(SERVICE_VENV)
	@$(SERVICE_VENV)/bin/python -m pip install $(PIP_FLAGS) -c constraints.txt -e '.[dev]'
	@touch $@

# ── serve: a public data set, a teacher, a student, a bundle, a service ──────────────────────────────────────────────

serve: $(BUNDLE)/manifest.json ## build a model from MovieLens 100K (first time: minutes) and serve it with the console
	@echo "serving $(BUNDLE): the console is at http://$(HOST):$(PORT), Ctrl-C ends it"
	@trap : INT; REC_SEED_INTERACTIONS=$(DATA)/interactions.csv.gz $(BIN)/python -m service serve $(BUNDLE) \
		--host $(HOST) --port $(PORT) --workers $(WORKERS) || [ $$? -eq 130 ]

bundle: $(BUNDLE)/manifest.json ## the same without serving it

# Installing again is no reason to train again, so the environment is an order-only prerequisite.
$(DATA)/dataset.json: | $(INSTALLED)
	@echo "1/6 preparing MovieLens 100K: fetch, check, split, encode the titles"
	@$(BIN)/python -m training prepare movielens-100k --out $(DATA)

$(PRETRAINED)/model.json: $(DATA)/dataset.json $(CONFIGS)/teacher.toml
	@echo "2/6 pre-training the teacher (UniSRec)"
	@$(BIN)/python -m training pretrain unisrec --data $(DATA) --out $(PRETRAINED) --config $(CONFIGS)/teacher.toml

$(TEACHER)/model.json: $(PRETRAINED)/model.json
	@echo "3/6 fine-tuning the teacher"
	@$(BIN)/python -m training finetune unisrec --data $(DATA) --init $(PRETRAINED) --out $(TEACHER) \
		--config $(CONFIGS)/teacher.toml

$(KNOWLEDGE)/knowledge.json: $(TEACHER)/model.json
	@echo "4/6 gathering what the teacher knows, and a linear one beside it"
	@$(BIN)/python -m training gather --data $(DATA) --teacher $(TEACHER) --ease --out $(KNOWLEDGE)

$(STUDENT)/model.json: $(KNOWLEDGE)/knowledge.json $(CONFIGS)/student.toml
	@echo "5/6 distilling it into the student (SASRec)"
	@$(BIN)/python -m training distill sasrec --data $(DATA) --knowledge $(KNOWLEDGE) --out $(STUDENT) \
		--config $(CONFIGS)/student.toml

$(BUNDLE)/manifest.json: $(STUDENT)/model.json
	@echo "6/6 exporting the student to ONNX and proving it equal"
	@$(BIN)/python -m export $(STUDENT) $(BUNDLE) --data $(DATA)

# ── the three teachers on real data sets ─────────────────────────────────────────────────────────────────────────────

teachers: $(INSTALLED) ## pre-train and fine-tune UniSRec, UniM2Rec and Recformer on the data sets in SETS (hours; goes on where it stopped)
	@test -n "$(SETS)" || { echo "SETS: name the folder with the data sets: make teachers SETS=..."; exit 2; }
	$(BIN)/python -m benchmarks.teachers run --sets $(SETS) --jobs $(JOBS)
	$(BIN)/python -m benchmarks.teachers draw

studies: $(INSTALLED) ## after `make teachers`: what distillation gives on each of its targets (hours; goes on where it stopped)
	for set in amazon_scientific amazon_office_2014 online_retail movies_ml1m; do \
		$(BIN)/python -m benchmarks.studies run --set $$set --jobs $(JOBS) || exit 1; done
	$(BIN)/python -m benchmarks.studies page

# ── tests and checks ─────────────────────────────────────────────────────────────────────────────────────────────────

# One shell: the summaries of both runs stand last, and each is there even when the other fails.
test: $(SERVICE_INSTALLED) $(INSTALLED) ## run every test; the service's own in an environment without torch
	@failed=0; \
	$(MAKE) --no-print-directory test-service || failed=1; \
	$(MAKE) --no-print-directory test-rest || failed=1; \
	if [ $$failed -ne 0 ]; then echo "make test: FAILED"; exit 1; fi; echo "make test: all passed"

test-service: $(SERVICE_INSTALLED) ## the service's tests, where torch is not installed
	@echo "1/2 tests of the service, in an environment that has no torch"
	@$(SERVICE_VENV)/bin/python -c 'import importlib.util, sys; sys.exit("torch is installed in $(SERVICE_VENV): the service must pass without it" if importlib.util.find_spec("torch") else 0)'
	@$(SERVICE_VENV)/bin/python -m pytest -q tests/service

test-rest: $(INSTALLED) ## every other test
	@echo "2/2 tests of everything else"
	@$(BIN)/python -m pytest -q tests --ignore=tests/service

check: $(INSTALLED) ## format, lint, types, walls between the rooms, docs
	@echo "ruff format";  $(BIN)/ruff format --check --quiet .
	@echo "ruff check";   $(BIN)/ruff check --quiet .
	@echo "mypy";         $(BIN)/mypy --strict $(CODE)
	@echo "lint-imports"; $(BIN)/lint-imports --no-cache
	@echo "docs";         $(BIN)/mkdocs build --strict --quiet

format: $(INSTALLED) ## rewrite the code as the linter wants it
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

openapi: $(SERVICE_INSTALLED) ## write the contract towards callers, docs/openapi.json
	$(SERVICE_VENV)/bin/python -m service openapi > docs/openapi.json

docs: $(INSTALLED) ## build the documentation into site/; a broken link is an error
	$(BIN)/mkdocs build --strict

# ── speed ────────────────────────────────────────────────────────────────────────────────────────────────────────────

bench: $(BUNDLE)/manifest.json ## time the two graphs of the bundle; results under benchmarks/results
	@mkdir -p benchmarks/results
	PRMKD_BUNDLE=$(BUNDLE) $(BIN)/python -m pytest -q benchmarks/bench_*.py --benchmark-json=benchmarks/results/latest.json

screenshots: $(INSTALLED) ## take the pictures of the console anew, of a service over the tests' bundle (needs chromium)
	$(BIN)/python -m benchmarks.screenshots

load: $(INSTALLED) ## load a running service (LOAD_HOST, LOAD_USERS, LOAD_TIME)
	$(BIN)/locust -f loadtest/locustfile.py --headless --host $(LOAD_HOST) --users $(LOAD_USERS) \
		--spawn-rate $(LOAD_USERS) --run-time $(LOAD_TIME)

fuzz: $(INSTALLED) ## send EXAMPLES requests of every operation, right and wrong ones, to a real service
	$(BIN)/python -m benchmarks.fuzz --examples $(EXAMPLES)

clean: ## remove environments and everything that was built
	rm -rf $(VENV) $(SERVICE_VENV) build site *.egg-info
