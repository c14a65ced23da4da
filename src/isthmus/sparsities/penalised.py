"""Units are used at a price: their sum, their number, or the sum of their gates."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from isthmus.core.fields import field
from isthmus.sparsities.base import SparseUnits, Sparsity, SparsityPart


@dataclass(repr=False)
class L1(SparsityPart):
    r"""Rectified units, whose sum is charged.

    .. math:: z = \max(0, W x + b), \quad \lambda \lVert z \rVert_1

    The price makes all activations smaller than they should be, also those that are used.

    Reference:
        T. Bricken et al., Towards monosemanticity: decomposing language models with dictionary
        learning, 2023.

    Example:
        >>> import torch
        >>> found = L1().build(3)(torch.tensor([[3.0, -1.0, 1.0]]), torch.zeros(3))
        >>> found.z.tolist(), found.charge.tolist()
        ([[3.0, 0.0, 1.0]], [4.0])
    """

    weight: float = field(1.0, "weight of the sum of the units (lambda)", low=0)

    def _module(self, units: int) -> SummedUnits:
        return SummedUnits(self.weight)


class SummedUnits(Sparsity):
    """Charges the sum of rectified units; see :class:`L1`."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = weight

    def codes(self, pre: Tensor, bias: Tensor) -> Tensor:
        return pre.relu()

    def forward(self, pre: Tensor, bias: Tensor) -> SparseUnits:
        z = pre.relu()
        return SparseUnits(z, z.sum(1))


@dataclass(repr=False)
class JumpReLU(SparsityPart):
    r"""Units above a learnt threshold each, as they are; their number is charged.

    .. math:: z = a \, H(a - \theta), \quad \lambda \lVert z \rVert_0, \quad
              a = \max(0, W x + b)

    with the step H. Its derivative is 0 almost everywhere, so in its place stands that of a step
    smoothed over a bandwidth ε: :math:`\partial H / \partial \theta = -K((a - \theta) / \epsilon)
    / \epsilon` with K = 1 on [−½, ½], and :math:`\partial z / \partial \theta = -\theta
    K((a - \theta) / \epsilon) / \epsilon`. The number of units moves the thresholds alone.

    Reference:
        S. Rajamanoharan et al., Jumping ahead: improving reconstruction fidelity with JumpReLU
        sparse autoencoders, 2024.

    Example:
        >>> import torch
        >>> part = JumpReLU(threshold=1.5).build(3)
        >>> found = part(torch.tensor([[3.0, 1.0, 2.0]]), torch.zeros(3))
        >>> found.z.tolist(), found.charge.tolist()
        ([[3.0, 0.0, 2.0]], [2.0])
    """

    weight: float = field(1.0, "weight of the number of active units (lambda)", low=0)
    threshold: float = field(0.3, "where every threshold starts (theta)", above=0)
    bandwidth: float = field(
        0.5, "reach of what a threshold learns from, in units of activations (epsilon)", above=0
    )

    def _module(self, units: int) -> JumpingUnits:
        return JumpingUnits(units, self.weight, self.threshold, self.bandwidth)


class JumpingUnits(Sparsity):
    """Units above a threshold; see :class:`JumpReLU`."""

    def __init__(self, units: int, weight: float, threshold: float, bandwidth: float) -> None:
        super().__init__()
        self.weight, self.bandwidth = weight, bandwidth
        self.log_threshold = nn.Parameter(torch.full((units,), math.log(threshold)))

    def codes(self, pre: Tensor, bias: Tensor) -> Tensor:
        return pre.relu() * (pre > self.log_threshold.exp())

    def forward(self, pre: Tensor, bias: Tensor) -> SparseUnits:
        a, theta = pre.relu(), self.log_threshold.exp()
        at = theta.detach()
        is_above = (a > at).to(a.dtype)
        is_near = ((a.detach() - at).abs() <= 0.5 * self.bandwidth).to(a.dtype)
        # 0 in value; its derivative with respect to θ is −K / ε
        slope = (at - theta) * is_near / self.bandwidth
        return SparseUnits(a * is_above + at * slope, (is_above + slope).sum(1))


@dataclass(repr=False)
class Gated(SparsityPart):
    r"""One map says which units are used, another how much; the sum of the gates is charged.

    .. math:: \pi = W x + b, \quad z = [\pi > 0] \odot \max(0, e^{r} \odot W x + c), \quad
              \lambda \lVert \max(0, \pi) \rVert_1

    so that what is used is not made smaller by its price. The open gates must reconstruct x too,
    by a decoder that stands still: :math:`\lVert x - g(\max(0, \pi)) \rVert^2` is added.

    Reference:
        S. Rajamanoharan et al., Improving dictionary learning with gated sparse autoencoders,
        NeurIPS 2024.

    Example:
        >>> import torch
        >>> found = Gated().build(3)(torch.tensor([[3.0, -1.0, 1.0]]), torch.zeros(3))
        >>> found.z.tolist(), found.charge.tolist()
        ([[3.0, 0.0, 1.0]], [4.0])
    """

    weight: float = field(1.0, "weight of the sum of the gates (lambda)", low=0)

    def _module(self, units: int) -> GatedUnits:
        return GatedUnits(units, self.weight)


class GatedUnits(Sparsity):
    """Units with a gate and a magnitude; see :class:`Gated`."""

    def __init__(self, units: int, weight: float) -> None:
        super().__init__()
        self.weight = weight
        self.log_scale = nn.Parameter(torch.zeros(units))  # r
        self.shift = nn.Parameter(torch.zeros(units))  # c

    def codes(self, pre: Tensor, bias: Tensor) -> Tensor:
        magnitude = (self.log_scale.exp() * (pre - bias) + self.shift).relu()
        return magnitude * (pre > 0)

    def forward(self, pre: Tensor, bias: Tensor) -> SparseUnits:
        gate = pre.relu()
        return SparseUnits(self.codes(pre, bias), gate.sum(1), gate)
