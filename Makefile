# Two commands: `make demo` (SERVE=1 also opens room and leaderboard) and `make test`.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt

.PHONY: demo test browser postgresql format clean

demo: .venv/.installed
	$(BIN)/pinlu demo $(if $(SERVE),--serve)

test: .venv/.tools browser postgresql
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

format: .venv/.tools
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

browser: .venv/.tools
	@$(BIN)/python tests/browser.py

postgresql: .venv/.tools
	@$(BIN)/python -m tests.postgresql

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("Pinlu wants Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv

.venv/.installed: .venv/bin/python pyproject.toml constraints.txt
	@echo "setting up .venv: the first time takes a few minutes" >&2
	$(PIP) --editable .
	@touch $@

.venv/.tools: .venv/.installed
	$(PIP) --editable '.[dev]'
	@touch $@

clean:
	rm -rf .venv demo build dist
