# What a contributor types. `make run` or `make test` on a fresh machine needs Python, pip and make,
# nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Renewed only when the dependencies change, so that the second `make` starts at once.
RUNS := $(VENV)/.ready-to-run
READY := $(VENV)/.ready

.PHONY: run test lint browser faults faults-short soak fuzz fuzz-short clean-rooms bench bench-ratings bench-report bench-intervals pictures clean

run: $(RUNS)
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

# What people install: the wheel, each extra and requirements.txt, alone in fresh environments.
clean-rooms: $(READY)
	$(BIN)/python -m tools.clean_rooms $(ARGS)

bench: $(READY)
	$(BIN)/python -m benchmarks.overhead $(ARGS)

# What it costs to take a rating. ARGS="--tree old=PATH --tree new=." compares two checkouts.
bench-ratings: $(READY)
	$(BIN)/python -m benchmarks.ratings $(ARGS)

# How fast a report is; --traces 1000000 takes a quarter of an hour more.
bench-report: $(READY)
	$(BIN)/python -m benchmarks.report $(ARGS)

# How often a report's intervals hold the true rate, in simulated teams.
bench-intervals: $(READY)
	$(BIN)/python -m benchmarks.intervals $(ARGS)

# The documentation's pictures, from the running app; needs Chromium.
pictures: $(READY)
	$(BIN)/python -m tests.support.pictures
	$(BIN)/python -m tests.support.report_pictures

clean:
	rm -rf $(VENV) .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# What the example needs. Debian's Python has no ensurepip unless python3-venv is installed: then its
# own pip fills the environment.
$(RUNS): pyproject.toml constraints.txt
	@echo "Setting up $(VENV) for the example: 700 MB on disk; seconds to minutes, as the network is."
	@start=$$(date +%s); \
	{ $(PYTHON) -m venv $(VENV) >/dev/null || { \
	    $(PYTHON) -m venv --clear --without-pip $(VENV) && \
	    $(PYTHON) -m pip --python $(BIN)/python install --quiet pip; }; } && \
	$(call install,.[example]) && \
	echo "Set up in $$(($$(date +%s) - start)) s."
	@touch $@

# What the tests and the linters need beside it.
$(READY): $(RUNS)
	@echo "Adding what the tests need (browser driver, PostgreSQL, linters): 400 MB more on disk."
	@start=$$(date +%s); \
	$(call install,.[postgres$(COMMA)example$(COMMA)test]) && \
	echo "Added in $$(($$(date +%s) - start)) s."
	@touch $@

# uv does in seconds what takes pip a minute. It knows nothing of pip's own settings: where those name
# an index, and where there is no uv or it fails, pip does it.
COMMA := ,
define install
{ { ! $(PIP) config list | grep '[.]index-url=' >/dev/null && \
    $(PIP) install --quiet uv -c constraints.txt && \
    $(BIN)/uv pip install --quiet --python $(BIN)/python -e '$(1)' -c constraints.txt; } || { \
    echo "Installing with pip, which is slower ..." && \
    $(PIP) install --quiet -e '$(1)' -c constraints.txt; }; }
endef
