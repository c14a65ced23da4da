# make demo: train AE and VAE on handwritten digits and write demo/index.html
# make test: run the whole suite
# make stubs: write src/isthmus/__init__.pyi, the public names with their types, from the declarations
# make bench: speed beside peers (made once by make bench-peers), and docs/performance.md; make bench-gpu: on an accelerator
# All make a virtual environment in .venv first, once.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

PEERS := .venv-peers

.PHONY: demo test lint types stubs bench bench-peers bench-gpu clean

demo: $(READY)
	$(BIN)/isthmus compare ae vae --data digits --latent-dim 2 --epochs 100 --batch-size 64 --learning-rate 0.002 --out demo

test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy
	$(BIN)/basedpyright --pythonpath $(BIN)/python

stubs: $(READY)
	$(BIN)/python -m isthmus._stubs

bench: $(READY)
	$(BIN)/python -m benchmarks.speed

bench-peers: $(PEERS)/.ready

bench-gpu: $(READY)
	$(BIN)/python -m benchmarks.speed --device cuda

$(PEERS)/.ready: benchmarks/peers.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/peers.txt
	touch $(PEERS)/.ready

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $(READY)

clean:
	rm -rf $(VENV) $(PEERS) demo
