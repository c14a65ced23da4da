"""Tables of numbers, ``.csv`` or ``.parquet``, one example a row."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from isthmus.data.rows import Rows, number_labels
from isthmus.errors import InputError, missing_extra, unknown

if TYPE_CHECKING:
    from pandas import DataFrame, Series


def read_csv(path: Path, label: str | None = None) -> Rows:
    """Read a table from comma-separated text whose first line names the columns."""
    _need(path, "pandas")
    import pandas

    try:
        head = pandas.read_csv(path, header=None, nrows=1)
        # rows longer than the first line would lose their end with a warning only
        with warnings.catch_warnings():
            warnings.simplefilter("error", pandas.errors.ParserWarning)
            frame = pandas.read_csv(path, index_col=False)
    except pandas.errors.ParserWarning as error:
        raise InputError(
            f"{path}: rows hold more values than the first line has names: name every column."
        ) from error
    except ValueError as error:  # the parser's other errors and the decoder's
        raise _unreadable(path, error) from error
    _check_head(path, head)
    return _rows(path, frame, label)


def read_parquet(path: Path, label: str | None = None) -> Rows:
    """Read a table from a Parquet file."""
    _need(path, "pandas", "pyarrow")
    import pandas

    try:
        frame = pandas.read_parquet(path, engine="pyarrow")
    except (ValueError, OSError, KeyError) as error:
        raise _unreadable(path, error) from error
    return _rows(path, frame, label)


def _need(path: Path, *packages: str) -> None:
    for package in packages:
        if find_spec(package) is None:
            raise missing_extra(package, "tables", f"reading {path.name}")


def _unreadable(path: Path, error: Exception) -> InputError:
    text = str(error).strip().splitlines()
    return InputError(
        f"{path} cannot be read as a table ({text[0] if text else type(error).__name__}): write it"
        " again."
    )


def _check_head(path: Path, head: DataFrame) -> None:
    """Refuse a first line that holds data, or that was written together with a nameless index."""
    names = list(head.iloc[0])
    if names[0] != names[0]:  # an empty cell, which pandas reads as NaN
        raise InputError(
            f"{path}: the first column has no name: name it, or write the table without its index."
        )
    if all(isinstance(name, Real) for name in names) and names != list(range(len(names))):
        raise InputError(
            f"{path}: the first line holds numbers, not the names of the columns: add a line of"
            " names."
        )
    if len(names) == 1 and any(mark in str(names[0]) for mark in ";\t"):
        raise InputError(f"{path}: the columns are not separated by commas: write it with commas.")


def _rows(path: Path, frame: DataFrame, label: str | None) -> Rows:
    frame.columns = frame.columns.map(str)
    if label is not None and label not in frame.columns:
        raise unknown("label column", label, frame.columns)
    values = frame.drop(columns=[] if label is None else [label])
    x, columns = _numbers(path, values), tuple(values.columns)
    if label is None:
        return Rows(x, columns=columns)
    y, classes = _labels(path, frame[label])
    return Rows(x, y, classes, columns)


def _numbers(path: Path, frame: DataFrame) -> np.ndarray:
    """The cells ``(n, columns)`` as float32."""
    from pandas.api.types import is_numeric_dtype

    if 0 in frame.shape:
        raise InputError(
            f"{path} holds {len(frame)} rows of {frame.shape[1]} numbers: at least 1 of each is"
            " needed."
        )
    for name, column in frame.items():
        if not is_numeric_dtype(column.dtype):
            raise _not_numeric(path, str(name), column)
    with np.errstate(over="ignore"):  # what does not fit becomes infinite, and is named below
        x: np.ndarray = frame.to_numpy(dtype=np.float32, na_value=np.nan)
    _check_finite(path, frame, x)
    return x


def _not_numeric(path: Path, name: str, column: Series) -> InputError:
    from pandas import to_numeric

    odd = (to_numeric(column.astype(object), errors="coerce").isna() & column.notna()).to_numpy()
    row = int(odd.argmax())
    return InputError(
        f"{path}: column {name!r} does not hold numbers (row {row + 1} is {column.iloc[row]!r}): if"
        f" it is the class, name it with label={name!r} (--label {name!r} on the command line), or"
        " take it out of the table."
    )


def _check_finite(path: Path, frame: DataFrame, x: np.ndarray) -> None:
    bad = ~np.isfinite(x)
    if bad.any():
        row, column = (int(place) for place in np.unravel_index(bad.argmax(), x.shape))
        raise InputError(
            f"{path}: row {row + 1}, column {frame.columns[column]!r} holds"
            f" {frame.iat[row, column]!s}, which is no finite float32 (rows are counted from 1,"
            " below the names): fill it in, or take the row out."
        )


def _labels(path: Path, column: Series) -> tuple[np.ndarray, tuple[str, ...]]:
    from pandas.api.types import is_numeric_dtype

    missing = column.isna().to_numpy()
    where = f"{path}, column {column.name!r}"
    if missing.any():
        raise InputError(
            f"{where}: row {int(missing.argmax()) + 1} has no label: fill it in, or take the row"
            " out."
        )
    labels = (
        column.to_numpy()
        if is_numeric_dtype(column.dtype)
        else column.astype(str).to_numpy(dtype=str)
    )
    return number_labels(labels, where)
