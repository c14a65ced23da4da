"""Who may write into a folder: only into what isthmus made, and one process at a time."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from isthmus.core import files
from isthmus.core.editions import is_leftover
from isthmus.errors import BusyError, InputError, RunError

LOCK = ".isthmus-lock"


def refuse_foreign(folder: Path, marks: tuple[str, ...]) -> None:
    """Refuse to write into something that exists and was not written by isthmus.

    A folder is ours where one of the files ``marks`` is there and says so inside. A lock, or what a
    killed process left, is nothing of somebody else's.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file: choose a folder that is new or holds a run.")
    if folder.is_dir() and not may_be_replaced(folder, marks):
        other = next(path for path in folder.iterdir() if not _is_passing(path))
        raise InputError(
            f"{folder} exists and is not a run of isthmus (it holds {other.name}): choose another"
            " folder; nothing was written."
        )


def may_be_replaced(folder: Path, marks: tuple[str, ...]) -> bool:
    """Whether a folder is ours, or holds nothing but what a killed process of ours left."""
    return any(is_ours(folder / mark) for mark in marks) or all(map(_is_passing, folder.iterdir()))


def _is_passing(path: Path) -> bool:
    return path.name == LOCK or is_leftover(path)


def is_ours(path: Path) -> bool:
    """Whether a file says inside that isthmus wrote it."""
    if not path.is_file():
        return False
    try:
        if path.suffix == ".safetensors":
            return isinstance(files.read_meta(path), dict)
        value = files.read_json(path)
    except RunError:
        return False
    return isinstance(value, dict) and "format" in value and "isthmus" in value


@contextmanager
def claimed(folder: Path, *, wait: float = 10.0) -> Iterator[None]:
    """Hold a folder while it is written; one process, and one thread of it, at a time.

    The system frees the folder of a process that ended, however it ended. The same thread may claim
    a folder again.

    Args:
        folder: made where it is missing.
        wait: how many seconds to wait for another holder.

    Raises:
        BusyError: where it is held for longer; names the holder.
        StorageError: where nothing can be written.
    """
    with files.storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    path = folder.resolve() / LOCK
    lock = FileLock(path, is_singleton=True)
    try:
        with files.storing(path):
            lock.acquire(timeout=wait)
    except Timeout as error:
        raise BusyError(
            f"{folder} is being written by {_holder(path)}: wait for it, or choose another folder."
        ) from error
    try:
        _sign(path)
        yield
    finally:
        if lock.lock_counter == 1:  # whoever waits for the file that goes takes a new one
            with suppress(OSError):
                path.unlink()
        lock.release()


def _sign(path: Path) -> None:
    """Write into a lock who holds it."""
    said = {
        "process": os.getpid(),
        "host": socket.gethostname(),
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:3]])[:80],
        "since": datetime.now().astimezone().isoformat(timespec="seconds"),
    }
    path.write_bytes(json.dumps(said).encode())


def _holder(path: Path) -> str:
    try:
        said: dict[str, Any] = json.loads(path.read_bytes())
        return (
            f"process {said['process']} on {said['host']} ({said['command']}, since"
            f" {said['since']})"
        )
    except (OSError, ValueError, KeyError, TypeError):  # not signed yet
        return "another process"
