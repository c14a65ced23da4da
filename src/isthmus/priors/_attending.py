"""What priors that are transformers over indices share: their size, and the network of a level."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from torch import Tensor, nn

from isthmus.core.fields import field
from isthmus.core.forward import Level
from isthmus.errors import InputError
from isthmus.networks.attention import Attend, AttentionBlock
from isthmus.priors._attention import Rotary, turned
from isthmus.priors._indices import IndexPrior, LevelNetwork, start_small


@dataclass(frozen=True)
class AttentionSize:
    """How large the network of a level is; all but the first as the fields of a prior.

    Attributes:
        condition_size: numbers of a condition, one for each class; 0 without.
        channels, layers, heads, dropout: of :class:`AttentionPrior`.
    """

    condition_size: int
    channels: int
    layers: int
    heads: int
    dropout: float = 0.0


@dataclass(repr=False, eq=False, kw_only=True)
class AttentionPrior(IndexPrior, ABC):
    """A transformer over the indices of every level."""

    channels: int = field(128, "channels of every layer", low=1)
    layers: int = field(4, "layers of attention of each level's network", low=1)
    heads: int = field(4, "attentions side by side in a layer, which share its channels", low=1)

    @property
    def _size(self) -> AttentionSize:
        return AttentionSize(
            self.condition_size, self.channels, self.layers, self.heads, self.dropout
        )

    def _admit(self, codes: Tensor, levels: Sequence[Level]) -> None:
        super()._admit(codes, levels)
        if self.channels % (4 * self.heads):  # a pair of numbers for each axis
            raise InputError(
                f"channels={self.channels} cannot be shared by heads={self.heads}: give a multiple"
                f" of {4 * self.heads}."
            )


class AttentionNetwork(LevelNetwork):
    """The transformer of one level.

    Args:
        size: how large it is.
        level: its grid and the number of its entries.
        above: the levels that it may see as a whole.
    """

    def __init__(self, size: AttentionSize, level: Level, above: Sequence[Level]) -> None:
        channels, heads, dropout = size.channels, size.heads, size.dropout
        super().__init__(level, above, size.condition_size, channels)
        start_small(self)
        self.turns = Rotary(self.shape, channels // heads)
        self.blocks = nn.ModuleList(
            AttentionBlock(channels, heads, dropout) for _ in range(size.layers)
        )
        self.logits = nn.Sequential(nn.LayerNorm(channels), nn.Linear(channels, level.size))
        self.dropout = nn.Dropout(dropout)

    def attended(self, x: Tensor, attend: Attend) -> Tensor:
        """Logits ``(n, places, size)`` from the vectors of all places ``(n, places, channels)``."""
        x, turn = self.dropout(x), partial(turned, turns=self.turns())
        for block in self.blocks:
            x = block(x, attend, turn)
        logits: Tensor = self.logits(x)
        return logits
