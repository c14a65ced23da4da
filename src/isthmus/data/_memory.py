"""How much memory there is, and what takes too much of it."""

from __future__ import annotations

import contextlib
import os
import warnings
from pathlib import Path

from isthmus.errors import DataWarning

_SHARE = 0.5  # of all memory
_LIMIT = Path("/sys/fs/cgroup/memory.max")  # of a container


def memory() -> int | None:
    """The bytes of memory that this process may use; None where the system does not say."""
    found: list[int] = []
    with contextlib.suppress(ValueError, OSError, AttributeError):
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with contextlib.suppress(ValueError, OSError):  # "max" is no number
        found.append(int(_LIMIT.read_text()))
    return min(found, default=None)


def say_if_large(size: int, what: str) -> None:
    """Say where examples, read as a whole, take a good share of the memory."""
    whole = memory()
    if whole is not None and size > _SHARE * whole:
        warnings.warn(
            f"{what} takes {size / 2**30:.3g} GB of the {whole / 2**30:.3g} GB of memory: pass"
            " stream=True (--stream) to read the examples batch by batch.",
            DataWarning,
            stacklevel=2,
        )
