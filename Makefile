# `make help` lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := demo_output
# Searched for CPU builds of torch where there is no NVIDIA driver; empty: pip's own index alone.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
# A worker per core; the tests of a file share its servers, so they stay in one worker.
PYTEST = $(BIN)/python -m pytest -n 2 --dist loadfile
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet

LOCK := requirements-lock.txt
SUPPLY := $(VENV)/supply

.PHONY: demo help test test-fast coverage format check bench clean docs lock sbom audit pin-images

demo: $(VENV)/.run  ## replay a real video, print its events, write an annotated video
	rm -rf $(DEMO)
	$(BIN)/behaviour-stream replay demo/pedestrians.mp4 --output $(DEMO) --annotated $(DEMO)/pedestrians.mp4 \
		--set detector.weights=compact --set decision.update_interval_s=5
	@echo
	@echo "The events of the video, read back from Redis:"
	$(BIN)/behaviour-stream --log-level warning subscribe --from 0 --no-follow --output $(DEMO)
	@echo
	@echo "Annotated video: $(DEMO)/pedestrians.mp4   events: $(DEMO)/events.jsonl"

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*##  *\(.*\)/\1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "make %-10s %s\n", $$1, $$2 }'

test: $(VENV)/.dev  ## run all tests, as CI does
	$(PYTEST)

test-fast: $(VENV)/.dev  ## run the tests that need no server, no real video and no large model: about two minutes
	$(PYTEST) -m "not slow"

coverage: $(VENV)/.dev  ## run all tests and report the coverage of lines and branches
	$(PYTEST) --cov --cov-report=term:skip-covered

format: $(VENV)/.dev  ## sort the imports, fix what ruff can fix, format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: $(VENV)/.dev  ## check lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.dev  ## measure what a replay costs beside its models; docs/benchmarks.md has the others
	$(BIN)/python -m benchmarks.replay demo/pedestrians.mp4

docs: $(VENV)/.dev  ## build the site of docs/ into site/; a broken link or anchor is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --clean

lock: $(SUPPLY)/.tools  ## pin every package, what it needs and their hashes, for Python 3.11 to 3.13
	grep -h '^hatchling==' requirements-dev.txt | $(SUPPLY)/bin/uv pip compile --quiet --upgrade --universal \
		--python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		--custom-compile-command "make lock" requirements.txt - --output-file $(LOCK)

sbom: $(SUPPLY)/.tools  ## list what an installation consists of, as CycloneDX: sbom.json
	$(SUPPLY)/bin/python -W ignore -m cyclonedx_py requirements --pyproject pyproject.toml --output-reproducible $(LOCK) \
		--output-file sbom.json

audit:  ## report known vulnerabilities of the locked packages, or why they are not known
	@$(MAKE) --no-print-directory $(SUPPLY)/.tools >/dev/null 2>&1 \
		|| echo "not audited: the tools of requirements-supply.txt cannot be installed here"
	@test ! -e $(SUPPLY)/.tools || $(SUPPLY)/bin/python deploy/audit.py $(SUPPLY)/bin/pip-audit $(LOCK)

pin-images:  ## print the digests that the images of deploy/ have today; needs docker and a network
	@for image in $$(sed -nE 's/^(ARG [A-Z]+_IMAGE=| *image: .*:-)([^}]+).*/\2/p' deploy/*Dockerfile deploy/compose.yaml); do \
		docker buildx imagetools inspect "$$image" --format "$$image@{{.Manifest.Digest}}" || exit; done

clean:  ## remove the virtual environment and what the demo and the docs wrote
	rm -rf $(VENV) $(DEMO) site

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v < (3, 14) else f"Python 3.11, 3.12 or 3.13 is needed, $(PYTHON) is {v.major}.{v.minor}; try: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.run: requirements.txt pyproject.toml demo/torch_build.sh | $(VENV)/.python
	@demo/torch_build.sh $(BIN)/python $(TORCH_INDEX)
	$(PIP) -r requirements.txt
	$(PIP) --no-deps --editable .
	touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.run
	$(PIP) -r requirements-dev.txt
	touch $@

$(SUPPLY)/.tools: requirements-supply.txt
	$(PYTHON) -m venv $(SUPPLY)
	$(SUPPLY)/bin/python -m pip install --disable-pip-version-check --quiet --retries 1 --timeout 10 -r requirements-supply.txt
	touch $@
