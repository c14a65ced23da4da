"""Convolutional, recurrent and fully connected autoencoders of real series, and PCA beside them.

    python -m benchmarks.series examples gunpoint italy arrow_head motions vowels
    python -m benchmarks.series steps bleeding sunspots elnino co2
    python -m benchmarks.series steps co2:pca
    python -m benchmarks.series page

``examples`` are sets of many series, which ship with aeon: each class in turn is left out of the
training and must stand out in the test part. ``steps`` are long series: one of aeon, with a real
anomaly, and three of statsmodels, each with spikes, pauses and bursts of noise put in; the steps of
the anomalies must stand out in the series that was trained on. Needs the packages of
benchmarks/peers.txt; each line of results goes to benchmarks/results/series.jsonl. ``page``
puts them into docs/series.md, and draws its picture by the code of the page.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.metrics import average_precision_score, roc_auc_score

import isthmus as ist
from benchmarks import pages

RESULTS = Path(__file__).with_name("results") / "series.jsonl"
PAGE = pages.DOCS / "series.md"
SEEDS = range(2)
STEPS = 600  # of training, whatever the number of examples
SETTINGS = {"latent_dim": 4, "batch_size": 32, "learning_rate": 2e-3}
LENGTHS = {"bleeding": (128, 16), "sunspots": (33, 1), "elnino": (36, 1), "co2": (104, 4)}

Member = Callable[[int, int], ist.Estimator]
Examples = np.ndarray | list[np.ndarray]  # (n, channels, time), or a list of (channels, time_i)


def members() -> dict[str, Member | None]:
    """What is compared: networks, as members for so many examples and a seed; None is PCA."""

    def common(n: int, seed: int) -> dict[str, Any]:
        epochs = math.ceil(STEPS / math.ceil(n / SETTINGS["batch_size"]))
        return {**SETTINGS, "epochs": epochs, "random_state": seed, "verbose": 0}

    return {
        "conv": lambda n, seed: ist.AE(kind="signal", **common(n, seed)),
        "recurrent": lambda n, seed: ist.RecurrentAE(**common(n, seed)),
        "mlp": lambda n, seed: ist.AE(kind="signal", network="mlp", **common(n, seed)),
        "pca": None,
    }


def turned(x: Examples) -> Examples:
    """Signals as sequences, or the reverse."""
    return [one.T for one in x] if isinstance(x, list) else np.moveaxis(x, 1, 2)


def padded(x: Examples, time: int) -> np.ndarray:
    """Examples of equal length ``(n, channels, time)``, NaN behind their ends."""
    lacking = [((0, 0), (0, time - one.shape[1])) for one in x]
    wide = [np.pad(one, lack, constant_values=np.nan) for one, lack in zip(x, lacking, strict=True)]
    return np.stack(wide)


class Components:
    """PCA of all values; each channel is standardised, what is missing is its mean."""

    def fit(self, x: np.ndarray) -> Components:
        self.mean = np.nanmean(x, (0, 2), keepdims=True)
        self.scale = np.nanstd(x, (0, 2), keepdims=True)
        inside = self._inside(x)
        self.pca = PCA(min(SETTINGS["latent_dim"], *inside.shape)).fit(inside)
        return self

    def errors(self, x: np.ndarray) -> np.ndarray:
        """The squared error of each value ``(n, channels, time)``, 0 where it is missing."""
        inside = self._inside(x)
        error = np.square(inside - self.pca.inverse_transform(self.pca.transform(inside)))
        return np.where(np.isnan(x), 0, error.reshape(x.shape))

    def _inside(self, x: np.ndarray) -> np.ndarray:
        return np.nan_to_num((x - self.mean) / self.scale).reshape(len(x), -1)


def examples_of(name: str) -> tuple[Examples, np.ndarray, Examples, np.ndarray]:
    """Training series and their classes, and those of the test part."""
    from aeon import datasets

    load = {
        "gunpoint": datasets.load_gunpoint,
        "italy": datasets.load_italy_power_demand,
        "arrow_head": datasets.load_arrow_head,
        "motions": datasets.load_basic_motions,
        "vowels": datasets.load_japanese_vowels,
    }[name]
    (x, y), (seen, classes) = load(split="train"), load(split="test")
    return x, np.asarray(y), seen, np.asarray(classes)


def series_of(name: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A long series ``(time,)``, and whether each step belongs to an anomaly."""
    if name == "bleeding":
        from aeon.datasets import load_kdd_tsad_135

        values, is_anomaly = load_kdd_tsad_135()
        return values, is_anomaly.astype(bool)
    import statsmodels.api as sm

    if name == "sunspots":
        values = sm.datasets.sunspots.load_pandas().data["SUNACTIVITY"].to_numpy()
    elif name == "elnino":
        values = sm.datasets.elnino.load_pandas().data.iloc[:, 1:].to_numpy().ravel()
    else:
        values = sm.datasets.co2.load_pandas().data["co2"].interpolate().to_numpy()
    return with_anomalies(values, LENGTHS[name][0], seed)


