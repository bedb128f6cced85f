# make demo · make test · make check · make bench

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := demo_output

.PHONY: demo test check bench clean

demo: $(VENV)/.run  ## replay a real video, print its events, write an annotated video
	rm -rf $(DEMO)
	$(BIN)/python run_pipeline.py replay demo/pedestrians.mp4 --output $(DEMO) --annotated $(DEMO)/pedestrians.mp4
	@echo
	@echo "The events of the video, read back from Redis:"
	$(BIN)/python run_pipeline.py --log-level warning subscribe --from 0 --no-follow --output $(DEMO)
	@echo
	@echo "Annotated video: $(DEMO)/pedestrians.mp4   events: $(DEMO)/events.jsonl"

test: $(VENV)/.dev  ## everything that CI checks
	$(BIN)/python -m pytest

check: $(VENV)/.dev  ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.dev  ## the commands behind the README's numbers
	$(BIN)/python -m benchmarks.replay --help

clean:
	rm -rf $(VENV) $(DEMO)

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v < (3, 14) else f"Python 3.11, 3.12 or 3.13 is needed, $(PYTHON) is {v.major}.{v.minor}; try: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.run: requirements.txt | $(VENV)/.python
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -r requirements.txt
	touch $@

$(VENV)/.dev: requirements-dev.txt requirements.txt | $(VENV)/.python
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -r requirements-dev.txt
	touch $@ $(VENV)/.run
