"""Codes that are vectors, rounded to a grid and coded under a mixture, number by number."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from isthmus.core.forward import Level

FINEST = 8
"""The finest grid has 2**8 steps in a standard deviation."""

_REACH = 8  # standard deviations of the grid to either side
_LEAST = -40.0  # the logarithm of a mass below which all are as unlikely
_CLOSEST = -1e-15  # below 0, so that a difference of equal numbers has a logarithm


class MixtureGrid:
    r"""Numbers on a grid, each coded after those before it.

    .. math:: p(z_j \mid z_{<j}) = \sum_k r_k(z_{<j}) \,
              \mathcal N\left(z_j; \mu_{kj} + (L_k \epsilon_k)_j, L_{kjj}^2\right)

    with :math:`\epsilon_k` of the numbers before, by the triangular factors :math:`L_k`, and
    :math:`r_k` how likely they make component k. A number of the grid has the mass of its step.

    Args:
        weights: of the components, ``(K,)``; they sum to 1.
        means: ``(K, d)``.
        factors: triangular roots of covariances ``(K, d, d)``, or deviations ``(K, d)``.
        fineness: the grid has 2**fineness steps in the standard deviation of each number.
    """

    def __init__(self, weights: Tensor, means: Tensor, factors: Tensor, fineness: int) -> None:
        self.weights, self.means, self.factors = weights, means, factors
        spread = factors.square() if factors.ndim == 2 else factors.square().sum(2)
        self.centre = (weights[:, None] * means).sum(0)  # (d,)
        variance = (weights[:, None] * (means.square() + spread)).sum(0) - self.centre.square()
        self.step = variance.clamp(min=1e-24).sqrt() / 2**fineness
        self.half = _REACH * 2**fineness
        self.levels = (Level((means.shape[1],), 2 * self.half + 1),)

    def indices(self, z: Tensor) -> np.ndarray:
        """The numbers of the grid next to codes ``(n, d)``, counted from 0."""
        steps = ((z.double() - self.centre) / self.step).round()
        return (steps.clamp(-self.half, self.half).long() + self.half).numpy()

    def codes(self, indices: np.ndarray) -> Tensor:
        """Codes ``(n, d)`` of numbers of the grid, float64."""
        return self.centre + (torch.from_numpy(indices) - self.half) * self.step

    def conditionals(self, indices: Tensor, condition: Tensor | None) -> list[Tensor]:
        """Logits of every number ``(n, d, size)``, each after those before it."""
        stepper, found = self.stepper(len(indices), None), []
        for place in range(indices.shape[1]):
            found.append(stepper.logits())
            stepper.accept(indices[:, place])
        return [torch.stack(found, 1)]

    def stepper(self, n: int, condition: Tensor | None) -> GridStepper:
        """The same number by number, by the same operations."""
        return GridStepper(self, n)


class GridStepper:
    """Goes through the numbers of n codes; see :class:`MixtureGrid`."""

    def __init__(self, grid: MixtureGrid, n: int) -> None:
        self.grid, self.place = grid, 0
        self.log_share = grid.weights.log().expand(n, -1)  # (n, K)
        self.noise: list[Tensor] = []  # of each number before, (n, K)

    def logits(self) -> Tensor:
        """Of the values of the next number, ``(n, size)``."""
        grid, (mean, deviation) = self.grid, self._next()
        places = torch.arange(-grid.half, grid.half + 1, dtype=torch.float64)
        step, centre = grid.step[self.place], grid.centre[self.place]
        total: Tensor | None = None
        for k in range(len(grid.weights)):  # one after another, so that memory stays small
            middle = (centre + places * step - mean[:, k, None]) / deviation[k]  # (n, size)
            each = _log_mass(middle, float(0.5 * step / deviation[k]))
            each = each + (self.log_share[:, k] - self.log_share.logsumexp(1))[:, None]
            total = each if total is None else torch.logaddexp(total, each)
        assert total is not None
        return total.clamp(min=_LEAST)

    def accept(self, index: Tensor) -> None:
        """Go on after the index of each code's number, ``(n,)``."""
        grid, (mean, deviation) = self.grid, self._next()
        value = grid.centre[self.place] + (index - grid.half) * grid.step[self.place]
        noise = (value[:, None] - mean) / deviation  # (n, K)
        half = (0.5 * grid.step[self.place] / deviation).tolist()
        masses = [_log_mass(noise[:, k], half[k]) for k in range(len(half))]
        self.log_share = self.log_share + torch.stack(masses, 1)
        self.noise.append(noise)
        self.place += 1

    def _next(self) -> tuple[Tensor, Tensor]:
        """Means ``(n, K)`` and deviations ``(K,)`` of the next number under each component."""
        grid, j = self.grid, self.place
        mean = grid.means[:, j].expand(len(self.log_share), -1)
        if grid.factors.ndim == 2:
            return mean, grid.factors[:, j]
        for i, noise in enumerate(self.noise):
            mean = mean + grid.factors[:, j, i] * noise
        return mean, grid.factors[:, j, j]


def _log_mass(middle: Tensor, half: float) -> Tensor:
    """The logarithm of the mass of N(0, 1) between ``middle`` − half and ``middle`` + half."""
    far = -middle.abs()  # the side on which no digits are lost
    upper, lower = torch.special.log_ndtr(far + half), torch.special.log_ndtr(far - half)
    between = (lower - upper).clamp(max=_CLOSEST)
    return (upper + torch.log(-torch.expm1(between))).clamp(min=-1e6)
