"""Examples as arrays or as data frames: what is asked of both alike."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np

from isthmus.data.streams import Stream
from isthmus.errors import InputError

if TYPE_CHECKING:
    from pandas import DataFrame

Values: TypeAlias = "np.ndarray | DataFrame | Stream"
"""Examples ``(n, *shape)`` as they were read: an array, rows of a table with its own types, or what
is read later.
"""


def is_frame(x: object) -> bool:
    """Whether x is a data frame, which says without pandas being there."""
    return hasattr(x, "iloc") and hasattr(x, "columns")


def numeric_type(dtype: Any) -> np.dtype | None:
    """The type of the numbers in a column of a frame, whether it is kept sparse, may lack values,
    or is Arrow's; None where a column holds no numbers.
    """
    if getattr(dtype, "kind", "O") not in "biuf":
        return None
    own = getattr(dtype, "subtype", getattr(dtype, "numpy_dtype", dtype))
    return own if isinstance(own, np.dtype) else None


def check_names(frame: Any, name: str = "X") -> None:
    """Refuse columns that cannot be told apart by their names.

    Raises:
        InputError: for names of several levels or types, and one that is there twice.
    """
    names = frame.columns
    if names.nlevels > 1:
        raise InputError(
            f"{name} has columns of several levels: flatten their names, such as"
            " frame.columns = frame.columns.map('_'.join)."
        )
    if not names.is_unique:
        twice = names[names.duplicated()][0]
        raise InputError(f"{name} has the column {twice!r} twice: rename one.")
    odd = [column for column in names if not isinstance(column, str)]
    is_mixed = 0 < len(odd) < len(names)
    if is_mixed or not all(isinstance(column, Real) for column in odd):
        raise InputError(
            f"{name} has the column {odd[0]!r}, whose name is no text"
            f"{' as those of others are' if is_mixed else ''}: make text of the names, by"
            " frame.columns = frame.columns.map(str)."
        )


def rows_of(x: Values, rows: np.ndarray | slice) -> Values:
    """Some examples; rows of a frame keep the numbers that they have in the whole, and those of a
    stream stay unread.
    """
    if isinstance(x, Stream):
        return x.take(rows)
    return x[rows] if isinstance(x, np.ndarray) else x.iloc[rows]


def joined(parts: Sequence[Values]) -> Values:
    """Parts of one whole, one after another."""
    if not is_frame(parts[0]):
        return np.concatenate([np.asarray(part) for part in parts])
    import pandas as pd

    return pd.concat([cast("DataFrame", part) for part in parts])


def numbers_of(x: Values, name: str = "X") -> np.ndarray:
    """Examples as one array: an array as it is, a frame as ``(n, columns)`` of numbers.

    float32 and float64 stay where all columns have it; every other frame becomes float64. Truth
    values are 0 and 1, what is missing is NaN.

    Raises:
        InputError: for a column that holds no numbers, with its name.
    """
    if not is_frame(x):
        return np.asanyarray(x)
    frame: Any = x
    for column in frame.columns:
        _check_numeric(frame[column], name)
    types = {str(kind) for kind in frame.dtypes}
    kind = np.float32 if types == {"float32"} else np.float64
    return np.asarray(frame.to_numpy(dtype=kind, na_value=np.nan))


def _check_numeric(column: Any, name: str) -> None:
    if numeric_type(column.dtype) is None:
        shown = next((value for value in column if value == value), None)
        raise InputError(
            f"{name}: column {column.name!r} holds {shown!r} ({column.dtype}), which is no number:"
            " leave the column out, or make numbers of it."
        )
