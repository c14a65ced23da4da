"""Columns of numbers, counts, and of yes and no."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from isthmus.core.example import ColumnKind
from isthmus.core.records import Record
from isthmus.data._column import ColumnCode, name_and_type, name_of
from isthmus.errors import InputError

if TYPE_CHECKING:
    from pandas import Series

_WHOLE = 2.0**62  # what whole numbers of 64 bits reach

_TRUE, _FALSE = {"true", "yes", "1", "1.0"}, {"false", "no", "0", "0.0"}


@dataclass(frozen=True)
class NumberColumn(ColumnCode):
    """Numbers of any size; where all in training were whole, whole ones come back.

    Attributes:
        low, high: the least and the greatest in training.
        is_whole: whether all were whole.
    """

    low: float
    high: float
    is_whole: bool

    kind: ClassVar[ColumnKind] = "number"

    @classmethod
    def fitted(cls, cells: Series) -> Self:
        """The code of a training column."""
        numbers = _numbers(cells)
        known = numbers[~np.isnan(numbers)]
        is_whole = bool((known == np.rint(known)).all())
        reach = float(known.min()), float(known.max())
        return cls(name_of(cells), str(cells.dtype), *reach, is_whole)

    @classmethod
    def from_json(cls, given: Record) -> Self:
        low, high = given.number("low"), given.number("high")
        return cls(*name_and_type(given), low, high, given.flag("is_whole"))

    def encode(self, cells: Series) -> np.ndarray:
        return _numbers(cells)[:, None]

    def decode(self, numbers: np.ndarray) -> np.ndarray:
        values = numbers[:, 0]
        return np.rint(values.clip(-_WHOLE, _WHOLE)) if self.is_whole else values

    def bounded(self, numbers: np.ndarray) -> np.ndarray:
        return numbers.clip(self.low, self.high)

    def parsed(self, cell: Any) -> Any:
        kind = "whole numbers" if self.is_whole else "numbers"
        try:
            number = float(cell)
            if not np.isfinite(number) or (self.is_whole and number != round(number)):
                raise ValueError(number)
        except (TypeError, ValueError) as error:
            raise InputError(
                f"column {self.name!r} holds {kind}, but {cell!r} is none: give one."
            ) from error
        return number


@dataclass(frozen=True)
class CountColumn(NumberColumn):
    """Whole numbers from 0 up, of what was counted."""

    kind: ClassVar[ColumnKind] = "count"

    def encode(self, cells: Series) -> np.ndarray:
        numbers = _numbers(cells)
        known = numbers[~np.isnan(numbers)]
        if ((known < 0) | (known != np.rint(known))).any():
            raise InputError(
                f"column {self.name!r} is read as a count, but holds"
                f" {known[(known < 0) | (known != np.rint(known))][0]:g}: give whole numbers from 0"
                f" up, or pass columns={{{self.name!r}: 'number'}}."
            )
        return numbers[:, None]

    def decode(self, numbers: np.ndarray) -> np.ndarray:
        return super().decode(numbers.clip(min=0))


@dataclass(frozen=True)
class BinaryColumn(ColumnCode):
    """Yes or no: booleans, or the numbers 0 and 1."""

    kind: ClassVar[ColumnKind] = "binary"

    def encode(self, cells: Series) -> np.ndarray:
        numbers = _numbers(cells)
        odd = (numbers != 0) & (numbers != 1) & ~np.isnan(numbers)
        if odd.any():
            raise InputError(
                f"column {self.name!r} held 0 and 1 alone in training, but holds"
                f" {numbers[odd][0]:g} in row {int(odd.argmax())} (from 0): correct it, or train"
                f" with columns={{{self.name!r}: 'number'}}."
            )
        return numbers[:, None]

    def decode(self, numbers: np.ndarray) -> np.ndarray:
        return numbers[:, 0] >= 0.5

    def parsed(self, cell: Any) -> Any:
        text = str(cell).lower()
        if text in _TRUE or text in _FALSE:
            return text in _TRUE
        raise InputError(f"column {self.name!r} is true or false, but {cell!r} is neither.")


def _numbers(cells: Series) -> np.ndarray:
    """Cells as float64 ``(n,)``; what is no number, or infinite, is refused with its place."""
    try:
        numbers: np.ndarray = cells.to_numpy()
        if numbers.dtype.kind not in "biuf":  # slower, and the same for these
            numbers = cells.to_numpy(dtype=np.float64, na_value=np.nan)
        numbers = numbers.astype(np.float64, copy=False)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"column {cells.name!r} is read as numbers, but holds {_first_odd(cells)!r}: correct"
            " it."
        ) from error
    if np.isinf(numbers).any():
        raise InputError(
            f"column {cells.name!r} holds inf in row {int(np.isinf(numbers).argmax())} (from 0):"
            " correct it, or leave the cell empty."
        )
    return numbers


def _first_odd(cells: Series) -> Any:
    from pandas import to_numeric

    odd = to_numeric(cells.astype(object), errors="coerce").isna() & cells.notna()
    return cells[odd].iloc[0] if odd.any() else cells.iloc[0]
