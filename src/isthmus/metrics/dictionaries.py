"""What is known of the units of a code: when they are active, and what they add."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from isthmus.core.hooks import evaluating
from isthmus.errors import InputError
from isthmus.estimators.fitted import FittedEstimator

_ROWS = 4096  # examples at a time
BINS = 20


@dataclass(frozen=True)
class FeatureTable:
    """The units of a code over some examples.

    Attributes:
        frequency: the share of the examples that use each unit, ``(units,)``.
        mean: the mean activation of those that use it, ``(units,)``; 0 where none does.
        top: the rows of the examples that use each unit most, the strongest first,
            ``(units, count)``.
        strongest: their activations, ``(units, count)``; 0 where fewer examples use it.
        histogram: how many examples use each unit how much, in bins of equal width from 0 to its
            strongest activation, ``(units, bins)``.
        directions: what a unit adds to the decoder's output, ``(units, outputs)``.
        nearest: the unit whose direction is most like each one's, ``(units,)``.
        similarity: the cosine of the angle between the two, ``(units,)``.
        active: how many units an example uses, on average.
    """

    frequency: np.ndarray
    mean: np.ndarray
    top: np.ndarray
    strongest: np.ndarray
    histogram: np.ndarray
    directions: np.ndarray
    nearest: np.ndarray
    similarity: np.ndarray
    active: float

    @property
    def dead(self) -> np.ndarray:
        """The units that no example uses."""
        return np.flatnonzero(self.frequency == 0)

    def dense(self, share: float = 0.1) -> np.ndarray:
        """The units that more than a share of the examples use, the most frequent first."""
        order = np.argsort(-self.frequency, kind="stable")
        return order[self.frequency[order] > share]


def features(model: FittedEstimator, X: Any, *, count: int = 8) -> FeatureTable:
    """Look at the units of a member's code over examples, which may be a stream.

    A unit is used where it is above 0, so the code must not be below: a ``DictionaryAE``, a
    ``SparseAE``, an ``AE`` with ``code_activation="relu"``.

    Args:
        model: a trained member.
        X: examples as ``transform`` takes them, or a stream of them.
        count: how many examples are kept for each unit.

    Raises:
        InputError: for a code that is not of this kind.
    """
    directions = _directions(model)
    units = len(directions)
    fired, total = np.zeros(units), np.zeros(units)
    strongest, top = np.zeros((units, 0), dtype=np.float32), np.zeros((units, 0), dtype=np.int64)
    for start, z in _coded(model, X):
        fired += (z > 0).sum(0)
        total += z.sum(0, dtype=np.float64)
        rows = np.broadcast_to(np.arange(start, start + len(z)), (units, len(z)))
        strongest, top = _largest(np.hstack([strongest, z.T]), np.hstack([top, rows]), count)
    nearest, similarity = _neighbours(directions)
    return FeatureTable(
        frequency=fired / len(X),
        mean=total / np.maximum(fired, 1),
        top=top,
        strongest=strongest,
        histogram=_histograms(model, X, strongest[:, 0]),
        directions=directions,
        nearest=nearest,
        similarity=similarity,
        active=float(fired.sum() / len(X)),
    )


def _coded(model: FittedEstimator, X: Any) -> Iterable[tuple[int, np.ndarray]]:
    """Codes, some rows at a time, each with the first of these rows."""
    for start in range(0, len(X), _ROWS):
        z = model.codes(X[start : start + _ROWS])
        if (z < 0).any():
            raise InputError(
                f"the code of {type(model).__name__} is below 0, so no unit of it is unused: take a"
                " DictionaryAE or a SparseAE."
            )
        yield start, z


def _histograms(model: FittedEstimator, X: Any, highest: np.ndarray) -> np.ndarray:
    """How many examples use each unit how much, up to its ``highest``, ``(units, bins)``."""
    width = np.where(highest > 0, highest, 1.0) / BINS
    found = np.zeros((len(highest), BINS), dtype=np.int64)
    for _, z in _coded(model, X):
        rows, units = np.nonzero(z > 0)
        place = np.minimum((z[rows, units] / width[units]).astype(np.int64), BINS - 1)
        np.add.at(found, (units, place), 1)
    return found


def _largest(values: np.ndarray, rows: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The largest values of each row, so many, and the places that belong to them."""
    order = np.argsort(-values, axis=1, kind="stable")[:, :count]
    return np.take_along_axis(values, order, 1), np.take_along_axis(rows, order, 1)


def _directions(model: FittedEstimator) -> np.ndarray:
    """What each unit alone adds to the decoder's output, ``(units, outputs)``."""
    module = model.module_
    if module.bottleneck.levels or model.preprocessor_.condition is not None:
        raise InputError(
            f"{type(model).__name__} has no units to look at, or is told a condition beside them:"
            " take a DictionaryAE or a SparseAE."
        )
    shape = module.bottleneck.code_shape
    weight = next(module.parameters())
    one = torch.eye(int(np.prod(shape)), device=weight.device, dtype=weight.dtype)
    with evaluating(module):
        said = module.parameters_at(one.unflatten(1, shape)).flatten(1)
        nothing = module.parameters_at(torch.zeros_like(one[:1]).unflatten(1, shape)).flatten(1)
    directions: np.ndarray = (said - nothing).cpu().numpy()
    return directions


def _neighbours(directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each direction the one that is most like it, and the cosine of their angle."""
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    unit = directions / np.where(lengths > 0, lengths, 1)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -np.inf)
    if len(cosines) == 1:
        return np.zeros(1, dtype=np.int64), np.zeros(1)
    nearest = cosines.argmax(1)
    return nearest, np.take_along_axis(cosines, nearest[:, None], 1)[:, 0]
