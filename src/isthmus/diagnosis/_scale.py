"""Data that are badly scaled: too large or too small for a network, or one value beside which all
others vanish.
"""

from __future__ import annotations

from isthmus.core.findings import Finding
from isthmus.diagnosis._codes import Findings
from isthmus.diagnosis._examination import Examination

_LARGE, _SMALL = 20.0, 0.02  # in the model's units, in which examples should be about 1
_FAR = 50.0  # deviations from the mean
_ALONE, _FEWEST = 0.9, 4  # of the variance, in one of so many columns
_SHIFT = 3.0  # times the deviation of the training examples


def scale(seen: Examination) -> Findings:
    """Whether values are about 1 in the model's units, and spread evenly."""
    if seen.model.preprocessor_.counts:  # whose logarithms are encoded
        return None
    train = seen.train
    values = train.x[train.known > 0].double()
    if len(values) < 2 or float(values.std()) == 0:
        return None
    size, spread = (
        float(values.square().mean().sqrt()),
        float(train.variance.double().mean().sqrt()),
    )
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
    if spread < _SMALL:
        return [
            Finding(
                "values-too-small",
                f"examples differ by {spread:.2g} in the model's units, where networks expect"
                " about 1",
                remedy,
                "standard deviation of the values in the model's units",
                spread,
                _SMALL,
            )
        ]
    return _outliers(seen) or _one_column(seen)


def _outliers(seen: Examination) -> list[Finding]:
    """A value so far out that all others are one and the same beside it."""
    train = seen.train
    values = train.x[train.known > 0].double()
    farthest = float(((values - values.mean()) / values.std()).abs().max())
    if farthest <= _FAR:
        return []
    return [
        Finding(
            "values-far-out",
            f"a value lies {farthest:.0f} standard deviations from the mean, beside which others"
            " hardly count",
            "correct it, or pass scaling='robust' or 'quantile'",
            "distance of the farthest value from the mean, standard deviations",
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
