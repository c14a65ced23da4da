"""Where rows of numbers are dense, and how far off others lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from sklearn.covariance import ledoit_wolf_shrinkage
from torch import Tensor

_FREEDOM = 4.0  # degrees of Student's t: what lies far off hardly moves the estimates
_ROUNDS = 15  # of the estimation, at most
_SETTLED = 1e-2  # a relative change of the weights at which it ends
_LEAST_SHRINKAGE = 0.02  # of the scatter towards a sphere, so that it can be inverted
_QUARTILES = 1.349  # distance of the quartiles of a normal distribution, in standard deviations
_LEAST_UNIT = 0.05  # standard deviations that the quartiles must lie apart to be a unit
_VALUES = 1 << 28  # squared width times rows that the scatter is estimated from


@dataclass(frozen=True)
class View:
    """One view of examples: where they are dense, and how far off they usually are.

    Attributes:
        scale: the standard deviation of each coordinate, ``(q,)``.
        centre: where the density is highest, in these units, ``(q,)``.
        whitening: symmetric, ``(q, q)``.
        usual: the median of the squared distance.
    """

    scale: np.ndarray
    centre: np.ndarray
    whitening: np.ndarray
    usual: np.ndarray

    @classmethod
    def fit(cls, u: np.ndarray, floor: np.ndarray) -> View:
        """The view of training examples ``(n, q)``; no scale is below the ``floor`` ``(q,)``."""
        scale = np.maximum(spread(u, 0.0), floor)
        scale = np.where(scale > 0, scale, 1.0)
        rows = max(2 * u.shape[1], _VALUES // u.shape[1] ** 2)
        some = u[np.linspace(0, len(u) - 1, min(rows, len(u))).astype(int)]
        centre, whitening = student_t(some / scale)
        distance = np.square((some / scale - centre) @ whitening).sum(1)
        return cls(scale, centre, whitening, np.array(max(float(np.median(distance)), 1e-12)))

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor], prefix: str) -> View:
        """A view that was saved, whose tensors have a prefix."""
        return cls(*(tensors[prefix + part.name].numpy() for part in fields(cls)))

    def squares(self, u: np.ndarray) -> np.ndarray:
        """Squared whitened coordinates of ``(n, q)``, whose sum is 1 for a usual example."""
        return np.asarray(np.square((u / self.scale - self.centre) @ self.whitening) / self.usual)


def student_t(u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The centre ``(q,)`` and the symmetric whitening ``(q, q)`` of rows ``(n, q)``, by a
    multivariate Student's t.

    Expectation and maximisation in turns: a row's weight falls with its distance.
    """
    n, q = u.shape
    shrinkage = max(_LEAST_SHRINKAGE, float(ledoit_wolf_shrinkage(u)))
    weight, scatter, centre = np.ones(n), np.eye(q), u.mean(0)
    for _ in range(_ROUNDS):
        centre = weight @ u / weight.sum()
        centred = u - centre
        scatter = centred.T @ (centred * weight[:, None]) / n
        scatter *= 1 - shrinkage
        scatter += shrinkage * max(np.trace(scatter) / q, 1e-12) * np.eye(q)
        distance = ((centred @ np.linalg.inv(scatter)) * centred).sum(1)
        before, weight = weight, (_FREEDOM + q) / (_FREEDOM + distance)
        if np.abs(weight - before).max() < _SETTLED * weight.max():
            break
    values, vectors = np.linalg.eigh(scatter)
    return centre, (vectors / np.sqrt(values)) @ vectors.T


def robust_units(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The median of each column ``(n, columns)``, and its spread by the distance of the quartiles;
    by the standard deviation where most values of a column are the same.
    """
    lower, middle, upper = np.quantile(x, [0.25, 0.5, 0.75], axis=0)
    unit, deviation = (upper - lower) / _QUARTILES, spread(x)
    return middle, np.where(unit > _LEAST_UNIT * deviation, unit, deviation)


def spread(values: np.ndarray, constant: float = 1.0) -> np.ndarray:
    """Standard deviations of columns; ``constant`` where a column does not vary."""
    spread = values.std(0)
    return np.where(spread > 0, spread, constant)
