"""Entropy coders: symbols to as many bits as their distributions say, and back.

The coders are those of the package ``constriction``; distributions are whole numbers, as
:mod:`isthmus.compression.frequencies` makes them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from isthmus.compression.frequencies import gaussian, reach
from isthmus.compression.varints import damaged
from isthmus.errors import missing_extra

_LARGEST = 2**16  # values of a uniform distribution that are coded at once
_LONGEST = 48  # bits of a value beyond the reach of its distribution


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
        for index in np.unique(scales):
            end, some = reach(int(index)), values[scales == index]
            self.write(some.clip(-end, end) + end, gaussian(int(index)))
        excess = values[np.abs(values) >= _ends(scales)]
        for shift in range(0, _LONGEST, 16):
            self.write_uniform(excess + 2 ** (_LONGEST - 1) >> shift & 0xFFFF, 2**16)

    def content(self) -> bytes:
        """All that was written."""
        words: np.ndarray = self._coder.get_compressed()
        return words.astype("<u4").tobytes()


class Reader:
    """Gives the symbols that a :class:`Writer` was given.

    Args:
        content: what it wrote. Of other bytes some symbols will be made, or an error.
    """

    def __init__(self, content: bytes) -> None:
        if len(content) % 4:
            raise damaged()
        self._models = _stream().model
        self._family = self._models.Categorical(perfect=False)
        words = np.frombuffer(content, "<u4").astype(np.uint32)
        self._coder = _stream().queue.RangeDecoder(words)

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
                raise damaged()
            return found
        if size == 1:
            return np.zeros(count, dtype=np.int64)
        return self._decoded(self._models.Uniform(size), count, count)

    def read_gaussian(self, scales: np.ndarray) -> np.ndarray:
        """The whole numbers ``(m,)`` of Gaussians whose indices are ``scales``."""
        found = np.zeros(len(scales), dtype=np.int64)
        for index in np.unique(scales):
            some = scales == index
            table = gaussian(int(index))
            found[some] = self.read(table, int(some.sum())) - reach(int(index))
        beyond = np.abs(found) >= _ends(scales)
        excess = np.zeros(int(beyond.sum()), dtype=np.int64)
        for shift in range(0, _LONGEST, 16):
            excess |= self.read_uniform(len(excess), 2**16) << shift
        found[beyond] = excess - 2 ** (_LONGEST - 1)
        return found

    def _decoded(self, model: Any, given: Any, count: int) -> np.ndarray:
        if count == 0:
            return np.zeros(0, dtype=np.int64)
        try:
            found: np.ndarray = self._coder.decode(model, given)
        except (AssertionError, ValueError) as error:
            raise damaged() from error
        return found.astype(np.int64)


def _ends(scales: np.ndarray) -> np.ndarray:
    """The reach of the Gaussian of each value, ``(m,)``."""
    known = {int(index): reach(int(index)) for index in np.unique(scales)}
    return np.array([known[int(index)] for index in scales], dtype=np.int64)
