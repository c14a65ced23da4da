"""Tables of mixed columns as matrices: numbers as they are, categories as integer codes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from isthmus.errors import InputError, missing_extra

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class TableEncoding:
    """What the columns of several tables have in common.

    Attributes:
        names: the columns, in the order of the first table.
        levels: of each column, how many different categories all tables hold; 0 for numbers.
    """

    names: tuple[str, ...]
    levels: tuple[int, ...]

    @property
    def categorical(self) -> np.ndarray:
        """Which columns are categories, ``(columns,)``."""
        return np.array(self.levels) > 0


def encode_tables(tables: Mapping[str, pd.DataFrame]) -> tuple[TableEncoding, list[np.ndarray]]:
    """Tables under the names of their arguments as matrices ``(n, columns)`` of float64.

    Numeric columns and dates (in nanoseconds) are numbers; booleans, texts and pandas categoricals
    are categories, whose codes all tables share. What is missing is NaN.

    Raises:
        InputError: where the tables have not the same columns of the same kinds, or no rows.
    """
    _check(tables)
    first, *_ = frames = list(tables.values())
    names, levels, columns = list(first.columns), [], []
    for name in names:
        kinds = {argument: _is_number(frame[name]) for argument, frame in tables.items()}
        if len(set(kinds.values())) > 1:
            number, other = (
                next(a for a, k in kinds.items() if k is kind) for kind in (True, False)
            )
            raise InputError(
                f"column {name!r} holds numbers in {number} and categories in {other}: bring both"
                " to one type."
            )
        if all(kinds.values()):
            levels.append(0)
            columns.append([_numbers(frame[name]) for frame in frames])
        else:
            codes, count = _codes([frame[name] for frame in frames])
            levels.append(count)
            columns.append(codes)
    matrices = [np.stack(table, axis=1) for table in zip(*columns, strict=True)]
    return TableEncoding(tuple(map(str, names)), tuple(levels)), matrices


def _check(tables: Mapping[str, pd.DataFrame]) -> None:
    try:
        import pandas as pd
    except ImportError as error:
        raise missing_extra("pandas", "tables", "the quality of a synthetic table") from error
    (reference, first), *_ = tables.items()
    for argument, table in tables.items():
        if not isinstance(table, pd.DataFrame):
            raise InputError(
                f"{argument} is of type {type(table).__name__}: give a pandas DataFrame."
            )
        if len(table) == 0 or len(table.columns) == 0:
            raise InputError(f"{argument} has no rows or no columns: give a table with some.")
        differing = set(table.columns) ^ set(first.columns)
        if differing:
            raise InputError(
                f"{argument} and {reference} have not the same columns: {_listed(differing)} stand"
                " in one of them alone, so leave them out or add them."
            )


def _listed(names: set[str], most: int = 5) -> str:
    words = sorted(map(repr, names))
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")


def _is_number(column: pd.Series) -> bool:
    from pandas.api import types

    kind = column.dtype
    return types.is_datetime64_any_dtype(kind) or (
        types.is_numeric_dtype(kind) and not types.is_bool_dtype(kind)
    )


def _numbers(column: pd.Series) -> np.ndarray:
    from pandas.api import types

    if types.is_datetime64_any_dtype(column.dtype):
        values = column.astype("int64").to_numpy(np.float64)
        return np.where(column.isna(), np.nan, values)
    return column.to_numpy(np.float64, na_value=np.nan)


def _codes(columns: list[pd.Series]) -> tuple[list[np.ndarray], int]:
    """Integer codes of categories, by their text, so that a table read from a file compares."""
    texts = [
        np.array(
            [None if missing else str(value) for value, missing in zip(c, c.isna(), strict=True)]
        )
        for c in columns
    ]
    present = sorted({text for column in texts for text in column if text is not None})
    places: dict[str | None, float] = {text: float(i) for i, text in enumerate(present)}
    places[None] = np.nan
    codes = [np.array([places[text] for text in column], dtype=np.float64) for column in texts]
    return codes, max(len(present), 1)
