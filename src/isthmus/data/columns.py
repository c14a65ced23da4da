"""The columns of a table: what kind each is of, and how its cells become numbers and come back."""

from __future__ import annotations

from typing import Any

from isthmus.core.example import COLUMN_KINDS, ColumnKind
from isthmus.core.records import Record
from isthmus.data._category_columns import CategoryColumn
from isthmus.data._column import ColumnCode
from isthmus.data._date_columns import DateColumn
from isthmus.data._number_columns import BinaryColumn, CountColumn, NumberColumn

CODES: dict[ColumnKind, type[Any]] = {
    "number": NumberColumn,
    "count": CountColumn,
    "binary": BinaryColumn,
    "category": CategoryColumn,
    "date": DateColumn,
}


def code_from_json(values: Any) -> ColumnCode:
    """The inverse of :meth:`ColumnCode.to_json`."""
    given = Record(values, "a column")
    found: ColumnCode = CODES[given.word("kind", COLUMN_KINDS)].from_json(given)
    return found
