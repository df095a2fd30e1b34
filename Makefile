# Set-up, tests and the demo, each with one command. Only Python >= 3.10 and make are needed beforehand.
#
#   make demo     install the run-time half into .venv, enhance the bundled night clip, say where the result is
#   make test     install what the tests need, then ruff, mypy and pytest; with GStreamer and ffmpeg also the tests against
#                 real servers, which skip without (scripts/install-gstreamer installs them where apt and root are to be had)
#   make bench    throughput, start-up, memory and quality, printed and written to benchmarks/results/
#   make bench-live   latency of live streams, how many hold, an hour of kills and freezes, broken streams
#   make lock     resolve the pinned, hashed requirement files again
#   make clean    remove results and caches; make distclean removes .venv too
#
# Variables: PYTHON (interpreter that makes the environment), VENV (where), TORCH (which build the tests use),
# WORKERS (processes that run the tests), PYTEST (further options of pytest).

PYTHON ?= python3
VENV ?= .venv
TORCH ?= torch==2.13.0
OUT ?= out
WORKERS ?= logical

BIN := $(VENV)/bin
CLIP := demo/night-street.mp4

.PHONY: demo test gstreamer lint bench bench-quick bench-live lock clean distclean
.DELETE_ON_ERROR:

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "$(PYTHON) is missing or older than 3.10. Install Python 3.10 or newer, or name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "$(PYTHON) cannot make virtual environments yet. On Debian and Ubuntu: sudo apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The stamps say which half stands in the environment; they are redone when a lock or pyproject.toml changes.
$(VENV)/.runtime: requirements.lock pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	$(BIN)/stream-enhance warm
	@touch $@

# torch stays out of the hashed lock, because its CPU and CUDA builds differ in their hashes; --no-deps, because the lock
# is complete but for torch.
$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	$(BIN)/python -m pip install --quiet "$(TORCH)"
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements-dev.lock
	@touch $@

demo: $(VENV)/.runtime
	@mkdir -p $(OUT)
	$(BIN)/stream-enhance $(CLIP) $(OUT)/night-street.enhanced.mp4 --overwrite
	$(BIN)/stream-enhance $(CLIP) $(OUT)/night-street.split.mp4 --compare split --overwrite
	@echo
	@echo "Enhanced clip:      $(abspath $(OUT))/night-street.enhanced.mp4"
	@echo "Before and after:   $(abspath $(OUT))/night-street.split.mp4"
	@echo "Your own clip:      $(BIN)/stream-enhance your-clip.mp4"

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

gstreamer:
	@scripts/install-gstreamer --if-possible

# On all cores, up to four: one more process needs about a gigabyte for torch. `make test WORKERS=0` uses one process.
test: lint gstreamer
	$(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 4 --max-worker-restart 0 --dist loadfile $(PYTEST)

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks throughput
	$(BIN)/python -m benchmarks startup
	$(BIN)/python -m benchmarks memory
	$(BIN)/python -m benchmarks quality

bench-quick: $(VENV)/.dev
	$(BIN)/python -m benchmarks throughput --quick
	$(BIN)/python -m benchmarks startup --quick
	$(BIN)/python -m benchmarks memory --quick

bench-live: $(VENV)/.dev gstreamer
	$(BIN)/python -m benchmarks fuzz
	$(BIN)/python -m benchmarks soak
	$(BIN)/python -m benchmarks live

lock: | $(BIN)/python
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --python-version 3.10 --universal --generate-hashes \
	  --custom-compile-command "make lock" --quiet -o requirements.lock
	echo torch | $(BIN)/uv pip compile pyproject.toml --extra train --extra export --extra bench --extra dev \
	  --excludes /dev/stdin -c requirements.lock --python-version 3.10 --universal --generate-hashes \
	  --custom-compile-command "make lock" --quiet -o requirements-dev.lock

clean:
	rm -rf $(OUT) build dist *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -print0 | xargs -0 rm -rf

distclean: clean
	rm -rf $(VENV)
