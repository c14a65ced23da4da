"""Who may write into a folder: only into what isthmus made, and one process at a time."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from isthmus.core import files, tensor_files
from isthmus.core.editions import MANIFEST, is_leftover
from isthmus.errors import BusyError, InputError, RunError

LOCK = ".isthmus-lock"
_HEAD = 2000  # bytes of a page, in which its generator stands


def refuse_foreign(folder: Path, marks: tuple[str, ...], names: Iterable[str] = ()) -> None:
    """Refuse to write into something that exists and was not written by isthmus.

    A folder is ours where one of the files ``marks`` is there and says so inside. A lock, or what a
    killed process left, is nothing of somebody else's. In a folder of ours, none of the files that
    would be replaced, ``marks`` and ``names``, may be foreign.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file: choose a folder that is new or holds a run.")
    if not folder.is_dir():
        return
    if not may_be_replaced(folder, marks):
        other = next(path for path in folder.iterdir() if not _is_passing(path))
        raise InputError(
            f"{folder} exists and is not a run of isthmus (it holds {other.name}): choose another"
            " folder; nothing was written."
        )
    for name in (*marks, *(set(names) - _named(folder / MANIFEST))):
        if (folder / name).exists() and not is_ours(folder / name):
            raise InputError(
                f"{folder / name} was not written by isthmus and would be replaced: move it, or"
                " choose another folder; nothing was written."
            )


def may_be_replaced(folder: Path, marks: tuple[str, ...]) -> bool:
    """Whether a folder is ours, or holds nothing but what a killed process of ours left."""
    return any(is_ours(folder / mark) for mark in marks) or all(map(_is_passing, folder.iterdir()))


def _is_passing(path: Path) -> bool:
    return path.name == LOCK or is_leftover(path)


def _named(manifest: Path) -> set[str]:
    """The files that a manifest of ours names, which are ours whatever they hold."""
    return set(files.read_json(manifest).get("files") or ()) if is_ours(manifest) else set()


def is_ours(path: Path) -> bool:
    """Whether a file says inside that isthmus wrote it."""
    if not path.is_file():
        return False
    try:
        if path.suffix == ".safetensors":
            return tensor_files.is_marked(path)
        if path.suffix == ".html":
            with path.open("rb") as file:
                return b'<meta name="generator" content="isthmus ' in file.read(_HEAD)
        value = files.read_json(path)
    except (RunError, OSError):
        return False
    return isinstance(value, dict) and "format" in value and "isthmus" in value


@contextmanager
def claimed(folder: Path, *, wait: float = 10.0) -> Iterator[None]:
    """Hold a folder while it is written; one process, and one thread of it, at a time.

    The system frees the folder of a process that ended, however it ended. The same thread may claim
    a folder again.

    Args:
        folder: made where it is missing, and removed again where nothing was written into it.
        wait: how many seconds to wait for another holder.

    Raises:
        BusyError: where it is held for longer; names the holder.
        StorageError: where nothing can be written.
    """
    with files.storing(folder):
        made = [place for place in (folder, *folder.parents) if not place.exists()]
        folder.mkdir(parents=True, exist_ok=True)
    path = folder.resolve() / LOCK
    lock = FileLock(path, is_singleton=True)
    with files.storing(path):
        try:
            lock.acquire(timeout=wait)
        except Timeout as error:  # an OSError, which says nothing of the disk
            raise BusyError(
                f"{folder} is being written by {_holder(path)}: wait for it, or choose another"
                " folder."
            ) from error
    try:
        with suppress(OSError):  # a full disk: what is to be written says so
            _sign(path)
        yield
    finally:
        if lock.lock_counter == 1:  # whoever waits for the file that goes takes a new one
            with suppress(OSError):
                path.unlink()
        lock.release()
        with suppress(OSError):  # it is not empty
            for place in made:
                place.rmdir()


def _sign(path: Path) -> None:
    """Write into a lock who holds it."""
    said = {
        "process": os.getpid(),
        "host": socket.gethostname(),
        "command": " ".join([_program(), *sys.argv[1:3]])[:80],
        "since": datetime.now().astimezone().isoformat(timespec="seconds"),
    }
    path.write_bytes(json.dumps(said).encode())


def _program() -> str:
    """What this process was started as; a package that is a program, by its own name."""
    path = Path(sys.argv[0])
    return path.parent.name if path.name == "__main__.py" else path.name


def _holder(path: Path) -> str:
    try:
        said: dict[str, Any] = json.loads(path.read_bytes())
        return (
            f"process {said['process']} on {said['host']} ({said['command']}, since"
            f" {said['since']})"
        )
    except (OSError, ValueError, KeyError, TypeError):  # not signed yet
        return "another process"
