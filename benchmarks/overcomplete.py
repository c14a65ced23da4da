"""A code narrower, or wider, than the data: what comes back, of digits and of pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import isthmus as ist
from benchmarks.sheets import GREY
from isthmus.data import Data, Part
from isthmus.figures._style import (
    INK,
    PALETTE,
    QUIET,
    SMALL,
    TEXT,
    WIDTH,
    bare,
    head,
    label,
    new_figure,
    quiet,
)

PIXELS, EXAMPLES, EPOCHS, LABELS = 784, 10_000, 15, 1000
SIZES = (2, 8, 32, 128, 784, 1568)
WIDEST = SIZES[-1]
_NOISE, _EACH = 0.4, 8
_SHOWN = ("ae-8", "ae-32", f"ae-{WIDEST}", "sparse", "denoising")


def members() -> dict[str, Any]:
    """All that is trained: one layer each way, codes that are 0 or more."""
    shared: dict[str, Any] = {"hidden": (), "epochs": EPOCHS, "random_state": 0, "verbose": 0}
    plain = {
        f"ae-{size}": ist.AE(latent_dim=size, code_activation="relu", **shared) for size in SIZES
    }
    return plain | {
        "sparse": ist.SparseAE(latent_dim=WIDEST, sparsity="topk", k=32, **shared),
        "denoising": ist.DenoisingAE(
            latent_dim=WIDEST,
            code_activation="relu",
            corruption=ist.corruptions.GaussianNoise(_NOISE),
            **shared,
        ),
    }


def measure() -> tuple[list[dict[str, Any]], Figure]:
    """What every code gives back of test digits, of two in one image, and of noise on them."""
    data = ist.data.load("mnist")
    train = data.train.take(slice(EXAMPLES))
    test = data.test.x / np.float32(255)
    rows, pictures = [], {}
    for name, member in members().items():
        model = member.fit(train)
        rows.append({"name": name, "code": model.latent_dim} | judged(model, train, data, test))
        if name in _SHOWN:
            pictures[name] = model.reconstruct(shown(test))
    return rows, draw(rows, shown(test), pictures)


def judged(model: Any, train: Part, data: Data, test: np.ndarray) -> dict[str, float]:
    """Errors of one model, and what a thousand labels make of its codes."""
    noise = _NOISE * np.random.default_rng(0).standard_normal(test.shape).astype(np.float32)
    noisy, pairs, made = (test + noise).clip(0, 1), paired(test), model.reconstruct(test)
    some = train.take(slice(LABELS))
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=300))
    probe.fit(model.transform(some.x), some.y)
    return {
        "squared_error": error(made, test),
        "pairs": error(model.reconstruct(pairs), pairs),
        "passed": error(model.reconstruct(noisy), made) / error(noisy, test),
        "probe": float(probe.score(model.transform(data.test.x), data.test.y)),
        "used": float((model.transform(test) > 0).mean()),
    }


def error(made: np.ndarray, x: np.ndarray) -> float:
    """The squared error of images, a sum over their pixels."""
    return float(np.square(made - x).sum(axis=(1, 2, 3)).mean())


def paired(x: np.ndarray) -> np.ndarray:
    """Two images in one, the brighter pixel of either: each with the one that lies half way on."""
    return np.maximum(x, np.roll(x, len(x) // 2, axis=0))


def shown(test: np.ndarray) -> np.ndarray:
    """What the picture shows: eight digits, then eight pairs."""
    return np.concatenate([test[:_EACH], paired(test)[:_EACH]])


def draw(
    rows: list[dict[str, Any]], originals: np.ndarray, pictures: dict[str, np.ndarray]
) -> Figure:
    """Errors against the size of the code, and what comes back."""
    figure = new_figure(WIDTH, 6.1)
    above, below = figure.subplots(2, 1, height_ratios=(1, 1.35))
    quiet(above)
    plain = [row for row in rows if row["name"].startswith("ae-")]
    for key, title, colour in (
        ("squared_error", "digits", PALETTE[0]),
        ("pairs", "two digits in one image", PALETTE[2]),
    ):
        above.plot(
            [row["code"] for row in plain],
            [row[key] for row in plain],
            marker="o",
            markersize=3.5,
            linewidth=1.4,
            color=colour,
            label=title,
        )
    above.axvline(PIXELS, color=QUIET, linestyle=":", linewidth=1)
    above.annotate(
        "as wide as\nthe data",
        (PIXELS, above.get_ylim()[1]),
        (-4, -4),
        fontsize=SMALL,
        color=QUIET,
        textcoords="offset points",
        ha="right",
        va="top",
    )
    above.set(xscale="log", ylim=(0, None))
    above.set_xticks(SIZES, labels=map(str, SIZES))
    above.minorticks_off()
    label(above, "numbers in the code", "squared error per image")
    above.legend(frameon=False, fontsize=SMALL, labelcolor=INK, loc=(0.4, 0.62))
    head(above, "AE, constrained by nothing but its width", TEXT)
    _sheet(below, {"original": originals} | pictures)
    return figure


def _sheet(axes: Any, rows: dict[str, np.ndarray]) -> None:
    names = {"sparse": f"sparse, {WIDEST}", "denoising": f"denoising, {WIDEST}"}
    bare(axes)
    for place, x in enumerate(rows.values()):
        GREY.draw(axes, x, 1, len(x), top=1.1 * place, pad=1)
    titles = [names.get(name, name.replace("ae-", "AE, ")) for name in rows]
    axes.set_yticks(1.1 * np.arange(len(rows)) + 0.5, labels=titles)
    axes.set(xlim=(0, 2 * _EACH), ylim=(1.1 * len(rows), 0), aspect="equal")
    head(axes, "What comes back", TEXT)
