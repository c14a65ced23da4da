"""The largest units are used: of every example by itself, or of a batch as a whole."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from isthmus.core import sharding
from isthmus.core.fields import field
from isthmus.sparsities.base import SparseUnits, Sparsity, SparsityPart, keep_largest, require_fewer

_SHARE = 16  # units for each that is kept, where nothing is said
_REMEMBERED = 20  # batches that the threshold for single examples is a mean of


@dataclass(repr=False)
class TopK(SparsityPart):
    r"""The k largest of the rectified units of every example.

    .. math:: z = \mathrm{TopK}_k\big(\max(0, W x + b)\big)

    Nothing is charged: k is the number of active units.

    Raises:
        InputError: for a k above the number of units.

    References:
        A. Makhzani and B. Frey, k-sparse autoencoders, ICLR 2014. L. Gao et al., Scaling and
        evaluating sparse autoencoders, ICLR 2025.

    Example:
        >>> import torch
        >>> part = TopK(k=2).build(4)
        >>> part.codes(torch.tensor([[3.0, -1.0, 1.0, 2.0]]), torch.zeros(4)).tolist()
        [[3.0, 0.0, 0.0, 2.0]]
    """

    k: int | None = field(None, "units that an example uses; none: a sixteenth of them", low=1)

    def _module(self, units: int) -> LargestUnits:
        return LargestUnits(_kept(self.k, units))


class LargestUnits(Sparsity):
    """Keeps ``k`` units of every example; see :class:`TopK`."""

    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k

    def codes(self, pre: Tensor, bias: Tensor) -> Tensor:
        return keep_largest(pre.relu(), self.k)


@dataclass(repr=False)
class BatchTopK(SparsityPart):
    r"""The k n largest units of a batch of n examples, of which one may use more than another.

    .. math:: z_{ij} = a_{ij} \, [a_{ij} \ge \tau_B], \quad a = \max(0, W x + b)

    where :math:`\tau_B` is the (k n)-th largest activation of the batch. Outside of training an
    example stands for itself: the threshold is then a mean of :math:`\tau_B` that forgets all
    but some twenty batches of training.

    Raises:
        InputError: for a k above the number of units.

    Reference:
        B. Bussmann, P. Leask and N. Nanda, BatchTopK sparse autoencoders, 2024.

    Example:
        >>> import torch
        >>> part, pre = BatchTopK(k=1).build(3), torch.tensor([[3.0, 2.0, 0.5], [1.0, 0.5, 0.0]])
        >>> part(pre, torch.zeros(3)).z.tolist()
        [[3.0, 2.0, 0.0], [0.0, 0.0, 0.0]]
    """

    k: int | None = field(
        None, "units that an example uses on average; none: a sixteenth of them", low=1
    )

    def _module(self, units: int) -> LargestOfBatch:
        return LargestOfBatch(_kept(self.k, units))


class LargestOfBatch(Sparsity):
    """Keeps ``k`` units an example, whichever example they belong to; see :class:`BatchTopK`."""

    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k
        self.register_buffer("threshold", torch.zeros(()))
        self.register_buffer("batches", torch.zeros(()))
        self.threshold: Tensor
        self.batches: Tensor

    def codes(self, pre: Tensor, bias: Tensor) -> Tensor:
        z = pre.relu()
        return z * (z >= self.threshold)

    def forward(self, pre: Tensor, bias: Tensor) -> SparseUnits:
        if not self.training:
            return super().forward(pre, bias)
        z = pre.relu()
        whole = sharding.gather(z.detach()).flatten()  # of all processes
        least = whole.topk(self.k * sharding.total(len(z))).values[-1]
        self.batches.add_(1).clamp_(max=_REMEMBERED)
        self.threshold += (least - self.threshold) / self.batches
        return SparseUnits(z * (z >= least))


def _kept(k: int | None, units: int) -> int:
    """How many units are kept, as a field says."""
    if k is None:
        return max(1, units // _SHARE)
    require_fewer(k, units)
    return k
