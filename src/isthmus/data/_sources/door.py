"""The door through which data come: whatever a reader raises of a bad file is one sentence."""

from __future__ import annotations

import errno
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from isthmus.errors import DataWarning, InputError, MemoryLimitError

Say = Callable[[Path, Exception], InputError]
"""Makes the error for a file that a reader could not read, of what the reader raised."""

# Of a library to its users, and nothing about the file.
_OF_LIBRARIES = (DeprecationWarning, FutureWarning, PendingDeprecationWarning, ResourceWarning)


def damaged(path: Path, error: Exception, remedy: str = "write or copy it again") -> InputError:
    """The error for a file that is not what its name says, or no longer whole."""
    return InputError(f"{path} is damaged or incomplete ({told(error)}): {remedy}.")


def told(error: Exception) -> str:
    """What a library says, on its first line; the name of the error where it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


@contextmanager
def entering(path: Path, say: Say = damaged) -> Iterator[None]:
    """Read a file: errors of ours keep their sentence, all others become one that names the file.

    A damaged file can make a reader raise anything, and warn of anything: what it warns of is said
    as a :class:`~isthmus.errors.DataWarning` with the name of the file.
    """
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
    except InputError:
        raise
    except MemoryError as error:
        raise MemoryLimitError(
            f"{path} takes more memory than there is: split it, or read it with stream=True."
        ) from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM):
            raise InputError(
                f"{path} cannot be read ({error.strerror}): check that it is yours to read."
            ) from error
        raise say(path, error) from error
    for warning in caught:
        _pass_on(path, warning)


def _pass_on(path: Path, warning: warnings.WarningMessage) -> None:
    """Say again what was said inside: ours as it is, a reader's with the name of the file."""
    said, kind = warning.message, warning.category
    is_ours = kind.__module__.partition(".")[0] == "isthmus"
    if not is_ours and not issubclass(kind, _OF_LIBRARIES):
        text = " ".join(str(said).split())
        said, kind = f"{path}: its reader says: {text}; check what was read.", DataWarning
    warnings.warn_explicit(said, kind, warning.filename, warning.lineno)
