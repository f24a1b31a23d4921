# Everything starts here; each target makes what it needs. `make help` lists them.
.PHONY: help venv native demo results test test-fast check format nvim vsix soak clean
.DEFAULT_GOAL := help

VENV := .venv
PYTHON := $(VENV)/bin/python
OUT := build

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

venv:  ## make the virtual environment
	@scripts/setup-venv.sh $(VENV)

native: venv  ## compile the decoder for CPUs anew
	$(PYTHON) -m pip install -qq --force-reinstall --no-deps ./native

demo: venv  ## replay shipped sessions under five policies; table, and a report in build/demo.html
	@scripts/demo.sh $(VENV) $(OUT)

results: venv  ## make docs/benchmarks from the results in docs/benchmarks/data
	$(PYTHON) scripts/make_results.py

test: venv  ## all tests, with real editors
	@mkdir -p $(OUT)
	$(PYTHON) -m pytest

test-fast: venv  ## the fast tests: about a minute on two cores
	$(PYTHON) -m pytest -n 2 -m "not slow and not editors" -x -q

check: venv  ## style, types, imports between rooms, documents in step with the code
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(PYTHON) scripts/check_documents.py

format: venv  ## put the source into the house style
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

nvim: venv  ## open Neovim with the plugin and the bundled model on an example file
	@scripts/nvim.sh $(VENV) $(OUT)

vsix: venv  ## package the VS Code extension
	$(MAKE) -C editor-configs/vscode vsix

soak: venv  ## ten million events of the simulator (about 70 minutes of one core, divided by the cores)
	@scripts/soak.sh $(PYTHON)

clean:  ## remove what was built (not the virtual environment)
	rm -rf $(OUT) dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
