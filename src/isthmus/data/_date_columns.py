"""Columns of points in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from isthmus.core.example import ColumnKind
from isthmus.core.records import Record
from isthmus.data._column import ColumnCode, name_and_type, name_of
from isthmus.errors import InputError

if TYPE_CHECKING:
    from pandas import DatetimeIndex, Series

_MICROSECONDS = 1_000_000

_STEPS = (86_400 * _MICROSECONDS, _MICROSECONDS, 1)

_FARTHEST = 2**61  # microseconds before 1970 that a date may lie

_NOT_A_TIME = np.iinfo(np.int64).min


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
        return cls(*name_and_type(given), origin, last, given.whole("step", 1))

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
