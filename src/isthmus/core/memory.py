"""How much memory is left, and the refusal of what would take more.

What a person asks for, and what a file claims to hold, is compared with it before anything of that
size is made: a system that has promised too much ends the whole process, without a word.
"""

from __future__ import annotations

import contextlib
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

from isthmus.errors import DataWarning, InputError, MemoryLimitError

_TRIFLE = 32 * 2**20  # bytes that every machine has
_SHARE = 0.5  # of all memory
_GROUPS = Path("/proc/self/cgroup")
_SYSTEM = Path("/proc/meminfo")
_MOUNT = Path("/sys/fs/cgroup")

_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB")


def memory() -> int | None:
    """The bytes of memory that this process may have in all; None where nobody says."""
    found: list[int] = []
    with contextlib.suppress(ValueError, OSError, AttributeError):
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    found += [limit for limit, _ in _groups()]
    return min(found, default=None)


def room() -> int | None:
    """The bytes that this process may still take: of the system, its container and its own limit;
    None where nobody says.
    """
    found = [limit - used for limit, used in _groups()]
    with contextlib.suppress(OSError, KeyError, ValueError):
        found.append(_numbers(_SYSTEM)["MemAvailable"] * 1024)
    with contextlib.suppress(ImportError, OSError, ValueError, IndexError):
        import resource  # not on Windows

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            found.append(limit - pages * os.sysconf("SC_PAGE_SIZE"))
    least = memory() if not found else min(found)
    return None if least is None else max(least, 0)


def require(size: int, what: str, remedy: str, left: int | None = None) -> None:
    """Refuse what would take more memory than is left.

    Args:
        size: the bytes that it would take.
        what: what would take them, with the argument and its value; it begins the sentence.
        remedy: what to do; it ends the sentence.
        left: the bytes that there were before; those that are left now where it is None.

    Raises:
        MemoryLimitError: where they are not there.
    """
    if size < _TRIFLE:
        return
    left = room() if left is None else left
    if left is not None and size > left:
        raise MemoryLimitError(
            f"{what} would take {in_words(size)} of memory, of which {in_words(left)} are left:"
            f" {remedy}."
        )


@contextlib.contextmanager
def limited(what: str, remedy: str) -> Iterator[None]:
    """Say in one sentence that memory ran out, and what to do."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        if not is_shortage(error):
            raise
        raise MemoryLimitError(f"{what} ran out of memory: {remedy}.") from error


def in_words(size: int) -> str:
    """A number of bytes, as ``3.2 GB``."""
    if size >= 2**70:
        return f"more than 1,000 {_UNITS[-1]}"
    power = min((max(size, 1).bit_length() - 1) // 10, len(_UNITS) - 1)
    value = size / 2 ** (10 * power)
    return f"{value:,.0f} {_UNITS[power]}" if value >= 1000 else f"{value:.3g} {_UNITS[power]}"


def say_if_large(size: int, what: str) -> None:
    """Say where examples, read as a whole, take a good share of the memory."""
    whole = memory()
    if whole is not None and size > _SHARE * whole:
        warnings.warn(
            f"{what} takes {in_words(size)} of the {in_words(whole)} of memory: pass stream=True"
            " (--stream) to read the examples batch by batch.",
            DataWarning,
            stacklevel=2,
        )


def is_shortage(error: BaseException) -> bool:
    """Whether an error says that memory was refused, by the system or by a device."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    # torch raises a plain RuntimeError where the CPU's memory ends
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def _groups() -> list[tuple[int, int]]:
    """The limits of the control groups of this process, outermost last, each with what is used."""
    found: list[tuple[int, int]] = []
    with contextlib.suppress(OSError):
        for line in _GROUPS.read_text().splitlines():
            _, controllers, place = line.split(":", 2)
            if controllers == "":
                files = (_MOUNT, "memory.max", "memory.current", "inactive_file")
            elif "memory" in controllers.split(","):
                files = (
                    *(_MOUNT / "memory", "memory.limit_in_bytes"),
                    *("memory.usage_in_bytes", "total_inactive_file"),
                )
            else:
                continue
            found += _levels(files[0], place, *files[1:])
    return found


def _levels(mount: Path, place: str, limit: str, usage: str, cache: str) -> list[tuple[int, int]]:
    """The limit of a group and of all that it lies in; a cache of files is given back on demand."""
    folder = mount / place.lstrip("/")
    found: list[tuple[int, int]] = []
    for level in (folder, *folder.parents):
        with contextlib.suppress(OSError, ValueError):  # "max" is no number
            allowed = int((level / limit).read_text())
            used = int((level / usage).read_text())
            spare = _numbers(level / "memory.stat").get(cache, 0)
            found.append((allowed, used - spare))
        if level == mount:
            break
    return found


def _numbers(path: Path) -> dict[str, int]:
    """The numbers of a file of the kernel, a name and a number in each line."""
    return {
        name: int(value) for name, value in re.findall(r"^(\w+):?\s+(\d+)", path.read_text(), re.M)
    }
