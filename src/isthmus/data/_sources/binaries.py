"""The binary formats of the well-known sets: IDX (the MNIST family) and the records of CIFAR-10."""

from __future__ import annotations

import struct
import tarfile
from collections.abc import Callable, Sequence
from math import prod
from pathlib import Path
from typing import TypeVar

import numpy as np

from isthmus.data._sources.door import damaged, entering
from isthmus.data._sources.guards import opened, require_claim
from isthmus.data.datasets import Part
from isthmus.errors import InputError

T = TypeVar("T")

_UNSIGNED_BYTES = 0x08  # IDX's code for the type of the values
_RECORD = 1 + 3 * 32 * 32  # CIFAR-10: the label, then red, green and blue
_CLASSES = 10


def read_idx_images(path: Path) -> np.ndarray:
    """Images ``(n, 1, height, width)`` of uint8."""
    x = _read_idx(path, 3)
    return x.reshape(len(x), 1, *x.shape[1:])  # (n, h, w) -> (n, 1, h, w), a view


def read_idx_labels(path: Path) -> np.ndarray:
    """Labels ``(n,)`` from 0 to 9."""
    return _checked_labels(_read_idx(path, 1), str(path))


def read_cifar(path: Path) -> Part:
    """Images ``(n, 3, 32, 32)`` of uint8 and labels ``(n,)`` from 0 to 9."""
    return _records(_content(path), str(path))


def read_cifar_archive(path: Path, names: Sequence[str]) -> list[Part]:
    """The same from each named file of the packed archive."""
    members = _guarded(path, lambda: _members(path, names))
    return [
        _records(members.get(name, np.empty(0, np.uint8)), f"{path} ({name})") for name in names
    ]


def _read_idx(path: Path, dimensions: int) -> np.ndarray:
    """The values of an IDX file, a view on its bytes; type, shape and length are checked."""
    content = _content(path)
    head = 4 + 4 * dimensions
    magic = struct.pack(">HBB", 0, _UNSIGNED_BYTES, dimensions)
    if content[:4].tobytes() != magic or len(content) < head:
        raise InputError(
            f"{path} is no IDX file of {dimensions} dimensions (magic number {magic.hex()}): get it"
            " again."
        )
    shape = struct.unpack(f">{dimensions}I", content[4:head].tobytes())
    if 0 in shape or len(content) != head + prod(shape):
        raise InputError(
            f"{path} announces the shape {shape}, but {len(content) - head:,} values follow: get it"
            " again."
        )
    return content[head:].reshape(shape)


def _records(content: np.ndarray, where: str) -> Part:
    if len(content) == 0 or len(content) % _RECORD:
        raise InputError(
            f"{where} holds {len(content):,} bytes, which is no whole number of CIFAR-10 records "
            f"({_RECORD:,} bytes each): get it again."
        )
    records = content.reshape(-1, _RECORD)
    x = records[:, 1:].reshape(-1, 3, 32, 32)  # (n, 3072) -> (n, 3, 32, 32), a view
    return Part(x, _checked_labels(records[:, 0], where))


def _checked_labels(labels: np.ndarray, where: str) -> np.ndarray:
    if labels.max() >= _CLASSES:
        raise InputError(
            f"{where} holds the label {labels.max()}, but they end at {_CLASSES - 1}: get it again."
        )
    return labels.astype(np.int64)


def _content(path: Path) -> np.ndarray:
    """All bytes of a file, unpacked if gzip-compressed, as an array that can be written to."""
    return _guarded(path, lambda: np.frombuffer(bytearray(_unpacked(path)), np.uint8))


def _unpacked(path: Path) -> bytes:
    with opened(path) as file:
        return file.read()


def _members(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """The bytes of some files, in one pass, and nothing written to the disk."""
    contents = {}
    with tarfile.open(path, "r:gz") as archive:
        for member in archive:
            name = Path(member.name).name
            if name in names:
                require_claim(path, member.size, path.stat().st_size)
            if name in names and (file := archive.extractfile(member)):
                contents[name] = np.frombuffer(bytearray(file.read()), np.uint8)
    return contents


def _guarded(path: Path, read: Callable[[], T]) -> T:
    with entering(path, lambda path, error: damaged(path, error, "get it again")):
        return read()
