"""One long series, a step in each row: a table with or without the time, or an array."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.data._sources.arrays import array_of
from isthmus.data._sources.tables import PARQUET, delimited_frame, parquet_frame
from isthmus.errors import InputError, unknown

if TYPE_CHECKING:
    from pandas import DataFrame, Series

_TEXTS = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
_NAMELESS = "Unnamed: 0"  # what pandas calls a first column without a name


def read_series(path: Path, label: str | None = None) -> Any:
    """A series from ``.npy``, ``(time,)`` or ``(time, channels)``, or from a table, as a frame.

    The first column of a table is the time, and becomes the index, where it has no name, holds
    dates or text, or numbers that only rise, and is not alone. ``label`` names a column that is
    left out.
    """
    suffix = path.suffix.lower()
    if suffix == ".npy":
        if label is not None:
            raise InputError(f"label={label!r} means nothing for {path}, an array: leave it out.")
        return np.array(array_of(path))
    is_text = path.name.lower().endswith(_TEXTS)
    if not is_text and suffix not in PARQUET:
        raise InputError(f"{path} cannot be read as a series: give .npy, .csv, .tsv or .parquet.")
    frame = delimited_frame(path) if is_text else parquet_frame(path)
    is_named = not is_text or frame.columns[0] != _NAMELESS
    if label is not None:
        if label not in frame.columns:
            raise unknown("label column", label, frame.columns)
        frame = frame.drop(columns=label)
    return _with_time(path, frame, is_named)


def _with_time(path: Path, frame: DataFrame, is_named: bool) -> DataFrame:
    """The frame with its time as the index, in order."""
    from pandas import RangeIndex

    first = frame.iloc[:, 0]
    lacks_time = isinstance(frame.index, RangeIndex) and frame.shape[1] > 1
    if lacks_time and (not is_named or _tells_time(first)):
        times = _times(first)
        frame = frame.iloc[:, 1:].set_axis(times.rename(first.name if is_named else None))
    if not frame.index.is_monotonic_increasing and frame.index.dtype.kind in "iufM":
        raise InputError(f"{path}: the rows are not in the order of time: sort them.")
    return frame


def _tells_time(column: Series) -> bool:
    if column.dtype.kind not in "biuf":
        return True
    return bool(column.is_monotonic_increasing and column.is_unique)


def _times(column: Series) -> Any:
    """What a column says of the time: dates where it holds dates, else as it is."""
    from pandas import Index, to_datetime

    if column.dtype.kind in "biufM":
        return Index(column)
    with warnings.catch_warnings():  # that each text was parsed by itself
        warnings.simplefilter("ignore", UserWarning)
        try:
            return Index(to_datetime(column))
        except ValueError:  # text of another kind
            return Index(column.astype(str))
