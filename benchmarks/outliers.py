"""How well outliers are found: examples of a held-out class must stand out among the test ones.

    python benchmarks/outliers.py digits
    python benchmarks/outliers.py mnist FOLDER
    python benchmarks/outliers.py tumours

Every class in turn is the outlier (of the tumours, the malignant ones, in five random splits).
Prints the area under the ROC curve of every task for AE and VAE, by squared error and by their own
score, for the error that PCA of the same size leaves, and for scikit-learn's IsolationForest;
appends the result to benchmarks/results/outliers.jsonl.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

import isthmus as ist
from isthmus.report._reference import PCAReference

RESULTS = Path(__file__).with_name("results") / "outliers.jsonl"
SETTINGS = {
    "digits": {"latent_dim": 8, "epochs": 60},
    "mnist": {"latent_dim": 8, "epochs": 5},
    "tumours": {"latent_dim": 2, "epochs": 60},
}
# typical examples to learn from, test examples, which of these are outliers
Task = tuple[np.ndarray, np.ndarray, np.ndarray]


def tasks(name: str, folder: str | None) -> Iterator[Task]:
    """The tasks of a data set, one a class or a split."""
    if name == "tumours":
        x, y = load_breast_cancer(return_X_y=True)
        x, malignant = x.astype(np.float32), y == 0
        for seed in range(5):
            train, test = train_test_split(
                np.flatnonzero(~malignant), test_size=1 / 3, random_state=seed
            )
            test = np.concatenate([test, np.flatnonzero(malignant)])
            yield x[train], x[test], malignant[test]
        return
    data = ist.data.load(name, data_dir=folder)
    for label in range(10):
        yield data.train.x[data.train.y != label], data.test.x, data.test.y == label


def scores(train: np.ndarray, test: np.ndarray, settings: dict[str, int]) -> dict[str, np.ndarray]:
    """How unusual each test example is to every method, ``(n,)``."""
    found = {}
    for cls in (ist.AE, ist.VAE):
        model = cls(random_state=0, verbose=0, **settings).fit(train)
        found |= {
            f"{cls.__name__}, error": model.squared_error(test),
            f"{cls.__name__}, score": -model.score_samples(test),
        }
    flat, seen = train.reshape(len(train), -1), test.reshape(len(test), -1)
    found["PCA, error"] = (
        PCAReference(latent_dim=settings["latent_dim"]).fit(train).squared_error(test)
    )
    found["IsolationForest"] = -IsolationForest(random_state=0).fit(flat).score_samples(seen)
    return found


def main(name: str, folder: str | None = None) -> None:
    areas: dict[str, list[float]] = {}
    for train, test, outlier in tasks(name, folder):
        for method, unusual in scores(train, test, SETTINGS[name]).items():
            areas.setdefault(method, []).append(round(float(roc_auc_score(outlier, unusual)), 4))
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    result: dict[str, Any] = {
        "benchmark": "outliers",
        "commit": commit,
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, CPU",
        "data": name,
        **SETTINGS[name],
        "mean_auroc": {
            method: round(float(np.mean(values)), 3) for method, values in areas.items()
        },
        "auroc": areas,
        "torch": torch.__version__,
    }
    with RESULTS.open("a") as file:
        file.write(json.dumps(result) + "\n")
    print(json.dumps(result["mean_auroc"], indent=2))


if __name__ == "__main__":
    main(*sys.argv[1:])
