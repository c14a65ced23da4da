"""Rows about dimensions of codes that follow the factors that images were made by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import isthmus as ist
from benchmarks.papers.row import Bench, over_seeds, rising, row
from isthmus.metrics._measure import Measure

SEEDS = (0, 1, 2)
WEIGHTS: dict[str, tuple[type[ist.Estimator], tuple[float, ...]]] = {
    "β-VAE": (ist.VAE, (1.0, 2.0, 4.0, 8.0)),
    "β-TC-VAE": (ist.BetaTCVAE, (1.0, 3.0, 6.0, 12.0)),
}
NETWORK: dict[str, Any] = {
    "latent_dim": 10,
    "hidden": (400, 400),
    "network": "mlp",
    "learning_rate": 1e-3,
    "batch_size": 256,
}
Curve = Sequence[tuple[float, float]]
"""Squared error and mutual information gap, a pair for every weight."""


@row(
    "shapes-mig",
    what="β-TC-VAE beside β-VAE on generated shapes: the mutual information gap at equal error",
    setting=(
        "1024-400-400-10, {epochs} epochs in batches of 256, Adam 0.001, on 7,680 images with five"
        " known factors; weights of 1, 2, 4 and 8 for the β-VAE, of 1, 3, 6 and 12 for the"
        " β-TC-VAE, three seeds. For each seed both curves of the gap (all 9,600 images) over the"
        " squared error of the test images are read at the middle of the errors that both reach."
    ),
    metric="mutual information gap at equal squared error",
    unit="share, 0 to 1",
    published={},
    source=(
        "no number for these images; Chen et al., NeurIPS 2018, figure 2, find the β-TC-VAE above"
        " the β-VAE on dSprites"
    ),
    wanted=rising("β-VAE", "β-TC-VAE"),
    epochs=(100, 300),
    error="standard deviation over seeds",
    data="shapes",
)
def shapes_mig(bench: Bench) -> Mapping[str, Measure]:
    """What either member reaches where both reconstruct as well."""
    data = ist.data.load("shapes")
    gaps: dict[str, list[float]] = {name: [] for name in WEIGHTS}
    for seed in SEEDS:
        curves = {name: curve(bench, data, name, seed) for name in WEIGHTS}
        for name, gap in at_equal_error(curves).items():
            gaps[name].append(gap)
    return {
        name: over_seeds("Mutual information gap", values, "share, 0 to 1", "higher")
        for name, values in gaps.items()
    }


def curve(bench: Bench, data: ist.data.Data, name: str, seed: int) -> Curve:
    """Error and gap of a member at each of its weights."""
    member, weights = WEIGHTS[name]
    points = []
    for beta in weights:
        label = f"{name}, β = {beta:g}, seed {seed}"
        model = bench.train(label, member(beta=beta, random_state=seed, **NETWORK), data.train)
        found = ist.metrics.evaluate(model, data)
        points.append((found["squared_error"].value, found["mig"].value))
        bench.settings[label] |= {"squared_error": points[-1][0], "mig": points[-1][1]}
    return points


def at_equal_error(curves: Mapping[str, Curve]) -> dict[str, float]:
    """Both gaps at the middle of the errors that all curves reach, between points in a line."""
    ordered = {name: np.array(sorted(points)) for name, points in curves.items()}
    low = max(points[0, 0] for points in ordered.values())
    high = min(points[-1, 0] for points in ordered.values())
    middle = 0.5 * (low + high)
    return {name: float(np.interp(middle, *points.T)) for name, points in ordered.items()}
