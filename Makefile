# The one front door. Each target sets up .venv by itself when it has to, and does nothing twice.
PYTHON ?= python3
CC ?= cc
VENV := .venv
BIN := $(VENV)/bin
# `make run TRIGGERS=200` stops by itself; without it the demo runs until Ctrl-C.
TRIGGERS ?=
# `make soak SOAK_TRIGGERS=5000 SOAK_KILLS=20` is the same in a minute or two.
SOAK_TRIGGERS ?= 100000
SOAK_KILLS ?= 200
# More words for pytest and for the benchmarks, for example `make test ARGS=tests/unit` or `make bench ARGS=--quick`.
ARGS ?=
PIP := $(BIN)/pip --disable-pip-version-check install -qq --constraint constraints.txt
BUILT_FROM := pyproject.toml constraints.txt setup.py
# The simulated camera; without a C compiler everything else still works.
CTI := simulator/gentl/datumd_sim.cti
HAS_COMPILER := $(shell command -v $(CC))
CAMERA := $(if $(HAS_COMPILER),$(CTI))

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run test test-gpu check bench soak constraints debian-packages clean
.NOTPARALLEL:
.DELETE_ON_ERROR:

help:  ## say what can be made
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

setup: $(VENV)/.ready $(CAMERA)  ## make .venv with all that is needed to run

setup-dev: $(VENV)/.ready-dev $(CAMERA)  ## the same with all that tests and training need

run: $(VENV)/.ready $(CAMERA)  ## inspect simulated parts until Ctrl-C (TRIGGERS=200: stop by itself)
	@$(BIN)/datumd demo $(if $(TRIGGERS),--triggers $(TRIGGERS))

# Three at a time, a file each, in the order of tests/conftest.py: half of their time is that of processes that wait.
# Compiled modules are kept, whatever this shell says of that: some hundred processes start from the same ones.
test: $(VENV)/.ready-dev $(CAMERA)  ## run the tests (ARGS=: more words for pytest)
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder $(ARGS)

# A GPU box has its driver, the extra gpu and TensorRT in .venv; see "A GPU box" in docs/operations.md.
test-gpu: $(VENV)/.ready-dev  ## prove the GPU path on this machine's GPU; says what is missing
	@$(BIN)/python -m pytest tests/gpu --require-gpu $(ARGS)

check: $(VENV)/.ready-dev  ## lint, types, who may import whom, warnings of the C compiler
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(if $(HAS_COMPILER),$(BIN)/python setup.py --quiet build_cti,@echo "no C compiler here: simulator/gentl was not checked")

bench: $(VENV)/.ready-dev $(CAMERA)  ## run every benchmark against its budgets (ARGS=--quick: under 2 minutes each)
	@$(BIN)/python -m benchmarks $(ARGS)

soak: $(VENV)/.ready-dev $(CAMERA)  ## kill anything at any moment: SOAK_TRIGGERS answers, SOAK_KILLS kills, nothing lost
	@$(BIN)/python -m benchmarks.chaos --triggers $(SOAK_TRIGGERS) --kills $(SOAK_KILLS) --latency $(ARGS)

constraints: pyproject.toml  ## pin anew the newest versions of everything, in constraints.txt
	rm -rf build/pins
	$(PYTHON) -m venv build/pins
	build/pins/bin/pip install --quiet setuptools '.[train,dev,plc,opcua,ray,status,web,openvino,rtx,rtx-builder]'
	{ echo '# Exact versions of everything that any extra but gpu installs. Made by `make constraints`; do not edit.'; \
	  build/pins/bin/pip freeze --all | sed 's/+cpu$$//' | tr 'A-Z_' 'a-z-' \
	  | grep -vE '^(datumd|pip|triton|nvidia-[^=]*|cuda-[^=]*)( |=)' | LC_ALL=C sort; } > constraints.txt
	rm -rf build/pins

debian-packages: $(VENV)/.ready-dev  ## print the Debian packages that some tests want
	@$(BIN)/python -m pytest --collect-only --quiet --list-debian-packages 2>/dev/null | sed -n 's/^debian-package: //p'

clean:  ## remove what was built, and .venv
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	rm -f $(CTI)

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	  { echo "$(PYTHON) is not Python 3.11 to 3.13; next: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "no virtual environment; next: apt-get install python3-venv" >&2; exit 1; }

# What runs needs the light base alone.
$(VENV)/.ready: $(BUILT_FROM) | $(BIN)/pip
	@echo "setting up $(VENV) (a minute or two, once)"
	@$(PIP) setuptools
	@$(PIP) --no-build-isolation --editable '.[web,status]'
	@touch $@

# Tests and checks add training (torch) and the development tools.
$(VENV)/.ready-dev: $(BUILT_FROM) | $(BIN)/pip
	@echo "setting up $(VENV) for development (some minutes, once)"
	@$(PIP) setuptools
	@$(PIP) --no-build-isolation --editable '.[train,dev]'
	@touch $(VENV)/.ready $@

# Built by the installation as well; this is for sources that changed and for a compiler that came later.
$(CTI): $(wildcard simulator/gentl/*.c simulator/gentl/*.h simulator/gentl/*.xml) setup.py | $(VENV)/.ready
	@$(BIN)/python setup.py --quiet build_cti || echo "going on without the simulated camera"
