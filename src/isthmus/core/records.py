"""What stands in a file as names and values, asked for by type: nothing is taken as it comes."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import numpy as np

from isthmus.core.example import Shape
from isthmus.errors import InputError

T = TypeVar("T")

_LARGEST = 2**62  # what sizes, places and counts stay below

_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxlist, _SHORT.maxstring = 2, 4, 60


class Record:
    """A table of names and values out of a file, whose entries are asked for by type.

    Every question raises :class:`~isthmus.errors.InputError`, which names the entry, its value and
    what was expected, where the answer is of another type, is not finite, or is out of its limits.

    Args:
        values: what JSON gave.
        name: what messages call it.
    """

    def __init__(self, values: Any, name: str) -> None:
        if not isinstance(values, Mapping):
            raise unusable(name, values, "a table of names and values")
        self._values, self._name = values, name

    def __contains__(self, key: str) -> bool:
        return self._values.get(key) is not None

    def raw(self, key: str) -> Any:
        """An entry as it stands there."""
        if key not in self._values:
            raise InputError(f"{self._name} lacks {key}: restore the file it stands in.")
        return self._values[key]

    def optional(self, key: str, ask: Callable[[str], T]) -> T | None:
        """The answer to a question about an entry; None where it is missing, or null."""
        return ask(key) if key in self else None

    def flag(self, key: str, default: bool | None = None) -> bool:
        """True or false."""
        value = self._given(key, default)
        if not isinstance(value, bool):
            raise self._unusable(key, "true or false")
        return value

    def text(self, key: str) -> str:
        """A text."""
        value = self.raw(key)
        if not isinstance(value, str):
            raise self._unusable(key, "a text")
        return value

    def word(self, key: str, known: Iterable[T]) -> T:
        """One of some words, which are known."""
        value = self.raw(key)
        for each in known:
            if isinstance(value, str) and value == each:
                return each
        raise self._unusable(key, f"one of {', '.join(map(str, known))}")

    def whole(self, key: str, low: int = 0) -> int:
        """A whole number from ``low`` on."""
        return whole(self._named(key), self.raw(key), low)

    def number(self, key: str, default: float | None = None) -> float:
        """A finite number."""
        return number(self._named(key), self._given(key, default))

    def array(self, key: str) -> np.ndarray:
        """Finite numbers as float64, nested evenly."""
        value = self.raw(key)
        try:
            array = np.asarray(value)
            if array.dtype.kind not in "if" or array.size == 0:
                raise ValueError
            array = array.astype(np.float64)
        except (ValueError, TypeError, OverflowError, RecursionError):
            raise self._unusable(key, "numbers, nested evenly") from None
        if not np.isfinite(array).all():
            raise self._unusable(key, "numbers that are all finite")
        return array

    def items(self, key: str) -> list[Any]:
        """A list."""
        return items(self._named(key), self.raw(key))

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts, none of them twice."""
        found = self.items(key)
        if not all(isinstance(item, str) for item in found) or len(set(found)) < len(found):
            raise self._unusable(key, "texts, each of them once")
        return tuple(found)

    def shape(self, key: str) -> Shape:
        """Sizes, each at least 1."""
        return shape(self._named(key), self.raw(key))

    def record(self, key: str) -> Record:
        """A table inside this one."""
        return Record(self.raw(key), self._named(key))

    def entries(self) -> dict[str, Any]:
        """All entries as they stand there."""
        return dict(self._values)

    def _named(self, key: str) -> str:
        return f"{self._name}.{key}"

    def _given(self, key: str, default: Any) -> Any:
        return default if key not in self._values and default is not None else self.raw(key)

    def _unusable(self, key: str, wanted: str) -> InputError:
        return unusable(self._named(key), self.raw(key), wanted)


def whole(name: str, value: Any, low: int = 0) -> int:
    """A whole number from ``low`` on."""
    if type(value) is not int or not low <= value < _LARGEST:
        raise unusable(name, value, f"a whole number from {low} on")
    return value


def number(name: str, value: Any) -> float:
    """A finite number."""
    try:
        if type(value) in (int, float) and math.isfinite(value):
            return float(value)
    except OverflowError:  # a whole number beyond what float64 holds
        pass
    raise unusable(name, value, "a finite number")


def items(name: str, value: Any) -> list[Any]:
    """A list."""
    if not isinstance(value, list | tuple):
        raise unusable(name, value, "a list")
    return list(value)


def shape(name: str, value: Any) -> Shape:
    """Sizes, each at least 1."""
    sizes = tuple(whole(name, size, 1) for size in items(name, value))
    if math.prod(sizes) >= _LARGEST:
        raise unusable(name, value, "sizes that a computer can hold")
    return sizes


def unusable(name: str, value: Any, wanted: str) -> InputError:
    """The error for an entry that is not what it should be."""
    shown = _SHORT.repr(value).encode("ascii", "backslashreplace").decode()
    return InputError(f"{name}={shown} is not usable: {wanted} is expected.")
