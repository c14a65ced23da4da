"""Arrays that lie on the disk in chunks, of HDF5 and zarr: read a chunk at a time."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np

from isthmus.core.memory import require
from isthmus.data.streams import GroupedSource
from isthmus.errors import InputError

_PIECE = 4 * 2**20  # bytes that are read together where an array has no chunks


def is_chunked(X: Any) -> bool:
    """Whether X is an array of h5py or zarr."""
    return type(X).__module__.partition(".")[0] in ("h5py", "zarr") and hasattr(X, "shape")


class ChunkedArray(GroupedSource):
    """An array ``(n, *shape)`` of h5py or zarr.

    Args:
        array: it, open for reading.
        file: where it lies, so that a change is noticed; None if that is not known.
    """

    def __init__(self, array: Any, file: Path | None = None) -> None:
        dtype = np.dtype(array.dtype)
        if dtype.kind not in "biuf" or len(array.shape) < 2 or 0 in array.shape:
            raise InputError(
                f"X is a stored array of {dtype} with the shape {tuple(array.shape)}: give numbers,"
                " with rows along the first of at least two axes."
            )
        self._array, self._file = array, file
        row_bytes = int(np.prod(array.shape[1:])) * dtype.itemsize
        tall = array.chunks[0] if array.chunks else 1
        # chunks of few rows are read several at a time
        rows = tall * max(1, _PIECE // max(1, row_bytes * tall))
        what = f"a piece of {rows:,} rows of the stored array"
        require(rows * row_bytes, what, "write it again, in smaller chunks")
        starts = np.append(np.arange(0, array.shape[0], rows), array.shape[0])
        super().__init__(starts, tuple(array.shape[1:]), dtype.newbyteorder("="))

    def read_group(self, place: int) -> np.ndarray:
        start, stop = self.groups.starts[place : place + 2]
        return np.asarray(self._array[int(start) : int(stop)]).astype(self.dtype, copy=False)

    def fingerprint(self) -> str:
        if self._file is not None:
            return stamp([self._file])
        first = zlib.crc32(np.ascontiguousarray(self.read_group(0)).tobytes())
        return f"{type(self._array).__name__} {first:08x}"


def stamp(files: list[Path]) -> str:
    """A checksum of the names, sizes and times of files; a folder counts with what it holds."""
    checksum = 0
    for file in files:
        inside = sorted(path for path in file.rglob("*")) if file.is_dir() else [file]
        for path in inside:
            known = path.stat()
            text = f"{path.name} {known.st_size} {known.st_mtime_ns}"
            checksum = zlib.crc32(text.encode(), checksum)
    return f"{checksum:08x}"
