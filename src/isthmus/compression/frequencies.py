"""Distributions as whole numbers, the same on every machine: what an entropy coder is given.

Nothing here is computed in floating point: exponentials come from :mod:`decimal`, whose results are
rounded correctly and alike everywhere, and everything else is done with whole numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Context, Decimal, localcontext
from functools import cache

import numpy as np

TOTAL = 2**24
"""What the frequencies of a distribution sum to."""

STEPS = 64
"""Steps of the grid of log-probabilities in a nat: :func:`frequencies` takes numbers of them."""

FINE = 4096
"""Steps of :func:`logistic` in a unit of its argument."""

PER_OCTAVE = 8
"""Scales of a Gaussian between one and its double."""

SCALES = 91
"""How many scales of a Gaussian there are."""

_UNIT = 26  # the index of the scale 1
_BITS = 30  # of the greatest weight, before weights become frequencies
_REACH = 8  # scales from the middle, beyond which a Gaussian has no values of its own
_MORE = 3  # values beyond them: data have longer tails than a narrow Gaussian
_ENDS = 17  # beyond which a logistic is 0 or 1 in 24 bits
_PARTS = 64  # in which a value of a narrow Gaussian is integrated
_CONTEXT = Context(prec=40)


def frequencies(below: np.ndarray) -> np.ndarray:
    r"""Whole numbers that sum to :data:`TOTAL`, in proportion to exp(−k / :data:`STEPS`).

    .. math:: f_i = 1 + \left\lfloor (2^{24} - m) \frac{w_i}{\sum_j w_j} \right\rfloor, \quad
              w_i = \left\lfloor 2^{30} e^{-k_i / 64} \right\rfloor

    and what rounding left over goes to the first of the most likely.

    Args:
        below: k, how many steps each log-probability lies below the greatest, whole numbers from 0,
            ``(..., m)``; m is at most 2**23.

    Returns:
        f, ``(..., m)``, int64; every one is at least 1.
    """
    table = _exponentials()
    weights = table[np.minimum(below, len(table) - 1)]
    return _shared(weights)


def proportional(shares: Sequence[float]) -> np.ndarray:
    """Frequencies of a few values in proportion to ``shares``, which are at most 1, ``(m,)``."""
    return _shared(np.array([int(share * 2**_BITS) for share in shares], dtype=np.int64))


@cache
def gaussian(index: int) -> np.ndarray:
    r"""The frequencies of a Gaussian around 0 that is cut into whole numbers, ``(2 L + 1,)``.

    .. math:: p(j) = \Phi\left(\frac{j + \frac12}{s}\right)
              - \Phi\left(\frac{j - \frac12}{s}\right), \quad s = 2^{(\mathrm{index} - 26) / 8}

    for j from −L to L, which is 8 s, rounded up, and 3 more.

    Args:
        index: from 0 (s is 0.105) to ``SCALES - 1`` (256).
    """
    with localcontext(_CONTEXT):
        scale = (Decimal(2).ln() * (index - _UNIT) / PER_OCTAVE).exp()
        reach = math.ceil(_REACH * scale) + _MORE
        parts = _PARTS if scale < 2 else 2
        nodes = _bell(1 / (parts * scale), parts * (2 * reach + 1) // 2 + 1)
        half = [_simpson(nodes, j, parts) for j in range(reach + 1)]
        total = 2 * sum(half) - half[0]
        weights = [int(mass / total * 2**_BITS) for mass in half]
    return _shared(np.array(weights[:0:-1] + weights, dtype=np.int64))


@cache
def logistic() -> np.ndarray:
    """2**24 σ(t / 4096), rounded down, for whole t from −69632 to 69632, which is 17 at the end."""
    with localcontext(_CONTEXT):
        ratio, power, found = (Decimal(-1) / FINE).exp(), Decimal(1), []
        for _ in range(_ENDS * FINE + 1):
            found.append(int(TOTAL / (1 + power)))
            power *= ratio
    upper = np.array(found, dtype=np.int64)
    return np.concatenate([TOTAL - upper[:0:-1], upper])


@cache
def inverse_scales() -> np.ndarray:
    """2**20 / s for scales s from 2**−4 to 2**16, sixteen in an octave, rounded down."""
    with localcontext(_CONTEXT):
        octave = Decimal(2).ln()
        exponents = [Decimal(place) / 16 - 4 for place in range(20 * 16 + 1)]
        return np.array([int(2**20 * (-x * octave).exp()) for x in exponents], dtype=np.int64)


def gaussian_reach(index: int) -> int:
    """L, the greatest value that :func:`gaussian` knows."""
    return len(gaussian(index)) // 2


def scale_steps(log2_scale: np.ndarray) -> np.ndarray:
    """log₂ of scales in steps of the grid whose whole numbers are indices of scales, as floats."""
    return PER_OCTAVE * log2_scale + _UNIT


def _bell(step: Decimal, count: int) -> list[Decimal]:
    """exp(−x² / 2) at 0, one step, two steps, …: each from the one before, by two products."""
    ratio, change = (-(step**2) / 2).exp(), (-(step**2)).exp()
    found = [Decimal(1)]
    while len(found) < count:
        found.append(found[-1] * ratio)
        ratio *= change
    return found


def _simpson(nodes: list[Decimal], j: int, parts: int) -> Decimal:
    """The integral of the density from j − ½ to j + ½ by Simpson's rule, times a constant."""
    first = parts * j - parts // 2
    values = [nodes[abs(place)] for place in range(first, first + parts + 1)]
    return values[0] + values[-1] + 4 * sum(values[1:-1:2]) + 2 * sum(values[2:-1:2])


def _shared(weights: np.ndarray) -> np.ndarray:
    """:data:`TOTAL` shared out by weights ``(..., m)`` of up to 2**30, and at least 1 to each."""
    size = weights.shape[-1]
    found = 1 + weights * (TOTAL - size) // np.maximum(weights.sum(-1, keepdims=True), 1)
    first = weights.argmax(-1)[..., None]
    rest = TOTAL - found.sum(-1, keepdims=True)
    np.put_along_axis(found, first, np.take_along_axis(found, first, -1) + rest, -1)
    return found


@cache
def _exponentials() -> np.ndarray:
    """The whole part of 2**30 exp(−k / STEPS), up to where it is 0."""
    count = math.ceil(_BITS * math.log(2) * STEPS) + 1
    with localcontext(_CONTEXT):
        values = [int(2**_BITS * (Decimal(-k) / STEPS).exp()) for k in range(count)]
    return np.array(values, dtype=np.int64)
