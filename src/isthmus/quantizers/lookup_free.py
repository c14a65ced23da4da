"""Lookup-free quantization: a few numbers, of which the signs remain."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from isthmus.core import sharding
from isthmus.core.fields import field
from isthmus.core.reductions import squared_error, sum_dimensions
from isthmus.errors import InputError
from isthmus.quantizers._scalars import ScalarQuantizer
from isthmus.quantizers.base import Quantized, QuantizerPart

_TINY = 1e-30  # the slope of the entropy has no end at 0


@dataclass(repr=False)
class LFQ(QuantizerPart):
    r"""Lookup-free quantizer: a vector is represented by the signs of a few numbers.

    .. math:: e_j = \mathrm{sign}(u_j), \quad u = W h + b, \quad \text{charge} = \beta \sum_i
              \lVert u_i - e_i \rVert^2 + w \sum_i \big( H[q(\cdot \mid u_i)]
              - H[\tfrac{1}{m} \sum_{k=1}^m q(\cdot \mid u_k)] \big)

    where i counts the places of one example and k those of the batch. :math:`q(e \mid u) \propto
    \exp(-\lVert u - e \rVert^2 / \tau)` chooses among all :math:`2^b` entries. Its entropy H is
    small where a vector is sure of its entry; that of the mean is great where the batch uses all of
    them alike. Both are exact, in nats. The gradient passes the sign as if it were not there. The
    loss of an example depends on its batch, by the second entropy.

    The member's ``latent_dim`` is the size of the vectors h that the encoder makes and the decoder
    gets: linear maps lead from it to the ``bits`` numbers and back. There are none where the two
    are equal. An index is :math:`\sum_j [u_j > 0] \, 2^{j-1}`.

    Reference:
        L. Yu and others, Language model beats diffusion: tokenizer is key to visual generation,
        ICLR 2024.

    Example:
        >>> import torch
        >>> quantizer = LFQ(bits=3).build(3, epochs=1).eval()
        >>> found = quantizer(torch.tensor([[0.2, -3.0, 1.5]]))
        >>> found.indices.tolist(), found.passed.tolist()
        ([5], [[1.0, -1.0, 1.0]])
    """

    bits: int = field(8, "numbers whose signs are kept: 2**bits entries", low=1, high=18)
    commitment: float = field(
        0.25, "weight of the distance that holds the numbers to their signs (beta)", low=0
    )
    entropy: float = field(
        0.3, "weight of the entropy penalty: each vector sure of its entry, all entries used", low=0
    )
    temperature: float = field(
        0.1, "how soft the choice is, in squared distance, for the entropy penalty (tau)", above=0
    )

    def _module(self, dim: int, epochs: int) -> LookupFreeQuantizer:
        return LookupFreeQuantizer(self.bits, dim, self.commitment, self.entropy, self.temperature)


class LookupFreeQuantizer(ScalarQuantizer):
    """Keeps the signs of ``bits`` numbers; arguments as :class:`LFQ` says."""

    def __init__(
        self, bits: int, dim: int, commitment: float, entropy: float, temperature: float
    ) -> None:
        super().__init__((2,) * bits, dim)
        self.commitment, self.entropy, self.temperature = commitment, entropy, temperature

    def forward(self, proposed: Tensor) -> Quantized:
        numbers = self.numbers(proposed)  # (n, *grid, bits)
        digits = (numbers > 0).long()
        signs = self.values(digits)
        terms = {
            "commitment": squared_error(numbers, signs),
            "entropy": self.entropy_penalty(numbers),
        }
        charge = self.commitment * terms["commitment"] + self.entropy * terms["entropy"]
        passed = self.vectors(signs + (numbers - numbers.detach()))
        return Quantized(passed, self.index(digits), charge, terms)

    def values(self, digits: Tensor) -> Tensor:
        return 2.0 * digits - 1

    def entropy_penalty(self, numbers: Tensor) -> Tensor:
        """Entropies of each example's choices, less those of the batch's mean choice, ``(n,)``.

        The numbers are ``(n, *grid, bits)``.
        """
        # Squared distances to both signs differ by 4u, and the bits are independent given u.
        logits = 4 * numbers / self.temperature
        on = logits.sigmoid()
        own = sum_dimensions(F.softplus(logits) - on * logits)  # (n,)
        places = math.prod(numbers.shape[1:-1])
        if self.training and self.entropy > 0 and sharding.total(len(numbers)) * places < 2:
            raise InputError(
                "LFQ compares how often a batch chooses its entries, of which a single vector says"
                " nothing: give a batch_size of at least 2, or entropy=0."
            )
        mean = mean_choice(on.flatten(0, -2)).clamp(min=_TINY)
        return own - places * torch.special.entr(mean).sum()

    def remedy(self, used: int) -> str:
        return f"train for more epochs, raise entropy, or do with bits={max(1, used.bit_length())}"


def mean_choice(on: Tensor) -> Tensor:
    """The mean choice of the whole batch among the entries, ``(2**bits,)`` in some order.

    Bits are independent, and on with probabilities ``(m, bits)``.

    Each half of the bits is enumerated alone, and one product joins them: no ``(m, 2**bits)``.
    """
    left, right = (_joint(half) for half in on.tensor_split(2, dim=1))
    return sharding.all_sum(left.T @ right).flatten() / sharding.total(len(on))


def _joint(on: Tensor) -> Tensor:
    """The distribution over all settings of independent bits: ``(m, b)`` to ``(m, 2**b)``."""
    found = on.new_ones(len(on), 1)
    for one in on.unbind(1):
        pair = torch.stack([1 - one, one], dim=1)  # (m, 2)
        found = (found[:, :, None] * pair[:, None]).flatten(1)
    return found
