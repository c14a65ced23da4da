"""Lossless coding by bits back: a code is drawn with bits that come back when it is decoded."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
from torch import Tensor

from isthmus.compression.coder import Stack, ends
from isthmus.compression.frequencies import SCALES, scale_steps
from isthmus.compression.rounding import choices_of, notes_of, rounded, rounded_as
from isthmus.compression.values import ValueCoder
from isthmus.compression.varints import damaged_data, read_varint, varint

STEP = 2.0**-7
"""The grid on which codes are drawn, in standard deviations of the prior."""

_BATCH = 64  # examples that are coded at once, at most
_SEED_WORDS = 2**14  # of the bits that the first codes are drawn with; what is unused is dropped

GaussianOf: TypeAlias = Callable[[np.ndarray, slice], tuple[np.ndarray, np.ndarray]]
"""From values ``(b, m)`` of some rows to μ and log σ² of their codes, float64, ``(b, d)``."""

Parameters: TypeAlias = Callable[[np.ndarray, slice], Tensor]
"""From codes ``(b, d)`` of some rows to a decoder's parameters, in float64."""


class BitsBack:
    r"""Codes whole values by a Gaussian posterior, a likelihood and a standard normal prior.

    For some examples at a time, on one stack: draw z by q(z | x) from the bits that lie on it, push
    x by p(x | z), push z by p(z). What remains are

    .. math:: -\log_2 p(x \mid z) - \log_2 p(z) + \log_2 q(z \mid x)

    bits of each, whose mean is the evidence bound. The first codes need bits that nothing gave:
    they stay in the file.

    Args:
        posterior, parameters: what the networks say, with the rows that are asked about.
        values: says how likely values are under parameters.
        dimensions: d.

    Reference:
        J. Townsend, T. Bird and D. Barber, Practical lossless compression with latent variables
        using bits back coding, ICLR 2019.
    """

    def __init__(
        self, posterior: GaussianOf, parameters: Parameters, values: ValueCoder, dimensions: int
    ) -> None:
        self.posterior, self.parameters = posterior, parameters
        self.values, self.dimensions = values, dimensions
        steps = scale_steps(np.array([-math.log2(STEP)]))
        self.prior = int(np.rint(steps[0]))

    def encode(self, x: np.ndarray) -> tuple[bytes, bytes, int]:
        """The notes of roundings, the stack, and how many of its bits were there at the start.

        ``x`` are values ``(n, m)``, whole numbers from 0.
        """
        seed = hashlib.shake_128(b"isthmus").digest(4 * _SEED_WORDS - 1) + b"\1"
        stack, notes = Stack(seed), []
        least = stack.depth
        for rows in batches(len(x)):
            means, scales, own = self._noted(x[rows], rows)
            drawn = stack.draw(scales.reshape(-1)).reshape(scales.shape)
            least = min(least, stack.depth)
            z = means + drawn
            whole, theirs = self.values.noted(self.parameters(z * STEP, rows))
            self.values.push(stack, x[rows].reshape(-1), whole)
            stack.push_gaussian(z.reshape(-1), np.full(z.size, self.prior))
            notes += [varint(len(own)), own, varint(len(theirs)), theirs]
        return b"".join(notes), stack.content()[4 * least :], 32 * (_SEED_WORDS - least)

    def decode(self, notes: bytes, content: bytes, n: int, size: int) -> np.ndarray:
        """The values ``(n, size)`` of what :meth:`encode` gave."""
        stack, parts = Stack(content), list(_parts(notes, len(batches(n))))
        x = np.zeros((n, size), dtype=np.int64)
        for rows, (own, theirs) in zip(reversed(batches(n)), reversed(parts), strict=True):
            count = (rows.stop - rows.start) * self.dimensions
            z = stack.read_gaussian(np.full(count, self.prior)).reshape(-1, self.dimensions)
            whole = self.values.resolved(self.parameters(z * STEP, rows), theirs)
            x[rows] = self.values.read(stack, whole).reshape(-1, size)
            means, scales = self._resolved(x[rows], rows, own)
            drawn = z - means
            if (np.abs(drawn) > ends(scales.reshape(-1)).reshape(scales.shape)).any():
                raise damaged_data()
            stack.give_back(drawn.reshape(-1), scales.reshape(-1))
        return x

    def _noted(self, x: np.ndarray, rows: slice) -> tuple[np.ndarray, np.ndarray, bytes]:
        """μ in steps, and the indices of σ, each ``(b, d)``; and how they were rounded."""
        whole, doubtful = rounded(self._steps(x, rows))
        notes = notes_of(doubtful, whole.reshape(-1)[doubtful])
        return whole[0], whole[1].clip(0, SCALES - 1), notes

    def _resolved(self, x: np.ndarray, rows: slice, notes: bytes) -> tuple[np.ndarray, np.ndarray]:
        whole = rounded_as(self._steps(x, rows), *choices_of(notes))
        return whole[0], whole[1].clip(0, SCALES - 1)

    def _steps(self, x: np.ndarray, rows: slice) -> np.ndarray:
        mu, log_var = self.posterior(x, rows)
        log2_scale = log_var / (2 * math.log(2)) - math.log2(STEP)
        return np.stack([mu / STEP, scale_steps(log2_scale)])  # (2, b, d)


def batches(n: int) -> list[slice]:
    """The rows that are coded at once: one, two, four, …, so that few bits are needed to start."""
    found, start, size = [], 0, 1
    while start < n:
        found.append(slice(start, min(start + size, n)))
        start, size = start + size, min(2 * size, _BATCH)
    return found


def _parts(notes: bytes, count: int) -> Iterator[tuple[bytes, bytes]]:
    """The notes of each batch, of posterior and values."""
    place = 0
    for _ in range(count):
        pair = []
        for _ in range(2):
            length, start = read_varint(notes, place)
            place = start + length
            if place > len(notes):
                raise damaged_data()
            pair.append(notes[start:place])
        yield pair[0], pair[1]
