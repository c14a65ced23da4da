"""What an autoencoder knows, it has from examples: errors against how many there were."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

import isthmus as ist
from isthmus.data import Data
from isthmus.figures._style import INK, PALETTE, SMALL, WIDTH, label, new_figure, quiet
from isthmus.report._reference import PCAReference

SIZES, SEEDS = (100, 300, 1_000, 3_000, 10_000, 60_000), 3
CODE, BATCH, STEPS = 32, 100, 1_800  # three epochs of 60,000


def measure() -> tuple[list[dict[str, Any]], Figure]:
    """Training and test error of AE and PCA by number of examples: mean and spread over seeds."""
    data = ist.data.load("mnist")
    rows = [row for count in SIZES for row in _sized(data, count)]
    return rows, draw(rows)


def _sized(data: Data, count: int) -> list[dict[str, Any]]:
    """A seed chooses the examples, and the first weights; every training takes as many steps."""
    errors: dict[str, list[tuple[float, float]]] = {"ae": [], "pca": []}
    for seed in range(SEEDS):
        x = data.train.x[np.random.default_rng(seed).permutation(len(data.train))[:count]]
        epochs = STEPS * BATCH // count
        ae = ist.AE(
            latent_dim=CODE,
            likelihood="mse",
            batch_size=BATCH,
            epochs=epochs,
            random_state=seed,
            verbose=0,
        )
        for name, model in (("ae", ae), ("pca", PCAReference(latent_dim=CODE))):
            model.fit(x)
            errors[name].append(
                (
                    float(model.squared_error(x).mean()),
                    float(model.squared_error(data.test.x).mean()),
                )
            )
    return [_row(name, count, np.array(pairs)) for name, pairs in errors.items()]


def _row(name: str, count: int, pairs: np.ndarray) -> dict[str, Any]:
    """The row of errors ``(seeds, 2)``, on training and on test examples."""
    (train, test), (train_sd, test_sd) = (
        pairs.mean(axis=0).tolist(),
        pairs.std(axis=0, ddof=1).tolist(),
    )
    found = {"train": train, "train_sd": train_sd, "test": test, "test_sd": test_sd}
    return {"name": f"{name}-{count}", "examples": count, **found}


def draw(rows: list[dict[str, Any]]) -> Figure:
    """Error against examples, the test solid and the training dashed."""
    figure = new_figure(WIDTH * 0.8, 3.2)
    axes = figure.subplots()
    quiet(axes)
    for name, title, colour in (("ae", "AE", PALETTE[2]), ("pca", "PCA", PALETTE[0])):
        mine = [row for row in rows if row["name"].startswith(f"{name}-")]
        for part, style in (("test", "-"), ("train", "--")):
            x, y = [row["examples"] for row in mine], [row[part] for row in mine]
            words = f"{title}, {'test' if part == 'test' else 'training'} examples"
            axes.plot(
                x, y, style, marker="o", markersize=3.5, linewidth=1.4, color=colour, label=words
            )
    axes.set(xscale="log", ylim=(0, None))
    axes.set_xticks(SIZES, labels=[f"{size:,}" for size in SIZES])
    axes.minorticks_off()
    label(axes, "training examples", "squared error per image")
    axes.legend(frameon=False, fontsize=SMALL, labelcolor=INK)
    return figure
