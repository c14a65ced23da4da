"""Synthetic tables: our VAE beside CTGAN's TVAE on real tables of numbers and categories.

    .venv-peers/bin/python -m benchmarks.real_tables FOLDER   # once: the tables
    python -m benchmarks.tables FOLDER                        # TVAE where the peers are, and ours
    python -m benchmarks.tables FOLDER houses wage            # these tables

TVAE has its defaults; ours has its own, and the settings that docs/tables.md recommends. Each makes
as many rows as it learnt from. A line for each table, method and seed goes into
benchmarks/results/tables.jsonl; finished ones are left as they are, but under ``--anew``.
``make bench-peers`` makes the environment of the peers.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import torch

import isthmus as ist
from benchmarks.kept import ANEW, KeptRows
from benchmarks.real_tables import TABLES, parts
from isthmus.metrics import table_quality

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "tables.jsonl"
PEERS = Path(os.environ.get("ISTHMUS_PEERS", ROOT / ".venv-peers"))
SEEDS = (0, 1, 2)
METHODS = ("TVAE", "VAE", "VAE, recommended", "real rows")
MEASURES = (
    "marginals",
    "pairs",
    "efficacy",
    "detection",
    "closest_record",
    "nearer_to_training",
    "copies",
    "seconds",
)
STEPS = 2000  # of training, where we recommend settings: epochs go by the rows


def made_by_tvae(folder: Path, name: str, seed: int) -> tuple[pd.DataFrame, float]:
    """TVAE's rows, and the seconds of its training; made in the environment of the peers."""
    out = subprocess.run(
        [PEERS / "bin/python", "-m", "benchmarks.contestants.tvae", folder, name, str(seed)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    made = pd.read_csv(folder / f"{name}.tvae-{seed}.csv", keep_default_na=False)
    return made, float(out.split()[-1])


def made_by_us(train: pd.DataFrame, seed: int, is_tuned: bool) -> tuple[pd.DataFrame, float]:
    """Our rows, with our defaults or as docs/tables.md recommends, with seconds."""
    start = time.process_time()
    model = ist.VAE(random_state=seed, verbose=0)
    if is_tuned:
        epochs = math.ceil(STEPS / math.ceil(len(train) / model.batch_size))
        model.set_params(
            latent_dim=16, beta=0.5, scaling="quantile", schedule="cosine", epochs=epochs
        )
    model.fit(train)
    if is_tuned:
        model.fit_prior(train)
    seconds = time.process_time() - start
    return model.sample(len(train), random_state=seed), seconds


def measure(folder: Path, name: str, method: str, seed: int) -> dict[str, float]:
    """The quality of the rows that a method makes of one table."""
    train, test = parts(folder, name)
    match method:
        case "TVAE":
            made, seconds = made_by_tvae(folder, name, seed)
        case "real rows":  # what is left to gain: one half of the real rows, beside the other
            shuffled, half = train.sample(frac=1, random_state=seed), len(train) // 2
            train, made, seconds = shuffled[:half], shuffled[half : 2 * half], 0.0
        case _:
            made, seconds = made_by_us(train, seed, method != "VAE")
    quality = table_quality(train, made, test)
    measures = {key: measure.value for key, measure in quality.measures.items()}
    return {"rows": len(train), **measures, "seconds": seconds}


def summary(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Means over tables, then over seeds, of each method, and how far single seeds lie apart."""
    by_seed = pd.DataFrame(rows).groupby(["method", "seed"])[list(MEASURES)].mean()
    spread = by_seed.groupby("method").std().add_suffix(" ±")
    return by_seed.groupby("method").mean().join(spread).reindex(METHODS)


def main(folder: Path, words: list[str]) -> None:
    torch.set_num_threads(1)  # as TVAE gets
    kept = KeptRows(RESULTS, ("table", "method", "seed"), anew=ANEW in words)
    methods = METHODS if (PEERS / "bin/python").exists() else METHODS[1:]
    names = [word for word in words if word != ANEW] or list(TABLES)
    for seed in SEEDS:  # all tables once before any of them again
        for name in names:
            for method in methods:
                if kept.lacks(name, method, seed):
                    found = measure(folder, name, method, seed)
                    kept.put((name, method, seed), found)
                    print(name, method, seed, found, flush=True)
    print(summary(kept.rows()).round(3).to_string())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
