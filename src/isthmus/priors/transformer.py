"""The causal transformer: an exact distribution over indices, each of which sees those before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from isthmus.core.fields import field
from isthmus.core.forward import Level
from isthmus.networks.attention import AttentionBlock
from isthmus.priors._attending import AttentionNetwork, AttentionPrior, AttentionSize
from isthmus.priors._attention import backwards, turned
from isthmus.priors._autoregressive import AutoregressivePrior, CausalNetwork
from isthmus.priors._indices import places


@dataclass(repr=False, eq=False, kw_only=True)
class Transformer(AttentionPrior, AutoregressivePrior):
    r"""Causal transformer over a quantised member's indices: each attends to those before it.

    .. math:: p(z) = \prod_l \prod_i p(z_{l,i} \mid z_{l,1}, \dots, z_{l,i-1},
              \; z_1, \dots, z_{l-1}, \; y)

    There is a network for each level l, from the coarsest. It reads the indices of its level in
    their order, row by row, behind a first vector that stands for none; at each place are added a
    learnt vector of the place, one of the class y where there are labels, and the indices of the
    levels before, brought to the grid of this one (Jukebox's way; several indices at a place, as of
    a residual quantizer, are levels of the same grid). Attention is turned by the distance along
    rows and columns (rotary positions). It reaches ``context`` places back in each layer, so
    ``layers`` times as far in all, and the cost of long grids grows with their length alone. The
    networks share no weights, and their losses are summed.

    ``sample(temperature=t)`` divides the logits by t; 0 takes the most likely index at every place.
    ``guidance`` and ``top_p`` are those of :class:`~isthmus.priors.pixelcnn.PixelCNN`. While
    drawing, keys and values of earlier places are kept.

    Raises:
        InputError: at ``fit``, for channels that the heads cannot share.

    Reference:
        A. Vaswani, N. Shazeer, N. Parmar, J. Uszkoreit, L. Jones, A. N. Gomez, Ł. Kaiser and I.
        Polosukhin, Attention is all you need, NIPS 2017; levels: P. Dhariwal, H. Jun, C. Payne, J.
        W. Kim, A. Radford and I. Sutskever, Jukebox: a generative model for music, 2020.

    Example:
        >>> import isthmus as ist
        >>> data = ist.data.load("digits")
        >>> model = ist.VQVAE(epochs=1, random_state=0).fit(data.train)
        >>> prior = ist.priors.Transformer(channels=32, layers=2, epochs=1)
        >>> model = model.fit_prior(data.train, prior=prior)
        >>> model.sample(5, label=3, random_state=0).shape
        (5, 1, 8, 8)
    """

    context: int = field(512, "places that a layer looks back over", low=1)

    def _network(self, level: Level, above: Sequence[Level]) -> CausalTransformer:
        return CausalTransformer(self._size, level, above, self.context)


class CausalTransformer(AttentionNetwork, CausalNetwork):
    """The transformer of one level: each place attends to those before it.

    Args:
        size: how large it is.
        level: its grid and the number of its entries.
        above: the levels that it may see as a whole.
        context: as the field of :class:`Transformer`.
    """

    def __init__(
        self, size: AttentionSize, level: Level, above: Sequence[Level], context: int
    ) -> None:
        super().__init__(size, level, above)
        self.window = min(context, places(level))
        self.start = nn.Parameter(torch.zeros(size.channels))

    def forward(self, indices: Tensor, above: Sequence[Tensor], condition: Tensor | None) -> Tensor:
        before = functional.pad(self.entries(indices[:, :-1]), (0, 0, 1, 0))
        return self.attended(before + self.told(above, condition), backwards(self.window))

    def steps(self, n: int, above: Sequence[Tensor], condition: Tensor | None) -> CachedSteps:
        return CachedSteps(self, n, self.told(above, condition))

    def told(self, above: Sequence[Tensor], condition: Tensor | None) -> Tensor:
        """What is added at each place, ``(n or 1, places, channels)``: at the first the start."""
        context = self.context(above, condition).flatten(2).mT
        return torch.cat([context[:, :1] + self.start, context[:, 1:]], 1)


class CachedSteps:
    """Goes through the places of a level; the keys and values of earlier ones are kept.

    Args:
        network: whose logits are given.
        n: how many grids go side by side.
        told: what is known at each place, ``(n or 1, places, channels)``.
    """

    def __init__(self, network: CausalTransformer, n: int, told: Tensor) -> None:
        self._network, self._told, self._place = network, told, 0
        self._blocks = list(cast("Iterable[AttentionBlock]", network.blocks))
        # Twice the window, so that what is out of sight is dropped seldom.
        capacity = min(told.shape[1], 2 * network.window)
        heads, size = self._blocks[0].heads, told.shape[2] // self._blocks[0].heads
        self._kept = told.new_zeros(len(self._blocks), 2, n, heads, capacity, size)
        self._filled = 0
        self._logits = self._next(told.new_zeros(n, told.shape[2]))

    def logits(self) -> Tensor:
        """Logits of the next place, ``(n, size)``."""
        return self._logits

    def accept(self, index: Tensor) -> None:
        """Go on, with the index ``(n,)`` that the next place has."""
        self._place += 1
        self._logits = self._next(self._network.entries(index))

    def _next(self, before: Tensor) -> Tensor:
        """Logits of the next place, from the vector of the index before it, ``(n, channels)``."""
        if self._filled == self._kept.shape[4]:
            seen = self._network.window - 1
            self._kept[..., :seen, :] = self._kept[..., self._filled - seen :, :].clone()
            self._filled = seen
        x = (before + self._told[:, self._place])[:, None]  # (n, 1, channels)
        turn = partial(turned, turns=self._network.turns(self._place, self._place + 1))
        for i, block in enumerate(self._blocks):
            x = block(x, partial(self._attend, i), turn)
        self._filled += 1
        logits: Tensor = self._network.logits(x)[:, 0]
        return logits

    def _attend(self, block: int, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """One place attends to itself and to what is kept, as far as the window goes."""
        stop = self._filled + 1
        kept = self._kept[block, :, :, :, max(0, stop - self._network.window) : stop]
        kept[:, :, :, -1:] = torch.stack([keys, values])
        return functional.scaled_dot_product_attention(queries, kept[0], kept[1])
