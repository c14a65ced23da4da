"""Finite scalar quantization: a few numbers, each rounded to one of a few values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from isthmus.core.fields import field
from isthmus.errors import InputError
from isthmus.quantizers._scalars import ScalarQuantizer
from isthmus.quantizers.base import Quantized, QuantizerPart

_MARGIN = 1e-3  # keeps the shift of two levels finite
_LEAST = 1e-6  # of a deviation by which is divided
_SEEN = 4096  # vectors from which the numbers are scaled at the start


@dataclass(repr=False)
class FSQ(QuantizerPart):
    r"""Finite scalar quantizer: a vector becomes d numbers, each rounded to one of a few values.

    .. math:: e_j = \frac{1}{\lfloor L_j / 2 \rfloor} \mathrm{round}\Big(\tfrac{L_j - 1}{2}
              \tanh(u_j + s_j) - o_j\Big), \quad u = W h + b

    where number j takes :math:`L_j` values between -1 and 1. For an even :math:`L_j` the offset
    :math:`o_j` is ½, else 0; the shift :math:`s_j` takes 0 to 0. The gradient passes the rounding
    as if it were not there. There is no codebook, so nothing collapses and nothing is charged. W
    and b start so that each :math:`u_j` has mean 0 and deviation 1 over vectors of the data, which
    reaches all values: as networks start, it would be near 0 everywhere, and few values in use.

    The member's ``latent_dim`` is the size of the vectors h that the encoder makes and the decoder
    gets: linear maps lead from it to the ``len(levels)`` numbers and back. There are none where the
    two are equal, as in the paper. An index is :math:`\sum_j g_j \prod_{i<j} L_i`, where
    :math:`g_j` counts the values of number j from 0.

    Raises:
        InputError: at ``fit``, for no levels, and for more than 262144 entries.

    Reference:
        F. Mentzer, D. Minnen, E. Agustsson and M. Tschannen, Finite scalar quantization: VQ-VAE
        made simple, ICLR 2024.

    Example:
        >>> import torch
        >>> quantizer = FSQ(levels=(7, 7, 7)).build(3, epochs=1)
        >>> quantizer.levels, quantizer.embed(torch.tensor([171])).tolist()
        ((343,), [[0.0, 0.0, 0.0]])
    """

    levels: tuple[int, ...] = field((8, 5, 5, 5), "values that each number takes (L)", low=2)

    def _module(self, dim: int, epochs: int) -> FiniteScalarQuantizer:
        if not self.levels:
            raise InputError("levels=() is not usable: give a number of values, such as (8, 5, 5).")
        return FiniteScalarQuantizer(self.levels, dim)


class FiniteScalarQuantizer(ScalarQuantizer):
    """Rounds each of d bounded numbers; ``levels`` and ``dim`` as :class:`FSQ` says."""

    def __init__(self, levels: Sequence[int], dim: int) -> None:
        super().__init__(levels, dim)
        counts = torch.tensor(self.radices, dtype=torch.float32)
        self.register_buffer("halves", counts.div(2).floor(), persistent=False)
        self.register_buffer("offset", (1 - counts % 2) / 2, persistent=False)
        self.halves: Tensor
        self.offset: Tensor

    def bounded(self, numbers: Tensor) -> Tensor:
        """Numbers ``(*, d)`` squeezed to the range of the whole numbers that they round to."""
        reach = (1 + _MARGIN) * (self.halves - self.offset)
        return (numbers + torch.atanh(self.offset / reach)).tanh() * reach - self.offset

    @property
    def vectors_to_start(self) -> int:
        return _SEEN if isinstance(self.inward, nn.Linear) else 0

    @torch.no_grad()
    def start(self, proposed: Tensor) -> None:
        """Scale and shift the numbers to mean 0 and deviation 1 over some vectors."""
        if not isinstance(self.inward, nn.Linear):
            return
        deviation, mean = torch.std_mean(self.numbers(proposed).flatten(0, -2), 0)
        scale = 1 / deviation.clamp(min=_LEAST)
        self.inward.weight.mul_(scale[:, None])
        self.inward.bias.sub_(mean).mul_(scale)

    def forward(self, proposed: Tensor) -> Quantized:
        bounded = self.bounded(self.numbers(proposed))  # (n, *grid, d)
        digits = (bounded.detach().round() + self.halves).long()
        values = self.values(digits) + (bounded - bounded.detach()) / self.halves
        return Quantized(self.vectors(values), self.index(digits))

    def values(self, digits: Tensor) -> Tensor:
        return (digits - self.halves) / self.halves

    def remedy(self, used: int) -> str:
        return "train for more epochs, lower learning_rate, or take fewer levels"
