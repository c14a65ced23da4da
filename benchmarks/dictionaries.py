"""Error against active units: sparse autoencoders on the activations of a classifier of MNIST.

    python -m benchmarks.dictionaries [EPOCHS [EXAMPLES]]

Writes docs/images/dictionaries.png.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import isthmus as ist
from benchmarks.sheets import write
from isthmus.figures._style import INK, PALETTE, SMALL, TEXT, WIDTH, head, label, new_figure, quiet
from isthmus.sparsities import L1, BatchTopK, Gated, JumpReLU, TopK

PICTURE = Path(__file__).parents[1] / "docs" / "images" / "dictionaries.png"
WIDTH_OF_LAYER, UNITS, BATCH = 256, 1024, 256
COUNTS = (4, 8, 16, 32)
SHARES = (0.05, 0.1, 0.2, 0.4)
WEIGHTS = {
    "gated": (1.5, 3.0, 8.0, 20.0),
    "L1": (0.5, 1.0, 2.0, 4.0, 8.0),
}
JUMPS = ((1.0, 0.2), (1.0, 0.4), (1.0, 0.8), (4.0, 2.0))
"""Weights and first thresholds of JumpReLU: in short trainings, where these start counts most."""
_NEAR = 0.05  # of a number of units, in logarithms: the ends of a curve of k are not quite k
Point = tuple[float, float]
"""Active units an example, and the share of the variance that is lost."""


def layer_of_classifier(
    train: ist.data.Part, test: ist.data.Part, epochs: int = 5
) -> tuple[np.ndarray, np.ndarray, float]:
    """The rectified hidden layer of a classifier, 784-256-64-10, of both parts; its test error."""
    member = ist.AE(latent_dim=64, hidden=(WIDTH_OF_LAYER,), network="mlp", epochs=1)
    model = ist.AutoencoderClassifier(member, epochs=epochs, random_state=0).fit(train)
    layers = [name for name, _ in model.module_.encoder.named_children()]
    found = [ist.data.activations(model, f"encoder.{layers[-1]}", part.x) for part in (train, test)]
    return found[0][:], found[1][:], float(np.mean(model.predict(test.x) != test.y))


def members() -> dict[str, list[Any]]:
    """What is trained, of each kind one for each point of its curve."""
    shared: dict[str, Any] = {
        "latent_dim": UNITS,
        "batch_size": BATCH,
        "learning_rate": 2e-3,
        "schedule": "cosine",
        "random_state": 0,
        "verbose": 0,
    }

    def of(make: Callable[[Any], Any], values: Sequence[Any]) -> list[Any]:
        return [ist.DictionaryAE(sparsity=make(value), **shared) for value in values]

    return {
        "TopK": of(lambda k: TopK(k=int(k)), COUNTS),
        "BatchTopK": of(lambda k: BatchTopK(k=int(k)), COUNTS),
        "JumpReLU": of(lambda jump: JumpReLU(*jump, bandwidth=max(0.4, jump[1])), JUMPS),
        "gated": of(lambda weight: Gated(weight=weight), WEIGHTS["gated"]),
        "L1": of(lambda weight: L1(weight=weight), WEIGHTS["L1"]),
        "k-sparse": [
            ist.SparseAE(sparsity="topk", k=k, hidden=(), scaling="rms", likelihood="mse", **shared)
            for k in COUNTS
        ],
    }


def measured(model: Any, test: np.ndarray) -> Point:
    """Where a trained member lies on its curve."""
    z = np.concatenate([model.transform(part) for part in np.array_split(test, 10)])
    lost = np.square(model.reconstruct(test) - test).sum() / np.square(test - test.mean(0)).sum()
    return float((z > 0).sum(1).mean()), float(lost)


def curves(
    train: np.ndarray, test: np.ndarray, fit: Callable[[str, Any, np.ndarray], Any]
) -> dict[str, list[Point]]:
    """The curve of each kind; ``fit`` trains a member under a name."""
    return {
        name: sorted(
            measured(fit(f"{name} {place}", member, train), test)
            for place, member in enumerate(kind)
        )
        for name, kind in members().items()
    }


def at(curve: list[Point], count: float) -> float | None:
    """The error of a curve at a number of active units, between its points by logarithms; None
    beyond its ends, where nothing was measured.
    """
    active, lost = np.log(np.maximum(np.array(curve).T, 1e-6))
    wanted = np.log(count)
    if not active[0] - _NEAR <= wanted <= active[-1] + _NEAR:
        return None
    return float(np.exp(np.interp(wanted, active, lost)))


def draw(found: Mapping[str, list[Point]]) -> Figure:
    """The curves, in logarithms both ways."""
    figure = new_figure(WIDTH, 3.4)
    axes = figure.subplots()
    quiet(axes)
    for (name, curve), colour in zip(found.items(), PALETTE, strict=False):
        shown = np.array([point for point in curve if 2 <= point[0] <= 80])
        if len(shown):
            style = "--" if name in ("L1", "k-sparse") else "-"
            axes.plot(
                *shown.T, style, marker="o", markersize=3.5, linewidth=1.4, color=colour, label=name
            )
    axes.set(xscale="log", yscale="log")
    axes.set_xticks(COUNTS, labels=map(str, COUNTS))
    axes.set_yticks(SHARES, labels=[f"{share:.0%}" for share in SHARES])
    axes.minorticks_off()
    label(axes, "active units an example", "share of the variance that is lost")
    axes.legend(frameon=False, fontsize=SMALL, labelcolor=INK)
    head(axes, f"Activations of a classifier, dictionaries of {UNITS:,} units", TEXT)
    return figure


def main(words: list[str]) -> None:
    """Train all of them, and draw their curves."""
    epochs, examples = (int(words[0]) if words else 10, int(words[1]) if len(words) > 1 else 20_000)
    data = ist.data.load("mnist")
    train, test, wrong = layer_of_classifier(data.train.take(slice(examples)), data.test)

    def fit(name: str, member: Any, x: np.ndarray) -> Any:
        return member.set_params(epochs=epochs).fit(x)

    found = curves(train, test, fit)
    print(f"test error of the classifier: {wrong:.2%}")
    for name, curve in found.items():
        print(f"{name:10}", "  ".join(f"{count:5.1f}: {lost:.4f}" for count, lost in curve))
    write([draw(found)], PICTURE)


if __name__ == "__main__":
    main(sys.argv[1:])
