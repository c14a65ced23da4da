"""Grids of indices, coded by a prior that says how likely each is after those before it.

The encoder asks the prior about all places at once, the decoder place by place. Both do so in
float64 and round log-probabilities alike (:mod:`isthmus.compression.rounding`), so that the
decoder finds the distributions of the encoder.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeAlias

import numpy as np
import torch
from torch import Tensor

from isthmus.compression.coder import Reader, Writer
from isthmus.compression.frequencies import STEPS, frequencies
from isthmus.compression.rounding import choices_of, notes_of, rounded, rounded_as
from isthmus.compression.varints import damaged_data, read_varint, varint
from isthmus.core.forward import Level
from isthmus.errors import InputError

CHECKSUM = 4
"""Bytes of a checksum of codes."""

GROUP = 256
"""Examples whose indices are one stream, at most."""

_ENTRIES = 2**27  # probabilities of a group: 2 bytes each are kept until they are coded
_AT_ONCE = 2**21  # probabilities that are computed, or made whole numbers, at once
_FARTHEST = 2**15 - 1  # steps below the likeliest: everything from there on is as unlikely


Accept: TypeAlias = Callable[[np.ndarray], None]


class IndexStepper(Protocol):
    """Answers a prior's questions place by place, through all levels, for several examples."""

    def logits(self) -> Tensor:
        """Of the values of the next place, ``(n, size)``."""
        ...

    def accept(self, index: Tensor) -> None:
        """Go on after the index of each example there, ``(n,)``."""
        ...


class Conditionals(Protocol):
    """A prior over indices that says how likely each is after the ones before it."""

    def conditionals(self, indices: Tensor, condition: Tensor | None) -> list[Tensor]:
        """Logits of every place ``(n, places, size)`` of each level, given all before it."""
        ...

    def stepper(self, n: int, condition: Tensor | None) -> IndexStepper:
        """The same place by place, for n examples under the condition of each ``(n, c)``."""
        ...


