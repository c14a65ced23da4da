"""HDF5 and zarr files as streams: an array is read a chunk at a time."""

from __future__ import annotations

from importlib.util import find_spec
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from isthmus.data._sources.arrays import ON_DISK
from isthmus.data._sources.chunked import ChunkedArray
from isthmus.data._sources.door import entering
from isthmus.data._sources.guards import require_regular_inside
from isthmus.data._sources.trial import require_survival
from isthmus.data.rows import Rows, number_labels
from isthmus.data.streams import Stream
from isthmus.errors import InputError, missing_extra


def stream_hdf5(path: Path) -> Rows:
    """The only array of an HDF5 file, or ``x`` and perhaps its labels ``y``, as a stream."""
    _need(path, "h5py")
    import h5py

    def read() -> Rows:
        file = h5py.File(path, "r")
        arrays = {name: item for name, item in file.items() if isinstance(item, h5py.Dataset)}
        return _rows(path, arrays)

    with entering(path):
        require_survival(path, lambda: _look_through(read().x))
        return read()


def stream_zarr(path: Path) -> Rows:
    """A zarr array, or the only one of a group, or ``x`` and perhaps its labels ``y``, as a
    stream.
    """
    _need(path, "zarr")
    import zarr

    require_regular_inside(path)
    with entering(path):
        root: Any = zarr.open(str(path), mode="r")
        return _rows(path, dict(root.arrays()) if isinstance(root, zarr.Group) else {"x": root})


def _rows(path: Path, arrays: dict[str, Any]) -> Rows:
    if set(arrays) == {"x", "y"}:
        labels = np.asarray(arrays["y"][:])
        if labels.shape != arrays["x"].shape[:1]:
            raise InputError(
                f"{path}: y has the shape {labels.shape}, but x has {arrays['x'].shape[0]} rows: y"
                " must hold one label a row."
            )
        y, classes = number_labels(labels, str(path))
        return Rows(Stream(ChunkedArray(arrays["x"], path)), y, classes)
    if len(arrays) == 1:
        return Rows(Stream(ChunkedArray(next(iter(arrays.values())), path)))
    raise InputError(
        f"{path} holds the arrays {', '.join(sorted(arrays)) or '(none)'}: name them x and perhaps"
        " y, or keep a single array, to read it as a stream."
    )


def _look_through(stream: Any) -> None:
    """Read a stream to its end; of one that is larger than memory the first and the last piece."""
    places = range(len(stream.source.groups.starts) - 1)
    size = prod(stream.shape) * stream.dtype.itemsize
    for place in places if size <= ON_DISK else (places[0], places[-1]):
        stream.source.read_group(place)


def _need(path: Path, package: str) -> None:
    if find_spec(package) is None:
        raise missing_extra(package, package, f"reading {path.name}")
