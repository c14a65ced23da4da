"""A file is read by another process first, where its reader may die of one that is damaged.

HDF5 keeps addresses in its files, most of them without a checksum, and its library follows them:
of two hundred damaged files one ends the process, with whatever else it held.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from isthmus.errors import InputError

_PATIENCE = 60.0  # seconds that reading a small file may take,
_PER_SECOND = 2**20  # and bytes that are read in each more
_PAUSE = 0.001  # seconds between two looks, doubled up to
_LONGEST_PAUSE = 0.05


def require_survival(path: Path, read: Callable[[], object]) -> None:
    """Let a copy of this process read a file, and refuse the file where the copy dies of it.

    An error that it raises is no matter here: it comes again. On Linux alone, as elsewhere no
    process can be copied safely.

    Raises:
        InputError: which names the file.
    """
    if sys.platform != "linux":
        return
    with warnings.catch_warnings():  # the copy calls the reader alone, which lets go of its locks
        warnings.filterwarnings("ignore", message=".*fork", category=DeprecationWarning)
        child = os.fork()
    if child == 0:
        _read_and_leave(read)
    try:
        status = _waited_for(child, _PATIENCE + path.stat().st_size / _PER_SECOND)
    except BaseException:
        _end(child)
        raise
    if status is None or os.WIFSIGNALED(status):
        what = "never ended" if status is None else f"died of it, {_name(os.WTERMSIG(status))}"
        raise InputError(
            f"{path} is damaged or incomplete (a process that read it {what}): write or copy it"
            " again."
        )


def _read_and_leave(read: Callable[[], object]) -> None:
    """In the copy: read, and end at once, without anything that the process would do at its end."""
    faulthandler.disable()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    silent = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):  # what a library says when it dies is nobody's business
        os.dup2(silent, stream)
    with suppress(BaseException):
        read()
    os._exit(0)


def _waited_for(child: int, seconds: float) -> int | None:
    """How a process ended; None where it was ended as it took too long."""
    end, pause = time.monotonic() + seconds, _PAUSE
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
    _end(child)
    return None


def _end(child: int) -> None:
    with suppress(ProcessLookupError, ChildProcessError):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _name(number: int) -> str:
    return signal.Signals(number).name
