# From a fresh clone: make figures, make test. Needs GNU make >= 3.81 and Python >= 3.11 with its venv module;
# everything else is installed into .venv in the versions of constraints.txt. Another Python: make PYTHON=python3.13
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
FIGURES := degree binarisation kl_bce
# Analyses that compare settings or data sets, and those of them that have more to say about MNIST, pendigits, mammoth
STUDIES := $(patsubst analyses/%.py,%,$(shell grep -l '^from _study import' analyses/*.py))
FULL := $(patsubst analyses/%.py,%,$(shell grep -l 'full=True' $(STUDIES:%=analyses/%.py) /dev/null))

SHARED := $(wildcard analyses/_*.py)
SOURCES := $(shell find umapinfo -name '*.py')
outputs = $(foreach name,$(1),paper/figures/$(name).pdf paper/figures/$(name).png paper/numbers/$(name).json)

.PHONY: help figures figures-all figures-full test ledger paper lab lint clean
.DEFAULT_GOAL := help
# A file that a failing recipe has touched would look finished the next time.
.DELETE_ON_ERROR:
# One environment and two cores: pip, and kernels that use all threads, go one after another also under make -j.
.NOTPARALLEL:

help: ## say what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

figures: $(call outputs,$(FIGURES)) ## trace the runs, draw the headline figures, write their numbers (paper/)

figures-all: figures $(call outputs,$(STUDIES)) ## run every analysis of data that need no download, and gather the ledger (three quarters of an hour)
	$(RUN) analyses/ledger.py

figures-full: figures-all $(call outputs,$(FIGURES:%=%_mnist) $(FULL:%=%_full)) ## with MNIST, pendigits and the mammoth (downloaded once)

test: $(VENV)/.test ## run the tests; some of them only: make test ARGS="-k ring"
	$(RUN) -m pytest -n 2 --dist worksteal $(ARGS)

ledger: $(VENV)/.figures ## print what of the article holds, with its numbers (from paper/numbers), and write paper/ledger.md
	$(RUN) analyses/ledger.py --print

paper: $(VENV)/.paper ## typeset the paper from the numbers and figures in paper/ (seconds, no TeX)
	$(RUN) analyses/ledger.py
	$(RUN) paper/build.py

lab: $(VENV)/.lab ## open JupyterLab on the notebook that explores a trace
	$(VENV)/bin/jupyter lab analyses/explore_trace.ipynb

lint: $(VENV)/.lint ## check style, floors and types
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/lint-imports --no-logo
	$(VENV)/bin/mypy

clean: ## remove the environment, kept traces and all caches; figures and numbers stay
	rm -rf $(VENV) data/traces .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

paper/figures/%_mnist.pdf paper/figures/%_mnist.png paper/numbers/%_mnist.json: analyses/%.py $(SHARED) $(SOURCES) $(VENV)/.figures
	$(RUN) $< --data mnist

paper/figures/%_full.pdf paper/figures/%_full.png paper/numbers/%_full.json: analyses/%.py $(SHARED) $(SOURCES) $(VENV)/.figures
	$(RUN) $< --full

# Three files of one script: a pattern rule with several targets runs once for all of them (&: needs make 4.3).
# They depend on the environment too, so that a fresh clone, where figures are committed, draws its own.
paper/figures/%.pdf paper/figures/%.png paper/numbers/%.json: analyses/%.py $(SHARED) $(SOURCES) $(VENV)/.figures
	$(RUN) $<

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "expected Python 3.11 or newer, got $$($(PYTHON) --version 2>&1) from '$(PYTHON)';" \
	       "name another one: make PYTHON=python3.13 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Making the environment $(VENV)"
	@$(PYTHON) -m venv --clear $(VENV)

# The constraints hold for the build backend as well: by the first variable for pip before 25.3, else by the second.
$(VENV)/.figures $(VENV)/.test $(VENV)/.paper $(VENV)/.lab $(VENV)/.lint: $(VENV)/.%: $(VENV)/pyvenv.cfg pyproject.toml constraints.txt
	@echo "Installing what 'make $*' needs into $(VENV) (a minute or less)"
	@PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt PIP_DISABLE_PIP_VERSION_CHECK=1 \
	  $(RUN) -m pip install --quiet --editable ".[$*]"
	@touch $@
