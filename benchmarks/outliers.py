"""How well outliers are found, beside other detectors.

    python -m benchmarks.outliers digits
    python -m benchmarks.outliers mnist FOLDER
    python -m benchmarks.outliers tumours
    python -m benchmarks.outliers tables FOLDER [--anew] [SET ...]
    python -m benchmarks.outliers one-class FOLDER [DIGIT ...]
    python -m benchmarks.outliers deep-one-class FOLDER [DIGIT ...]

``digits``, ``mnist``, ``tumours``: every class in turn is the outlier (of the tumours, the
malignant ones, in five random splits), and is left out of the training examples. ``tables``:
benchmarks/outlier_tables.py. ``one-class``: a digit of MNIST is learnt from, and all others must
stand out among the test images (Ruff et al., Deep one-class classification, ICML 2018).
``deep-one-class``: the same for Deep SVDD alone, after the paper's recipe: contrast that is
normalised image by image, and convolutions; one process a core.

Prints the area under the ROC curve of every method, and appends the results to
benchmarks/results/outliers.jsonl.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
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
from benchmarks import outlier_tables
from isthmus.report._reference import PCAReference

RESULTS = Path(__file__).with_name("results") / "outliers.jsonl"
SETTINGS: dict[str, dict[str, Any]] = {
    "digits": {"latent_dim": 8, "epochs": 60},
    "mnist": {"latent_dim": 8, "epochs": 5},
    "tumours": {"latent_dim": 2, "epochs": 60},
    "one-class": {"latent_dim": 32, "epochs": 10},
    "deep-one-class": {
        "latent_dim": 32,
        "network": "conv",
        "hidden": (8, 16),
        "activation": "leaky_relu",
        "likelihood": "mse",
        "scaling": "minmax",
        "batch_size": 200,
        "pretrain_epochs": 10,
        "epochs": 10,
        "closing_rate": 1e-3,
    },
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


def scores(train: np.ndarray, test: np.ndarray, settings: dict[str, Any]) -> dict[str, np.ndarray]:
    """How unusual each test example is to every method, ``(n,)``."""
    found = {}
    for cls in (ist.AE, ist.VAE):
        model = cls(random_state=0, verbose=0, **settings).fit(train)
        found |= {
            f"{cls.__name__}, error": model.squared_error(test),
            f"{cls.__name__}, score": -model.score_samples(test),
        }
    found["defaults"] = -ist.OutlierDetector(random_state=0).fit(train).score_samples(test)
    flat, seen = train.reshape(len(train), -1), test.reshape(len(test), -1)
    found["PCA, error"] = (
        PCAReference(latent_dim=settings["latent_dim"]).fit(train).squared_error(test)
    )
    found["IsolationForest"] = -IsolationForest(random_state=0).fit(flat).score_samples(seen)
    return found


def left_out(name: str, folder: str | None = None) -> dict[str, Any]:
    """Every class in turn as the outlier."""
    areas: dict[str, list[float]] = {}
    for train, test, outlier in tasks(name, folder):
        for method, unusual in scores(train, test, SETTINGS[name]).items():
            areas.setdefault(method, []).append(area(outlier, unusual))
    return {"mean_auroc": means(areas), "auroc": areas}


def one_class(folder: str, digits: list[str]) -> dict[str, Any]:
    """Every digit in turn as the only typical one, for a plain autoencoder and others."""
    data, areas = ist.data.load("mnist", data_dir=folder), {}
    settings: dict[str, Any] = {"random_state": 0, "verbose": 0, **SETTINGS["one-class"]}
    for digit in [int(text) for text in digits] or range(10):
        train, outlier = data.train.x[data.train.y == digit], data.test.y != digit
        plain = ist.AE(**settings).fit(train)
        flat, seen = train.reshape(len(train), -1), data.test.x.reshape(len(data.test), -1)
        found = {
            "AE, error": plain.squared_error(data.test.x),
            "PCA, error": PCAReference(latent_dim=32).fit(train).squared_error(data.test.x),
            "IsolationForest": -IsolationForest(random_state=0).fit(flat).score_samples(seen),
        }
        for method, unusual in found.items():
            areas.setdefault(method, []).append(area(outlier, unusual))
        print(digit, {method: values[-1] for method, values in areas.items()}, flush=True)
    return {"mean_auroc": means(areas), "auroc": areas}


def deep_one_class(folder: str, digits: list[str]) -> dict[str, Any]:
    """Every digit in turn as the only typical one, for Deep SVDD as its paper has it."""
    wanted = [int(text) for text in digits] or list(range(10))
    with ProcessPoolExecutor() as pool:
        found = list(pool.map(deep_area, [folder] * len(wanted), wanted))
    areas = {"DeepSVDD, distance": found}
    return {"mean_auroc": means(areas), "auroc": areas}


def deep_area(folder: str, digit: int) -> float:
    """The area of Deep SVDD that learnt one digit of MNIST."""
    warnings.simplefilter("ignore", ist.LearningWarning)
    data = ist.data.load("mnist", data_dir=folder)
    train = contrasts(data.train.x[data.train.y == digit])
    model = ist.DeepSVDD(random_state=0, verbose=0, **SETTINGS["deep-one-class"]).fit(train)
    found = area(data.test.y != digit, model.terms(contrasts(data.test.x))["distance"])
    print(digit, found, flush=True)
    return found


def contrasts(images: np.ndarray) -> np.ndarray:
    """Images ``(n, 1, height, width)`` less their mean, over their mean absolute deviation each."""
    centred = images - images.mean((1, 2, 3), keepdims=True, dtype=np.float32)
    return np.asarray(centred / np.abs(centred).mean((1, 2, 3), keepdims=True))


def area(outlier: np.ndarray, unusual: np.ndarray) -> float:
    """The area under the ROC curve."""
    return round(float(roc_auc_score(outlier, unusual)), 4)


def means(areas: dict[str, list[float]]) -> dict[str, float]:
    """The mean of every method's areas."""
    return {method: round(float(np.mean(values)), 3) for method, values in areas.items()}


def main(name: str, folder: str | None = None, *wanted: str) -> None:
    warnings.simplefilter("ignore", ist.LearningWarning)  # small sets, a few epochs
    match name, folder:
        case "tables", str():
            outlier_tables.main(Path(folder), list(wanted))
            return
        case "one-class", str():
            found = one_class(folder, list(wanted))
        case "deep-one-class", str():
            found = deep_one_class(folder, list(wanted))
        case _:
            found = left_out(name, folder)
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
        **found,
        "torch": torch.__version__,
    }
    with RESULTS.open("a") as file:
        file.write(json.dumps(result) + "\n")
    print(json.dumps(result["mean_auroc"], indent=2))


if __name__ == "__main__":
    main(*sys.argv[1:])
