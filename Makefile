# make demo: train AE and VAE on handwritten digits, write demo/index.html and open it
# make test: run the whole suite
# make quick: style, types and the fast tests, in less than a minute
# make stubs: write src/isthmus/__init__.pyi, the public names with their types, from the declarations
# make docs: build the site from docs/ into build/site, and fail at any warning
# make bench: speed beside peers (made once by make bench-peers), and docs/performance.md; make bench-gpu: on an accelerator
# make check-gpu: every member and prior on an accelerator, beside the same on the CPU
# make torture: 20 minutes of attacks (MINUTES=2 for fewer): kills, damaged files, wrong inputs, full disks, threads
# All make a virtual environment in .venv first, once.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

PEERS := .venv-peers

.PHONY: demo test quick lint types stubs docs bench bench-peers bench-gpu check-gpu torture clean

demo: $(READY)
	$(BIN)/python -m isthmus demo --out demo

test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal

# Tests of the parts; of the contract of all members, those of the VAE. What trains for long, compiles,
# or runs the pages stays with `make test`.
QUICK := tests/data tests/metrics tests/figures/test_all.py tests/training/test_loop.py \
	tests/training/test_checkpoint.py tests/models/test_quantised.py \
	tests/priors/test_mixture.py tests/test_contract.py tests/test_fields.py tests/test_files.py \
	tests/test_member_pages.py tests/test_networks.py tests/test_packaging.py tests/test_registry.py \
	tests/test_runs.py src
QUICK_ONLY := (not test_contract or (vae and not vqvae and not iwae)) and not nvae

quick: lint types
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal -m "not slow" \
		-k "$(QUICK_ONLY)" $(QUICK)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy
	$(BIN)/basedpyright --pythonpath $(BIN)/python

stubs: $(READY)
	$(BIN)/python -m isthmus._stubs

docs: $(READY)
	$(BIN)/python -m website

bench: $(READY)
	$(BIN)/python -m benchmarks.speed

MINUTES ?= 20

torture: $(READY)
	$(BIN)/python -m benchmarks.torture --minutes $(MINUTES)

bench-peers: $(PEERS)/.ready

bench-gpu: $(READY)
	$(BIN)/python -m benchmarks.speed --device cuda

check-gpu: $(READY)
	$(BIN)/python -m benchmarks.accelerator

$(PEERS)/.ready: benchmarks/peers.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/peers.txt
	touch $(PEERS)/.ready

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $(READY)

clean:
	rm -rf $(VENV) $(PEERS) demo build
