# make demo   edit a photo with the shipped weights, retrain both stages, contact sheet
# make test   the whole test-suite
# make lint   ruff, mypy, import layers
# make aot-h200  compile the full-size programs for an H200, no GPU needed, and record
#             what they need in tests/golden/aot_h200.json
# Each creates .venv first if needed. PYTHON=python3.12 chooses the interpreter, for
# example `make test PYTHON=python3.12`; PIP_FLAGS goes to every `pip install`.

PYTHON ?= python3
PIP_FLAGS ?=
# Two workers, a file on one of them: most of a test's time is compilation, on one core.
TEST_FLAGS ?= -n 2 --dist loadfile
VENV := .venv
PIP_INSTALL = $(VENV)/bin/python -m pip install $(PIP_FLAGS) -c launch/constraints.txt
INPUTS := setup.cfg pyproject.toml launch/constraints.txt

.DELETE_ON_ERROR:
.PHONY: demo test lint aot-h200 clean

demo: $(VENV)/.installed-demo
	. launch/xla_flags.sh && $(VENV)/bin/python -m experiments.demo

test: $(VENV)/.installed-test
	. launch/xla_flags.sh && \
	  $(VENV)/bin/python -m pytest -m "not slow and not gpu" $(TEST_FLAGS)

lint: $(VENV)/.installed-test
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

aot-h200: $(VENV)-cuda/.installed
	JAX_PLATFORMS=cpu $(VENV)-cuda/bin/python -m experiments.aot --target=h200 \
	  --out=tests/golden/aot_h200.json

clean:
	rm -rf $(VENV) $(VENV)-cuda *.egg-info

# pip 25.1 is the first that knows --group; the lower bound leaves a newer one alone.
$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	  || { echo "error: $(PYTHON) is $$($(PYTHON) -V 2>&1), Python 3.11 to 3.13 is" \
	  "needed: install one and name it, for example: make $(MAKECMDGOALS)" \
	  "PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install $(PIP_FLAGS) --upgrade 'pip>=25.1'
	touch $@

$(VENV)/.installed-demo: $(VENV)/.created $(INPUTS)
	$(PIP_INSTALL) -e '.[demo]'
	touch $@

# libtpu compiles for TPUs in the tests. It lies aside, where only those tests look:
# among the other packages it would make jax look for a TPU in every command.
# NumPy and Pillow of another version lie aside as well: a test draws cases with them.
# torch first and by its exact number: pip then prefers a CPU build of that number
# wherever one is offered, and does not look for a newer one with GPU libraries.
$(VENV)/.installed-test: $(VENV)/.created $(INPUTS)
	$(PIP_INSTALL) 'torch==2.13.0'
	$(PIP_INSTALL) -e '.[test]' --group dev
	$(PIP_INSTALL) --no-deps --upgrade --target $(VENV)/libtpu \
	  'libtpu; sys_platform == "linux" and platform_machine == "x86_64"'
	$(VENV)/bin/python -m pip install $(PIP_FLAGS) --no-deps --upgrade \
	  --target $(VENV)/older 'numpy==2.2.6' 'pillow==12.0.0'
	touch $@

# The CUDA wheels have a virtual environment of their own: beside the others they would
# make jax look for a GPU in every command.
$(VENV)-cuda/.installed: $(INPUTS)
	$(PYTHON) -m venv $(VENV)-cuda
	$(VENV)-cuda/bin/python -m pip install $(PIP_FLAGS) -c launch/constraints.txt -e '.[cuda]'
	touch $@
