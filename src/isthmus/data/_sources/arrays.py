"""Arrays of numpy: one in ``.npy``, several in ``.npz``; nothing pickled is ever read."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path

import numpy as np

from isthmus.data._layout import extent
from isthmus.data._sources.door import damaged, entering
from isthmus.data._sources.guards import require_claim
from isthmus.data.rows import Rows, number_labels
from isthmus.errors import InputError

ON_DISK = 256 * 2**20  # bytes: a larger file stays on the disk, a smaller one is faster in memory

_Pairs = tuple[tuple[str, str], ...]

# What an .npz file may hold: examples, each with the labels that may stand beside them.
_LAYOUTS: tuple[_Pairs, ...] = ((("x", "y"),), (("x_train", "y_train"), ("x_test", "y_test")))


def read_npy(path: Path) -> Rows:
    """Read an array ``(n, *shape)``; one of more than 256 MB stays on the disk, as a memory map."""
    x = array_of(path)
    _check(x, str(path))
    return Rows(x if x.nbytes > ON_DISK else np.array(x))


def array_of(path: Path) -> np.ndarray:
    """The array of a file, as a memory map."""
    _check_start(path, b"\x93NUMPY", "numpy.save")
    with entering(path, _unreadable):
        x: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    return x


def read_npz(path: Path) -> Rows:
    """Read ``x`` and perhaps ``y``, or ``x_train`` and ``x_test`` and labels, or the only array."""
    return rows_of_arrays(path, _arrays(path))


def rows_of_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> Rows:
    """The rows that named arrays of one file hold: those of :func:`read_npz`."""
    if len(arrays) == 1:
        ((key, x),) = arrays.items()
        _check(x, f"{path} ({key})")
        return Rows(x)
    pairs = _layout(path, set(arrays))
    for key, _ in pairs:
        _check(arrays[key], f"{path} ({key})")
    x = _joined(path, [arrays[key] for key, _ in pairs])
    train_rows = len(arrays[pairs[0][0]]) if len(pairs) == 2 else None
    if pairs[0][1] not in arrays:
        return Rows(x, train_rows=train_rows)
    y, classes = number_labels(_labels(path, arrays, pairs), str(path))
    return Rows(x, y, classes, train_rows=train_rows)


def _arrays(path: Path) -> dict[str, np.ndarray]:
    _check_start(path, b"PK", "numpy.savez")
    with (
        entering(path, _unreadable),
        path.open("rb") as file,
        np.load(file, allow_pickle=False) as archive,
    ):
        _check_claims(path, archive.zip)
        return {key: np.asarray(archive[key]) for key in archive.files}


def _check_claims(path: Path, archive: zipfile.ZipFile) -> None:
    """Refuse arrays that would not fit into the memory, or of which the file lacks the values."""
    members = archive.infolist()
    sizes = [max(info.file_size, _claimed(archive, info)) for info in members]
    require_claim(path, sum(sizes), sum(info.compress_size for info in members))


def _claimed(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> int:
    """The bytes that the head of a packed ``.npy`` announces; 0 where it has none."""
    with archive.open(info) as file:
        if file.read(6) != b"\x93NUMPY":
            return 0
    with archive.open(info) as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0
        if version != (1, 0):
            read = np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
    return prod(shape) * dtype.itemsize


def _check_start(path: Path, start: bytes, writer: str) -> None:
    with path.open("rb") as file:
        if file.read(len(start)) != start:
            raise InputError(f"{path} is not an {path.suffix} file: write it with {writer}.")


def _unreadable(path: Path, error: Exception) -> InputError:
    # numpy has no error type for arrays of objects
    if any(text in str(error) for text in ("Python objects", "Object arrays")):
        return InputError(
            f"{path} holds Python objects, not numbers: save an array of a numeric type instead."
        )
    return damaged(path, error)


def _layout(path: Path, keys: set[str]) -> _Pairs:
    for pairs in _LAYOUTS:
        examples, labels = ({pair[i] for pair in pairs} for i in (0, 1))
        if keys in (examples, examples | labels):
            return pairs
    raise InputError(
        f"{path} holds the arrays {', '.join(sorted(keys)) or '(none)'}: name them x and perhaps y,"
        " or x_train and x_test and perhaps y_train and y_test, or keep a single array."
    )


def _joined(path: Path, parts: Sequence[np.ndarray]) -> np.ndarray:
    if len(parts) == 1:
        return parts[0]
    train, test = parts
    if (train.shape[1:], train.dtype) != (test.shape[1:], test.dtype):
        raise InputError(
            f"{path}: x_train is {train.dtype} of shape {train.shape} and x_test is {test.dtype} of"
            f" shape {test.shape}: only their number of rows may differ."
        )
    return np.concatenate(parts)


def _labels(path: Path, arrays: Mapping[str, np.ndarray], pairs: _Pairs) -> np.ndarray:
    for x, y in pairs:
        if arrays[y].shape != (len(arrays[x]),):
            raise InputError(
                f"{path}: {y} has the shape {arrays[y].shape}, but {x} has {len(arrays[x])} rows: "
                f"{y} must hold one label a row, of shape ({len(arrays[x])},)."
            )
    return np.concatenate([arrays[y] for _, y in pairs])


def _check(x: np.ndarray, where: str) -> None:
    """Refuse what holds no numbers, no rows or a value that is not finite, chunk by chunk."""
    if x.dtype.kind not in "biuf":
        raise InputError(
            f"{where} holds values of type {x.dtype}: convert them to uint8 or float32."
        )
    if x.ndim < 2:
        raise InputError(
            f"{where} has the shape {x.shape}: the rows must lie along the first of at least two"
            " axes; reshape single values to (n, 1)."
        )
    if x.size == 0:
        raise InputError(
            f"{where} has the shape {x.shape}, which holds no values: at least 1 row is needed."
        )
    if x.dtype.kind == "f":
        extent(x, where)
