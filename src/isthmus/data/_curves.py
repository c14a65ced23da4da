"""Scalings that are no straight line, for columns with long tails or of any shape."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from isthmus.core.records import Record, unusable

REACH = 3.0  # what smooth clipping approaches, in robust standard deviations
NEAR = 1 - 1e-3  # how near to it a decoder's value may come and still be brought back
_KNOTS = 1000
_LEAP = 100.0
FARTHEST = 80.0  # logarithms beyond the last quantile, of which float32 holds the exponential
_SEEN = 100_000  # values of a column that its quantiles are read from


class Curve(ABC):
    """An increasing map of standardised values, and its inverse."""

    @abstractmethod
    def transform(self, x: np.ndarray) -> np.ndarray:
        """Values ``(n, *shape)`` on the curve."""

    @abstractmethod
    def inverse_transform(self, x: np.ndarray) -> np.ndarray:
        """Back from it."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Plain values for ``config.json``."""

    def require_columns(self, count: int) -> None:  # noqa: B027  (most curves fit any)
        """Refuse values of another number of columns than the curve was drawn for."""


@dataclass(frozen=True)
class SmoothClip(Curve):
    r"""Smooth clipping: near 0 a straight line, and never beyond 3.

    .. math:: u \mapsto \frac{u}{\sqrt{1 + (u / 3)^2}}

    Reference:
        D. Holzmüller, L. Grinsztajn and I. Steinwart, Better by default: strong pre-tuned MLPs and
        boosted trees on tabular data, NeurIPS 2024.
    """

    def transform(self, x: np.ndarray) -> np.ndarray:
        # of huge values the square would overflow: beyond 1e9 the curve has reached its end
        bounded = x.clip(-1e9, 1e9)
        return bounded / np.sqrt(1 + (bounded / REACH) ** 2)

    def inverse_transform(self, x: np.ndarray) -> np.ndarray:
        share = (x / REACH).clip(-NEAR, NEAR)
        return share * REACH / np.sqrt(1 - share**2)

    def to_json(self) -> dict[str, Any]:
        return {"curve": "smooth clip"}


@dataclass(frozen=True)
class NormalQuantiles(Curve):
    r"""Normal scores: what had a share p of the training values below it becomes Φ⁻¹(p).

    Every column then follows N(0, 1), whatever it followed before. Between the quantiles that are
    kept it is a straight line; beyond the last ones it grows as a logarithm, in units of the
    column's spread.

    Attributes:
        knots: the quantiles of the training values, ``(knots, columns)``; one column for all
            values where they share a scale.
    """

    knots: np.ndarray

    @property
    def shares(self) -> np.ndarray:
        """The share of the training values that lies below each quantile, ``(knots,)``."""
        return (np.arange(len(self.knots)) + 0.5) / len(self.knots)

    @property
    def ends(self) -> list[float]:
        """The scores of the first and the last quantile."""
        return [float(score) for score in ndtri(self.shares[[0, -1]])]

    @property
    def spreads(self) -> list[float]:
        """The spread of each column, ``(columns,)``."""
        return [self._spread(knots) for knots in self.knots.T]

    def transform(self, x: np.ndarray) -> np.ndarray:
        return self._along(x, self._score)

    def inverse_transform(self, x: np.ndarray) -> np.ndarray:
        return self._along(x, self._value)

    def to_json(self) -> dict[str, Any]:
        return {"curve": "normal quantiles", "knots": self.knots.tolist()}

    def require_columns(self, count: int) -> None:
        if self.knots.shape[1] not in (1, count):
            raise unusable("knots of shape", self.knots.shape, f"1 column, or {count}")

    def _along(self, x: np.ndarray, change: Any) -> np.ndarray:
        columns = self.knots.shape[1]
        flat = x.reshape(-1, columns)
        changed = [change(flat[:, place], self.knots[:, place]) for place in range(columns)]
        return np.stack(changed, axis=1).reshape(x.shape)

    def _score(self, x: np.ndarray, knots: np.ndarray) -> np.ndarray:
        # where a value is met often, one direction gives the last of its quantiles, the other the
        # first: its score is the one in their middle
        last = np.interp(x, knots, self.shares)
        first = -np.interp(-x, -knots[::-1], -self.shares[::-1])
        beyond = np.minimum(x - knots[0], 0) + np.maximum(x - knots[-1], 0)
        steps = beyond / self._spread(knots)
        return ndtri((last + first) / 2) + np.sign(steps) * np.log1p(np.abs(steps))

    def _value(self, scores: np.ndarray, knots: np.ndarray) -> np.ndarray:
        first, last = self.ends
        beyond = np.minimum(scores - first, 0) + np.maximum(scores - last, 0)
        steps = np.sign(beyond) * np.expm1(np.abs(beyond).clip(max=FARTHEST))
        return np.interp(ndtr(scores), self.shares, knots) + steps * self._spread(knots)

    @staticmethod
    def _spread(knots: np.ndarray) -> float:
        return float(knots.std()) or 1.0


def fit_normal_quantiles(x: np.ndarray, *, by_column: bool) -> NormalQuantiles:
    """The quantiles of training values ``(n, *shape)``; NaN does not count.

    Args:
        x: the values.
        by_column: whether each column of a table has quantiles of its own.
    """
    flat = x if by_column else x.reshape(-1, 1)
    seen = flat[:: max(1, len(flat) // _SEEN)]
    count = max(2, min(_KNOTS, len(seen)))
    shares = (np.arange(count) + 0.5) / count
    knots = np.nanquantile(seen, shares, axis=0, method="linear")
    knots = np.nan_to_num(knots).astype(np.float64)
    return NormalQuantiles(np.apply_along_axis(_without_leaps, 0, knots))


def _without_leaps(knots: np.ndarray) -> np.ndarray:
    """Quantiles without the few at either end that lie a hundred times farther from the middle than
    the one before them: they are slips, towards which nothing should be interpolated.
    """
    knots = knots.copy()
    middle, few = knots[len(knots) // 2], max(1, len(knots) // 50)
    for ends in (knots, knots[::-1]):
        for place in range(len(knots) - few, len(knots)):
            if abs(ends[place] - middle) > _LEAP * abs(ends[place - 1] - middle) > 0:
                ends[place:] = ends[place - 1]
    return knots


def curve_from_json(values: Record) -> Curve:
    """The inverse of :meth:`Curve.to_json`."""
    if values.word("curve", ("smooth clip", "normal quantiles")) == "smooth clip":
        return SmoothClip()
    knots = values.array("knots")
    if knots.ndim != 2 or len(knots) < 2 or (np.diff(knots, axis=0) < 0).any():
        raise unusable("knots of shape", knots.shape, "rising columns of at least 2")
    return NormalQuantiles(knots)


def robust_spread(x: np.ndarray, axis: Any) -> tuple[np.ndarray, np.ndarray]:
    r"""Median and robust standard deviation, (Q3 − Q1) / 1.349, of values; NaN does not count.

    Where half of the values are one, the spread is the standard deviation of what is left within
    the 1st and the 99th percentile, or of all.
    """
    low, first, median, third, high = np.nanquantile(x, [0.01, 0.25, 0.5, 0.75, 0.99], axis=axis)
    spread = (third - first) / 1.349
    inner = np.nanstd(np.clip(x, low, high), axis=axis)
    spread = np.where(spread > 0, spread, inner)
    return median, np.where(spread > 0, spread, np.minimum(np.nanstd(x, axis=axis), 1e30))
