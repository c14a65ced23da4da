"""Where something lies, as somebody wrote it: refused where no file can have such a name."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from isthmus.errors import InputError, InputTypeError

_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def as_path(value: object, name: str) -> Path:
    """The path that an argument means; ``~`` is the home of whoever asks.

    Args:
        value: a text or a path.
        name: of the argument.

    Raises:
        InputTypeError: for what is no path.
        InputError: for a name that the system cannot have.
    """
    if not isinstance(value, str | os.PathLike):
        raise InputTypeError(f"{name}={value!r} is no path: give a text or a pathlib.Path.")
    try:
        path = Path(value)
        path = path.expanduser()
        os.fsencode(path)
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            os.lstat(path)
    except (OSError, RuntimeError, ValueError) as error:  # a home of nobody; letters of no file
        said = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"{name}={_shown(value)} cannot be used as a path ({said}): give another."
        ) from error
    return path


def require_regular(path: Path) -> None:
    """Refuse a pipe, a device or a socket: to read one may never end."""
    kind = stat.S_IFMT(path.stat().st_mode)
    if kind in _KINDS:
        raise InputError(
            f"{path} is {_KINDS[kind]}, not a file: write what it gives into a file, and name that."
        )


def _shown(value: object) -> str:
    text = ascii(os.fspath(value) if isinstance(value, os.PathLike) else value)
    return text if len(text) < 200 else text[:200] + "…"
