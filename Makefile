# What a contributor types. `make test` on a fresh machine needs Python, pip and make, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Renewed only when the dependencies change, so that the second `make` starts at once.
READY := $(VENV)/.ready

.PHONY: run test lint browser faults faults-short soak fuzz fuzz-short bench pictures clean

run: $(READY)
	$(BIN)/python -m examples.agent_app

# The tests wait for servers more than they compute: four at a time also on two cores.
test: $(READY)
	$(BIN)/python -m pytest -n 4 --dist loadfile $(ARGS)

# Requests and inputs that nobody would think of: ten minutes of new ones, for the routes in chains and
# one by one, and for every parser. FUZZ_SECONDS is for each of the routes' two tests.
fuzz: export FUZZ_SECONDS ?= 280
fuzz: export FUZZ_SEED ?= $(shell date +%s)
fuzz: $(READY)
	@echo "FUZZ_SEED=$$FUZZ_SEED"
	$(BIN)/python -m pytest tests/fuzz -n 3 --dist load --timeout 1800 $(ARGS)

# A short share, and the same every time.
fuzz-short: export FUZZ_SECONDS = 0
fuzz-short: export FUZZ_SEED = 0
fuzz-short: $(READY)
	$(BIN)/python -m pytest tests/fuzz -n 2 --dist loadfile --timeout 600 $(ARGS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m tools.audit

# The component and the chat page, in a real Chromium; skipped with the reason where there is none.
browser: $(READY)
	$(BIN)/python -m pytest tests/component tests/browser -n 3 --dist loadfile --timeout 300 $(ARGS)

# Every fault at full length, one at a time: some 22 minutes. The short form is what CI runs.
faults: $(READY)
	$(BIN)/python -m pytest tests/faults --full --timeout 1200 $(ARGS)

faults-short: $(READY)
	$(BIN)/python -m pytest tests/faults -n 3 --dist worksteal --timeout 300 $(ARGS)

# Half an hour of everyday load; the memory must stay flat.
soak: $(READY)
	$(BIN)/python -m pytest tests/faults/test_soak.py --soak-seconds 1800 --timeout 3000 $(ARGS)

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
