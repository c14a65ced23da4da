"""A density for every channel, learnt without naming a family: the prior of what stands alone."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from isthmus.core.bounds import bounded

_FILTERS = (3, 3, 3)
_SPREAD = 10.0  # the scale at the start, in steps of rounding
_LEAST = 1e-9  # of a mass: its logarithm stays finite
_REACH, _HALVINGS = 2.0**12, 40  # where quantiles are looked for, and how finely


class FactorisedDensity(nn.Module):
    r"""The mass of every whole number, for each channel its own, by a learnt cumulative.

    .. math:: P(z) = c(z + \tfrac12) - c(z - \tfrac12), \quad
              c = \sigma \circ f_K \circ \dots \circ f_1, \quad
              f_k(h) = g_k(H_k h + b_k), \quad g_k(h) = h + a_k \odot \tanh h

    with every entry of :math:`H_k` above 0 and of :math:`a_k` above −1, so that c rises. A mixture
    would need to be told how many parts; this density takes the shape that the data have, several
    modes and long tails included, and four small layers a channel cost nothing beside convolutions.

    ``z: (n, channels, *sides)``.

    Reference:
        J. Ballé, D. Minnen, S. Singh, S. J. Hwang and N. Johnston, Variational image compression
        with a scale hyperprior, ICLR 2018, appendix 6.1.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        sizes = (1, *_FILTERS, 1)
        scale = _SPREAD ** (1 / (len(_FILTERS) + 1))
        self.matrices, self.biases, self.factors = (nn.ParameterList() for _ in range(3))
        for inputs, outputs in pairwise(sizes):
            start = math.log(math.expm1(1 / scale / outputs))  # softplus gives 1 / scale / outputs
            self.matrices.append(torch.full((channels, outputs, inputs), start))
            self.biases.append(torch.empty(channels, outputs, 1).uniform_(-0.5, 0.5))
        for size in _FILTERS:
            self.factors.append(torch.zeros(channels, size, 1))

    def cumulative_logits(self, z: Tensor) -> Tensor:
        """The logit of c at z, of ``(channels, 1, values)`` to the same shape."""
        h = z
        for step, (matrix, bias) in enumerate(zip(self.matrices, self.biases, strict=True)):
            h = F.softplus(matrix) @ h + bias
            if step < len(self.factors):
                h = h + self.factors[step].tanh() * h.tanh()
        return h

    def mass(self, z: Tensor) -> Tensor:
        """P of values that were rounded, or made noisy as if they were; the shape of z."""
        shape = z.transpose(0, 1).shape  # (channels, n, *sides)
        rows = z.transpose(0, 1).reshape(self.channels, 1, -1)  # (channels, 1, values)
        below, above = self.cumulative_logits(rows - 0.5), self.cumulative_logits(rows + 0.5)
        # the difference of two sigmoids in the tail where they are small, and not near 1
        side = -(below + above).sign().detach()
        mass = bounded(((side * above).sigmoid() - (side * below).sigmoid()).abs(), _LEAST)
        return mass.reshape(shape).transpose(0, 1)

    @torch.no_grad()
    def quantile(self, shares: Tensor) -> Tensor:
        """Where c reaches ``shares`` in (0, 1), ``(n, channels, *sides)``, by bisection."""
        rows = shares.transpose(0, 1).reshape(self.channels, 1, -1)
        wanted = rows.logit(1e-6)
        high = torch.full_like(rows, _REACH)
        low = -high
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            is_above = self.cumulative_logits(middle) > wanted
            low, high = torch.where(is_above, low, middle), torch.where(is_above, middle, high)
        return low.reshape(shares.transpose(0, 1).shape).transpose(0, 1)
