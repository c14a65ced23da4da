"""Arrays that lie on the disk in chunks, of HDF5 and zarr: read a chunk at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from isthmus.core.digests import of_files
from isthmus.core.memory import require
from isthmus.data._sources.door import entering
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
        file: where it lies, whose bytes tell of a change; None if that is not known.
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
        with entering(self._file or Path("X, a stored array,")):
            return np.asarray(self._array[int(start) : int(stop)]).astype(self.dtype, copy=False)

    def fingerprint(self) -> str:
        return super().fingerprint() if self._file is None else of_files([self._file])
