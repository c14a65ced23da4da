"""Tables, as text or as Parquet, one example a row: a data frame with its own types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from isthmus.core.memory import require
from isthmus.core.paths import require_regular
from isthmus.data._sources.delimited import read_text, say_strays, unreadable
from isthmus.data._sources.door import entering
from isthmus.data._sources.folders import all_files
from isthmus.data._sources.guards import require_claim, require_columns
from isthmus.data.rows import Rows, number_labels
from isthmus.errors import InputError, missing_extra, unknown

if TYPE_CHECKING:
    from pandas import DataFrame, Series

_CELL = 8  # bytes
PARQUET = (".parquet", ".pq")

_OFFSET = r"(Z|[+-]\d\d:?\d\d)"  # from UTC
_ISO_DATE = rf"\d{{4}}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?{_OFFSET}?)?"


def read_delimited(path: Path, label: str | None = None) -> Rows:
    """Read a table from text, perhaps compressed, whose first line names the columns."""
    _need(path, "pandas")
    frame, notes = read_text(path)
    return replace(_rows(path, frame, label), notes=notes)


def delimited_frame(path: Path) -> DataFrame:
    """The cells of text, whose first column, of the time, may lack a name."""
    _need(path, "pandas")
    return read_text(path, may_lack_name=True)[0]


def read_parquet(path: Path, label: str | None = None) -> Rows:
    """Read a table from a Parquet file, or from all that a folder holds, in the order of names.

    A sub-folder such as ``year=2024`` adds a column.
    """
    return _rows(path, parquet_frame(path), label)


def parquet_frame(path: Path) -> DataFrame:
    """The cells of a Parquet file or of a folder of them, with the index that they keep."""
    _need(path, "pandas", "pyarrow")
    import pandas

    with entering(path, unreadable):
        is_folder = path.is_dir()
        _check_claims([path / name for name in all_files(path, PARQUET)] if is_folder else [path])
        return _of_folder(path) if is_folder else pandas.read_parquet(path, engine="pyarrow")


def _check_claims(files: Sequence[Path]) -> None:
    """Refuse files that announce more cells than the memory holds, or than they can hold."""
    from pyarrow import parquet

    total = 0
    for file in files:
        require_regular(file)
        head = parquet.read_metadata(file)
        size = _CELL * head.num_rows * head.num_columns
        require_claim(file, size, file.stat().st_size)
        total += size
        require_columns(file, head.num_columns)
    require(total, f"{files[0].parent}, read as a whole,", "read it with stream=True")


def _of_folder(folder: Path) -> DataFrame:
    from pyarrow import dataset, fs

    # a file system of its own, so that no folder above this one adds a column
    inside = fs.SubTreeFileSystem(str(folder.resolve()), fs.LocalFileSystem())
    files = all_files(folder, PARQUET)
    parts = dataset.dataset(files, format="parquet", partitioning="hive", filesystem=inside)
    return parts.to_table().unify_dictionaries().to_pandas().reset_index(drop=True)


def _need(path: Path, *packages: str) -> None:
    for package in packages:
        if find_spec(package) is None:
            raise missing_extra(package, "tables", f"reading {path.name}")


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

    x = values
    typed = {name: _typed(path, column) for name, column in _untyped(path, values).items()}
    if typed:
        x = pandas.DataFrame({name: typed.get(name, values[name]) for name in values})
    columns = tuple(x.columns)
    if label is None:
        return Rows(x, columns=columns)
    y, classes = _labels(path, frame[label])
    return Rows(x, y, classes, columns)


def _untyped(path: Path, frame: DataFrame) -> DataFrame:
    """The columns that are not numbers of numpy already; those that are, are finite."""
    is_number = np.array([getattr(dtype, "kind", "O") in "biuf" for dtype in frame.dtypes])
    is_number &= np.array([isinstance(dtype, np.dtype) for dtype in frame.dtypes])
    numbers = frame.loc[:, is_number]
    if not np.isfinite(numbers.to_numpy(dtype=np.float64, na_value=0.0)).all():
        for _, column in numbers.items():
            _check_finite(path, column)
    return frame.loc[:, ~is_number]


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
            if present.str.fullmatch(_ISO_DATE).all():
                return _dates(column)
            say_strays(path, column)
            return column
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
