"""The gated PixelCNN: an exact distribution over grids of indices, one position after another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from isthmus.core.fields import field
from isthmus.core.forward import Level
from isthmus.priors._autoregressive import AutoregressivePrior, CausalNetwork
from isthmus.priors._indices import embedded


@dataclass(repr=False, eq=False, kw_only=True)
class PixelCNN(AutoregressivePrior):
    r"""Gated PixelCNN over a quantised member's indices: each follows those above and left of it.

    .. math:: p(z) = \prod_l \prod_i p(z_{l,i} \mid z_{l,1}, \dots, z_{l,i-1},
              \; z_1, \dots, z_{l-1}, \; y)

    There is a network for each level l, from the coarsest; it sees the whole grids of the levels
    before it, brought to its own size, and the class y where there are labels. A level of one axis
    is a single row. The networks share no weights and their losses are summed, so one training of
    all does to each what a training by itself would do. ``sample(temperature=t)`` divides the
    logits by t; 0 takes the most likely index at every position. Below a ``top_p`` of 1, draws are
    among the likeliest entries that have this probability together (nucleus sampling).

    With labels, ``guidance`` w draws each index by

    .. math:: p_w(z_i \mid z_{<i}, y) \propto p(z_i \mid z_{<i}, y)
              \left(\frac{p(z_i \mid z_{<i}, y)}{p(z_i \mid z_{<i})}\right)^w, \quad
              p(z_i \mid z_{<i}) = \sum_c p(c \mid z_{<i}) \, p(z_i \mid z_{<i}, c)

    with classes that count alike. It is the prior's own classifier, to the power of w: draws become
    more typical of their class and less varied. All classes are looked at, so it takes as many
    times as long; densities are those without it.

    Reference:
        A. van den Oord, N. Kalchbrenner, O. Vinyals, L. Espeholt, A. Graves and K. Kavukcuoglu,
        Conditional image generation with PixelCNN decoders, NIPS 2016; levels: A. Razavi, A. van
        den Oord and O. Vinyals, Generating diverse high-fidelity images with VQ-VAE-2, NeurIPS
        2019; guidance: J. Ho and T. Salimans, Classifier-free diffusion guidance, NeurIPS 2021
        workshop; nucleus: A. Holtzman, J. Buys, L. Du, M. Forbes and Y. Choi, The curious case of
        neural text degeneration, ICLR 2020.
    """

    channels: int = field(32, "channels of every layer", low=1)
    layers: int = field(5, "gated layers of each level's network", low=1)
    reach: int = field(2, "rows and columns that a layer looks back over", low=1)

    def _network(self, level: Level, above: Sequence[Level]) -> GatedPixelCNN:
        return GatedPixelCNN(
            level,
            above,
            self.condition_size,
            self.channels,
            self.layers,
            self.reach,
            self.dropout,
        )


class GatedPixelCNN(CausalNetwork):
    """The gated PixelCNN of one level.

    Args:
        level: its grid and the number of its entries.
        above: the levels that it may see as a whole.
        condition_size: numbers of a condition, one for each class; 0 without.
        channels, layers, reach, dropout: as the fields of :class:`PixelCNN`.
    """

    def __init__(
        self,
        level: Level,
        above: Sequence[Level],
        condition_size: int,
        channels: int,
        layers: int,
        reach: int,
        dropout: float,
    ) -> None:
        super().__init__(level, above, condition_size, channels)
        self.layers = nn.ModuleList(
            GatedLayer(channels, reach, dropout, is_first=i == 0) for i in range(layers)
        )
        self.logits = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(channels, channels, 1),
            nn.ReLU(),
            nn.Conv2d(channels, level.size, 1),
        )

    @property
    def gated(self) -> list[GatedLayer]:
        """The layers."""
        return list(cast("Iterable[GatedLayer]", self.layers))

    def forward(self, indices: Tensor, above: Sequence[Tensor], condition: Tensor | None) -> Tensor:
        x = embedded(self.entries, indices.unflatten(1, self.shape))
        v, h, context = x, x, self.context(above, condition)
        for layer in self.gated:
            v, words = layer.down(v, context)
            h = layer.across(h, words)
        logits: Tensor = self.logits(h)  # (n, size, h, w)
        return logits.flatten(2).mT

    def steps(self, n: int, above: Sequence[Tensor], condition: Tensor | None) -> RowSteps:
        return RowSteps(self, n, self.context(above, condition))


class RowSteps:
    """Goes through a grid; a row is told once of those above it, a column is computed once.

    Args:
        network: whose logits are given.
        n: how many grids go side by side.
        context: what is known at each position, ``(n or 1, channels, h, w)``.
    """

    def __init__(self, network: GatedPixelCNN, n: int, context: Tensor) -> None:
        self._network, self._context, self._size = network, context, (n, *network.shape)
        self._row, self._column = 0, 0
        channels, (_, width) = context.shape[1], network.shape
        # What each layer saw of the rows above, and of this row's columns.
        self._above = [
            context.new_zeros(n, channels, layer.reach, width) for layer in network.gated
        ]
        self._columns = [
            context.new_zeros(n, layer.reach + width, channels) for layer in network.gated
        ]
        self._said = self._down(context.new_zeros(n, channels, 1, width))

    def logits(self) -> Tensor:
        """Logits of the next position, ``(n, size)``."""
        column, h = self._column, self._columns[0][:, 0]
        for layer, seen, said in zip(self._network.gated, self._columns, self._said, strict=True):
            if not layer.is_first:
                seen[:, layer.reach + column] = h
            h = layer.at(h, seen[:, column : column + layer.back], said[:, column])
        logits: Tensor = self._network.logits(h[:, :, None, None])
        return logits.flatten(1)

    def accept(self, index: Tensor) -> None:
        """Go on, with the index ``(n,)`` that the next position has."""
        self._columns[0][:, self._network.gated[0].reach + self._column] = self._network.entries(
            index
        )
        self._column += 1
        if self._column == self._size[2]:
            reach = self._network.gated[0].reach
            row = self._columns[0][:, reach:].mT[:, :, None]  # (n, channels, 1, w)
            self._row, self._column = self._row + 1, 0
            self._said = self._down(row)

    def _down(self, row: Tensor) -> list[Tensor]:
        """What each layer says of the rows above to the one that begins, ``(n, w, 2 * channels)``.

        ``row`` is the one before, embedded, ``(n, channels, 1, w)``.
        """
        context, said = self._context[:, :, self._row : self._row + 1], []
        for i, layer in enumerate(self._network.gated):
            seen = torch.cat([self._above[i], row], 2)  # the rows that the layer looks back over
            self._above[i] = seen[:, :, 1:]
            row, words = layer.below(seen[:, :, -layer.back :], context)
            said.append(words[:, :, 0].mT)
        return said


class GatedLayer(nn.Module):
    """One gated layer of both stacks.

    Kernels that end where they may not look take the place of masks: no product is computed to be
    thrown away, and the vertical kernel is as wide as it is, so there is no blind spot. The first
    layer does not see the position itself.
    """

    def __init__(self, channels: int, reach: int, dropout: float, is_first: bool) -> None:
        super().__init__()
        self.reach, self.is_first = reach, is_first
        self.back = reach if is_first else reach + 1
        self.rows = nn.Conv2d(channels, 2 * channels, (self.back, 2 * reach + 1))
        self.columns = nn.Conv2d(channels, 2 * channels, (1, self.back))
        self.link = nn.Conv2d(2 * channels, 2 * channels, 1)
        self.context = nn.Conv2d(channels, 4 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)
        self.dropout = nn.Dropout2d(dropout)

    def down(self, v: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """From vertical features ``(n, channels, h, w)`` to the next, and what rows are told."""
        # the first layer's kernel would leave one row too many: the last row is for nobody
        rows = v[:, :, : v.shape[2] - self.is_first]
        return self.below(functional.pad(rows, (0, 0, self.reach, 0)), context)

    def below(self, v: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """The same for the rows below the first ``back - 1``."""
        ours, theirs = self.context(context).chunk(2, 1)
        seen = self.rows(functional.pad(v, (self.reach, self.reach)))
        return self.dropout(_gate(seen + ours)), self.link(seen) + theirs

    def across(self, h: Tensor, words: Tensor) -> Tensor:
        """From the horizontal features ``(n, channels, h, w)`` to the next."""
        seen = self.columns(functional.pad(h, (self.reach, 0, 0, 0)))[..., : h.shape[3]]
        out: Tensor = self.out(self.dropout(_gate(seen + words)))
        return out if self.is_first else h + out

    def at(self, h: Tensor, before: Tensor, words: Tensor) -> Tensor:
        """The same at one column: ``h: (n, channels)``, and the columns ``before`` that it looks
        back over, ``(n, back, channels)``.
        """
        kernel = self.columns.weight[:, :, 0].mT.flatten(1)  # (2 * channels, back * channels)
        seen = functional.linear(before.flatten(1), kernel, self.columns.bias)
        out = functional.linear(_gate(seen + words), self.out.weight.flatten(1), self.out.bias)
        return out if self.is_first else h + out


def _gate(x: Tensor) -> Tensor:
    """tanh of one half of the channels times the sigmoid of the other."""
    signal, gate = x.chunk(2, 1)
    return signal.tanh() * gate.sigmoid()
