"""Processes that are killed where it hurts: between two acts on files, inside of a write, or at any
moment.

The work is done in a copy of this process, made by fork, which costs nothing and starts with
everything imported.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ACTS = {
    "open",
    "os.rename",
    "os.remove",
    "os.mkdir",
    "os.rmdir",
    "os.link",
    "os.symlink",
    "os.truncate",
}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


@dataclass(frozen=True)
class Death:
    """When a process is killed; what is None does not kill.

    Attributes:
        act: before the act of this number on a file or a folder, counted from 0.
        byte: in the write that would make a file larger than this.
        after: so many seconds after its start.
    """

    act: int | None = None
    byte: int | None = None
    after: float | None = None

    def __str__(self) -> str:
        if self.act is not None:
            return f"killed before act {self.act}"
        if self.byte is not None:
            return f"killed in a write at byte {self.byte}"
        return "let live" if self.after is None else f"killed after {1000 * self.after:.0f} ms"


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Attributes:
        killed: whether by a signal.
        status: its exit status otherwise.
        acts: how many acts on files and folders it made, where it lived.
        error: what it raised, if it did.
        seconds: how long it lived.
    """

    killed: bool
    status: int
    acts: int
    error: str
    seconds: float


def forked(work: Callable[[], Any], folder: Path, death: Death | None = None) -> Ended:
    """Do work in a process of its own, and let it die.

    Args:
        work: what it does; its exit status is that of a SystemExit, or 1 where it raises.
        folder: the acts inside of it are counted.
        death: when it is killed.
    """
    start = time.monotonic()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _live(work, folder, death or Death(), writing)
    os.close(writing)
    if death is not None and death.after is not None:
        _kill_later(child, death.after)
    with os.fdopen(reading, "rb") as pipe:
        acts, _, error = pipe.read().decode(errors="replace").partition(" ")
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status)
    code = 0 if killed else os.waitstatus_to_exitcode(status)
    return Ended(killed, code, int(acts or 0), error, time.monotonic() - start)


def _live(work: Callable[[], Any], folder: Path, death: Death, writing: int) -> None:
    """The whole life of the copy; it never returns."""
    status, error = 0, ""
    count = _armed(folder, death)
    try:
        work()
    except SystemExit as ending:
        status = ending.code if isinstance(ending.code, int) else 1
    except BaseException as raised:
        status, error = 1, f"{type(raised).__name__}: {raised}"
    os.write(writing, f"{count[0]} {error}".encode()[:4000])
    os._exit(status)


def _armed(folder: Path, death: Death) -> list[int]:
    """Count acts on files, and die as planned; gives the counter."""
    count, inside = [0], str(folder)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in _ACTS or not str(arguments[0]).startswith(inside):
            return
        if event == "open" and not (arguments[2] or 0) & _WRITING:
            return
        if count[0] == death.act:
            os.kill(os.getpid(), signal.SIGKILL)
        count[0] += 1

    sys.addaudithook(hook)
    if death.byte is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (death.byte, resource.RLIM_INFINITY))
    return count


def _kill_later(child: int, seconds: float) -> None:
    def kill() -> None:
        time.sleep(seconds)
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)

    threading.Thread(target=kill, daemon=True).start()


@contextmanager
def limited_files(limit: int) -> Iterator[None]:
    """Let no file grow beyond a limit, as on a full disk: the write fails, and nobody dies."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
