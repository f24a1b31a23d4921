# Everything starts here; each target makes what it needs. `make help` lists them.
.PHONY: help venv dev native tools demo results test test-fast nightly check format nvim vsix emacs dist soak clean
.DEFAULT_GOAL := help

VENV := .venv
PYTHON := $(VENV)/bin/python
OUT := build
TOOLS := .tools
NODE := $(TOOLS)/node

# Tests start Python some hundred times: without compiled modules each start takes several times as long.
unexport PYTHONDONTWRITEBYTECODE

# tests/conftest.py has which tests are run by the same process, and in which order. Tests of editors mostly wait: one of
# Neovim takes 0.4 s of a processor and several times as long. So three processes run all tests on two cores.
IN_PROCESSES := --dist loadscope --no-loadscope-reorder

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

venv:  ## make the virtual environment
	@scripts/setup-venv.sh $(VENV)

dev: venv  ## ... with what tests, checks and training need
	@scripts/setup-venv.sh $(VENV) train,dev

native: venv  ## compile the decoder for CPUs anew
	$(PYTHON) -m pip install -qq --force-reinstall --no-deps ./native

demo: venv  ## two sessions, a slow model and a fast one, four policies; table, and a report in build/demo.html
	@scripts/demo.sh $(VENV) $(OUT)

results: venv  ## make docs/benchmarks from the results in docs/benchmarks/data
	$(PYTHON) scripts/make_results.py

test: dev  ## all tests but the nightly ones, with real editors
	@mkdir -p $(OUT) $(TOOLS)
	@scripts/beside.sh $(OUT)/tools.log $(MAKE) --silent --jobs 2 tools -- $(PYTHON) -m pytest -n 3 $(IN_PROCESSES)

test-fast: dev  ## the fast tests: about a minute on two cores
	TABSPEC_TEST_EXAMPLES_DIVISOR=10 $(PYTHON) -m pytest -n 2 $(IN_PROCESSES) \
		-m "not slow and not editors and not nightly" -x -q

nightly: dev  ## what takes long: whole sessions by equation, all seeds, planted bugs, a tenth of the soak
	$(PYTHON) -m pytest -n 2 $(IN_PROCESSES) -m nightly
	$(PYTHON) -m tests.simulation.run --seeds 5000..5499 --events 2000 --processes 0

check: dev  ## style, types, imports between packages, documents in step with the code
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(PYTHON) scripts/check_documents.py

format: dev  ## put the source into the house style
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

nvim: venv  ## open Neovim with the plugin and the bundled model on an example file
	@scripts/nvim.sh $(VENV) $(OUT)

soak: dev  ## ten million events of the simulator (about 70 minutes of one core, divided by the cores)
	@scripts/soak.sh $(PYTHON)

dist: dev vsix  ## the wheels (tabspec, tabspec-native, tabspec-large) and the VS Code extension, into dist/
	@scripts/dist.sh $(PYTHON) dist

# --- programs that the tests drive, in .tools; each script waits while another run of it installs ------------------------

tools: $(TOOLS)/code-server/installed $(TOOLS)/nvim-0.12/bin/nvim $(TOOLS)/llama-server/bin/llama-server vsix
tools: $(TOOLS)/nvim-0.11/bin/nvim $(TOOLS)/helix/bin/hx emacs  ## editors and servers for the tests (see CONTRIBUTING.md)

$(TOOLS)/nvim-%/bin/nvim: scripts/install-neovim.sh
	@scripts/install-neovim.sh $(TOOLS)/nvim-$* $* && touch $@

$(TOOLS)/helix/bin/hx: scripts/install-helix.sh
	@scripts/install-helix.sh $(TOOLS)/helix && touch $@

$(TOOLS)/llama-server/bin/llama-server: scripts/install-llama-server.sh
	@scripts/install-llama-server.sh $(TOOLS)/llama-server && touch $@

$(NODE)/bin/npm: scripts/install-node.sh
	@scripts/install-node.sh $(NODE) && touch $@

$(TOOLS)/code-server/installed: scripts/install-code-server.sh $(NODE)/bin/npm
	@scripts/install-code-server.sh $(TOOLS)/code-server $(NODE) && touch $@

emacs:
	@scripts/install-emacs.sh

vsix: $(NODE)/bin/npm  ## package the VS Code extension
	@PATH="$(abspath $(NODE))/bin:$$PATH" npm_config_cache="$(abspath $(NODE))/cache" \
		flock $(TOOLS)/vsix.lock $(MAKE) --silent -C editor-configs/vscode vsix

clean:  ## remove what was built (not the virtual environment, nor .tools)
	rm -rf $(OUT) dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
