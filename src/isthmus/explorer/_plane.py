"""The plane of a model's codes: its axes, what of it is shown, and where examples lie over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from isthmus.core.latent_grid import BOXES
from isthmus.explorer._packing import packed_reals

_AXES = 8  # directions that have a slider, the plane's two included
_MARGIN = 0.05
_SIGMAS = 2  # of the prior, which are always in sight
_CODES = 2**21  # bytes that the codes of all moments may take before they are packed


@dataclass(frozen=True)
class Moment:
    """The codes of the examples at one moment.

    Attributes:
        epoch: finished epochs.
        codes: ``(n, code)``.
    """

    epoch: int
    codes: np.ndarray


@dataclass(frozen=True)
class Axes:
    """The axes along which a code is shown: its own up to two, else principal directions.

    Attributes:
        centre: the code in the middle, ``(code,)``.
        directions: orthonormal, ``(axes, code)``.
        deviations: of the codes along each, ``(axes,)``.
        names: what they are called.
    """

    centre: np.ndarray
    directions: np.ndarray
    deviations: np.ndarray
    names: tuple[str, ...]

    def coordinates(self, codes: np.ndarray) -> np.ndarray:
        """Where codes lie in the plane, ``(n, 1 or 2)``."""
        return (codes - self.centre) @ self.directions[:2].T


def axes_of(codes: np.ndarray) -> Axes:
    """The axes of codes ``(n, code)``."""
    size = codes.shape[1]
    if size <= 2:
        return Axes(np.zeros(size), np.eye(size), codes.std(0), ("z₁", "z₂")[:size])
    centre = codes.mean(0)
    _, sizes, directions = np.linalg.svd(codes - centre, full_matrices=False)
    kept = min(_AXES, len(directions))
    names = tuple(f"PC {place + 1}" for place in range(kept))
    return Axes(centre, directions[:kept], sizes[:kept] / np.sqrt(len(codes)), names)


def plane_of(
    moments: Sequence[Moment], space: str, pictured: int, y: np.ndarray | None
) -> dict[str, Any]:
    """The plane as the front end is given it.

    Args:
        moments: the last one is the end of training, whose axes all share.
        space: where codes live, as estimators say it.
        pictured: how many of the examples have a picture; only their codes are kept.
        y: the labels of the examples, by which codes of one number lie in strips.
    """
    last = moments[-1].codes
    axes = axes_of(last)
    points = np.stack([axes.coordinates(moment.codes) for moment in moments])
    is_own = last.shape[1] <= 2
    strips = 1 if y is None else int(y.max(initial=0)) + 1
    return {
        "centre": axes.centre.tolist(),
        "directions": axes.directions.tolist(),
        "deviations": axes.deviations.tolist(),
        "names": axes.names,
        "view": view_of(points, space if is_own else "data", strips),
        "rings": space == "normal" and last.shape[1] == 2,
        "epochs": [moment.epoch for moment in moments],
        "points": packed_reals(points),
        "codes": None if is_own else _codes(moments, pictured),
    }


def _codes(moments: Sequence[Moment], pictured: int) -> dict[str, Any]:
    """Codes of more than two numbers at as many moments as the page has room for."""
    size = 2 * moments[-1].codes[:pictured].size
    kept = [moments[place] for place in evenly(len(moments), max(1, _CODES // size))]
    values = np.stack([moment.codes[:pictured] for moment in kept])
    return {"epochs": [moment.epoch for moment in kept], **packed_reals(values)}


def view_of(points: np.ndarray, space: str, strips: int) -> list[float]:
    """Left, right, bottom, top of what is shown of points ``(moments, n, 1 or 2)``: all of a
    bounded code, else a square around most of them at every moment; far ones are left out.
    """
    axes = points.shape[2]
    if space in BOXES:
        low, high = (np.full(axes, side) for side in BOXES[space])
    else:
        quantiles = np.quantile(points, (0.003, 0.997), axis=1)  # (2, moments, axes)
        low, high = quantiles[0].min(0), quantiles[1].max(0)
        low = np.zeros(axes) if space == "positive" else low
    if space == "normal":
        low, high = np.minimum(low, -_SIGMAS), np.maximum(high, _SIGMAS)
    middle, half = (low + high) / 2, float((high - low).max()) / 2 * (1 + 2 * _MARGIN)
    half = half if half > 0 else 1.0
    found = [middle[0] - half, middle[0] + half]
    found += [0.6 - strips, 0.6] if axes == 1 else [middle[1] - half, middle[1] + half]
    return [float(side) for side in found]


def evenly(count: int, most: int) -> list[int]:
    """At most so many places from 0 to count − 1, evenly spread, the last among them."""
    if count <= most:
        return list(range(count))
    return [round(place) for place in np.linspace(count - 1, 0, most)][::-1]
