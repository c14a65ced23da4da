"""The layout: how an array of the user's becomes ``(n, *shape)`` inside, and goes back out."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from isthmus.core.example import Kind, Shape
from isthmus.core.records import Record, unusable
from isthmus.data._statistics import blocks, is_sparse
from isthmus.data.frames import numbers_of, numeric_type
from isthmus.errors import DataWarning, InputError

_WANTED: dict[Kind, str] = {
    "image": "(n, height, width), or that with channels",
    "signal": "(n, channels, time) or (n, time)",
    "sequence": "(n, time, features) or (n, time)",
    "table": "(n, columns)",
    "vector": "(n, columns)",
}

_CHANNELS = ("first", "last", "none", "flat", "table")
_AXES: dict[Kind, int] = {"image": 3, "signal": 2, "sequence": 2, "table": 1}

_ROUNDING = 2.0**-24  # half of the step of float32 at 1
EXACT = 2**53  # float64 holds every whole number up to here


@dataclass(frozen=True)
class Layout:
    """How one example looks outside, and inside.

    Attributes:
        outer: the shape of an example as it is handed in and given back.
        shape: its shape inside; (channels, height, width) for an image.
        channels: where the channels are outside: ``"first"``, ``"last"``, ``"none"`` (grey images),
            or ``"flat"``; ``"table"`` where rows of cells have become numbers before.
    """

    outer: Shape
    shape: Shape
    channels: str

    @classmethod
    def from_json(cls, values: Any) -> Layout:
        """The layout that a file holds; refused where the two shapes do not fit each other."""
        given = Record(values, "data.layout")
        outer, shape = given.shape("outer"), given.shape("shape")
        channels = given.word("channels", _CHANNELS)
        if channels == "last":
            fits = len(outer) == 3 and shape == (outer[2], *outer[:2])
        else:
            fits = channels == "table" or math.prod(outer) == math.prod(shape)
        if not fits:
            raise unusable("data.layout.shape", list(shape), f"a shape that holds {list(outer)}")
        return cls(outer, shape, channels)

    def sized(self, height: int, width: int) -> Layout:
        """The same layout of images of another size; rows that hold an image have but one."""
        shape = (self.shape[0], height, width)
        outer = {"first": shape, "last": (height, width, shape[0]), "none": (height, width)}
        return Layout(outer[self.channels], shape, self.channels)

    def require_kind(self, kind: Kind) -> None:
        """Refuse a shape that no example of a kind has."""
        if len(self.shape) != _AXES.get(kind, len(self.shape)):
            wanted = f"{_AXES[kind]} sizes, as of {kind}"
            raise unusable("data.layout.shape", list(self.shape), wanted)

    def transform(self, x: np.ndarray) -> np.ndarray:
        """``(n, *outer)`` to ``(n, *shape)``, without a copy where the memory allows it.

        Images that are not flat may have any size, here and on the way back.
        """
        match self.channels:
            case "first":
                return x
            case "last":
                return np.moveaxis(x, -1, 1)
            case "none":
                return x[:, None]
            case _:
                return x.reshape(len(x), *self.shape)

    def inverse_transform(self, x: np.ndarray) -> np.ndarray:
        """``(n, *shape)`` back to ``(n, *outer)``."""
        match self.channels:
            case "first" | "table":
                return x
            case "last":
                return np.moveaxis(x, 1, -1)
            case "none":
                return x[:, 0]
            case _:
                return x.reshape(len(x), *self.outer)


def layout_of(
    outer: Shape,
    channels: str = "auto",
    image_shape: Shape | None = None,
    kind: Kind | None = None,
) -> tuple[Kind, Layout]:
    """Understand the shape of one example.

    Args:
        outer: the shape of an example as it is handed in.
        channels: ``"first"`` or ``"last"`` settles which axis of three is the colour; ``"auto"``
            looks for an axis of 1, 3 or 4 and refuses where both ends, or neither, could be it.
        image_shape: (channels, height, width) of the image that a flat row holds.
        kind: what examples are; None reads one axis as a vector, two as a grey image and three as
            an image.
    """
    if image_shape is not None:
        if len(image_shape) != 3 or math.prod(image_shape) != math.prod(outer):
            raise InputError(
                f"image_shape={image_shape} does not hold the {math.prod(outer)} values of an"
                f" example of shape {outer}: give (channels, height, width) whose product is that"
                " number."
            )
        return "image", Layout(outer, tuple(image_shape), "flat")
    is_given = kind is not None
    kind = kind or ("image" if len(outer) in (2, 3) else "vector")
    match kind, len(outer):
        case "image", 2:
            return kind, Layout(outer, (1, *outer), "none")
        case "image", 3:
            where = _guess(outer) if channels == "auto" else channels
            shape = (outer[2], *outer[:2]) if where == "last" else outer
            return kind, Layout(outer, shape, where)
        case "signal", 1:
            return kind, Layout(outer, (1, *outer), "flat")
        case "sequence", 1:
            return kind, Layout(outer, (*outer, 1), "flat")
        case (("signal" | "sequence"), 2):
            return kind, Layout(outer, outer, "flat")
        case "vector", axes if axes != 1 and not is_given:  # for a network of the user's own
            return kind, Layout(outer, outer, "flat")
        case ("vector", _) | ("table", 1):
            return kind, Layout(outer, (math.prod(outer),), "flat")
    raise InputError(
        f"kind={kind!r} does not fit examples of shape {outer}: give {_WANTED[kind]}, or another"
        " kind."
    )


def _guess(outer: Shape) -> str:
    first, last = outer[0] in (1, 3, 4), outer[2] in (1, 3, 4)
    if first == last:
        raise InputError(
            f"an image of shape {outer} can be read in two ways: pass channels='first' if it is"
            " (channels, height, width), channels='last' if it is (height, width, channels)."
        )
    return "first" if first else "last"


class Extent(NamedTuple):
    """How far values reach.

    Attributes:
        low, high: the least and the greatest.
        missing: the share of them that is missing, which NaN marks.
    """

    low: float
    high: float
    missing: float = 0.0

    @property
    def has_gaps(self) -> bool:
        """Whether some are missing."""
        return self.missing > 0

    @property
    def is_unit(self) -> bool:
        """Whether all lie in [0, 1], as float32 has them: scaling in float64 leaves 1 + 2e-16."""
        return self.low >= -_ROUNDING and self.high <= 1 + _ROUNDING


def extent(x: Any, name: str = "X", *, gaps: bool = False) -> Extent:
    """How far the values of examples reach.

    Infinity is refused with its place, and so is NaN unless ``gaps`` says that it marks what is
    missing.
    """
    if is_sparse(x):
        return _sparse_extent(x, name)
    low, high, missing = math.inf, -math.inf, 0
    for start, block in blocks(x):
        least, greatest = float(block.min()), float(block.max())
        if gaps and math.isnan(least):
            missing += int(np.isnan(block).sum())
            least, greatest = float(np.fmin.reduce(block, None)), float(np.fmax.reduce(block, None))
            if math.isnan(least):  # nothing but gaps
                continue
        if not (math.isfinite(least) and math.isfinite(greatest)):
            is_bad = np.isinf(block) if gaps else ~np.isfinite(block)
            place = np.argwhere(is_bad)[0]
            raise _not_finite(block[tuple(place)], (start + place[0], *place[1:]), name)
        low, high = min(low, least), max(high, greatest)
    if low > high:  # nothing but gaps
        low = high = 0.0
    return Extent(low, high, missing / max(1, math.prod(x.shape)))


def _sparse_extent(x: Any, name: str) -> Extent:
    is_bad = ~np.isfinite(x.data)
    if is_bad.any():
        place = int(is_bad.argmax())
        row = int(np.searchsorted(x.indptr, place, side="right")) - 1
        raise _not_finite(x.data[place], (row, int(x.indices[place])), name)
    return Extent(float(x.min()), float(x.max()))


def _not_finite(value: Any, place: tuple[int, ...], name: str) -> InputError:
    what = "NaN" if np.isnan(value) else "inf"
    where = f"row {place[0]}, column {', '.join(str(i) for i in place[1:])}"
    wanted = "what is missing or masked" if np.isnan(value) else "the value"
    return InputError(
        f"{name} holds {what} (row and column from 0: {where}): remove the row, or fill in"
        f" {wanted}."
    )


def warn_of_large(x: Any) -> None:
    """Warn of whole numbers, in an array or a frame, that float64 cannot tell from the next."""
    parts = _long_columns(x) if hasattr(x, "iloc") else [x]
    reach = [
        max(int(part.max()), -int(part.min()))
        for part in parts
        if _is_long(getattr(part, "dtype", None)) and 0 not in part.shape
    ]
    if (largest := max(reach, default=0)) > EXACT:
        warnings.warn(
            f"X holds whole numbers of up to {largest:,}, and float64 cannot tell those beyond"
            " 2**53 from the next: subtract a constant first, or leave out a column that is a name"
            " and no number.",
            DataWarning,
            stacklevel=2,
        )


def _long_columns(frame: Any) -> list[Any]:
    """The whole numbers of 64 bits in a frame: at once where numpy has them, else by column."""
    places = [place for place, dtype in enumerate(frame.dtypes) if _is_long(numeric_type(dtype))]
    plain = [place for place in places if isinstance(frame.dtypes.iloc[place], np.dtype)]
    others = [frame.iloc[:, place].dropna() for place in places if place not in plain]
    return [*([frame.iloc[:, plain].to_numpy()] if plain else []), *map(_dense, others)]


def _dense(cells: Any) -> np.ndarray:
    return np.asarray(cells.to_numpy(dtype=numeric_type(cells.dtype)))


def _is_long(dtype: Any) -> bool:
    return getattr(dtype, "kind", "") in ("i", "u") and dtype.itemsize == 8


def as_numbers(x: Any, name: str = "X") -> Any:
    """The examples as numbers that torch can take over without a copy: an array, or sparse rows.

    A data frame becomes the array of its numbers. Sparse rows are in order and hold no place twice.
    """
    x = x if is_sparse(x) else numbers_of(x, name)
    if x.dtype.kind not in "biuf":
        raise InputError(
            f"{name} has the type {x.dtype}, which holds no real numbers: convert it to float32 or"
            " uint8."
        )
    if is_sparse(x):
        from scipy import sparse  # loaded already, as x is of it; heavy for who reads arrays

        rows = sparse.csr_array(x)
        if not rows.has_canonical_format:
            rows = sparse.csr_array(x, copy=True)
            rows.sum_duplicates()
        return rows
    if isinstance(x, np.memmap) and x.dtype.isnative and min(x.strides, default=0) >= 0:
        return x
    return np.ascontiguousarray(x, dtype=x.dtype.newbyteorder("="))
