"""Outliers of tables, found by our detectors and by others, all with their defaults.

    python -m benchmarks.outliers tables FOLDER                # all .npz files of FOLDER
    python -m benchmarks.outliers tables FOLDER glass vowels   # these
    python -m benchmarks.outliers tables FOLDER --anew         # finished rows too

Sets of ADBench (``.npz`` files with X and y) are learnt from as they are, with their outliers and
without labels, three seeds each. benchmarks/peers_outliers.txt says what must be installed. A line
for each set, seed and method goes into benchmarks/results/outliers.jsonl; finished ones are left
as they are. Seconds are of one processor core.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import roc_auc_score

import isthmus as ist
from benchmarks.kept import ANEW, KeptRows

RESULTS = Path(__file__).with_name("results") / "outliers.jsonl"
SEEDS = (0, 1, 2)
METHODS = (
    "isthmus",
    "isthmus, ae",
    "isthmus, vae",
    "PyOD AutoEncoder",
    "PyOD VAE",
    "PyOD IForest",
    "PyOD ECOD",
    "PyOD LOF",
    "PyOD PCA",
)
Fit = Callable[[np.ndarray], np.ndarray]


def detector(method: str, seed: int) -> Fit:
    """A method with its defaults: from rows to how unusual each is."""
    from pyod.models import auto_encoder, ecod, iforest, lof, pca, vae

    def ours(member: str) -> Fit:
        return lambda x: -ist.OutlierDetector(member, random_state=seed).fit(x).scores_

    def theirs(made: Callable[..., Any], **values: Any) -> Fit:
        return lambda x: made(**values).fit(x).decision_scores_

    match method:
        case "isthmus":
            return ours("auto")
        case "isthmus, ae" | "isthmus, vae":
            return ours(method.split(", ")[1])
        case "PyOD AutoEncoder":
            return theirs(auto_encoder.AutoEncoder, random_state=seed, verbose=0)
        case "PyOD VAE":
            return theirs(vae.VAE, random_state=seed, verbose=0)
        case "PyOD IForest":
            return theirs(iforest.IForest, random_state=seed)
        case "PyOD ECOD":
            return theirs(ecod.ECOD)
        case "PyOD LOF":
            return theirs(lof.LOF)
        case _:
            return theirs(pca.PCA, random_state=seed)


def measure(x: np.ndarray, y: np.ndarray, method: str, seed: int) -> dict[str, float]:
    """The area under the ROC curve of a method on one set, and the seconds of its fit."""
    fit = detector(method, seed)
    started = time.process_time()
    unusual = np.nan_to_num(fit(x), posinf=np.finfo(np.float64).max)
    passed = time.process_time() - started
    return {"auroc": float(roc_auc_score(y, unusual)), "seconds": passed}


def summary(rows: list[dict[str, Any]], value: str) -> pd.DataFrame:
    """Means over seeds of a value, sets by methods, and their mean below."""
    frame = pd.DataFrame(rows)
    found = frame.groupby(["set", "method"])[value].mean().unstack().reindex(columns=METHODS)
    return pd.concat([found, found.mean().to_frame("mean").T])


def main(folder: Path, words: list[str]) -> None:
    torch.set_num_threads(1)
    kept = KeptRows(RESULTS, ("set", "method", "seed"), anew=ANEW in words)
    wanted = [word for word in words if word != ANEW]
    paths = sorted(folder.glob("*.npz"), key=lambda path: path.stat().st_size)
    for seed in SEEDS:  # all sets once before any of them again
        for path in paths:
            name = path.stem.partition("_")[2]
            if not wanted or name in wanted:
                _go_on(kept, path, name, seed)
    for value in ("auroc", "seconds"):
        print(summary(kept.rows(), value).round(3).to_string())


def _go_on(kept: KeptRows, path: Path, name: str, seed: int) -> None:
    """Measure what is missing of a set and a seed."""
    with np.load(path) as stored:
        x, y = stored["X"].astype(np.float64), stored["y"]
    for method in METHODS:
        if kept.lacks(name, method, seed):
            found = measure(x, y, method, seed)
            kept.put((name, method, seed), {"data": "tables", **found})
            print(name, method, seed, found, flush=True)
