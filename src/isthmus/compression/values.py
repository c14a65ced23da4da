"""Values on a grid under a likelihood, coded by halving: is it in the upper half of what is left?

A decoder's parameters are rounded to grids of their own; what follows is whole numbers. A value of
256 takes eight questions, each of which needs the distribution function at one place, where a
table of all values would need it at 255.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from isthmus.compression.coder import Reader, Stack, SymbolSource, Writer
from isthmus.compression.frequencies import (
    STEPS,
    TOTAL,
    frequencies,
    inverse_scales,
    logistic,
)
from isthmus.compression.rounding import choices_of, notes_of, rounded, rounded_as
from isthmus.compression.varints import damaged_data, read_varint, varint
from isthmus.errors import InputError
from isthmus.likelihoods.base import Likelihood
from isthmus.likelihoods.bernoulli import BernoulliLikelihood
from isthmus.likelihoods.logistic_mixture import LogisticMixtureLikelihood

_EXAMPLES = 64  # whose parameters are asked for at once
_AT_ONCE = 2**20  # numbers that are looked at at once
_BITS = 24  # of a whole distribution
_PLACES = 64  # of a mean of a logistic, in a step of the values
_PER_OCTAVE = 16  # scales of a logistic between one and its double
_SHIFT = 20 + 6 - 12  # of a distance in 1/64 steps times 2**20 / s, to 1/4096 of the argument
_FARTHEST = 2**22  # steps of a mean: there is no value so far out


ParametersOf: TypeAlias = Callable[[slice], Tensor]
"""What a decoder says of some examples, ``(b, *parameter_shape)``, in float64."""


class ValueCoder(ABC):
    """Says how likely each value 0, 1, …, ``size`` − 1 is under a decoder's parameters."""

    size: int

    def noted(self, parameters: Tensor) -> tuple[np.ndarray, bytes]:
        """Parameters ``(n, *parameter_shape)`` on their grid, and which way they were rounded."""
        whole, doubtful = rounded(self._steps(parameters))
        return whole, notes_of(doubtful, whole.reshape(-1)[doubtful])

    def resolved(self, parameters: Tensor, notes: bytes) -> np.ndarray:
        """The same of parameters that may differ in their last digits, by what was noted."""
        return rounded_as(self._steps(parameters), *choices_of(notes))

    def push(self, coder: Stack, values: np.ndarray, whole: np.ndarray) -> None:
        """Put values ``(m,)`` on a stack."""
        for some in reversed(_blocks(whole)):
            for answers, weights in reversed(list(self._asked(values[some], whole[some]))):
                coder.push(answers, weights)

    def write(self, coder: Writer, values: np.ndarray, whole: np.ndarray) -> None:
        """Add values ``(m,)`` to a range coder."""
        for some in _blocks(whole):
            for answers, weights in self._asked(values[some], whole[some]):
                coder.write(answers, weights)

    def read(self, coder: SymbolSource, whole: np.ndarray) -> np.ndarray:
        """The values ``(m,)`` that were pushed, or written."""
        found = []
        for some in _blocks(whole):
            halving = Halving(self, whole[some])
            while halving.width > 1:
                halving.accept(coder.read(halving.weights()))
            found.append(halving.low)
        values = np.concatenate(found)
        if values.max(initial=0) >= self.size:
            raise damaged_data()
        return values

    def _asked(
        self, values: np.ndarray, whole: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """For one question after the other, the answers ``(m,)`` and their weights ``(m, 2)``."""
        halving = Halving(self, whole)
        while halving.width > 1:
            weights = halving.weights()
            answers = (values >= halving.low + halving.width).astype(np.int64)
            yield answers, weights
            halving.accept(answers)

    def encode(self, x: np.ndarray, parameters: ParametersOf) -> tuple[bytes, bytes]:
        """Values ``(n, m)`` under known parameters: notes of roundings, and what was coded."""
        coder, notes = Writer(), []
        for rows in _rows(len(x)):
            whole, own = self.noted(parameters(rows))
            self.write(coder, x[rows].reshape(-1), whole)
            notes += [varint(len(own)), own]
        return b"".join(notes), coder.content()

    def decode(self, notes: bytes, content: bytes, n: int, parameters: ParametersOf) -> np.ndarray:
        """The values ``(n, m)`` of what :meth:`encode` gave."""
        coder, place, found = Reader(content), 0, []
        for rows in _rows(n):
            length, start = read_varint(notes, place)
            place = start + length
            whole = self.resolved(parameters(rows), notes[start:place])
            found.append(self.read(coder, whole).reshape(rows.stop - rows.start, -1))
        return np.concatenate(found)

    @abstractmethod
    def _steps(self, parameters: Tensor) -> np.ndarray:
        """Parameters in steps of their grids, float64, ``(m, …)``: values one after another."""

    @abstractmethod
    def prepared(self, whole: np.ndarray) -> tuple[np.ndarray, ...]:
        """What :meth:`below` is given of parameters on their grid, ``(m, …)``."""

    @abstractmethod
    def below(self, given: tuple[np.ndarray, ...], values: np.ndarray) -> np.ndarray:
        """How likely anything below values from 1 to ``size`` − 1 is, of 2**24, ``(m,)``."""


class Halving:
    """The search for values: the part in which each lies, and how likely what is below it is.

    Args:
        coder: whose values they are.
        whole: parameters on their grid, ``(m, …)``.

    Attributes:
        low: the least value of the part in which each lies, ``(m,)``.
        width: how many values each part has.
    """

    def __init__(self, coder: ValueCoder, whole: np.ndarray) -> None:
        self.coder, self.given = coder, coder.prepared(whole)
        self.low = np.zeros(len(whole), dtype=np.int64)
        self.width = 1 << (coder.size - 1).bit_length()
        self.bottom, self.top = np.zeros_like(self.low), np.full_like(self.low, TOTAL)
        self.between = self.bottom

    def weights(self) -> np.ndarray:
        """Of the lower and the upper half of each part, which are halved by asking, ``(m, 2)``."""
        self.width //= 2
        middle = self.low + self.width
        size = self.coder.size
        below = self.coder.below(self.given, np.minimum(middle, size - 1))
        self.between = np.where(middle < size, below, TOTAL)
        # one more of each: what is next to impossible can still be coded
        return np.stack([self.between - self.bottom + 1, self.top - self.between + 1], axis=1)

    def accept(self, answers: np.ndarray) -> None:
        """Go on in the upper half where an answer is 1, ``(m,)``."""
        is_upper = answers == 1
        self.low = self.low + self.width * answers
        self.bottom = np.where(is_upper, self.between, self.bottom)
        self.top = np.where(is_upper, self.top, self.between)


class BlackOrWhite(ValueCoder):
    """Values 0 and 1 under a Bernoulli likelihood."""

    size = 2

    def _steps(self, parameters: Tensor) -> np.ndarray:
        return _array(parameters).reshape(-1) * STEPS

    def prepared(self, whole: np.ndarray) -> tuple[np.ndarray, ...]:
        return (frequencies(np.stack([whole.clip(0), (-whole).clip(0)], axis=1))[:, 0],)

    def below(self, given: tuple[np.ndarray, ...], values: np.ndarray) -> np.ndarray:
        return given[0]


class OnGrid(ValueCoder):
    r"""Values under a mixture of discretised logistics.

    Its distribution function is computed from means to 1/64 of a step of the values, scales to a
    sixteenth of an octave and arguments to 1/4096.
    """

    def __init__(self, likelihood: LogisticMixtureLikelihood) -> None:
        self.likelihood, self.size = likelihood, likelihood.bins

    def _steps(self, parameters: Tensor) -> np.ndarray:
        axis = self.likelihood.axis - 1
        log_weight, mean, scale = (
            _array(part.movedim(axis, -1)) for part in self.likelihood.mixture(parameters)
        )
        steps = (
            log_weight * STEPS,
            (mean * _PLACES).clip(-_FARTHEST, _FARTHEST),
            (np.log2(scale) + 4) * _PER_OCTAVE,
        )
        return np.stack(steps, -1).reshape(-1, self.likelihood.components, 3)  # (m, K, 3)

    def prepared(self, whole: np.ndarray) -> tuple[np.ndarray, ...]:
        log_weight, mean, scale = np.moveaxis(whole, 2, 0)  # each (m, K)
        share = frequencies(log_weight.max(1, keepdims=True) - log_weight)
        return share, mean, inverse_scales().take(scale, mode="clip")

    def below(self, given: tuple[np.ndarray, ...], values: np.ndarray) -> np.ndarray:
        (share, mean, inverse), table = given, logistic()
        edge = _PLACES * values - _PLACES // 2  # half a step below each value
        distance = (edge[:, None] - mean) * inverse >> _SHIFT
        reached = table.take(distance + len(table) // 2, mode="clip")
        found: np.ndarray = (reached * share).sum(1) >> _BITS
        return found


def _blocks(whole: np.ndarray) -> list[slice]:
    """The rows that are looked at at once, of parameters ``(m, …)``."""
    step = max(1, _AT_ONCE * len(whole) // whole.size)
    return [slice(start, start + step) for start in range(0, len(whole), step)]


def _rows(n: int) -> list[slice]:
    return [slice(start, min(start + _EXAMPLES, n)) for start in range(0, n, _EXAMPLES)]


def value_coder(likelihood: Likelihood) -> ValueCoder:
    """What codes values under a likelihood.

    Raises:
        InputError: for one that gives no masses to finitely many values.
    """
    if isinstance(likelihood, LogisticMixtureLikelihood):
        return OnGrid(likelihood)
    if isinstance(likelihood, BernoulliLikelihood):
        return BlackOrWhite()
    raise InputError(
        f"{type(likelihood).__name__} gives no probability to single values, which lossless=True"
        " needs: train with likelihood='logistic-mixture' (pixels), or 'bernoulli' for 0 and 1."
    )


def _array(values: Tensor) -> np.ndarray:
    return values.to(torch.float64).cpu().numpy()
