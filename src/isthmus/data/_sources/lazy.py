"""A path as a stream: its examples are read when they are needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from isthmus.data._sources.images import wanted_for
from isthmus.data._sources.lazy_arrays import stream_hdf5, stream_zarr
from isthmus.data._sources.lazy_images import stream_folder
from isthmus.data._sources.lazy_tables import stream_parquet
from isthmus.data.rows import Rows
from isthmus.errors import InputError


def open_stream(path: Path, label: str | None, size: int | Sequence[int] | None) -> Rows:
    """What a path holds, unread: a folder of images, Parquet files, or an HDF5 or zarr array.

    ``label`` is the column of a table that holds the classes, ``size`` that to which images are
    brought; each is refused where it means nothing.
    """
    suffix, is_folder = path.suffix.lower(), path.is_dir()
    is_table = suffix == ".parquet" or (is_folder and any(path.rglob("*.parquet")))
    is_array = suffix in (".h5", ".hdf5", ".zarr")
    if label is not None and not is_table:
        raise InputError(
            f"label={label!r} means nothing for {str(path)!r}, which is no table: leave it out."
        )
    if size is not None and (is_table or is_array):
        raise InputError(
            f"size={size!r} means nothing for {str(path)!r}, which holds no images: leave it out."
        )
    if is_table:
        return stream_parquet(path, label)
    if is_array:
        return stream_zarr(path) if suffix == ".zarr" else stream_hdf5(path)
    if is_folder:
        return stream_folder(path, wanted_for(size=size))
    raise InputError(
        f"{path} cannot be read as a stream: give a folder of images, a .parquet file or a folder"
        " of them, an .h5 or a .zarr file; an .npy file of more than 256 MB stays on the disk"
        " without it."
    )
