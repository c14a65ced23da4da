"""What one example is: kind, shape and values, settled once, where data come in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Shape = tuple[int, ...]
"""The sizes of one example, code or grid, without the number of examples."""

Kind = Literal["vector", "image", "signal", "sequence", "table"]
KINDS: tuple[Kind, ...] = get_args(Kind)

Support = Literal["real", "unit", "intensity", "binary", "count"]
SUPPORTS: tuple[Support, ...] = get_args(Support)

ColumnKind = Literal["number", "date", "count", "binary", "category"]
COLUMN_KINDS: tuple[ColumnKind, ...] = get_args(ColumnKind)


@dataclass(frozen=True)
class Column:
    """What a model knows of a column of a table.

    Attributes:
        name: what the table calls it.
        kind: ``"number"``, ``"count"`` (whole numbers from 0 up), ``"binary"`` (0 or 1),
            ``"category"`` (one-hot) or ``"date"`` (a number, inside).
        size: how many values it has inside; more than one for a category.
    """

    name: str | int
    kind: ColumnKind
    size: int = 1


@dataclass(frozen=True)
class ExampleSpec:
    """What one example is.

    Attributes:
        kind: ``"vector"`` (columns,), ``"image"`` (channels, height, width), ``"signal"``
            (channels, time), ``"sequence"`` (time, features), of both of which examples may have
            fewer steps, or ``"table"`` (values,), a row of columns of several kinds.
        shape: its shape inside a model.
        columns: the columns of a table, in their order inside.
        support: the values that x has inside a model: ``"real"`` any, ``"unit"`` in [0, 1],
            ``"intensity"`` too, those of pixels, ``"binary"`` 0 and 1 alone, ``"count"`` whole
            numbers from 0 on.
        missing: the share of the training examples' values that were missing.
        sample_rate: steps a second of a signal that is sound; None of any other example.
    """

    kind: Kind
    shape: Shape
    columns: tuple[Column, ...] | None = None
    support: Support = "real"
    missing: float = 0.0
    sample_rate: int | None = None

    @classmethod
    def of(cls, shape: Shape, support: Support = "real") -> ExampleSpec:
        """What a shape alone suggests: three axes are an image, two a sequence, else a vector."""
        kinds: dict[int, Kind] = {3: "image", 2: "sequence"}
        return cls(kinds.get(len(shape), "vector"), tuple(shape), support=support)

    @property
    def unit_range(self) -> bool:
        """Whether all values lie in [0, 1] inside a model."""
        return self.support in ("unit", "intensity", "binary")

    @property
    def may_lack_values(self) -> bool:
        """Whether NaN marks a value that is missing, as it does in rows of columns."""
        return self.kind in ("vector", "table")

    @property
    def has_time(self) -> bool:
        """Whether examples are made of steps, of which some may have fewer than others."""
        return self.kind in ("signal", "sequence")

    def __str__(self) -> str:
        sizes = " × ".join(map(str, self.shape))
        match self.kind:
            case "image":
                return f"images of {sizes} (channels × height × width)"
            case "signal" if self.sample_rate is not None:
                seconds = self.shape[1] / self.sample_rate
                return (
                    f"sounds of up to {sizes} (channels × time), {seconds:.3g} s at"
                    f" {self.sample_rate} Hz"
                )
            case "signal":
                return f"signals of up to {sizes} (channels × time)"
            case "sequence":
                return f"sequences of up to {sizes} (time × features)"
            case "table":
                return f"rows of a table of {len(self.columns or ())} columns"
            case _:
                return f"vectors of {sizes}"
