"""HDF5 and zarr files as streams: an array is read a chunk at a time."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from isthmus.data._sources.chunked import ChunkedArray
from isthmus.data._sources.guards import require_regular_inside
from isthmus.data.rows import Rows, number_labels
from isthmus.data.streams import Stream
from isthmus.errors import InputError, missing_extra


def stream_hdf5(path: Path) -> Rows:
    """The only array of an HDF5 file, or ``x`` and perhaps its labels ``y``, as a stream."""
    _need(path, "h5py")
    import h5py

    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise _unreadable(path, error) from error
    arrays = {name: item for name, item in file.items() if isinstance(item, h5py.Dataset)}
    return _rows(path, arrays)


def stream_zarr(path: Path) -> Rows:
    """A zarr array, or the only one of a group, or ``x`` and perhaps its labels ``y``, as a
    stream.
    """
    _need(path, "zarr")
    import zarr

    require_regular_inside(path)
    try:
        root: Any = zarr.open(str(path), mode="r")
    except (OSError, ValueError, KeyError) as error:
        raise _unreadable(path, error) from error
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


def _need(path: Path, package: str) -> None:
    if find_spec(package) is None:
        raise missing_extra(package, package, f"reading {path.name}")


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(f"{path} is damaged or incomplete ({error}): write or copy it again.")
