"""Examples as arrays or as data frames: what is asked of both alike."""

from __future__ import annotations

from collections.abc import Sequence
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
    from pandas.api.types import is_complex_dtype, is_numeric_dtype

    if not is_numeric_dtype(column.dtype) or is_complex_dtype(column.dtype):
        shown = next((value for value in column if value == value), None)
        raise InputError(
            f"{name}: column {column.name!r} holds {shown!r} ({column.dtype}), which is no number:"
            " leave the column out, or make numbers of it."
        )
