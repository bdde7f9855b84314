# Everything starts here and sets itself up: `make demo` and `make test` need Python 3.11 or newer,
# make and the package index, nothing else.

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
# More than a small machine has cores: many tests wait for leases, retries and time limits.
PYTEST_WORKERS ?= 3
TESTS  ?= tests

.PHONY: help demo serve test check node pylti conformance bench stress exam faults mutants mutants-random clean

help:
	@echo "make demo         a pretend LMS, pretend providers and the bridge, on this machine"
	@echo "make test         all tests (browser tests need Chromium; they say so without it)"
	@echo "make check        format, lint, types, tests, conformance: what CI runs"
	@echo "make node         packages of the Node.js tools that some tests launch"
	@echo "make pylti        packages of the PyLTI tool that a test launches"
	@echo "make conformance  which item of the specifications is proved by which test"
	@echo "make stress       1,000 clicks of 500 students at once, on two kinds of provider"
	@echo "make faults       LMSs, databases, disks, clocks and machines that fail, with a ledger (as root)"
	@echo "make exam         1,000 students in a minute at a provider that is slow, then one that fails"
	@echo "make mutants      breaks the code at a list of places; the tests named there have to fail"
	@echo "make mutants-random  the same at 200 places chosen by chance"
	@echo "make bench        launches and grades per second, beside a floor of the same run"

$(READY): pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed, and no python3 was found."; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; $(PYTHON) is $$("$(PYTHON)" -V). Set PYTHON=…"; exit 1; }
	@"$(PYTHON)" -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "Python's venv module is missing; on Debian: apt install python3-venv"; exit 1; }
	"$(PYTHON)" -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[test]' || \
	  { echo "The package index could not be reached, or a package did not install (see above)."; exit 1; }
	@touch $@

demo: $(READY)
	$(BIN)/lti-bridge demo

serve: $(READY)
	$(BIN)/lti-bridge serve

# Hundreds of processes are started, so what is compiled is kept, whatever the environment says.
test: $(READY)
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -q -n $(PYTEST_WORKERS) --dist worksteal --junitxml=build/tests.xml $(TESTS)

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(MAKE) test
	$(BIN)/python -m tests.conformance.report --junit build/tests.xml --check

# LTI tools that others wrote, for tests/counterparts; without them those tests say so.
NODE := tests/counterparts/node/node_modules/.ready

node: $(NODE)

$(NODE): tests/counterparts/node/package.json
	cd tests/counterparts/node && npm install --no-package-lock --no-audit --no-fund --loglevel=error
	@touch $@

# An LTI 1.1 tool that others wrote; its packages stand apart, for one brings a module named tests.
PYLTI := build/pylti/.ready

pylti: $(PYLTI)

$(PYLTI): tests/counterparts/pylti/requirements.txt $(READY)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --target $(@D) -r $<
	@touch $@

conformance: $(READY)
	@test -f build/tests.xml || $(MAKE) test
	$(BIN)/python -m tests.conformance.report --junit build/tests.xml

bench: $(READY)
	$(BIN)/lti-bridge bench

stress: $(READY)
	$(BIN)/python -m tests.flow.stress

faults: $(READY)
	$(BIN)/python -m tests.flow.faults $(ONLY)

exam: $(READY)
	$(BIN)/python -m tests.flow.exam

# An hour or two of one core: not a part of what CI runs. `ONLY=word` takes the faults that hold it.
mutants: $(READY)
	$(BIN)/python -m tests.mutants $(ONLY)

mutants-random: $(READY)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[test,mutants]'
	$(BIN)/python -m tests.mutants.chance

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