class IndexCoder:
    """Flat indices ``(n, total)`` to streams of bytes, and back.

    Args:
        levels: the grids, coarsest first, and the number of entries of each.
        prior: says how likely an index is, in float64; None where all are as likely.
        device: where the prior computes.
        rows: examples that it is asked about at once.
    """

    def __init__(
        self,
        levels: Sequence[Level],
        prior: Conditionals | None = None,
        *,
        device: torch.device | str = "cpu",
        rows: int = GROUP,
    ) -> None:
        self.levels, self.prior, self.device = tuple(levels), prior, device
        self.places = [math.prod(level.grid) for level in levels]
        entries = sum(n * level.size for n, level in zip(self.places, levels, strict=True))
        self.group = GROUP if prior is None else max(1, min(GROUP, _ENTRIES // entries))
        self.rows = max(1, min(rows, _AT_ONCE // entries))

    def encode(self, indices: np.ndarray, condition: Tensor | None = None) -> list[bytes]:
        """A checksum of the indices, and the stream of each group of examples.

        Args:
            indices: ``(n, total)``.
            condition: what the prior is told of each, ``(n, c)``.
        """
        found = [checksum(indices)]
        for some in self._groups(len(indices)):
            given = None if condition is None else condition[some]
            found.append(self._encoded(indices[some], given))
        return found

    def decode(
        self, streams: Sequence[bytes], n: int, condition: Tensor | None = None
    ) -> np.ndarray:
        """The indices of n examples, ``(n, total)``, of what :meth:`encode` gave.

        Raises:
            InputError: where they are not those that were encoded.
        """
        if len(streams) != 1 + math.ceil(n / self.group):
            raise damaged_data()
        found = [
            self._decoded(
                stream, some.stop - some.start, None if condition is None else condition[some]
            )
            for stream, some in zip(streams[1:], self._groups(n), strict=True)
        ]
        indices = np.concatenate(found)
        require_same_codes(indices, streams[0])
        return indices

    def _groups(self, n: int) -> list[slice]:
        """The rows of each group of n examples."""
        return [slice(start, min(start + self.group, n)) for start in range(0, n, self.group)]

    def _encoded(self, indices: np.ndarray, condition: Tensor | None) -> bytes:
        writer = Writer()
        if self.prior is None:
            for level, part in zip(self.levels, self._split(indices), strict=True):
                writer.write_uniform(part.ravel(), level.size)
            return writer.content()
        below, notes = self._asked(self.prior, indices, condition)
        for part, steps in zip(self._split(indices), below, strict=True):
            step = max(1, _AT_ONCE // steps[0].size)
            for start in range(0, len(steps), step):
                block = steps[start : start + step]  # (places, n, size)
                symbols = part[:, start : start + step].T  # (places, n)
                writer.write(symbols.ravel(), frequencies(block.reshape(-1, block.shape[-1])))
        return varint(len(notes)) + notes + writer.content()

    def _asked(
        self, prior: Conditionals, indices: np.ndarray, condition: Tensor | None
    ) -> tuple[list[np.ndarray], bytes]:
        """How far each entry lies below the likeliest, ``(places, n, size)`` of each level.

        And the notes of what was rounded.
        """
        n = len(indices)
        below = [
            np.empty((places, n, level.size), dtype=np.int16)
            for places, level in zip(self.places, self.levels, strict=True)
        ]
        starts = np.cumsum([0, *(part.size for part in below)])
        noted = []
        for start in range(0, n, self.rows):
            rows = slice(start, min(start + self.rows, n))
            given = None if condition is None else condition[rows].to(self.device)
            with torch.inference_mode():
                asked = torch.from_numpy(indices[rows]).to(self.device)
                answers = prior.conditionals(asked, given)
            for part, first, logits in zip(below, starts, answers, strict=False):
                values = logits.double().cpu().numpy() * STEPS  # (rows, places, size)
                whole, doubtful = rounded(values)
                part[:, rows] = _below(whole).swapaxes(0, 1)
                row, place, entry = np.unravel_index(doubtful, values.shape)
                flat = first + (place * n + start + row) * values.shape[2] + entry
                noted.append(np.stack([flat, whole.reshape(-1)[doubtful]]))
        places, numbers = np.concatenate(noted, axis=1)
        order = places.argsort()
        return below, notes_of(places[order], numbers[order])

    def _decoded(self, stream: bytes, n: int, condition: Tensor | None) -> np.ndarray:
        if self.prior is None:
            reader = Reader(stream)
            parts = [
                reader.read_uniform(n * places, level.size).reshape(n, places)
                for places, level in zip(self.places, self.levels, strict=True)
            ]
            return np.concatenate(parts, axis=1)
        length, start = read_varint(stream, 0)
        if length > len(stream) - start:
            raise damaged_data()
        places, odd = choices_of(stream[start : start + length])
        reader = Reader(stream[start + length :])
        indices = np.empty((n, sum(self.places)), dtype=np.int64)
        first = 0
        for at, (values, accept) in enumerate(self._stepped(self.prior, n, condition)):
            low, high = np.searchsorted(places, (first, first + values.size))
            whole = rounded_as(values, places[low:high] - first, odd[low:high])
            indices[:, at] = reader.read(frequencies(_below(whole)))
            accept(indices[:, at])
            first += values.size
        return indices

    def _stepped(
        self, prior: Conditionals, n: int, condition: Tensor | None
    ) -> Iterator[tuple[np.ndarray, Accept]]:
        """For one place after the other, what the prior says ``(n, size)``, and how to go on.

        In steps of the grid of log-probabilities.
        """
        rows = [slice(at, min(at + self.rows, n)) for at in range(0, n, self.rows)]
        given = [None if condition is None else condition[some].to(self.device) for some in rows]
        with torch.inference_mode():
            steppers = [
                prior.stepper(some.stop - some.start, told)
                for some, told in zip(rows, given, strict=True)
            ]

        def accept(index: np.ndarray) -> None:
            chosen = torch.from_numpy(index).to(self.device)
            with torch.inference_mode():
                for stepper, some in zip(steppers, rows, strict=True):
                    stepper.accept(chosen[some])

        for _ in range(sum(self.places)):
            with torch.inference_mode():
                answers = [stepper.logits().double().cpu().numpy() for stepper in steppers]
            yield np.concatenate(answers) * STEPS, accept

    def _split(self, indices: np.ndarray) -> list[np.ndarray]:
        """The indices of each level, ``(n, places)``."""
        return np.split(indices, np.cumsum(self.places)[:-1], axis=1)


def _below(whole: np.ndarray) -> np.ndarray:
    """How many steps each number of the last axis lies below the greatest, int16."""
    found = np.minimum(whole.max(-1, keepdims=True) - whole, _FARTHEST)
    return found.astype(np.int16)


def checksum(codes: np.ndarray) -> bytes:
    """A CRC-32 of whole numbers."""
    content = np.ascontiguousarray(codes, dtype="<i8").tobytes()
    return zlib.crc32(content).to_bytes(CHECKSUM, "little")


def require_same_codes(codes: np.ndarray, wanted: bytes) -> None:
    """Refuse codes that are not those of which a file holds the checksum.

    Raises:
        InputError: which says what may have happened.
    """
    if checksum(codes) != wanted:
        raise InputError(
            "the codes come out otherwise here than they went in, so the data were changed or this"
            " machine computes too differently: decompress them where they were made."
        )
