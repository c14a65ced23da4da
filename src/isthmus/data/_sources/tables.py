"""Tables, ``.csv`` or ``.parquet``, one example a row: a data frame with its own types."""

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

_OFFSET = r"(Z|[+-]\d\d:?\d\d)"  # from UTC
_ISO_DATE = rf"\d{{4}}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?{_OFFSET}?)?"


def read_csv(path: Path, label: str | None = None) -> Rows:
    """Read a table from comma-separated text whose first line names the columns."""
    frame, head = csv_frame(path)
    _check_head(path, head)
    return _rows(path, frame, label)


def csv_frame(path: Path) -> tuple[DataFrame, DataFrame]:
    """The cells of comma-separated text, and its first line by itself."""
    _need(path, "pandas")
    import pandas

    try:
        head = pandas.read_csv(path, header=None, nrows=1)
        # rows longer than the first line would lose their end with a warning only
        with warnings.catch_warnings():
            warnings.simplefilter("error", pandas.errors.ParserWarning)
            frame = pandas.read_csv(path, index_col=False, low_memory=False)
    except pandas.errors.ParserWarning as error:
        raise InputError(
            f"{path}: rows hold more values than the first line has names: name every column."
        ) from error
    except ValueError as error:  # the parser's other errors and the decoder's
        raise _unreadable(path, error) from error
    return frame, head


def read_parquet(path: Path, label: str | None = None) -> Rows:
    """Read a table from a Parquet file."""
    return _rows(path, parquet_frame(path), label)


def parquet_frame(path: Path) -> DataFrame:
    """The cells of a Parquet file, with the index that it keeps."""
    _need(path, "pandas", "pyarrow")
    import pandas

    try:
        return pandas.read_parquet(path, engine="pyarrow")
    except (ValueError, OSError, KeyError) as error:
        raise _unreadable(path, error) from error


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
    """Refuse a first line that holds data or a name twice, or that begins a nameless index."""
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
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"{path} has two columns named {twice[0]!r}: give each its own name.")
    if len(names) == 1 and any(mark in str(names[0]) for mark in ";\t"):
        raise InputError(f"{path}: the columns are not separated by commas: write it with commas.")


def _rows(path: Path, frame: DataFrame, label: str | None) -> Rows:
    frame.columns = frame.columns.map(str)
    if label is not None and label not in frame.columns:
        raise unknown("label column", label, frame.columns)
    values = frame.drop(columns=[] if label is None else [label])
    if 0 in values.shape:
        raise InputError(
            f"{path} holds {len(values)} rows of {values.shape[1]} columns: at least 1 of each is"
            " needed."
        )
    import pandas

    x = pandas.DataFrame({name: _typed(path, column) for name, column in values.items()})
    columns = tuple(x.columns)
    if label is None:
        return Rows(x, columns=columns)
    y, classes = _labels(path, frame[label])
    return Rows(x, y, classes, columns)


def _typed(path: Path, column: Series) -> Series:
    """A column by its own type: numbers, truth values, text, categories or dates.

    Text that is a date in every row is read as one; infinity, and what is none of these, is
    refused.
    """
    from pandas.api import types

    if types.is_numeric_dtype(column.dtype):
        _check_finite(path, column)
        return column
    if isinstance(column.dtype, types.CategoricalDtype) or types.is_datetime64_any_dtype(column):
        return column
    return _of_objects(path, column)


def _check_finite(path: Path, column: Series) -> None:
    if column.dtype.kind != "f":
        return
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    if (bad := np.isinf(values)).any():
        raise InputError(
            f"{path}: row {(row := int(bad.argmax())) + 1}, column {column.name!r} holds"
            f" {values[row]}, which is no finite number (rows are counted from 1, below the names):"
            " leave the cell empty, or take the row out."
        )


def _of_objects(path: Path, column: Series) -> Series:
    """A column of text, or of the objects that a reader makes of truth values, dates, decimals."""
    import pandas

    present = column.dropna()
    match pandas.api.types.infer_dtype(present, skipna=True):
        case "empty":
            return column.astype(np.float64)
        case "boolean":
            return column.astype("boolean")
        case "decimal":
            return column.astype(np.float64)
        case "date" | "datetime":
            return pandas.to_datetime(column)
        case "string":
            return _dates(column) if present.str.fullmatch(_ISO_DATE).all() else column
    raise InputError(
        f"{path}: column {column.name!r} holds {present.iloc[0]!r} (row"
        f" {int(column.notna().to_numpy().argmax()) + 1}), which is no number, text, truth value"
        " or date: take it out of the table."
    )


def _dates(column: Series) -> Series:
    """Text as dates; where one is none of the calendar's, it stays text."""
    import pandas

    # different offsets from UTC meet in UTC only
    offsets = column.dropna().str.extract(_OFFSET + "$", expand=False)
    try:
        return pandas.to_datetime(column, format="ISO8601", utc=offsets.nunique(dropna=False) > 1)
    except ValueError:  # the thirtieth of February
        return column


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
