"""Missing cells filled in: ours beside scikit-learn's imputers, on cells that were hidden.

    .venv-peers/bin/python -m benchmarks.real_tables FOLDER   # once: the tables
    python -m benchmarks.imputation FOLDER
    python -m benchmarks.imputation FOLDER houses wage        # these tables

Hidden are 10% or 30% of the cells, completely at random, or cells by their own values: the upper
three tenths of a number and all but the most frequent category with a chance of 0.6, the others
with 0.1. Numbers are judged by the root of the mean squared error in standard deviations of their
column, categories by the share that is right; each over all hidden cells of a column, then over
columns. A line for each table, pattern, method and seed goes into
benchmarks/results/imputation.jsonl; finished ones are left as they are, but under ``--anew``.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from pandas.api.types import is_numeric_dtype
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

import isthmus as ist
from benchmarks.kept import ANEW, KeptRows
from benchmarks.real_tables import parts

RESULTS = Path(__file__).resolve().parent / "results" / "imputation.jsonl"
MIXED = ("penguins", "houses", "wage", "credit", "attrition", "computers")
NUMBERS: dict[str, Callable[..., Any]] = {
    "breast cancer": load_breast_cancer,
    "diabetes": load_diabetes,
}
PATTERNS = ("10% at random", "30% at random", "by value")
SEEDS = (0, 1, 2)
Imputer = Callable[[pd.DataFrame], pd.DataFrame]


def table(folder: Path, name: str) -> pd.DataFrame:
    """A whole table without gaps."""
    if name in NUMBERS:
        return NUMBERS[name](as_frame=True).data
    return pd.concat(parts(folder, name), ignore_index=True)


def hidden(frame: pd.DataFrame, pattern: str, seed: int) -> np.ndarray:
    """Which cells are hidden, ``(n, columns)``."""
    random = np.random.default_rng(seed)
    if pattern.endswith("at random"):
        return random.random(frame.shape) < float(pattern.split("%")[0]) / 100
    likely = [
        column > column.quantile(0.7) if is_numeric_dtype(column) else column != column.mode()[0]
        for _, column in frame.items()
    ]
    return random.random(frame.shape) < np.where(np.stack(likely, axis=1), 0.6, 0.1)


def with_one_hot(make: Callable[[], Any]) -> Imputer:
    """A scikit-learn imputer on standardised numbers and one-hot categories."""

    def impute(frame: pd.DataFrame) -> pd.DataFrame:
        numbers, categories = _kinds(frame)
        scaler, encoder = StandardScaler(), OneHotEncoder(sparse_output=False)
        blocks = [scaler.fit_transform(frame[numbers])] if numbers else []
        levels: list[np.ndarray] = []
        for name in categories:
            known = frame[[name]].dropna()
            block = np.full((len(frame), known[name].nunique()), np.nan)
            block[frame[name].notna()] = encoder.fit_transform(known)
            levels.append(encoder.categories_[0])
            blocks.append(block)
        filled = make().fit_transform(np.concatenate(blocks, axis=1))
        found = frame.copy()
        if numbers:
            found[numbers] = scaler.inverse_transform(filled[:, : len(numbers)])
        start = len(numbers)
        for name, kinds in zip(categories, levels, strict=True):
            found[name] = kinds[filled[:, start : start + len(kinds)].argmax(axis=1)]
            start += len(kinds)
        return found

    return impute


def with_codes(make: Callable[[], Any]) -> Imputer:
    """A scikit-learn imputer on standardised numbers and integer codes of categories."""

    def impute(frame: pd.DataFrame) -> pd.DataFrame:
        numbers, categories = _kinds(frame)
        encoder = OrdinalEncoder(encoded_missing_value=np.nan)
        codes = (
            encoder.fit_transform(frame[categories]) if categories else np.empty((len(frame), 0))
        )
        filled = make().fit_transform(
            np.concatenate([frame[numbers].to_numpy(float), codes], axis=1)
        )
        found = frame.copy()
        found[numbers] = filled[:, : len(numbers)]
        if categories:
            most = [np.sum(~pd.isna(kinds)) - 1 for kinds in encoder.categories_]
            nearest = filled[:, len(numbers) :].round().clip(0, most)
            found[categories] = encoder.inverse_transform(nearest)
        return found

    return impute


def by_member(cls: type[Any], seed: int, **values: Any) -> Imputer:
    """A member of ours with its defaults, but for some fields."""

    def impute(frame: pd.DataFrame) -> pd.DataFrame:
        return cls(random_state=seed, verbose=0, **values).fit(frame).impute(frame)

    return impute


def methods(seed: int) -> dict[str, Imputer]:
    """All imputers."""
    trees = ExtraTreesRegressor(n_estimators=30, min_samples_leaf=3, random_state=seed)
    return {
        "mean": with_one_hot(SimpleImputer),
        "nearest neighbours": with_one_hot(KNNImputer),
        "iterative, linear": with_one_hot(lambda: IterativeImputer(random_state=seed)),
        "iterative, trees": with_codes(lambda: IterativeImputer(trees, random_state=seed)),
        "AE, defaults": by_member(ist.AE, seed),
        "VAE, defaults": by_member(ist.VAE, seed),
        "AE, cosine": by_member(ist.AE, seed, schedule="cosine"),
        "AE, 16 wide": by_member(ist.AE, seed, latent_dim=16, epochs=100),
        "VAE, 16 wide": by_member(ist.VAE, seed, latent_dim=16, beta=0.5, epochs=100),
    }


def errors(frame: pd.DataFrame, filled: pd.DataFrame, gaps: np.ndarray) -> dict[str, float]:
    """The error of numbers and the accuracy of categories, over hidden cells."""
    squares, right = [], []
    for place, (name, column) in enumerate(frame.items()):
        truth, guess = column[gaps[:, place]], filled[name][gaps[:, place]]
        if is_numeric_dtype(column):
            squares.append(float(np.square((guess - truth) / column.std(ddof=0)).mean()))
        else:
            right.append(float((guess.astype(str) == truth.astype(str)).mean()))
    found = {"rmse": float(np.sqrt(np.mean(squares)))}
    return found | ({"accuracy": float(np.mean(right))} if right else {})


def measure(frame: pd.DataFrame, pattern: str, seed: int, impute: Imputer) -> dict[str, float]:
    """The errors of a method on one table with hidden cells, and the seconds that it took."""
    gaps = hidden(frame, pattern, seed)
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        filled = impute(frame.mask(gaps))
    seconds = time.process_time() - start
    return {**errors(frame, filled, gaps), "seconds": seconds}


def main(folder: Path, words: list[str]) -> None:
    torch.set_num_threads(1)
    kept = KeptRows(RESULTS, ("table", "pattern", "method", "seed"), anew=ANEW in words)
    names = [word for word in words if word != ANEW] or [*MIXED, *NUMBERS]
    for seed in SEEDS:  # all tables once before any of them again
        for name in names:
            frame = table(folder, name)
            for pattern in PATTERNS:
                for method, impute in methods(seed).items():
                    if kept.lacks(name, pattern, method, seed):
                        found = measure(frame, pattern, seed, impute)
                        kept.put((name, pattern, method, seed), {"rows": len(frame), **found})
                        print(name, pattern, method, seed, found, flush=True)
    print(summary(kept.rows()).round(3).to_string())


def summary(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Means over seeds, then over tables and patterns, of each method, and how far the means of
    single seeds lie apart.
    """
    frame = pd.DataFrame(rows)
    by_seed = frame.groupby(["method", "seed"])[["rmse", "accuracy", "seconds"]].mean()
    spread = by_seed.groupby("method").std().add_suffix(" ±")
    return by_seed.groupby("method").mean().join(spread)


def _kinds(frame: pd.DataFrame) -> tuple[list[str], list[str]]:
    numbers = [str(name) for name, column in frame.items() if is_numeric_dtype(column)]
    return numbers, [str(name) for name in frame if name not in numbers]


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
