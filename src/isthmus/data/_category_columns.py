"""Columns of categories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from isthmus.core.example import ColumnKind
from isthmus.core.records import Record, unusable
from isthmus.data import _cells
from isthmus.data._column import ColumnCode, name_and_type
from isthmus.errors import unknown

if TYPE_CHECKING:
    from pandas import Series


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
        return cls(*name_and_type(given), values, categories, given.flag("ordered"), of)

    def to_json(self) -> dict[str, Any]:
        lists = {"values": self.values, "categories": self.categories}
        return super().to_json() | {
            name: None if cells is None else [_cells.to_json(cell) for cell in cells]
            for name, cells in lists.items()
        }
