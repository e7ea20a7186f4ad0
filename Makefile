# Two commands: `make run` serves the app with a demo workspace, `make test` runs everything that must hold.
PYTHON ?= python3
PORT ?= 8501
BIN := .venv/bin
STAMP := .venv/.installed
TEST_STAMP := .venv/.installed-test
JOBS ?= 2
PYTEST = BROWSER_PATH="$$(sh tests/browser/find_chromium.sh)" $(BIN)/python -m pytest --durations=15

.PHONY: run test lint demo clean

run: $(STAMP)
	$(BIN)/cfreader demo
	$(BIN)/cfreader serve --port $(PORT)

# torch first and alone: a later resolver then keeps this build instead of pulling a CUDA one.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(TEST_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

lint: $(TEST_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# A file stays on one worker, whose module fixtures it shares; the order is that of tests/conftest.py. Two workers with
# as many torch threads as cores would be in each other's way.
test: $(TEST_STAMP) lint
	OMP_NUM_THREADS=1 $(PYTEST) -n $(JOBS) --dist loadfile --no-loadscope-reorder -m "not alone"
	$(PYTEST) -m alone

clean:
	rm -rf .venv build *.egg-info
