"""Data that are badly scaled: too large or too small for a network, or one value beside which all
others vanish.
"""

from __future__ import annotations

import numpy as np

from isthmus.core.findings import Finding
from isthmus.diagnosis._codes import Findings
from isthmus.diagnosis._examination import Examination

_LARGE, _SMALL = 20.0, 0.02  # in the model's units, in which examples should be about 1
_FAR = 1000.0  # usual deviations from the middle
_ALONE, _FEWEST = 0.9, 4  # of the variance, in one of so many columns
_SHIFT = 3.0  # times the deviation of the training examples


def scale(seen: Examination) -> Findings:
    """Whether values are about 1 in the model's units, and spread evenly."""
    train, preprocessor = seen.train, seen.model.preprocessor_
    values = train.x[train.known > 0].double()
    # the logarithms of counts are encoded
    if preprocessor.counts or len(values) < 2 or float(values.std()) == 0:
        return None
    # a value far out makes all others seem small
    return _outliers(seen) or _size(seen, float(values.square().mean().sqrt())) or _one_column(seen)


def _size(seen: Examination, size: float) -> list[Finding]:
    """Values or differences that are far from 1; ``size`` is the root mean square of the values."""
    spread = float(seen.train.variance.double().mean().sqrt())
    how = f"(scaling is {seen.model.preprocessor_.scaling.kind!r})"
    remedy = f"pass scaling='standard' {how}, or bring the data to about 1"
    if size > _LARGE:
        return [
            Finding(
                "values-too-large",
                f"values are about {size:.3g} in the model's units, where networks expect about 1",
                remedy,
                "root mean square of the values in the model's units",
                size,
                _LARGE,
            )
        ]
    if spread >= _SMALL:
        return []
    return [
        Finding(
            "values-too-small",
            f"examples differ by {spread:.2g} in the model's units, where networks expect about 1",
            remedy,
            "standard deviation of the values in the model's units",
            spread,
            _SMALL,
        )
    ]


def _outliers(seen: Examination) -> list[Finding]:
    """A value so far out that all others are one and the same beside it."""
    if seen.model.preprocessor_.spec.unit_range:
        return []
    values = seen.train.x[seen.train.known > 0].double().numpy()
    low, middle, high = np.quantile(values, (0.16, 0.5, 0.84))  # a deviation to both sides
    usual = (high - low) / 2
    farthest = float(np.abs(values - middle).max() / usual) if usual > 0 else 0.0
    if farthest <= _FAR:
        return []
    return [
        Finding(
            "values-far-out",
            f"a value lies {farthest:,.0f} usual deviations from the middle, beside which all"
            " others are one and the same",
            "correct it, or pass scaling='robust' or 'quantile'",
            "distance of the farthest value from the middle, usual deviations",
            farthest,
            _FAR,
        )
    ]


def _one_column(seen: Examination) -> list[Finding]:
    """A column that makes up nearly all of the variance."""
    model, variance = seen.model, seen.train.variance
    count = int((variance > 0).sum())
    share, place = float((variance / variance.sum()).max()), int(variance.argmax())
    if model.preprocessor_.spec.kind != "vector" or count < _FEWEST or share <= _ALONE:
        return []
    names = getattr(model, "feature_names_in_", None)
    column = f"column {place} (from 0)" if names is None else f"column {names[place]!r}"
    return [
        Finding(
            "one-column-dominates",
            f"{column} holds {share:.0%} of the variance of all {len(variance)} columns, so little"
            " else is learnt",
            f"pass scaling='standard' (it is {model.preprocessor_.scaling.kind!r})",
            "share of the variance in one column",
            share,
            _ALONE,
        )
    ]


def shift(seen: Examination) -> Findings:
    """Whether new examples are scaled like the training examples."""
    spreads = []
    for part in (seen.train, seen.test):
        values = part.x[part.known > 0].double()
        spreads.append(float(values.std()) if len(values) > 1 else 0.0)
    train, test = spreads
    if train == 0 or test == 0:
        return None
    times = max(test / train, train / test)
    if times <= _SHIFT:
        return []
    return [
        Finding(
            "test-scaled-otherwise",
            f"new examples spread {test / train:.2g} times as far as the training examples, so"
            " they are on another scale",
            "bring both parts to the same units before they are given",
            "ratio of the standard deviations of both parts",
            times,
            _SHIFT,
        )
    ]
