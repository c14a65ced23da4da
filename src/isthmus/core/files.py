"""Tensors and JSON on the disk: written atomically, checked when read, never pickled."""

from __future__ import annotations

import errno
import glob
import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from isthmus.core.memory import require
from isthmus.core.paths import require_regular
from isthmus.errors import InputError, MissingExtraError, RunError, StorageError

PART = ".isthmus-part"
"""How a file ends that is being written; one that a killed process left is removed later."""

RESTORE = "restore it, or train again"
"""What to do about a file of a run that cannot be read."""
LONGEST = 255
"""Bytes of a name that common file systems take."""

_ABANDONED = 3600  # seconds after which nobody writes on


def write_bytes(
    path: Path, content: bytes, *, synced: bool = True, named: Path | None = None
) -> None:
    """Write a whole file or nothing: a crash leaves the old file, or none, never half of one.

    Unless ``synced``, that holds for a crash of the program and not of the machine, and costs a
    tenth of the time: for many small files that are easily made again. An error speaks of ``path``
    or, where that is a name for the meantime, of the file that is ``named``.

    Raises:
        StorageError: where the disk is full or refuses; what was there is unchanged.
    """
    write_with(path, lambda part: _write_out(part, content, synced), synced=synced, named=named)


def write_with(
    path: Path, write: Callable[[Path], None], *, synced: bool = False, named: Path | None = None
) -> None:
    """Let ``write`` make a file under another name, and put it in its place when it is whole."""
    with storing(named or path):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = meanwhile(path, f".{secrets.token_hex(4)}{PART}")
        try:
            write(part)
            part.replace(path)
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise
        if synced:
            sync_folder(path.parent)


def meanwhile(path: Path, ending: str) -> Path:
    """The hidden name of a file until it is whole; a very long one is cut, and told by its hash."""
    name, room = os.fsencode(path.name), LONGEST - len(ending) - 1
    if len(name) > room:
        mark = hashlib.sha256(name).hexdigest()[:8]
        return path.with_name(f".{name[: room - 8].decode(errors='ignore')}{mark}{ending}")
    return path.with_name(f".{path.name}{ending}")


def remove_parts(path: Path) -> None:
    """Remove what killed processes left of a file; what is younger may still be written."""
    start = meanwhile(path, ".00000000" + PART).name.removesuffix("00000000" + PART)
    for part in path.parent.glob(f"{glob.escape(start)}*{PART}"):
        with suppress(OSError):
            if time.time() - part.stat().st_mtime > _ABANDONED:
                part.unlink()


def sync_folder(folder: Path) -> None:
    """Let the names in a folder survive a crash of the machine, where the system can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # no folder can be opened on Windows
        return
    try:
        os.fsync(handle)
    except OSError:  # some file systems know no sync of a folder
        pass
    finally:
        os.close(handle)


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Say in one sentence which file cannot be written, and why."""
    try:
        yield
    except InputError:
        raise
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        remedy = "free some space" if full else "choose another place, or allow it"
        raise StorageError(
            f"{path} cannot be written ({error.strerror or error}): {remedy}; what was there is"
            " unchanged."
        ) from error
    except UnicodeError as error:
        raise StorageError(
            f"{path} is no name that the system takes: choose another; nothing was written."
        ) from error


@contextmanager
def reading(path: Path, remedy: str) -> Iterator[None]:
    """The door through which a file comes: whatever reading it raises becomes one sentence.

    Errors of ours keep their sentence. A damaged file can make a reader raise anything, and the
    name of that says nothing to whoever handed the file in.
    """
    try:
        yield
    except (RunError, MissingExtraError, Warning):  # a warning is ours, where it is raised
        raise
    except InputError as error:
        raise RunError(f"{path}: {error}") from error
    except MemoryError as error:
        raise RunError(f"{path} is too large for the memory: {remedy}.") from error
    except Exception as error:
        said = readable(str(error))
        raise RunError(
            f"{path} is damaged or foreign, and cannot be read ({type(error).__name__}: {said}):"
            f" {remedy}."
        ) from error


@contextmanager
def speaking_of(path: Path) -> Iterator[None]:
    """Let errors of ours about what a file holds say which file it is."""
    try:
        yield
    except MissingExtraError:
        raise
    except InputError as error:
        if str(path) in str(error):
            raise
        raise type(error)(f"{path}: {error}") from error


def readable(text: str) -> str:
    """A text of another library's, or of a file, on one line and in signs that can be printed."""
    line = " ".join(text.split())[:200]
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in line)


def write_json(path: Path, value: Any) -> None:
    """Write a value as readable JSON, atomically."""
    write_bytes(path, json_bytes(value))


def json_bytes(value: Any) -> bytes:
    """A value as readable JSON."""
    return (json.dumps(value, indent=2, allow_nan=False) + "\n").encode()


def content_of(path: Path, remedy: str = RESTORE) -> bytes:
    """All bytes of a file; refused where it never ends, or is larger than the memory.

    Raises:
        RunError: which names the file.
    """
    with reading(path, remedy):
        require_regular(path)
        require(path.stat().st_size, "its content", remedy)
        return path.read_bytes()


def read_json(path: Path) -> Any:
    """Read JSON; what cannot be read raises :class:`RunError` with the file's name."""
    if not path.is_file():
        raise RunError(f"{path} is missing: the folder holds no finished run of isthmus.")
    with reading(path, "restore it from a copy, or train again"):
        return json.loads(content_of(path))


def sha256(content: bytes) -> str:
    """The checksum of a file's bytes."""
    return hashlib.sha256(content).hexdigest()


def _write_out(part: Path, content: bytes, synced: bool) -> None:
    """Write and, where asked, let it reach the disk; the system's umask decides who may read."""
    with part.open("xb") as file:
        file.write(content)
        if synced:
            file.flush()
            os.fsync(file.fileno())
