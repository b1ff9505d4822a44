# What a contributor types. `make test` on a fresh machine needs Python, pip and make, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Renewed only when the dependencies change, so that the second `make` starts at once.
READY := $(VENV)/.ready

.PHONY: run test lint bench pictures clean

run: $(READY)
	$(BIN)/python -m examples.agent_app

# The tests wait for servers more than they compute: four at a time also on two cores.
test: $(READY)
	$(BIN)/python -m pytest -n 4 --dist loadfile $(ARGS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(READY)
	$(BIN)/python -m benchmarks.overhead $(ARGS)

# The documentation's pictures, from the running app; needs Chromium.
pictures: $(READY)
	$(BIN)/python -m tests.support.pictures

clean:
	rm -rf $(VENV) .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Debian's Python has no ensurepip unless python3-venv is installed: then its own pip fills the environment.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV) || { \
	    $(PYTHON) -m venv --clear --without-pip $(VENV) && \
	    $(PYTHON) -m pip --python $(BIN)/python install --quiet pip; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[postgres,example,test]' -c constraints.txt
	touch $@
