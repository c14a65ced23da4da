"""Parquet files as a stream: a group of rows is read when a batch needs one of them."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from isthmus.core.digests import of_files
from isthmus.core.memory import require
from isthmus.core.paths import require_regular
from isthmus.data._sources.delimited import unreadable
from isthmus.data._sources.door import entering
from isthmus.data.rows import Rows, number_labels
from isthmus.data.streams import GroupedSource, Stream
from isthmus.errors import InputError, missing_extra, unknown


class ParquetRows(GroupedSource):
    """The rows of Parquet files of one schema, one file after another, as numbers.

    Args:
        files: at least one.
        label: a column that holds the classes, and is no part of the examples.
    """

    def __init__(self, files: Sequence[Path], label: str | None = None) -> None:
        from pyarrow import parquet

        self._files = list(files)
        self._open = [parquet.ParquetFile(file) for file in files]
        schema = self._open[0].schema_arrow
        for file, other in zip(files, self._open, strict=True):
            if not other.schema_arrow.equals(schema):
                raise InputError(
                    f"{file} has other columns than {files[0]}: write all files of a stream with"
                    " the same columns and types."
                )
        if label is not None and label not in schema.names:
            raise unknown("label column", label, schema.names)
        self._names = [name for name in schema.names if name != label]
        self.columns = tuple(self._names)
        types = [_numeric(files[0], schema.field(name)) for name in self._names]
        self._places = [
            (file, place)
            for file, opened in enumerate(self._open)
            for place in range(opened.num_row_groups)
        ]
        sizes = [
            self._open[file].metadata.row_group(place).num_rows for file, place in self._places
        ]
        if sum(sizes) == 0 or not self._names:
            raise InputError(f"{files[0]} holds no rows of numbers: name another file.")
        largest = max(sizes) * len(self._names) * 8
        require(largest, f"{files[0]}: a group of rows", "write it again, in smaller groups")
        dtype = np.dtype(np.float32 if set(types) == {"float"} else np.float64)
        super().__init__(np.cumsum([0, *sizes]), (len(self._names),), dtype)

    def read_group(self, place: int) -> np.ndarray:
        file, group = self._places[place]
        with entering(self._files[file], unreadable):
            table = self._open[file].read_row_group(group, columns=self._names)
            rows = np.empty((table.num_rows, len(self._names)), self.dtype)
            for column, values in enumerate(table.columns):
                rows[:, column] = values.to_pandas().to_numpy(dtype=self.dtype, na_value=np.nan)
        return rows

    def labels(self, column: str) -> np.ndarray:
        """One column of all rows."""
        read = [opened.read(columns=[column]).column(0).to_pandas() for opened in self._open]
        return np.concatenate([values.to_numpy() for values in read])

    def fingerprint(self) -> str:
        return of_files(self._files)


def stream_parquet(path: Path, label: str | None = None) -> Rows:
    """A Parquet file, or a folder of them, as a stream of rows of numbers, and its labels."""
    for package in ("pandas", "pyarrow"):
        if find_spec(package) is None:
            raise missing_extra(package, "tables", f"reading {path.name}")
    files = [path] if path.is_file() else sorted(path.rglob("*.parquet"))
    for file in files:
        require_regular(file)
    with entering(path, unreadable):
        source = ParquetRows(files, label)
        if label is None:
            return Rows(Stream(source), columns=source.columns)
        labels = source.labels(label)
    numbered = number_labels(_as_text(labels), f"{path}, column {label!r}")
    return Rows(Stream(source), *numbered, columns=source.columns)


def _numeric(file: Path, field: Any) -> str:
    from pyarrow import types

    kind = field.type
    if not (types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)):
        raise InputError(
            f"{file}: column {field.name!r} holds {kind}, but a stream takes numbers alone: leave"
            " the column out, or read the table without stream=True."
        )
    return str(kind)


def _as_text(labels: np.ndarray) -> np.ndarray:
    return labels.astype(str) if labels.dtype.kind == "O" else labels
