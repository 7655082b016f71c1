# Every target works on a clean checkout: the environment is made when it is not there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SLOW ?=

.PHONY: help demo test fuzz lint format docs bench bench-compare wheel licences clean

help:
	@echo "make demo    set up, make a mock survey, run the whole pipeline on it, leave a picture in demo/"
	@echo "make test    set up and run the tests (SLOW=1 includes the slow ones)"
	@echo "make fuzz    attack every reader with damaged and hostile files (SEED=2 CASES=10000)"
	@echo "make lint    ruff and mypy"
	@echo "make format  rewrite the code as ruff likes it"
	@echo "make docs    build the documentation into docs/_build/html, warnings and broken links are errors"
	@echo "make bench   time the engine compared with scikit-learn, in ratios (SLOW=1 includes the large sizes)"
	@echo "make bench-compare  the same, and fail where it is worse than the saved run"
	@echo "make wheel   build the wheel and the source distribution into dist/, with a bill of materials"
	@echo "make licences  list the licences of all that is installed with the package"

# Every file is held to its hash but torch's, whose wheels differ by platform and by CUDA: it has a version alone.
# pip says nothing for minutes: the steps are announced, with what they take on disk (du -sm, Linux, torch for the CPU).
$(STAMP): pyproject.toml requirements.lock constraints.txt
	@echo "setting up, once, in $(VENV): some minutes by a fast connection"
	@echo "1 of 4: virtual environment, by $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@echo "2 of 4: $$(grep -c '^[a-zA-Z0-9].*==' requirements.lock) packages, each held to its hash: about 1,300 MB"
	@$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
	@echo "3 of 4: torch, the largest: about 750 MB for the CPU, more with CUDA"
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	@echo "4 of 4: halonmf, from this folder"
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m pip check
	@touch $@

demo: $(STAMP)
	@echo "demo: a mock survey of 60,000 rows, its orbits, a fit and a picture, into demo/"
	$(BIN)/halonmf demo demo --overwrite

test: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto $(if $(SLOW),-m "",)

# mypy finds the package under its installed name, halonmf, through a link: the repository root is that package.
lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	mkdir -p build/types && ln -sfn ../.. build/types/halonmf
	MYPYPATH=build/types $(BIN)/mypy -m halonmf.cli -p halonmf.halo -p nmfcore

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The tutorial and the gallery run when the pages are built, and again when the code has changed.
docs: $(STAMP)
	PATH="$(CURDIR)/$(BIN):$$PATH" OMP_NUM_THREADS=1 $(BIN)/python -m sphinx -E -b html -W --keep-going -q docs docs/_build/html
	$(BIN)/python docs/check_links.py docs/_build/html

bench: $(STAMP)
	mkdir -p build
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest benchmarks $(if $(SLOW),-m "",) --benchmark-only --benchmark-quiet \
		--benchmark-json=build/bench.json
	$(BIN)/python benchmarks/shapes.py --output build/shapes.json

bench-compare: bench
	$(BIN)/python benchmarks/compare.py build/bench.json

fuzz: $(STAMP)
	$(BIN)/python -m tests.fuzz --seed $(or $(SEED),1) --cases $(or $(CASES),3000)

# An older wheel beside the new one would be what a pattern such as dist/*.whl installs. The same commit makes the same
# wheel, bit for bit.
wheel: export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
wheel: $(STAMP)
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist .
	$(BIN)/python .ci/dependencies.py sbom dist/halonmf.cdx.json

licences: $(STAMP)
	$(BIN)/python .ci/dependencies.py licences

clean:
	rm -rf build dist *.egg-info demo docs/_build docs/reference docs/gallery.md
