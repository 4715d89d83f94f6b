# Everything from a fresh machine with python >= 3.11 and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/resodectl run --all --strict
export OMP_NUM_THREADS := 1

.PHONY: setup figures controls test lint bench clean

setup: $(VENV)/.installed

$(VENV)/.installed: setup.cfg constraints.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,lint]'
	touch $@

figures: setup  ## compute, draw and check all figures
	$(RUN) --figures figures

controls: figures  ## also run the controls that need cells of their own
	$(BIN)/resodectl check --all --controls --figures figures

test: setup
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	for file in benchmarks/*.py benchmarks/*/*.py; do $(BIN)/python $$file || exit 1; done

clean:
	rm -rf $(VENV) build dist *.egg-info
