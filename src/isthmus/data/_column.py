"""A column of a table as numbers: what all kinds of columns share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from isthmus.core.example import Column, ColumnKind
from isthmus.core.records import Record, unusable
from isthmus.data._cells import typed

if TYPE_CHECKING:
    from pandas import Series


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
        return cls(*name_and_type(given))


def name_of(cells: Series) -> str | int:
    """What the frame calls a column."""
    name: Any = cells.name
    return name


def column_name(place: str, name: Any) -> str | int:
    """What a frame calls a column, by a file."""
    if isinstance(name, str) or type(name) is int:
        return name
    raise unusable(place, name, "a text or a whole number")


def name_and_type(given: Record) -> tuple[str | int, str]:
    """Name and type of a column, by a file."""
    return column_name("a column's name", given.raw("name")), given.text("dtype")
