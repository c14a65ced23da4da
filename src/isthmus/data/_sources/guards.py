"""What a file is, and how much it claims to hold, looked at before it is read.

A pipe never ends, a device gives zeros for ever, and a few kilobytes that are packed can claim to
be more than any memory holds.
"""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import ceil, prod
from pathlib import Path
from typing import IO, Any

from isthmus.core.memory import in_words, require
from isthmus.core.paths import require_regular
from isthmus.errors import InputError

_LARGE = 2**28  # bytes that any reader can take
_DEFLATED = 1100  # times as large as a file what is packed in it may be: deflate comes to 1,032
_TEXT = 200  # the same for text: tables come to 50, and only what repeats itself to more
_COLUMNS = 50_000
_CHUNKS = 20_000  # that any reader can take
_PER_TEXT = 3  # bytes of memory for a byte of text, at the least: the text, and its values


def require_regular_inside(folder: Path) -> None:
    """The same of all that lies in a folder of files that belong together."""
    for root, _, names in os.walk(folder):
        for name in names:
            path = Path(root, name)
            if path.exists():  # a link may lead nowhere
                require_regular(path)


def require_claim(path: Path, claimed: int, stored: int) -> None:
    """Refuse a file that claims to hold more than the memory, or than a file of its size can.

    Args:
        path: the file.
        claimed: the bytes that what it holds would take.
        stored: the bytes that it has on the disk.

    Raises:
        InputError: which names the file.
    """
    if claimed > _LARGE and claimed > _DEFLATED * stored:
        raise _claims_too_much(path, claimed, stored)
    require(claimed, f"{path}, read as a whole,", "split it, or read it with stream=True")


def require_chunks(path: Path, array: Any, count_stored: Callable[[], int]) -> None:
    """Refuse a stored array of chunks that no memory holds, or of many more than are there.

    Args:
        path: the file.
        array: that of h5py or zarr.
        count_stored: says how many chunks are there, which can take a while.

    Raises:
        InputError: which names the file.
    """
    if not array.chunks:
        return
    sides = zip(array.shape, array.chunks, strict=True)
    count = prod(ceil(side / max(1, chunk)) for side, chunk in sides)
    if count > _CHUNKS and count > 100 * (stored := count_stored()):
        raise InputError(
            f"{path} claims {count:,} chunks, of which {stored:,} are there: write it again, in"
            " larger chunks."
        )
    size = prod(array.chunks) * array.dtype.itemsize
    require(size, f"{path}: a chunk", "write it again, in smaller chunks")


def require_columns(path: Path, count: int) -> None:
    """Refuse a table of more columns than anybody gives names: each is settled by itself."""
    if count > _COLUMNS:
        raise InputError(
            f"{path} has {count:,} columns, and a table may have {_COLUMNS:,}: save its numbers as"
            " an .npy array."
        )


def folder_size(folder: Path) -> int:
    """The bytes of all files below a folder."""
    return sum(
        path.stat().st_size
        for root, _, names in os.walk(folder)
        for name in names
        if (path := Path(root, name)).is_file()
    )


def file_count(folder: Path) -> int:
    """How many files lie below a folder."""
    return sum(len(names) for _, _, names in os.walk(folder))


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a file, perhaps packed by gzip, refused where they are too many."""
    require_regular(path)
    size = path.stat().st_size
    require(_PER_TEXT * size, f"{path}, read as a whole,", "split it")
    if path.suffix.lower() != ".gz":
        with path.open("rb") as file:
            yield file
        return
    with gzip.open(path, "rb") as packed, io.BufferedReader(_Measured(packed, path, size)) as file:
        yield file


class _Measured(io.RawIOBase):
    """Unpacked bytes, counted while they come."""

    def __init__(self, source: gzip.GzipFile, path: Path, stored: int) -> None:
        self._source, self._path, self._stored = source, path, stored
        self._count, self._next = 0, _LARGE

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self._source.read(len(buffer))
        buffer[: len(content)] = content
        self._count += len(content)
        if self._count > self._next:
            self._next = 2 * self._count
            if self._count > _TEXT * self._stored:
                raise _claims_too_much(self._path, self._count, self._stored)
            size = _PER_TEXT * self._count
            require(size, f"{self._path}, unpacked,", "split it")
        return len(content)


def _claims_too_much(path: Path, claimed: int, stored: int) -> InputError:
    return InputError(
        f"{path} claims to hold {in_words(claimed)} in {in_words(stored)}, so it is damaged or made"
        " to fill the memory: write it again uncompressed, if it is meant."
    )
