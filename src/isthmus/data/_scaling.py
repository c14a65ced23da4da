"""From the user's units to the model's, and back; the scaling is saved with the model."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from isthmus.core.example import Kind, Shape, Support
from isthmus.core.records import Record, unusable
from isthmus.data._curves import (
    Curve,
    SmoothClip,
    curve_from_json,
    fit_normal_quantiles,
    robust_spread,
)
from isthmus.data._layout import Extent
from isthmus.data._statistics import Axis, blocks, is_sparse, moments, reach
from isthmus.errors import DataWarning, InputError

PIXELS = {np.dtype(np.uint8): 255.0, np.dtype(np.uint16): 65535.0}
"""The types that are read as pixels, with the value that is white."""

KINDS_OF_SCALING = ("none", "pixels", "standard", "minmax", "robust", "quantile", "rms")

_WILD_SHARE = 0.9  # of a column's variance that is due to one value
_WILD = 1000.0  # usual deviations from the middle
_DARK = 8  # what share of white pixels must exceed, or they are said to be dark
_ROUNDING = 1e-5  # what 0 and 1 may be off once they are scaled


@dataclass(frozen=True)
class Scaling:
    """From the user's units to the model's: inside = curve((outside - offset) / scale).

    Attributes:
        kind: ``"none"``, ``"pixels"`` (whole numbers of 8 or 16 bits read as [0, 1]),
            ``"standard"``, ``"minmax"``, ``"robust"``, ``"quantile"`` or ``"rms"`` (divided by one
            number, the root mean square of all training values, so that 0 stays 0).
        offset, scale: float64; numbers, or one per column of a table, ``(columns,)``.
        unit_range: whether the training values lie in [0, 1] inside.
        curve: what follows the straight line; None where nothing does.
        columns: how many columns of a table, from the first, are scaled; None for all.
    """

    kind: str
    offset: np.ndarray
    scale: np.ndarray
    unit_range: bool
    curve: Curve | None = None
    columns: int | None = None

    @property
    def is_straight(self) -> bool:
        """Whether it is an affine map of all values, which a batch may go through by itself."""
        return self.curve is None and self.columns is None

    def transform(self, x: np.ndarray) -> np.ndarray:
        """Values ``(n, *shape)`` in the model's units, as float32.

        They are computed in float64, so that what lies far from 0 keeps its differences.
        """
        inside = np.empty(x.shape, dtype=np.float32)
        for start, block in blocks(x):
            rows = inside[start : start + len(block)]
            with np.errstate(over="ignore"):  # what overflows is named below
                if self.columns is not None:
                    rows[:, self.columns :] = block[:, self.columns :]
                scaled = block[:, : self.columns].astype(np.float64, copy=False)
                rows[:, : self.columns] = self._scaled(scaled)
        if np.isinf(inside).any():
            place = np.argwhere(np.isinf(inside))[0]
            raise InputError(
                f"X holds {x[tuple(place)]:g} (row {place[0]}, from 0), which is beyond float32 in"
                " the model's units: take the row out, or pass scaling='robust'."
            )
        return inside

    def inverse_transform(self, x: np.ndarray) -> np.ndarray:
        """Back to the user's units, in the type of x; pixels stay in [0, 1]."""
        if self.kind in ("none", "pixels"):
            return x
        outside = x.copy()
        for start, block in blocks(x):
            values = block[:, : self.columns].astype(np.float64, copy=False)
            if self.curve is not None:
                values = self.curve.inverse_transform(values)
            outside[start : start + len(block), : self.columns] = values * self.scale + self.offset
        return outside

    def _scaled(self, values: np.ndarray) -> np.ndarray:
        if self.kind == "none":
            return values
        scaled = (values - self.offset) * (1 / self.scale)
        return scaled if self.curve is None else self.curve.transform(scaled)

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``config.json``; float64 survives the decimal text exactly."""
        return {
            "kind": self.kind,
            "offset": self.offset.tolist(),
            "scale": self.scale.tolist(),
            "unit_range": self.unit_range,
            "curve": None if self.curve is None else self.curve.to_json(),
            "columns": self.columns,
        }

    @classmethod
    def from_json(cls, data: Record) -> Scaling:
        """The inverse of :meth:`to_json`, of the entry ``scaling`` of what is said of data."""
        given = data.record("scaling")
        scale = given.array("scale")
        if (scale <= 0).any():
            raise unusable("data.scaling.scale", float(scale.min()), "a number above 0")
        return cls(
            given.word("kind", KINDS_OF_SCALING),
            given.array("offset"),
            scale,
            given.flag("unit_range"),
            given.optional("curve", lambda key: curve_from_json(given.record(key))),
            given.optional("columns", given.whole),
        )

    def require_shape(self, shape: Shape) -> None:
        """Refuse offsets, scales and knots that do not fit examples of a shape."""
        if self.columns is not None and (len(shape) != 1 or self.columns > shape[0]):
            raise unusable("data.scaling.columns", self.columns, f"at most {shape[0]}")
        scaled = shape if self.columns is None else (self.columns,)
        fitting = [(1,), scaled[-1:], *([(scaled[0], 1)] if len(scaled) == 2 else [])]
        for name, value in (("offset", self.offset), ("scale", self.scale)):
            if value.shape not in fitting:
                wanted = " or ".join(map(str, fitting))
                raise unusable(f"data.scaling.{name} of shape", value.shape, wanted)
        if self.offset.shape != self.scale.shape:
            wanted = f"that of the scale, {self.scale.shape}"
            raise unusable("data.scaling.offset of shape", self.offset.shape, wanted)
        if self.curve is not None:
            self.curve.require_columns(scaled[-1])


def fit_scaling(kind: str, x: Any, extent: Extent, *, example: Kind = "vector") -> Scaling:
    """Settle how examples ``(n, *shape)`` are scaled, whose values reach as far as ``extent``.

    ``"auto"`` is :func:`chosen_scaling`. Each column of a vector or a table is scaled by itself,
    and so is each channel of a signal; images are scaled as a whole. NaN does not count. What is
    sparse has the scaling that it would have as an array.
    """
    if kind == "auto":
        kind = chosen_scaling(x, extent, example)
    nothing, one = np.zeros(1), np.ones(1)
    in_unit = extent.is_unit
    if kind == "none":
        return Scaling(kind, nothing, one, in_unit)
    if kind == "pixels":
        if x.dtype not in PIXELS:
            raise InputError(
                f"scaling='pixels' reads uint8 and uint16 as [0, 1], but X is {x.dtype}: use"
                " 'minmax' or 'auto'."
            )
        return Scaling(kind, nothing, np.full(1, PIXELS[x.dtype]), True)
    if kind == "rms":
        mean, deviation = moments(x, None)
        power = float(np.sqrt(np.square(mean) + np.square(deviation)).item())
        return Scaling(kind, nothing, np.full(1, power or 1.0), False)
    per_channel = example == "signal"
    axis: Axis = 0 if x.ndim == 2 else (0, 2) if per_channel else None
    curve: Curve | None = None
    if kind in ("robust", "quantile") and is_sparse(x):
        raise InputError(
            f"scaling={kind!r} leaves no value of sparse rows at 0: pass scaling='standard', or"
            " X.toarray()."
        )
    match kind:
        case "minmax":
            offset, greatest = reach(x, axis)
            scale = greatest - offset
        case "robust":
            offset, scale = robust_spread(x, axis)
            curve = SmoothClip()
        case "quantile":
            by_column = x.ndim == 2 and not per_channel
            curve = fit_normal_quantiles(x, by_column=by_column)
            offset, scale = nothing, one
        case _:
            offset, scale = moments(x, axis)
            if axis == 0 and isinstance(x, np.ndarray):
                _say_wild(x, offset, scale)
    offset, scale = np.atleast_1d(offset), np.atleast_1d(scale)
    if per_channel and kind != "quantile":
        offset, scale = offset[:, None], scale[:, None]  # (channels, 1) meets (n, channels, time)
    return Scaling(kind, offset, np.where(scale > 0, scale, 1.0), kind == "minmax", curve)


def _say_wild(x: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> None:
    """Warn of columns ``(n, columns)`` whose spread is that of a single value.

    Beside it, all others become one and the same once they are standardised.
    """
    low, high = reach(x, 0)
    farthest = np.maximum(high - mean, mean - low)
    wild = np.flatnonzero(np.square(farthest) > _WILD_SHARE * len(x) * np.square(deviation))
    for column in wild:
        values = x[:, column].astype(np.float64)
        _, usual = robust_spread(values, None)
        if usual > 0 and farthest[column] > _WILD * usual:
            is_high = high[column] - mean[column] >= mean[column] - low[column]
            value = high[column] if is_high else low[column]
            warnings.warn(
                f"column {column} of X (from 0) holds {value:g}, beside which all its other values"
                " are one and the same once they are standardised: correct it, or pass"
                " scaling='robust' or 'quantile'.",
                DataWarning,
                stacklevel=2,
            )


def fit_columns(kind: str, x: np.ndarray, count: int) -> Scaling:
    """Settle how the rows of a table ``(n, values)`` are scaled: its first ``count`` columns, which
    are numbers; all others have units of their own.
    """
    if kind == "pixels":
        raise InputError("scaling='pixels' is for images, but X is a table: use 'auto'.")
    numbers = x[:, :count]
    if kind == "none" or count == 0:
        return Scaling("none", np.zeros(1), np.ones(1), False, None, count)
    fitted = fit_scaling(kind, numbers, Extent(0, 0))
    return replace(fitted, unit_range=False, columns=count)


def chosen_scaling(x: Any, extent: Extent, example: Kind) -> str:
    """The scaling that ``"auto"`` stands for.

    Images of uint8 or uint16 are ``"pixels"``, and images in [0, 1] stay as they are; so do
    examples of any kind that hold 0 and 1 alone. Rows of uint8 that reach beyond the half of 255
    are taken for pixels too. Everything else is standardised.
    """
    if extent.is_unit and (example == "image" or _holds_ends(x)):
        return "none"
    if x.dtype not in PIXELS:
        return "standard"
    if example == "image":
        if extent.high <= PIXELS[x.dtype] / _DARK:
            warnings.warn(
                f"X is {x.dtype}, but reaches {extent.high:g} at most: read as pixels of up to"
                f" {PIXELS[x.dtype]:g} it is nearly black; pass scaling='minmax' if"
                f" {extent.high:g} is white.",
                DataWarning,
                stacklevel=2,
            )
        return "pixels"
    is_bright = x.dtype == np.uint8 and extent.high > PIXELS[x.dtype] / 2
    return "pixels" if is_bright and example == "vector" else "standard"


def _holds_ends(x: Any) -> bool:
    """Whether nothing but 0 and 1 stands in examples, gaps aside."""
    return all(_are_ends(block) for _, block in blocks(x))


def support_of(x: Any, scaling: Scaling, example: Kind) -> Support:
    """Which values examples ``(n, *shape)`` have once they are scaled; NaN does not count.

    All of them are looked at, up to the first that settles it. In [0, 1], those of an image and of
    what was read as pixels are intensities.
    """
    if is_sparse(x) and scaling.kind != "minmax":
        x = x.data  # an end and a count is each of the zeros too
    if scaling.unit_range:
        scaled = ((block - scaling.offset) / scaling.scale for _, block in blocks(x))
        if all(map(_are_ends, scaled)):
            return "binary"
        return "intensity" if example == "image" or scaling.kind == "pixels" else "unit"
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
