# What a contributor types. `make test` on a fresh machine needs Python, pip and make, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Renewed only when the dependencies change, so that the second `make` starts at once.
READY := $(VENV)/.ready

.PHONY: run test lint faults faults-short soak bench clean

run: $(READY)
	$(BIN)/python -m examples.agent_app

# The tests wait for servers more than they compute: four at a time also on two cores.
test: $(READY)
	$(BIN)/python -m pytest -n 4 --dist loadfile $(ARGS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Every fault at full length, one at a time: about 25 minutes. The short form is what CI runs.
faults: $(READY)
	$(BIN)/python -m pytest tests/faults --full --timeout 1200 $(ARGS)

faults-short: $(READY)
	$(BIN)/python -m pytest tests/faults -n 4 --dist worksteal --timeout 300 $(ARGS)

# Half an hour of everyday load; the memory must stay flat.
soak: $(READY)
	$(BIN)/python -m pytest tests/faults/test_soak.py --soak-seconds 1800 --timeout 3000 $(ARGS)

bench: $(READY)
	$(BIN)/python -m benchmarks.overhead $(ARGS)

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
