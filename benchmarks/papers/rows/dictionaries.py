"""The row about dictionaries: how few units for which error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.dictionaries import (
    BATCH,
    COUNTS,
    PICTURE,
    UNITS,
    WIDTH_OF_LAYER,
    at,
    curves,
    draw,
    layer_of_classifier,
)
from benchmarks.papers.row import Bench, Values, Wanted, row
from benchmarks.sheets import write
from isthmus.metrics._measure import Measure

GAO = "Gao et al., Scaling and evaluating sparse autoencoders, ICLR 2025"


def _is_lower(values: Values) -> bool:
    return all(values[f"TopK at {count}"] < values[f"L1 at {count}"] for count in COUNTS)


@row(
    "topk-l1",
    what="Dictionaries: the error of TopK, BatchTopK, JumpReLU, gated and L1 at equal active units",
    setting=(
        f"The {WIDTH_OF_LAYER} activations of the hidden layer of a classifier of MNIST for"
        f" {{images}} training images and all test images; dictionaries of {UNITS:,} units,"
        f" {{epochs}} epochs in batches of {BATCH}, Adam at 0.002 with a cosine. TopK and BatchTopK"
        f" with {', '.join(map(str, COUNTS))} units; the others with four to six weights, and their"
        " error at these numbers between the points of their curves, in logarithms, as far as these"
        " reach. k-sparse is"
        " the SparseAE: without atoms of length 1, and without what dead units learn."
    ),
    metric="squared error by the variance of the test activations",
    unit="share of the variance",
    published={},
    source=f"{GAO}, who find the error of TopK below that of ReLU with L1 at every sparsity",
    epochs=(10, 60),
    error="no error: one seed",
    note=(
        "The thresholds of JumpReLU hardly move in so short a training, so that where they start"
        " decides."
    ),
    wanted=Wanted("TopK below L1 at 4, 8, 16 and 32 active units", _is_lower),
)
def topk_l1(bench: Bench) -> Mapping[str, Measure]:
    """Whether units that are kept by their number reconstruct better than units at a price; the
    curves go into a picture of the page on dictionaries.
    """
    train = bench.data.train.take(slice(bench.length("images", 20_000, 60_000)))
    with bench.clock():
        x, test, wrong = layer_of_classifier(train, bench.data.test)
    bench.settings["classifier"] = {"test_error": round(wrong, 4)}

    def fit(name: str, member: Any, rows: np.ndarray) -> Any:
        return bench.train(name, member, rows)

    found = curves(x, test, fit)
    write([draw(found)], PICTURE)
    values = {
        f"{name} at {count}": at(curve, count) for name, curve in found.items() for count in COUNTS
    }
    return {name: _lost(value) for name, value in values.items() if value is not None}


def _lost(value: float) -> Measure:
    return Measure(
        "Lost", value, "share of the variance", None, "lower", "What is not reconstructed."
    )
