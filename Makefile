# `make demo` and `make test` set up .venv once and then do their job; see README.md.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CONSTRAINTS := requirements/constraints-py$(shell $(PYTHON) -c 'import sys; print("%d%d" % sys.version_info[:2])').txt
DEMO_DIR ?= work_dirs/demo

.PHONY: setup demo test test-slow coverage sweep sanitize wheel test-wheel lint doctor clean

setup: $(READY)

$(READY): requirements/verified.txt setup.py ops/setup.py pyproject.toml $(wildcard ops/csrc/*.* ops/csrc/*/*.*)
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 10) <= v <= (3, 12) else "Python %d.%d found; this project needs 3.10 to 3.12: make PYTHON=python3.11 ..." % v)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off \
		-r requirements/verified.txt $(if $(wildcard $(CONSTRAINTS)),-c $(CONSTRAINTS))
	$(BIN)/python -m pip install --disable-pip-version-check --no-build-isolation --no-deps -e .
	touch $(READY)

demo: $(READY)
	$(BIN)/python tools/quickstart.py --work-dir $(DEMO_DIR)

# Up to four processes of one thread each, whole test files to each of them.
PYTEST := pytest -m "not slow" -n auto --maxprocesses 4 --dist loadfile

test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m $(PYTEST)

test-slow: $(READY)
	$(BIN)/python -m pytest -m slow

coverage: $(READY)
	$(BIN)/python -m coverage erase
	OMP_NUM_THREADS=1 $(BIN)/python -m coverage run -m $(PYTEST)
	$(BIN)/python -m coverage combine -q
	$(BIN)/python -m coverage report

sweep: $(READY)
	$(BIN)/python -m pytest tests/ops -k sweep

sanitize: $(READY)
	tests/ops/sanitize.sh $(BIN)/python

wheel: $(READY)
	$(BIN)/python -m build --no-isolation --outdir dist ops

test-wheel: $(READY)
	$(BIN)/python -m pytest -m slow tests/ops/test_wheel.py

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/mypy

doctor: $(READY)
	$(BIN)/python tools/doctor.py

clean:
	rm -rf $(VENV) build dist ops/build *.egg-info ops/*.egg-info ops/*.so
