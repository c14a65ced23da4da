"""Checksums over everything that a training looks at: arrays and files, whole."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

_PIECE = 16 * 2**20  # bytes that are looked at together
_SHOWN = 16  # hexadecimal digits: two that differ are never met by chance


class Digest:
    """A checksum over what is added to it, in that order: SHA-256, of which 64 bits are shown."""

    def __init__(self) -> None:
        self._total = hashlib.sha256()

    def __str__(self) -> str:
        return self._total.hexdigest()[:_SHOWN]

    def add_text(self, text: str) -> None:
        """Add a text; two of them are not the same as one that is both together."""
        content = text.encode("utf-8", "surrogatepass")
        self._total.update(b"%d:" % len(content))
        self._total.update(content)

    def add_array(self, x: np.ndarray) -> None:
        """Add type, shape and all values of an array, a piece at a time."""
        self.add_text(f"{x.dtype} {tuple(x.shape)}")
        if x.dtype.hasobject:
            raise TypeError(f"arrays of {x.dtype} have no bytes of their own")
        if x.size == 0:
            return
        rows = max(1, _PIECE // max(1, x[:1].nbytes)) if x.ndim else 1
        for start in range(0, len(x) if x.ndim else 1, rows):
            block = x[start : start + rows] if x.ndim else x
            self._total.update(np.ascontiguousarray(block).reshape(-1).view(np.uint8).data)

    def add_file(self, path: Path) -> None:
        """Add all bytes of a file."""
        with path.open("rb") as file:
            while content := file.read(_PIECE):
                self._total.update(content)
        self.add_text("end")


def of_array(x: np.ndarray) -> str:
    """A short text that changes when a value, the type or the shape of an array does."""
    digest = Digest()
    digest.add_array(x)
    return f"{tuple(x.shape)} {x.dtype} {digest}"


def of_files(paths: Iterable[Path]) -> str:
    """A short text that changes when a name or a byte of some files does; of a folder, all in it.

    The times of files do not count, so that a copy is the same.
    """
    digest = Digest()
    for path in paths:
        inside = [path]
        if path.is_dir():
            inside = sorted(each for each in path.rglob("*") if each.is_file())
        for each in inside:
            digest.add_text(each.relative_to(path.parent).as_posix())
            digest.add_file(each)
    return str(digest)


def of_values(values: Iterable[Any]) -> str:
    """The same of arrays, one after another."""
    digest = Digest()
    for value in values:
        digest.add_array(np.asarray(value))
    return str(digest)
