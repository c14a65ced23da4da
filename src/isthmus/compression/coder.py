"""Entropy coders: symbols to as many bits as their distributions say, and back.

The coders are those of the package ``constriction``; distributions are whole numbers, as
:mod:`isthmus.compression.frequencies` makes them.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from isthmus.compression.frequencies import gaussian, gaussian_reach
from isthmus.compression.varints import damaged_data
from isthmus.errors import missing_extra

_LARGEST = 2**16  # values of a uniform distribution that are coded at once
_SHIFTS = (0, 16, 32)  # of the 48 bits of a value beyond the reach of its distribution
_MIDDLE = 2**47
_GOLDEN = 0.618034


def _stream() -> Any:
    try:
        import constriction
    except ImportError as error:
        raise missing_extra("constriction", "files", "compressing and decompressing") from error
    return constriction.stream


class Writer:
    """A range coder that takes symbols; :class:`Reader` gives them in the same order."""

    def __init__(self) -> None:
        self._models = _stream().model
        self._coder = _stream().queue.RangeEncoder()
        self._family = self._models.Categorical(perfect=False)

    def write(self, symbols: np.ndarray, weights: np.ndarray) -> None:
        """Add symbols ``(m,)``, whole numbers from 0 on, by the frequencies of all values.

        Args:
            symbols: what is coded.
            weights: ``(size,)``, the same for all symbols, or ``(m, size)``.
        """
        if len(symbols) == 0:
            return
        given = np.ascontiguousarray(symbols, dtype=np.int32)
        if weights.ndim == 1:
            model = self._models.Categorical(weights.astype(np.float32), perfect=False)
            self._coder.encode(given, model)
        else:
            self._coder.encode(given, self._family, weights.astype(np.float32))

    def write_uniform(self, symbols: np.ndarray, size: int) -> None:
        """Add symbols from 0 to ``size`` − 1 that are all as likely."""
        if size > _LARGEST:
            self.write_uniform(symbols // _LARGEST, -(-size // _LARGEST))
            self.write_uniform(symbols % _LARGEST, _LARGEST)
        elif len(symbols) and size > 1:
            given = np.ascontiguousarray(symbols, dtype=np.int32)
            self._coder.encode(given, self._models.Uniform(size))

    def write_gaussian(self, values: np.ndarray, scales: np.ndarray) -> None:
        """Add whole numbers ``(m,)`` of either sign by Gaussians around 0.

        ``scales`` ``(m,)`` are indices as of :func:`isthmus.compression.frequencies.gaussian`. A
        value beyond the reach of its Gaussian takes 48 bits more.
        """
        for index in np.unique(scales).tolist():
            end, some = gaussian_reach(index), values[scales == index]
            self.write(some.clip(-end, end) + end, gaussian(index))
        excess = values[np.abs(values) >= ends(scales)] + _MIDDLE
        for shift in _SHIFTS:
            self.write_uniform(excess >> shift & _LARGEST - 1, _LARGEST)

    def content(self) -> bytes:
        """All that was written."""
        words: np.ndarray = self._coder.get_compressed()
        return words.astype("<u4").tobytes()


class SymbolSource:
    """Gives symbols, by their frequencies."""

    def __init__(self, coder: Any) -> None:
        self._models = _stream().model
        self._family = self._models.Categorical(perfect=False)
        self._coder = coder

    def read(self, weights: np.ndarray, count: int | None = None) -> np.ndarray:
        """Symbols, int64: a symbol for each row of ``(m, size)``, or ``count`` by ``(size,)``."""
        if count is None:
            return self._decoded(self._family, weights.astype(np.float32), len(weights))
        model = self._models.Categorical(weights.astype(np.float32), perfect=False)
        return self._decoded(model, count, count)

    def read_uniform(self, count: int, size: int) -> np.ndarray:
        """``count`` symbols from 0 to ``size`` − 1 that are all as likely."""
        if size > _LARGEST:
            high = self.read_uniform(count, -(-size // _LARGEST))
            found = high * _LARGEST + self.read_uniform(count, _LARGEST)
            if found.size and found.max() >= size:
                raise damaged_data()
            return found
        if size == 1:
            return np.zeros(count, dtype=np.int64)
        return self._decoded(self._models.Uniform(size), count, count)

    def read_gaussian(self, scales: np.ndarray) -> np.ndarray:
        """Whole numbers ``(m,)`` of Gaussians whose indices are ``scales``."""
        found = np.zeros(len(scales), dtype=np.int64)
        for index in np.unique(scales).tolist():
            some = scales == index
            found[some] = self.read(gaussian(index), int(some.sum())) - gaussian_reach(index)
        beyond = np.abs(found) >= ends(scales)
        excess = np.zeros(int(beyond.sum()), dtype=np.int64)
        for shift in _SHIFTS:
            excess |= self.read_uniform(len(excess), _LARGEST) << shift
        found[beyond] = excess - _MIDDLE
        return found

    def _decoded(self, model: Any, given: Any, count: int) -> np.ndarray:
        if count == 0:
            return np.zeros(0, dtype=np.int64)
        try:
            found: np.ndarray = self._coder.decode(model, given)
        except (AssertionError, ValueError) as error:
            raise damaged_data() from error
        return found.astype(np.int64)


class Reader(SymbolSource):
    """Gives the symbols that a :class:`Writer` was given, in their order.

    Args:
        content: what it wrote. Of other bytes some symbols will be made, or an error.
    """

    def __init__(self, content: bytes) -> None:
        super().__init__(_stream().queue.RangeDecoder(_words(content)))


class Stack(SymbolSource):
    """An ANS coder: what was pushed last is read first, and bits of any origin can be read.

    Args:
        content: what is on it already.
    """

    def __init__(self, content: bytes) -> None:
        words = _words(content)
        if len(words) and words[-1] == 0:  # which no coder leaves behind
            raise damaged_data()
        super().__init__(_stream().stack.AnsCoder(words))

    @property
    def depth(self) -> int:
        """How many words lie below those that the next symbol needs."""
        return max(0, self._coder.num_words() - 2)

    def push(self, symbols: np.ndarray, weights: np.ndarray) -> None:
        """Put symbols ``(m,)`` so that ``read(weights)`` gives them, in this order."""
        if len(symbols) == 0:
            return
        given, floats = np.ascontiguousarray(symbols, np.int32), weights.astype(np.float32)
        if weights.ndim == 1:
            self._coder.encode_reverse(given, self._models.Categorical(floats, perfect=False))
        else:
            self._coder.encode_reverse(given, self._family, floats)

    def draw(self, scales: np.ndarray) -> np.ndarray:
        """Whole numbers ``(m,)`` drawn from Gaussians whose indices are ``scales``.

        The bits on the stack choose. What was pushed there need not look random: codes that lie
        close together would draw codes close to the mean. So values do not lie in their order.
        """
        found = np.zeros(len(scales), dtype=np.int64)
        for index in np.unique(scales).tolist():
            some, order = scales == index, _scattered(index)
            symbols = self.read(gaussian(index)[order], int(some.sum()))
            found[some] = order[symbols] - gaussian_reach(index)
        return found

    def give_back(self, values: np.ndarray, scales: np.ndarray) -> None:
        """Put back what :meth:`draw` took from the stack."""
        for index in np.unique(scales)[::-1].tolist():
            order = _scattered(index)
            places = np.argsort(order)[values[scales == index] + gaussian_reach(index)]
            self.push(places, gaussian(index)[order])

    def push_gaussian(self, values: np.ndarray, scales: np.ndarray) -> None:
        """Put whole numbers ``(m,)`` so that ``read_gaussian(scales)`` gives them."""
        end = ends(scales)
        excess = values[np.abs(values) >= end] + _MIDDLE
        for shift in reversed(_SHIFTS):
            symbols = (excess >> shift & _LARGEST - 1).astype(np.int32)
            if len(symbols):
                self._coder.encode_reverse(symbols, self._models.Uniform(_LARGEST))
        for index in np.unique(scales)[::-1].tolist():
            some = values[scales == index].clip(-gaussian_reach(index), gaussian_reach(index))
            self.push(some + gaussian_reach(index), gaussian(index))

    def content(self) -> bytes:
        """All that is on it."""
        words: np.ndarray = self._coder.get_compressed()
        return words.astype("<u4").tobytes()


@cache
def _scattered(index: int) -> np.ndarray:
    """The places of the values of a Gaussian in an order in which neighbours lie far apart."""
    size = 2 * gaussian_reach(index) + 1
    step = round(_GOLDEN * size)
    while math.gcd(step, size) > 1:
        step += 1
    return np.arange(size) * step % size


def _words(content: bytes) -> np.ndarray:
    if len(content) % 4:
        raise damaged_data()
    return np.frombuffer(content, "<u4").astype(np.uint32)


def ends(scales: np.ndarray) -> np.ndarray:
    """The reach of the Gaussian of each value, ``(m,)``."""
    known = {index: gaussian_reach(index) for index in np.unique(scales).tolist()}
    return np.array([known[index] for index in scales.tolist()], dtype=np.int64)
