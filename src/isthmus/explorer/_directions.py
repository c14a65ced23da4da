"""What changes along a direction of the codes, in words, where that can be measured."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.neighbors import KNeighborsClassifier

from isthmus.explorer._shown import Shown

_CODES = 96  # from which one walks along each direction
_NEIGHBOURS = 5
_PLAIN = 0.5  # of the deviation of a measure over examples: what two deviations must change it by
_AGREE = 0.85  # share of the codes at which it changes the same way
_SHARE = 0.25  # by which a class must become more frequent, or less
_DARK = 0.1  # up to this a pixel is background


class Direction(NamedTuple):
    """What changes along a direction.

    Attributes:
        low: words for what happens towards its low end.
        high: for its high end.
        change: how far pictures change from a deviation down to a deviation up, the root of the
            mean squared difference.
    """

    low: list[str]
    high: list[str]
    change: float


class Trait(NamedTuple):
    """A number of a picture, and what to call less and more of it."""

    less: str
    more: str
    values: np.ndarray


def words_of(
    one: Shown, directions: np.ndarray, deviations: np.ndarray, y: np.ndarray | None
) -> list[Direction]:
    """What happens along each direction.

    From codes of examples one goes a deviation down and a deviation up; what then changes in the
    decoder's pictures at nearly all of them, and plainly, is said. So is the class whose share
    among the nearest examples rises or falls by a quarter, two deviations either way.

    Args:
        one: the member.
        directions: ``(axes, code)``.
        deviations: of the codes along each, ``(axes,)``.
        y: the class of each example.
    """
    codes = one.codes()
    rows = np.linspace(0, len(codes) - 1, min(_CODES, len(codes))).astype(int)
    conditions = None if one.conditions is None else one.conditions[rows]
    here = measured(one.decoded(codes[rows], conditions))
    nearest = None
    if y is not None and one.conditions is None and len(np.unique(y)) > 1:
        few = min(_NEIGHBOURS, len(codes))
        nearest = KNeighborsClassifier(few).fit(codes, np.asarray(y))
    found = []
    for direction, deviation in zip(directions, deviations, strict=True):
        step = deviation * direction
        down, up = (one.decoded(codes[rows] + s * step, conditions) for s in (-1, 1))
        low, high = _changes(here, measured(down), measured(up))
        if nearest is not None:
            fewer, more = (nearest.predict(codes[rows] + s * step) for s in (-2, 2))
            _class_words(fewer, more, low, high)
        change = float(np.sqrt(np.square(up - down).mean()))
        found.append(Direction(low, high, change))
    return found


def measured(pictures: np.ndarray) -> list[Trait]:
    """Measures of pictures ``(n, c, h, w)``; of strokes on black their thickness, slant and width,
    of all others their brightness.
    """
    ink = pictures.mean(1).clip(0, 1)  # (n, h, w)
    if np.mean(ink < _DARK) < 0.4:
        return [Trait("darker", "brighter", ink.mean((1, 2)))]
    total = ink.sum((1, 2)) + 1e-9
    down, across = np.indices(ink.shape[1:])
    x, y = ((place * ink).sum((1, 2)) / total for place in (across, down))
    left, up = across - x[:, None, None], down - y[:, None, None]
    width, height = ((part**2 * ink).sum((1, 2)) / total for part in (left, up))
    lean = -(left * up * ink).sum((1, 2)) / total / (height + 1e-9)
    edges = sum(np.abs(np.diff(ink, axis=axis)).sum((1, 2)) for axis in (1, 2))
    return [
        Trait("thinner", "thicker", 2 * total / (edges + 1e-9)),
        Trait("leans left", "leans right", lean),
        Trait("narrower", "wider", np.sqrt(width)),
    ]


def _changes(here: list[Trait], down: list[Trait], up: list[Trait]) -> tuple[list[str], list[str]]:
    low: list[str] = []
    high: list[str] = []
    if not len(here) == len(down) == len(up):  # strokes at one end and none at the other
        return low, high
    for base, below, above in zip(here, down, up, strict=True):
        change = above.values - below.values
        mean, spread = float(change.mean()), float(base.values.std())
        if abs(mean) < _PLAIN * spread or np.mean(np.sign(change) == np.sign(mean)) < _AGREE:
            continue
        low.append(base.less if mean > 0 else base.more)
        high.append(base.more if mean > 0 else base.less)
    return low, high


def _class_words(fewer: np.ndarray, more: np.ndarray, low: list[str], high: list[str]) -> None:
    """Put the class that is at home at each end in front of the words of that end."""
    kinds = np.unique(np.concatenate([fewer, more]))
    rise = np.array([np.mean(more == kind) - np.mean(fewer == kind) for kind in kinds])
    if rise.max() >= _SHARE:
        high.insert(0, f"class {kinds[rise.argmax()]}")
    if rise.min() <= -_SHARE:
        low.insert(0, f"class {kinds[rise.argmin()]}")
