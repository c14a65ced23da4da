"""What isthmus raises: every message names the argument, the value it got, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """An argument or input cannot be used; the message says what to change.

    The command line prints the message alone and exits with status 2. A message is one line, also
    where it quotes a value, a name or another library's words that are not: a control character in
    a name of a file must not reach a terminal.
    """

    def __init__(self, message: str = "", *more: object) -> None:
        super().__init__(one_line(message), *more)


class InputTypeError(InputError, TypeError):
    """A name that no argument has, or a value of a type that nothing can be made of."""


class RunError(InputError):
    """A run folder or a checkpoint is missing, foreign or damaged."""


class StorageError(InputError, OSError):
    """A file cannot be written: the disk is full, or refuses; what was there is unchanged."""


class BusyError(InputError):
    """Another process, or thread, is writing to the same folder; the message names it."""


class MemoryLimitError(InputError, MemoryError):
    """The request needs more memory than is available; the message says how much."""


class DataWarning(UserWarning):
    """Something about the data may be wrong; the message says what, and the remedy."""


class RunWarning(UserWarning):
    """A part of a run is missing that the model does not need; the message says which."""


class LearningWarning(UserWarning):
    """Training ended, but the model learnt little; the message says why, and the remedy.

    Attributes:
        name: what a diagnosis calls the same finding, such as ``"posterior-collapse"``.
    """

    def __init__(self, message: str, name: str = "") -> None:
        super().__init__(message)
        self.name = name


class DivergenceError(ArithmeticError):
    """Training met a loss that is not finite; the estimator keeps its last good weights."""


class LostProcessError(RuntimeError):
    """Another process of a distributed training has ended, so this one cannot continue."""


class MissingExtraError(InputError, ImportError):
    """An optional dependency is needed; the message names the extra to install."""


def one_line(text: object) -> str:
    """A text without line breaks, and with what cannot be printed written as ``\\x1b``."""
    words = " ".join(str(text).split())
    if words.isprintable():
        return words
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in words
    )


def unknown(kind: str, name: object, known: Iterable[str], owner: str = "") -> InputError:
    """The error for a name that is not known: the nearest name first, then all of them.

    Capital letters do not make a name another one here.
    """
    names = sorted(set(known))
    small = {each.lower(): each for each in names}
    near = difflib.get_close_matches(str(name).lower(), small, n=1, cutoff=0.5)
    hint = f"did you mean {small[near[0]]!r}? " if near else ""
    whose = f" of {owner}" if owner else ""
    listed = f"Known: {', '.join(names)}" if names else "there is none, so leave it out"
    return InputError(f"unknown {kind} {name!r}{whose}: {hint}{listed}.")


def missing_extra(package: str, extra: str, purpose: str) -> MissingExtraError:
    """The error for an optional package that is not installed."""
    return MissingExtraError(
        f"{purpose} needs the package {package!r}: pip install 'isthmus[{extra}]'."
    )
