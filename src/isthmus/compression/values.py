"""Values on a grid under a likelihood, as the frequencies that an entropy coder is given.

A decoder's parameters are rounded to grids of their own; what follows is whole numbers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from isthmus.compression.coder import Reader, Source, Stack, Writer
from isthmus.compression.frequencies import (
    STEPS,
    TOTAL,
    frequencies,
    inverse_scales,
    logistic,
)
from isthmus.compression.rounding import choices_of, notes_of, resolved, rounded
from isthmus.compression.varints import read_varint, varint
from isthmus.errors import InputError
from isthmus.likelihoods.base import Likelihood
from isthmus.likelihoods.bernoulli import BernoulliLikelihood
from isthmus.likelihoods.logistic_mixture import LogisticMixtureLikelihood

_EXAMPLES = 64  # whose parameters are asked for at once
_AT_ONCE = 2**20  # probabilities that are computed at once
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
        return resolved(self._steps(parameters), *choices_of(notes))

    def push(self, coder: Stack, values: np.ndarray, whole: np.ndarray) -> None:
        """Put values ``(m,)`` on a stack."""
        for some in reversed(self._blocks(len(whole))):
            coder.push(values[some], self._weights(whole[some]))

    def write(self, coder: Writer, values: np.ndarray, whole: np.ndarray) -> None:
        """Add values ``(m,)`` to a range coder."""
        for some in self._blocks(len(whole)):
            coder.write(values[some], self._weights(whole[some]))

    def read(self, coder: Source, whole: np.ndarray) -> np.ndarray:
        """The values ``(m,)`` that were pushed, or written."""
        found = [coder.read(self._weights(whole[some])) for some in self._blocks(len(whole))]
        return np.concatenate(found)

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

    def _blocks(self, count: int) -> list[slice]:
        step = max(1, _AT_ONCE // self.size)
        return [slice(start, start + step) for start in range(0, count, step)]

    @abstractmethod
    def _steps(self, parameters: Tensor) -> np.ndarray:
        """Parameters in steps of their grids, float64, ``(m, …)``: values one after another."""

    @abstractmethod
    def _weights(self, whole: np.ndarray) -> np.ndarray:
        """The frequencies of all values, ``(m, size)``, by parameters on their grid."""


class BlackOrWhite(ValueCoder):
    """Values 0 and 1 under a Bernoulli likelihood."""

    size = 2

    def _steps(self, parameters: Tensor) -> np.ndarray:
        return _array(parameters).reshape(-1) * STEPS

    def _weights(self, whole: np.ndarray) -> np.ndarray:
        return frequencies(np.stack([whole.clip(0), (-whole).clip(0)], axis=1))


class OnGrid(ValueCoder):
    r"""Values under a mixture of discretised logistics.

    The mass of a value is a difference of the mixture's distribution function, whose argument is
    computed to 1/4096: means to 1/64 of a step of the values, scales to a sixteenth of an octave.
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

    def _weights(self, whole: np.ndarray) -> np.ndarray:
        share = frequencies(whole[:, :, 0].max(1, keepdims=True) - whole[:, :, 0])  # (m, K)
        inverse = inverse_scales()
        per = inverse[whole[:, :, 2].clip(0, len(inverse) - 1)]
        edges = _PLACES * np.arange(self.size - 1) + _PLACES // 2
        table, end = logistic(), len(logistic()) // 2
        below = np.zeros((len(whole), self.size + 1), dtype=np.int64)
        below[:, -1] = TOTAL
        for k in range(whole.shape[1]):
            distance = edges - whole[:, k, 1, None]  # (m, size - 1), in 1/64 of a step
            place = distance * per[:, k, None] >> _SHIFT
            below[:, 1:-1] += table[place.clip(-end, end) + end] * share[:, k, None] >> 24
        return np.diff(below)


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