def with_anomalies(values: np.ndarray, length: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A series with two spikes, two stretches that stand still, and two that are noise."""
    draw, values = np.random.default_rng(seed), values.astype(float).copy()
    is_anomaly, spread = np.zeros(len(values), dtype=bool), values.std()
    room = len(values) // 6  # each in a part of the series of its own
    for number, kind in enumerate(draw.permutation(["spike", "pause", "noise"] * 2)):
        size = 1 if kind == "spike" else length // 6
        start = number * room + draw.integers(room - size)
        piece = slice(start, start + size)
        if kind == "spike":
            values[piece] += draw.choice([-2, 2]) * spread
        elif kind == "pause":
            values[piece] = values[start]
        else:
            values[piece] += spread * draw.standard_normal(size)
        is_anomaly[piece] = True
    return values, is_anomaly


def left_out(name: str, methods: Mapping[str, Member | None]) -> Iterator[dict[str, Any]]:
    """How well each method tells series of a class that it has not seen, mean of all classes."""
    x, y, seen, classes = examples_of(name)
    longest = max(one.shape[1] for one in [*x, *seen])
    is_list = isinstance(x, list)
    for method, made in methods.items():
        areas, errors, begun = [], [], time.perf_counter()
        for label in np.unique(y):
            typical = classes != label
            train = [x[row] for row in np.flatnonzero(y != label)] if is_list else x[y != label]
            for seed in SEEDS if made is not None else [0]:
                if made is None:
                    test, model = seen, Components().fit(padded(train, longest))
                    error = model.errors(padded(seen, longest)).sum((1, 2))
                else:
                    is_turned = method == "recurrent"
                    model = made(len(train), seed).fit(turned(train) if is_turned else train)
                    test = cut_to(seen, model, is_turned)
                    error = model.squared_error(test)
                areas.append(roc_auc_score(~typical, error / sizes(test)))
                errors.append(error[typical].sum() / sizes(test)[typical].sum())
        yield result(name, method, begun, areas, errors)


def cut_to(seen: Examples, model: ist.Estimator, is_turned: bool) -> Examples:
    """Test series as a model takes them, cut to the longest that it has seen."""
    if not isinstance(seen, list):
        return turned(seen) if is_turned else seen
    longest = model.preprocessor_.spec.shape[0 if is_turned else 1]
    short = [one[:, :longest] for one in seen]
    return turned(short) if is_turned else short


def sizes(seen: Examples) -> np.ndarray:
    """How many values each series holds, ``(n,)``."""
    return np.array([one.size for one in seen])


def marked(name: str, methods: Mapping[str, Member | None]) -> Iterator[dict[str, Any]]:
    """How well each method tells the steps of anomalies, mean of all seeds."""
    length, stride = LENGTHS[name]
    for method, made in methods.items():
        areas, errors, precisions, begun = [], [], [], time.perf_counter()
        for seed in SEEDS:
            values, is_anomaly = series_of(name, seed)
            kind = "sequence" if method == "recurrent" else "signal"
            cut = ist.data.windows(values, length, stride, kind=kind)
            if made is None:
                error = cut.fold(Components().fit(cut.x).errors(cut.x))
            else:
                error = -ist.score_steps(made(len(cut), seed).fit(cut), cut).scores
            areas.append(roc_auc_score(is_anomaly, error))
            precisions.append(average_precision_score(is_anomaly, error))
            errors.append(np.mean(error[~is_anomaly]))
        yield result(name, method, begun, areas, errors) | {
            "average_precision": round(float(np.mean(precisions)), 3)
        }


def result(
    name: str, method: str, begun: float, areas: list[float], errors: list[float]
) -> dict[str, Any]:
    """One line of the results."""
    return {
        "data": name,
        "method": method,
        "auroc": round(float(np.mean(areas)), 3),
        "mse": round(float(np.mean(errors)), 4),  # of a typical value, in standard deviations
        "seconds": round((time.perf_counter() - begun) / len(areas), 2),
    }


def numbers() -> dict[str, float]:
    """What was measured last, by ``data.method.measure``."""
    lines = [json.loads(line) for line in RESULTS.read_text().splitlines()]
    measures = ("auroc", "average_precision", "mse", "seconds")
    return {
        f"{line['data']}.{line['method']}.{measure}": line[measure]
        for line in lines
        for measure in measures
        if measure in line
    }


def draw() -> None:
    """The picture of docs/series.md."""
    code = PAGE.read_text().partition("```python\n")[2].partition("```")[0]
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        made: dict[str, Any] = {}
        exec(compile(code, "series.md", "exec"), made)
    data = ist.data.Data("series.csv", made["windows"], made["windows"])
    pages.save(ist.figures.series_outliers(made["model"], data), pages.DOCS / "images/series.png")


def main(task: str, *names: str) -> None:
    if task == "page":
        draw()
        pages.fill(PAGE, numbers())
        return
    warnings.simplefilter("ignore", FutureWarning)  # aeon's, of sets that will be downloads
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    about = {
        "benchmark": "series",
        "task": task,
        "commit": commit,
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, CPU",
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "seeds": len(SEEDS),
        "steps": STEPS,
        **SETTINGS,
    }
    for name in names:
        name, _, only = name.partition(":")
        methods = {m: made for m, made in members().items() if only in ("", m)}
        for line in {"examples": left_out, "steps": marked}[task](name, methods):
            with RESULTS.open("a") as file:
                file.write(json.dumps(about | line) + "\n")
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
