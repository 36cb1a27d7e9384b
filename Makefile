# Two commands set everything up: 'make demo' and 'make test'. Both need Python and make alone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check
INSTALL := @sh scripts/install.sh

.PHONY: demo test test-all test-samples lint format clean help

help:
	@echo "make demo      install, export a style, prove it, stylise a photograph"
	@echo "make test      install, run the strong core of the tests: minutes"
	@echo "make test-all  all of them: whole products, tables and campaigns; for the night"
	@echo "make test-samples  builds and runs the sample apps that can be"
	@echo "make lint      ruff, mypy --strict, import direction"
	@echo "make format    ruff format and fixes"

$(VENV)/bin/python:
	@$(PYTHON) -m venv $(VENV)

# Dependency groups (PEP 735) came with pip 25.1; a new venv may have an older one.
$(VENV)/.user: $(VENV)/bin/python pyproject.toml constraints.txt
	$(INSTALL) "pip" $(VENV)/install-pip.log $(PIP) 'pip>=25.1'
	$(INSTALL) "sttk and its libraries" $(VENV)/install.log $(PIP) -c constraints.txt -e '.[all]'
	@touch $@

$(VENV)/.dev: $(VENV)/.user
	$(INSTALL) "what tests need" $(VENV)/install-dev.log $(PIP) -c constraints.txt --group dev
	@touch $@

demo: $(VENV)/.user
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh scripts/demo.sh

# Two workers and what they start share the cores: OpenMP's threads would spin in each other's way
# (a test of training took over 300 s beside another program, and 64 s so).
test test-all test-samples: export OMP_WAIT_POLICY = PASSIVE

test: $(VENV)/.dev
	$(BIN)/python -m pytest -m "not nightly" --numprocesses auto --dist worksteal --durations 15 --durations-min 20

test-all: $(VENV)/.dev
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal --durations 25 --durations-min 60

test-samples: $(VENV)/.dev
	$(BIN)/python -m pytest tests/samples

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) build demo *.egg-info
