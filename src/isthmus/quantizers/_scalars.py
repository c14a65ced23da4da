"""Quantizers without a codebook: each of a few numbers is rounded by itself."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from isthmus.errors import InputError
from isthmus.quantizers.base import Quantized, Quantizer, counts_of, use_of

MOST_ENTRIES = 2**18
"""How many entries there may be: their use is counted one by one."""


class ScalarQuantizer(Quantizer, ABC):
    r"""d numbers stand for a vector, and number j takes one of :math:`L_j` values.

    A linear map leads from the vectors to the d numbers, and another one back; there is none where
    vectors have d numbers already. The index is :math:`\sum_j g_j \prod_{i<j} L_i`, where
    :math:`g_j` counts the values of number j from 0.

    Args:
        radices: how many values each number takes, :math:`L_1, \dots, L_d`.
        dim: the size of the vectors.

    Raises:
        InputError: for more than 262144 entries, :math:`\prod_j L_j`.
    """

    def __init__(self, radices: Sequence[int], dim: int) -> None:
        super().__init__()
        self.radices, self.size = tuple(radices), math.prod(radices)
        if self.size > MOST_ENTRIES:
            raise InputError(
                f"{self.size} entries, the product of {self.radices}, are more than the"
                f" {MOST_ENTRIES} that can be counted: take fewer numbers, or fewer values of each."
            )
        self.levels = (self.size,)
        d = len(self.radices)
        self.inward = nn.Identity() if d == dim else nn.Linear(dim, d)
        self.outward = nn.Identity() if d == dim else nn.Linear(d, dim)
        self.register_buffer("uses", torch.zeros(self.size, dtype=torch.int64))
        self.uses: Tensor

    @abstractmethod
    def values(self, digits: Tensor) -> Tensor:
        """The values that digits ``(*, d)`` stand for, whole numbers from 0, as floats."""

    def numbers(self, proposed: Tensor) -> Tensor:
        """From vectors ``(n, dim, *grid)`` to the numbers that are rounded, ``(n, *grid, d)``."""
        with torch.autocast(proposed.device.type, enabled=False):
            found: Tensor = self.inward(proposed.movedim(1, -1))
        return found

    def vectors(self, values: Tensor) -> Tensor:
        """From rounded numbers ``(n, *grid, d)`` to vectors ``(n, dim, *grid)``."""
        with torch.autocast(values.device.type, enabled=False):
            found: Tensor = self.outward(values)
        return found.movedim(-1, 1).contiguous()

    def index(self, digits: Tensor) -> Tensor:
        """The indices ``(n, *grid)`` of whole numbers ``(n, *grid, d)``, which count from 0."""
        return (digits * self._places(digits)).sum(-1)

    def embed(self, indices: Tensor) -> Tensor:
        radices = torch.tensor(self.radices, device=indices.device)
        digits = indices[..., None] // self._places(indices) % radices
        return self.vectors(self.values(digits))

    @torch.no_grad()
    def learn(self, proposed: Tensor, found: Quantized) -> None:
        """Count what a batch of training chose."""
        self.uses += counts_of(found.indices, self.size)

    def close_epoch(self) -> dict[str, float]:
        """The share of entries that the epoch used, and the perplexity of their use."""
        found = use_of(self.uses)
        self.uses.zero_()
        return found

    def _places(self, like: Tensor) -> Tensor:
        """What a step of each number adds to the index, ``(d,)``."""
        places = [math.prod(self.radices[:j]) for j in range(len(self.radices))]
        return torch.tensor(places, device=like.device)
