"""Arrays in HDF5 and zarr files, named as those of an ``.npz`` file."""

from __future__ import annotations

from importlib.util import find_spec
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from isthmus.data._sources.arrays import ON_DISK, rows_of_arrays
from isthmus.data._sources.door import entering
from isthmus.data._sources.guards import (
    file_count,
    folder_size,
    require_chunks,
    require_claim,
    require_regular_inside,
)
from isthmus.data._sources.trial import require_survival
from isthmus.data.rows import Rows
from isthmus.errors import missing_extra


def read_hdf5(path: Path) -> Rows:
    """Read the arrays at the top of an HDF5 file; groups are not looked into.

    One of more than 256 MB that is stored in one piece and uncompressed stays on the disk.
    """
    _need(path, "h5py")
    import h5py

    def read() -> dict[str, np.ndarray]:
        with h5py.File(path, "r") as file:
            return {
                name: _of_hdf5(path, item, h5py.check_string_dtype(item.dtype) is not None)
                for name, item in file.items()
                if isinstance(item, h5py.Dataset)
            }

    with entering(path):
        require_survival(path, read)
        return rows_of_arrays(path, read())


def read_zarr(path: Path) -> Rows:
    """Read the arrays at the top of a zarr group, or a zarr array by itself."""
    _need(path, "zarr")
    import zarr

    require_regular_inside(path)
    with entering(path):
        root = zarr.open(str(path), mode="r")
        found = dict(root.arrays()) if isinstance(root, zarr.Group) else {path.stem: root}
        arrays = {name: _of_zarr(path, item) for name, item in found.items()}
    return rows_of_arrays(path, arrays)


def is_zarr(path: Path) -> bool:
    """Whether a folder was written by zarr."""
    return any((path / name).is_file() for name in ("zarr.json", ".zgroup", ".zarray"))


def _of_hdf5(path: Path, stored: Any, is_text: bool) -> np.ndarray:
    offset = None if is_text else stored.id.get_offset()  # None where it is compressed or in chunks
    if offset is not None and stored.nbytes > ON_DISK:
        return np.memmap(path, stored.dtype, "r", offset, stored.shape)
    require_chunks(path, stored, stored.id.get_num_chunks)
    require_claim(path, stored.nbytes, path.stat().st_size)
    return np.asarray(stored.asstr()[()], dtype=str) if is_text else np.asarray(stored[()])


def _of_zarr(path: Path, stored: Any) -> np.ndarray:
    require_chunks(path, stored, lambda: file_count(path) * _chunks_a_file(stored))
    require_claim(path, stored.nbytes, folder_size(path))
    values = np.asarray(stored[...])
    return values.astype(str) if values.dtype.kind in "OT" else values


def _chunks_a_file(stored: Any) -> int:
    return prod(stored.shards) // prod(stored.chunks) if stored.shards else 1


def _need(path: Path, package: str) -> None:
    if find_spec(package) is None:
        raise missing_extra(package, package, f"reading {path.name}")
