"""From the user's units to the model's, and back; the scaling is saved with the model."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from isthmus.core.example import Support
from isthmus.errors import InputError

_VALUES = 1 << 22  # what is looked at at once
_SLACK = 0.01  # of a step of a grid: what float32 may be off
_ROUNDING = 1e-5  # what 0 and 1 may be off once they are scaled


@dataclass(frozen=True)
class Scaling:
    """An affine map: inside = (outside - offset) / scale.

    Attributes:
        kind: ``"none"``, ``"pixels"`` (uint8 read as [0, 1]), ``"standard"`` or ``"minmax"``.
        offset, scale: numbers, or one per column of a table, ``(columns,)``.
        unit_range: whether the values inside lie in [0, 1].
    """

    kind: str
    offset: np.ndarray
    scale: np.ndarray
    unit_range: bool

    def inverse_transform(self, x: np.ndarray) -> np.ndarray:
        """Back to the user's units; pixels stay in [0, 1]."""
        if self.kind in ("none", "pixels"):
            return x
        return (x * self.scale + self.offset).astype(x.dtype)

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``config.json``; float32 survives the decimal text exactly."""
        return {
            "kind": self.kind,
            "offset": self.offset.tolist(),
            "scale": self.scale.tolist(),
            "unit_range": self.unit_range,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Scaling:
        """The inverse of :meth:`to_json`."""
        offset, scale = (np.asarray(values[key], dtype=np.float32) for key in ("offset", "scale"))
        return cls(str(values["kind"]), offset, scale, bool(values["unit_range"]))


def fit_scaling(
    kind: str, x: np.ndarray, extent: tuple[float, float], *, per_channel: bool = False
) -> Scaling:
    """Choose the scaling of examples ``(n, *shape)`` with ``extent``, least and greatest value.

    ``"auto"`` reads uint8 as pixels, leaves [0, 1] alone and standardises everything else: each
    column of a table by itself, images as a whole; ``per_channel``, each channel of a signal.
    """
    in_unit = extent[0] >= 0 and extent[1] <= 1
    if kind == "auto":
        kind = "pixels" if x.dtype == np.uint8 else "none" if in_unit else "standard"
    if kind == "none":
        return Scaling(kind, _number(0), _number(1), in_unit)
    if kind == "pixels":
        if x.dtype != np.uint8:
            raise InputError(
                f"scaling='pixels' reads uint8 as [0, 1], but X is {x.dtype}: use 'minmax' or"
                " 'auto'."
            )
        return Scaling(kind, _number(0), _number(255), True)
    axis: Any = 0 if x.ndim == 2 else (0, 2) if per_channel else None
    if kind == "minmax":
        offset, scale = (
            x.min(axis=axis),
            np.subtract(x.max(axis=axis), x.min(axis=axis), dtype=np.float32),
        )
    else:
        offset, scale = x.mean(axis=axis, dtype=np.float64), x.std(axis=axis, dtype=np.float64)
    offset, scale = (np.atleast_1d(values).astype(np.float32) for values in (offset, scale))
    if per_channel:
        offset, scale = offset[:, None], scale[:, None]  # (channels, 1) meets (n, channels, time)
    return Scaling(kind, offset, np.where(scale > 0, scale, np.float32(1)), kind == "minmax")


def support_of(x: np.ndarray, scaling: Scaling) -> Support:
    """Which values examples ``(n, *shape)`` have once they are scaled; NaN does not count.

    All of them are looked at, up to the first that settles it.
    """
    if scaling.unit_range:
        is_binary = all(_are_ends((c - scaling.offset) / scaling.scale) for c in _chunks(x))
        return "binary" if is_binary else "unit"
    is_count = scaling.kind == "none" and all(_are_counts(chunk) for chunk in _chunks(x))
    return "count" if is_count else "real"


def off_grid(x: np.ndarray, scaling: Scaling, bins: int) -> float | None:
    """The first value that is no step 0, 1/(bins - 1), ..., 1 once it is scaled, or None.

    It is given in the units of the data; examples are ``(n, *shape)``. NaN does not count.
    """
    if scaling.kind == "pixels" and (bins - 1) % 255 == 0:
        return None
    for chunk in _chunks(x):
        steps = (chunk - scaling.offset) / scaling.scale * (bins - 1)
        is_off = np.abs(steps - np.clip(np.rint(steps), 0, bins - 1)) > _SLACK
        if is_off.any():
            return float(chunk[is_off][0])
    return None


def grid_of(x: np.ndarray, scaling: Scaling) -> int | None:
    """The fewest values 0, 1/(bins - 1), ..., 1 that scaled examples fit, of up to 1024.

    The first examples are judged; None where no values fit.
    """
    first = next(_chunks(x))
    candidates = (bins for bins in range(2, 1025) if off_grid(first, scaling, bins) is None)
    return next(candidates, None)


def _chunks(x: np.ndarray) -> Iterator[np.ndarray]:
    """Some examples after the other, of about as many values as are looked at at once."""
    size = max(1, _VALUES // max(1, math.prod(x.shape[1:])))
    for start in range(0, len(x), size):
        yield x[start : start + size]


def _are_ends(x: np.ndarray) -> bool:
    """Whether all values are 0 or 1, but for rounding."""
    distance = np.minimum(np.abs(x), np.abs(x - 1))
    return not bool((distance > _ROUNDING).any())


def _are_counts(x: np.ndarray) -> bool:
    """Whether all values are whole numbers from 0 on."""
    return not bool(((x < 0) | (np.abs(x - np.rint(x)) > 0)).any())


def _number(value: float) -> np.ndarray:
    return np.full(1, value, dtype=np.float32)
