"""The columns of a table: what kind each is of, and how its cells become numbers and come back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from isthmus.core.example import COLUMN_KINDS, Column, ColumnKind
from isthmus.core.records import Record, unusable
from isthmus.data import _cells
from isthmus.data._cells import typed
from isthmus.errors import InputError, unknown

if TYPE_CHECKING:
    from pandas import DatetimeIndex, Series

_MICROSECONDS = 1_000_000
_STEPS = (86_400 * _MICROSECONDS, _MICROSECONDS, 1)
_FARTHEST = 2**61  # microseconds before 1970 that a date may lie
_WHOLE = 2.0**62  # what whole numbers of 64 bits reach
_TRUE, _FALSE = {"true", "yes", "1", "1.0"}, {"false", "no", "0", "0.0"}
_NOT_A_TIME = np.iinfo(np.int64).min
_SHOWN = 3  # values that a message names


@dataclass(frozen=True)
class ColumnCode(ABC):
    """How the cells of one column become numbers ``(n, size)``, and come back.

    Attributes:
        name: what the frame calls the column.
        dtype: the type of its cells, as pandas writes it.
    """

    name: str | int
    dtype: str

    kind: ClassVar[ColumnKind]

    @property
    def size(self) -> int:
        """How many numbers a cell becomes."""
        return 1

    @property
    def column(self) -> Column:
        """What a model knows of the column."""
        return Column(self.name, self.kind, self.size)

    @abstractmethod
    def encode(self, cells: Series) -> np.ndarray:
        """Cells as float64 ``(n, size)``, NaN where one is missing."""

    @abstractmethod
    def decode(self, numbers: np.ndarray) -> Any:
        """The cells that numbers ``(n, size)`` stand for, as the column's values ``(n,)``."""

    def restored(self, numbers: np.ndarray) -> Series:
        """The cells that numbers stand for, in the type of the column."""
        from pandas import Series

        cells = Series(self.decode(numbers), name=self.name)
        found: Series = typed(cells, self.dtype)
        return found

    def bounded(self, numbers: np.ndarray) -> np.ndarray:
        """Numbers ``(n, size)`` within the reach of the training cells, where there is one."""
        return numbers

    def parsed(self, cell: Any) -> Any:
        """A cell that may be written as text, in the type of the column."""
        return cell

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``config.json``."""
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_json(cls, given: Record) -> Self:
        """The inverse of :meth:`to_json`."""
        return cls(*_named(given))


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
        return cls(*_named(given), low, high, given.flag("is_whole"))

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


@dataclass(frozen=True)
class CategoryColumn(ColumnCode):
    """One of several values, as one-hot numbers.

    Attributes:
        values: those that occurred in training.
        categories: all categories of a pandas categorical, in their order; None for other types.
        ordered: whether that order means something.
        of: the type of the categories, as pandas writes it.
    """

    values: tuple[Any, ...]
    categories: tuple[Any, ...] | None = None
    ordered: bool = False
    of: str | None = None

    kind: ClassVar[ColumnKind] = "category"

    @property
    def size(self) -> int:
        return len(self.values)

    def encode(self, cells: Series) -> np.ndarray:
        places = self.places(cells)
        numbers = np.zeros((len(cells), self.size))
        known = places >= 0
        numbers[np.flatnonzero(known), places[known]] = 1
        numbers[~known] = np.nan
        return numbers

    def places(self, cells: Series) -> np.ndarray:
        """The place of each cell in ``values``, ``(n,)``; −1 for one that is missing or new."""
        from pandas import CategoricalDtype

        known = self._known
        if isinstance(cells.dtype, CategoricalDtype):
            own = np.array([*(known.get(value, -1) for value in cells.dtype.categories), -1])
            return own[cells.cat.codes.to_numpy()]  # -1, a missing cell, is the last
        found = (known.get(cell, -1) for cell in cells.to_numpy(dtype=object))
        return np.fromiter(found, dtype=np.intp, count=len(cells))

    @cached_property
    def _known(self) -> Mapping[Any, int]:
        return {value: place for place, value in enumerate(self.values)}

    def unseen(self, cells: Series) -> list[Any]:
        """The values among the cells that training did not see, in the order of their coming."""
        new = cells[(self.places(cells) < 0) & cells.notna().to_numpy()]
        return list(dict.fromkeys(new))

    def parsed(self, cell: Any) -> Any:
        same = [value for value in self.values if value == cell or str(value) == str(cell)]
        if not same:
            raise unknown(f"value of column {self.name!r}", cell, map(str, self.values))
        return same[0]

    def decode(self, numbers: np.ndarray) -> Any:
        chosen = np.empty(self.size, dtype=object)
        chosen[:] = self.values
        return chosen[numbers.argmax(1)]

    def restored(self, numbers: np.ndarray) -> Series:
        from pandas import Categorical, Index, Series

        if self.categories is None:
            return super().restored(numbers)
        categories = Index(list(self.categories))
        categories = categories if self.of is None else categories.astype(self.of)
        cells = Categorical(self.decode(numbers), categories=categories, ordered=self.ordered)
        return Series(cells, name=self.name)

    @classmethod
    def from_json(cls, given: Record) -> Self:
        def cells(key: str) -> tuple[Any, ...]:
            found = tuple(map(_cells.from_json, given.items(key)))
            if not found or len(set(found)) < len(found):
                raise unusable(f"a column's {key}", found, "values, each of them once")
            return found

        values, categories = cells("values"), given.optional("categories", cells)
        if categories is not None and not set(values) <= set(categories):
            raise unusable("a column's values", values, "some of its categories")
        of = given.optional("of", given.text)
        return cls(*_named(given), values, categories, given.flag("ordered"), of)

    def to_json(self) -> dict[str, Any]:
        lists = {"values": self.values, "categories": self.categories}
        return super().to_json() | {
            name: None if cells is None else [_cells.to_json(cell) for cell in cells]
            for name, cells in lists.items()
        }


@dataclass(frozen=True)
class DateColumn(ColumnCode):
    """Points in time, as seconds after one of them; the difference is taken in whole numbers.

    Attributes:
        origin: the first in training, in microseconds after 1970.
        last: the last.
        step: the microseconds of which all are multiples: those of a day, of a second, or 1.
    """

    origin: int
    last: int
    step: int

    kind: ClassVar[ColumnKind] = "date"

    @classmethod
    def fitted(cls, cells: Series) -> Self:
        """The code of a training column."""
        known = microseconds(cells.dropna())
        step = next(step for step in _STEPS if not (known % step).any())
        reach = int(known.min()), int(known.max())
        return cls(name_of(cells), str(cells.dtype), *reach, step)

    @classmethod
    def from_json(cls, given: Record) -> Self:
        origin, last = (given.whole(key, -_FARTHEST) for key in ("origin", "last"))
        return cls(*_named(given), origin, last, given.whole("step", 1))

    def encode(self, cells: Series) -> np.ndarray:
        if not is_date(cells):
            raise InputError(
                f"column {self.name!r} held dates in training, but has the type {cells.dtype}:"
                " convert it with pandas.to_datetime."
            )
        known = microseconds(cells)
        seconds = (known - self.origin) / _MICROSECONDS
        return np.where(known == _NOT_A_TIME, np.nan, seconds)[:, None]

    def bounded(self, numbers: np.ndarray) -> np.ndarray:
        return numbers.clip(0, (self.last - self.origin) / _MICROSECONDS)

    def parsed(self, cell: Any) -> Any:
        from pandas import to_datetime

        try:
            date = to_datetime(cell)
        except (ValueError, TypeError) as error:
            raise InputError(
                f"column {self.name!r} holds dates, but {cell!r} is none: write it as 2024-01-31."
            ) from error
        has_zone = "," in self.dtype
        if (date.tzinfo is None) == has_zone:
            raise InputError(
                f"column {self.name!r} has the type {self.dtype}, but {cell!r} is given"
                f" {'without' if has_zone else 'with'} a time zone: write it as the column does."
            )
        return date

    def decode(self, numbers: np.ndarray) -> DatetimeIndex:
        from pandas import DatetimeIndex

        micro = np.rint(numbers[:, 0] * _MICROSECONDS).astype(np.int64) + self.origin
        micro = (micro + self.step // 2) // self.step * self.step
        dates = DatetimeIndex(micro.view("datetime64[us]"))
        return dates.tz_localize("UTC") if "," in self.dtype else dates


def name_of(cells: Series) -> str | int:
    """What the frame calls a column."""
    name: Any = cells.name
    return name


def is_date(cells: Series) -> bool:
    """Whether cells are points in time."""
    return cells.dtype.kind == "M"


def microseconds(cells: Series) -> np.ndarray:
    """Points in time as whole microseconds after 1970, ``(n,)``; the least number where there is
    none.
    """
    from pandas import ArrowDtype, DatetimeIndex, Series

    times: Any = Series(DatetimeIndex(cells)) if isinstance(cells.dtype, ArrowDtype) else cells
    if not isinstance(times.dtype, np.dtype):  # with a time zone
        times = times.dt.tz_convert("UTC").dt.tz_localize(None)
    micro: np.ndarray = times.to_numpy().astype("datetime64[us]").view(np.int64)
    return micro


def code_from_json(values: Any) -> ColumnCode:
    """The inverse of :meth:`ColumnCode.to_json`."""
    given = Record(values, "a column")
    found: ColumnCode = CODES[given.word("kind", COLUMN_KINDS)].from_json(given)
    return found


def column_name(place: str, name: Any) -> str | int:
    """What a frame calls a column, by a file."""
    if isinstance(name, str) or type(name) is int:
        return name
    raise unusable(place, name, "a text or a whole number")


CODES: dict[ColumnKind, type[Any]] = {
    "number": NumberColumn,
    "count": CountColumn,
    "binary": BinaryColumn,
    "category": CategoryColumn,
    "date": DateColumn,
}


def _named(given: Record) -> tuple[str | int, str]:
    """Name and type of a column, by a file."""
    return column_name("a column's name", given.raw("name")), given.text("dtype")


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


def listed(values: Sequence[Any]) -> str:
    """A few values for a message, and how many more there are."""
    shown = ", ".join(map(repr, values[:_SHOWN]))
    return shown if len(values) <= _SHOWN else f"{shown} and {len(values) - _SHOWN} more"
