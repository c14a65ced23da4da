"""From the user's units to the model's, and back; the scaling is saved with the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from isthmus.core.example import Support
from isthmus.data._statistics import Axis, blocks, is_sparse, moments, reach
from isthmus.errors import InputError

_ROUNDING = 1e-5  # what 0 and 1 may be off once they are scaled


@dataclass(frozen=True)
class Scaling:
    """An affine map: inside = (outside - offset) / scale.

    Attributes:
        kind: ``"none"``, ``"pixels"`` (uint8 read as [0, 1]), ``"standard"`` or ``"minmax"``.
        offset, scale: float64; numbers, or one per column of a table, ``(columns,)``.
        unit_range: whether the values inside lie in [0, 1].
    """

    kind: str
    offset: np.ndarray
    scale: np.ndarray
    unit_range: bool

    def transform(self, x: np.ndarray) -> np.ndarray:
        """Values ``(n, *shape)`` in the model's units, as float32.

        They are computed in float64, so that what lies far from 0 keeps its differences.
        """
        inside = np.empty(x.shape, dtype=np.float32)
        for start, block in blocks(x):
            values = block.astype(np.float64, copy=False)
            if self.kind != "none":
                values = (values - self.offset) * (1 / self.scale)
            with np.errstate(over="ignore"):  # what overflows is named below
                inside[start : start + len(block)] = values
        if np.isinf(inside).any():
            place = np.argwhere(np.isinf(inside))[0]
            raise InputError(
                f"X holds {x[tuple(place)]:g} (row {place[0]}, from 0), which is beyond float32 in"
                " the model's units: take the row out, or scale its column to smaller numbers."
            )
        return inside

    def inverse_transform(self, x: np.ndarray) -> np.ndarray:
        """Back to the user's units, in the type of x; pixels stay in [0, 1]."""
        if self.kind in ("none", "pixels"):
            return x
        outside = np.empty_like(x)
        for start, block in blocks(x):
            values = block.astype(np.float64, copy=False) * self.scale + self.offset
            outside[start : start + len(block)] = values
        return outside

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``config.json``; float64 survives the decimal text exactly."""
        return {
            "kind": self.kind,
            "offset": self.offset.tolist(),
            "scale": self.scale.tolist(),
            "unit_range": self.unit_range,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Scaling:
        """The inverse of :meth:`to_json`."""
        offset, scale = (np.asarray(values[key], dtype=np.float64) for key in ("offset", "scale"))
        return cls(str(values["kind"]), offset, scale, bool(values["unit_range"]))


def fit_scaling(
    kind: str, x: Any, extent: tuple[float, float], *, per_channel: bool = False
) -> Scaling:
    """Choose the scaling of examples ``(n, *shape)`` with ``extent``, least and greatest value.

    ``"auto"`` reads uint8 as pixels, leaves [0, 1] alone and standardises everything else: each
    column of a table by itself, images as a whole; ``per_channel``, each channel of a signal. What
    is sparse has the scaling that it would have as an array.
    """
    in_unit = extent[0] >= 0 and extent[1] <= 1
    if kind == "auto":
        kind = "pixels" if x.dtype == np.uint8 else "none" if in_unit else "standard"
    if kind == "none":
        return Scaling(kind, np.zeros(1), np.ones(1), in_unit)
    if kind == "pixels":
        if x.dtype != np.uint8:
            raise InputError(
                f"scaling='pixels' reads uint8 as [0, 1], but X is {x.dtype}: use 'minmax' or"
                " 'auto'."
            )
        return Scaling(kind, np.zeros(1), np.full(1, 255.0), True)
    axis: Axis = 0 if x.ndim == 2 else (0, 2) if per_channel else None
    if kind == "minmax":
        offset, greatest = reach(x, axis)
        scale = greatest - offset
    else:
        offset, scale = moments(x, axis)
    offset, scale = np.atleast_1d(offset), np.atleast_1d(scale)
    if per_channel:
        offset, scale = offset[:, None], scale[:, None]  # (channels, 1) meets (n, channels, time)
    return Scaling(kind, offset, np.where(scale > 0, scale, 1.0), kind == "minmax")


def support_of(x: Any, scaling: Scaling) -> Support:
    """Which values examples ``(n, *shape)`` have once they are scaled; NaN does not count.

    All of them are looked at, up to the first that settles it.
    """
    if is_sparse(x) and scaling.kind != "minmax":
        x = x.data  # an end and a count is each of the zeros too
    if scaling.unit_range:
        scaled = ((block - scaling.offset) / scaling.scale for _, block in blocks(x))
        return "binary" if all(map(_are_ends, scaled)) else "unit"
    if scaling.kind != "none":
        return "real"
    are_counts = all((is_count(block) | np.isnan(block)).all() for _, block in blocks(x))
    return "count" if are_counts else "real"


def _are_ends(x: np.ndarray) -> bool:
    """Whether all values are 0 or 1, but for rounding."""
    distance = np.minimum(np.abs(x), np.abs(x - 1))
    return not bool((distance > _ROUNDING).any())


def is_count(x: np.ndarray) -> np.ndarray:
    """Whether each value is a whole number from 0 on."""
    found: np.ndarray = (x >= 0) & (x == np.rint(x))
    return found
