"""Where something lies, as somebody wrote it: refused where no file can have such a name."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from isthmus.errors import InputError, InputTypeError


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


def _shown(value: object) -> str:
    text = ascii(os.fspath(value) if isinstance(value, os.PathLike) else value)
    return text if len(text) < 200 else text[:200] + "…"
