"""Synthetic tables: our VAE beside CTGAN's TVAE on real tables of numbers and categories.

    .venv-peers/bin/python -m benchmarks.real_tables FOLDER   # once: the tables
    python -m benchmarks.tables FOLDER                        # TVAE where the peers are, then ours
    python -m benchmarks.tables FOLDER houses wage            # these tables

TVAE has its defaults; ours has its own, and the settings that docs/tables.md recommends. Each makes
as many rows as it learnt from. A line for each is added to benchmarks/results/tables.jsonl; TVAE's
lines that stand there are not made again.
``make bench-peers`` makes the environment of the peers.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import torch

import isthmus as ist
from benchmarks.pages import rounded, surroundings
from benchmarks.papers.record import append, commit
from benchmarks.real_tables import TABLES, parts
from isthmus.metrics import table_quality

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "tables.jsonl"
PEERS = Path(os.environ.get("ISTHMUS_PEERS", ROOT / ".venv-peers"))
SEEDS = (0,)
METHODS = ("TVAE", "VAE", "VAE, recommended", "real rows")
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


def made_by_us(train: pd.DataFrame, seed: int) -> Iterator[tuple[str, pd.DataFrame, float]]:
    """Our rows, with our defaults and as docs/tables.md recommends, with seconds."""
    start = time.process_time()
    model = ist.VAE(random_state=seed, verbose=0).fit(train)
    seconds = time.process_time() - start
    yield "VAE", model.sample(len(train), random_state=seed), seconds
    epochs = math.ceil(STEPS / math.ceil(len(train) / model.batch_size))
    start = time.process_time()
    model = ist.VAE(
        latent_dim=16,
        beta=0.5,
        scaling="quantile",
        schedule="cosine",
        epochs=epochs,
        random_state=seed,
        verbose=0,
    ).fit(train)
    model.fit_prior(train)
    seconds = time.process_time() - start
    yield "VAE, recommended", model.sample(len(train), random_state=seed), seconds


def lines(folder: Path, name: str, known: set[tuple[str, str, int]]) -> Iterator[dict[str, Any]]:
    """What is measured on one table."""
    train, test = parts(folder, name)
    half = len(train) // 2
    for seed in SEEDS:
        tables = []
        if ("TVAE", name, seed) not in known and (PEERS / "bin/python").exists():
            tables.append(("TVAE", *made_by_tvae(folder, name, seed)))
        tables += made_by_us(train, seed)
        for method, made, seconds in tables:
            yield _line(method, name, seed, seconds, train, made, test)
        # what is left to gain: one half of the real rows, beside the other
        shuffled = train.sample(frac=1, random_state=seed)
        if ("real rows", name, seed) not in known:
            yield _line(
                "real rows", name, seed, 0.0, shuffled[:half], shuffled[half : 2 * half], test
            )


def _line(
    method: str,
    name: str,
    seed: int,
    seconds: float,
    train: pd.DataFrame,
    made: pd.DataFrame,
    test: pd.DataFrame,
) -> dict[str, Any]:
    quality = table_quality(train, made, test)
    measures = {key: measure.value for key, measure in quality.measures.items()}
    return {
        "table": name,
        "method": method,
        "seed": seed,
        "rows": len(train),
        **rounded({**measures, "seconds": seconds}),
        **surroundings(),
        "commit": commit(),
        "date": datetime.now(UTC).date().isoformat(),
    }


def kept() -> list[dict[str, Any]]:
    """The lines that stand in the file."""
    return (
        [json.loads(line) for line in RESULTS.read_text().splitlines()] if RESULTS.exists() else []
    )


def summary(found: list[dict[str, Any]]) -> pd.DataFrame:
    """The means over seeds, then over tables, of each method's latest lines."""
    frame = pd.DataFrame(found).drop_duplicates(["table", "method", "seed"], keep="last")
    names = [
        "marginals",
        "pairs",
        "efficacy",
        "detection",
        "closest_record",
        "nearer_to_training",
        "copies",
        "seconds",
    ]
    by_table = frame.groupby(["table", "method"])[names].mean()
    return by_table.groupby("method").mean().reindex(METHODS)


def main(folder: Path, names: list[str]) -> None:
    torch.set_num_threads(1)  # as TVAE gets
    known = {(line["method"], line["table"], line["seed"]) for line in kept()}
    for name in names or TABLES:
        for line in lines(folder, name, known):
            append(line, RESULTS)
            print(name, line["method"], line["seed"], line["pairs"], line["efficacy"], flush=True)
    print(summary(kept()).round(3).to_string())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
