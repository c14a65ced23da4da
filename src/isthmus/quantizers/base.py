"""What every quantizer offers: from a grid of vectors to integer codes, and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from isthmus.core import sharding
from isthmus.core.parts import SlotPart

_NONE: Mapping[str, Tensor] = {}


class Quantized(NamedTuple):
    """A grid of vectors, and what stands for them.

    Attributes:
        passed: the quantised vectors, ``(n, dim, *grid)``; their gradient goes to the proposed.
        indices: which entries these are, ``(n, *grid)``, or ``(n, *grid, k)`` where k of them
            stand together for one vector.
        charge: what is added to the objective, weighted, ``(n,)``; None adds nothing.
        terms: what is reported, unweighted, each ``(n,)``.
    """

    passed: Tensor
    indices: Tensor
    charge: Tensor | None = None
    terms: Mapping[str, Tensor] = _NONE


class Quantizer(nn.Module, ABC):
    """Replaces vectors by entries of finite sets, of which indices remain.

    A quantizer with nothing to learn implements :meth:`forward` and :meth:`embed` alone.
    """

    levels: tuple[int, ...]
    """How many entries each of the k indices of one vector chooses from."""
    is_nested: bool = False
    """Whether the first of the k indices stand for the vector too, only more coarsely."""

    @abstractmethod
    def forward(self, proposed: Tensor) -> Quantized:
        """What stands for vectors ``(n, dim, *grid)``."""

    @abstractmethod
    def embed(self, indices: Tensor) -> Tensor:
        """The vectors ``(n, dim, *grid)`` of indices, as :meth:`forward` gives them.

        Where it :attr:`is_nested` they may be fewer than k.
        """

    @property
    def vectors_to_start(self) -> int:
        """How many vectors :meth:`start` wants to see; 0 where nothing starts from data."""
        return 0

    def start(self, proposed: Tensor) -> None:
        """Look at the vectors ``(n, dim, *grid)`` of some examples before the first step."""

    def learn(self, proposed: Tensor, found: Quantized) -> None:
        """Take note of a batch of training, and of what was found for it."""

    def anneal(self, epoch: float) -> None:
        """Take note of how far training has come, in finished epochs, with fractions."""

    def close_epoch(self) -> dict[str, float]:
        """Look back on an epoch: what to add to its row in the history."""
        return {}

    def remedy(self, used: int) -> str:
        """What helps where only ``used`` of a level's entries are in use."""
        return "train for more epochs, or lower learning_rate or latent_dim"


@dataclass(repr=False)
class QuantizerPart(SlotPart, ABC):
    """A quantizer as it is chosen: its settings, from which :meth:`build` makes the module."""

    def dim(self, latent_dim: int) -> int:
        """The size of the vectors that it wants; the member's ``latent_dim`` if it has no say."""
        return latent_dim

    def build(self, dim: int, *, epochs: int) -> Quantizer:
        """The module for vectors of a size, for a training that lasts so many epochs.

        Raises:
            InputError: for fields that cannot be used.
        """
        self.validate()
        return self._module(dim, epochs)

    @abstractmethod
    def _module(self, dim: int, epochs: int) -> Quantizer:
        """What :meth:`build` gives, from fields that were checked."""


def counts_of(indices: Tensor, size: int) -> Tensor:
    """How often the whole batch chooses each of ``size`` entries, ``(size,)``.

    Indices are those of this process, of any shape.
    """
    flat = indices.flatten()
    return sharding.all_sum(flat.new_zeros(size).scatter_add_(0, flat, torch.ones_like(flat)))


def use_of(uses: Tensor) -> dict[str, float]:
    """What an epoch's counts ``(size,)`` say: the share of entries in use, and the perplexity.

    The perplexity is the exponential of the entropy: so many entries, used equally often, would say
    as much.
    """
    shares = uses / uses.sum().clamp(min=1)
    return {
        "usage": float((uses > 0).float().mean()),
        "perplexity": float(torch.special.entr(shares).sum().exp()),
    }
