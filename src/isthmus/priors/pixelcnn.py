"""The gated PixelCNN: an exact distribution over grids of indices, one position after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from isthmus.core.batch import Batch
from isthmus.core.fields import field
from isthmus.core.forward import Level
from isthmus.core.objectives import Loss
from isthmus.core.randomness import drawing_nothing
from isthmus.errors import InputError
from isthmus.priors._trained import Density, TrainedPrior


@dataclass(repr=False, eq=False, kw_only=True)
class PixelCNN(TrainedPrior):
    r"""Gated PixelCNN over a quantised member's indices: each follows those above and left of it.

    .. math:: p(z) = \prod_l \prod_i p(z_{l,i} \mid z_{l,1}, \dots, z_{l,i-1},
              \; z_1, \dots, z_{l-1}, \; y)

    There is a network for each level l, from the coarsest; it sees the whole grids of the levels
    before it, brought to its own size, and the class y where there are labels. A level of one axis
    is a single row. The networks share no weights and their losses are summed, so one training of
    all does to each what a training by itself would do. ``sample(temperature=t)`` divides the
    logits by t; 0 takes the most likely index at every position.

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
        workshop.
    """

    takes_indices = True

    channels: int = field(32, "channels of every layer", low=1)
    layers: int = field(5, "gated layers of each level's network", low=1)
    reach: int = field(2, "rows and columns that a layer looks back over", low=1)
    dropout: float = field(
        0.1, "share of the channels that is left out at random in training", low=0, below=1
    )

    guidance: float = field(
        0.0, "how strongly draws of a class avoid what other classes would draw too", low=0
    )

    def _density(self) -> Density:
        return PixelCNNDensity(
            self.levels_,
            self._condition_size,
            self.channels,
            self.layers,
            self.reach,
            self.dropout,
            guidance=self.guidance,
        )

    def _admit(self, codes: Tensor, levels: Sequence[Level]) -> None:
        super()._admit(codes, levels)
        if any(len(level.grid) > 2 for level in levels):
            raise InputError(
                f"PixelCNN takes grids of one or two axes, not {[level.grid for level in levels]}."
            )
        total = sum(prod(level.grid) for level in levels)
        if codes.is_floating_point() or codes.shape[1:] != (total,):
            raise InputError(
                f"codes of {tuple(codes.shape)} {codes.dtype} are not usable: give whole numbers,"
                f" (n, {total})."
            )
        for level, indices in zip(levels, _split(codes, levels), strict=True):
            if indices.min() < 0 or indices.max() >= level.size:
                raise InputError(
                    f"an index of {int(indices.max())} does not stand in a level of {level.size}"
                    " entries."
                )


class PixelCNNDensity(Density):
    """One network per level, from coarse to fine.

    Args:
        levels: the grids, from the coarsest.
        condition_size: numbers of a condition, one for each class; 0 without.
        settings: channels, layers, reach and dropout of each network.
        guidance: as the field of :class:`PixelCNN`.
    """

    def __init__(
        self,
        levels: Sequence[Level],
        condition_size: int,
        *settings: Any,
        guidance: float = 0.0,
    ) -> None:
        super().__init__()
        self.levels, self.guidance = tuple(levels), guidance
        self.networks = nn.ModuleList(
            GatedPixelCNN(level, levels[:i], condition_size, *settings)
            for i, level in enumerate(levels)
        )

    def log_prob(self, codes: Tensor, condition: Tensor | None = None) -> Tensor:
        return torch.stack(self.by_level(codes, condition)).sum(0)

    def loss(self, batch: Batch) -> Loss:
        levels = [-log_prob for log_prob in self.by_level(batch.x, batch.condition)]
        terms = {f"level_{i}": nll for i, nll in enumerate(levels, 1)} if len(levels) > 1 else {}
        return Loss(torch.stack(levels).sum(0), terms)

    def by_level(self, codes: Tensor, condition: Tensor | None = None) -> list[Tensor]:
        """log p of each level given the ones before it, each ``(n,)``."""
        grids = _split(codes, self.levels)
        found = []
        for i, grid in enumerate(grids):
            logits = self.networks[i](grid, grids[:i], condition)  # (n, size, h, w)
            found.append(
                -functional.cross_entropy(logits, grid, reduction="none").flatten(1).sum(1)
            )
        return found

    def draw(self, n: int, condition: Tensor | None, temperature: float) -> Tensor:
        guide, kept = None, n
        if condition is not None and self.guidance > 0:
            guide = Guide(condition, self.guidance)
            n, condition = len(guide.every), guide.every
        grids: list[Tensor] = []
        for network in self.networks:
            assert isinstance(network, GatedPixelCNN)
            grids.append(network.draw(n, grids, condition, temperature, guide))
        return torch.cat([grid.flatten(1) for grid in grids], 1)[:kept]  # (n, total)


class Guide:
    """Chooses indices that are likely under one class, and less so under others.

    Args:
        condition: the class of each of n draws, one-hot, ``(n, classes)``.
        guidance: the power of the classifier.

    Attributes:
        every: the conditions under which all draws are looked at, ``(classes * n, classes)``.
    """

    def __init__(self, condition: Tensor, guidance: float) -> None:
        (n, classes), self.guidance = condition.shape, guidance
        self.own, self.draws = condition.argmax(1), torch.arange(n, device=condition.device)
        self.seen = torch.zeros(classes, n, device=condition.device)  # log p(z so far | class)
        self.every = torch.eye(classes, device=condition.device).repeat_interleave(n, 0)

    def __call__(self, logits: Tensor, temperature: float) -> Tensor:
        """An index of each draw, repeated for every class, by logits ``(classes * n, size)``."""
        classes, n = self.seen.shape
        under = logits.float().log_softmax(1).unflatten(0, (classes, n))  # (classes, n, size)
        mixed = (under + self.seen.log_softmax(0)[..., None]).logsumexp(0)  # (n, size)
        own = under[self.own, self.draws]  # (n, size)
        chosen = _chosen(own + self.guidance * (own - mixed), temperature)  # (n,)
        self.seen = self.seen + under[:, self.draws, chosen]
        return chosen.repeat(classes)


class GatedPixelCNN(nn.Module):
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
        super().__init__()
        self.shape = _plane(level)
        self.entries = nn.Embedding(level.size, channels)
        self.place = nn.Parameter(torch.zeros(1, channels, *self.shape))
        self.condition: nn.Linear | None = None
        if condition_size:
            self.condition = nn.Linear(condition_size, channels, bias=False)
            nn.init.normal_(self.condition.weight)  # as an embedding starts
        self.above = nn.ModuleList(nn.Embedding(upper.size, channels) for upper in above)
        self.blend = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in above)
        self.layers = nn.ModuleList(
            Gated(channels, reach, dropout, is_first=i == 0) for i in range(layers)
        )
        self.logits = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(channels, channels, 1),
            nn.ReLU(),
            nn.Conv2d(channels, level.size, 1),
        )

    def forward(self, grid: Tensor, above: Sequence[Tensor], condition: Tensor | None) -> Tensor:
        """Logits of each position, ``(n, size, h, w)``, from indices ``(n, h, w)`` before it."""
        x = _embedded(self.entries, grid)
        return self._across(x, self._down(x, self._context(above, condition)))

    def draw(
        self,
        n: int,
        above: Sequence[Tensor],
        condition: Tensor | None,
        temperature: float,
        guide: Guide | None = None,
    ) -> Tensor:
        """n grids ``(n, h, w)``; rows above are read once, a row once for each of its positions."""
        context = self._context(above, condition)
        grid = torch.zeros(n, *self.shape, dtype=torch.int64, device=context.device)
        for row in range(self.shape[0]):
            with drawing_nothing():
                seen = _embedded(self.entries, grid[:, : row + 1])
                said = [words[:, :, row:] for words in self._down(seen, context[:, :, : row + 1])]
            for column in range(self.shape[1]):
                with drawing_nothing():
                    across = self._across(_embedded(self.entries, grid[:, row : row + 1]), said)
                logits = across[:, :, 0, column]  # (n, size)
                grid[:, row, column] = (
                    _chosen(logits, temperature) if guide is None else guide(logits, temperature)
                )
        return grid

    def _context(self, above: Sequence[Tensor], condition: Tensor | None) -> Tensor:
        """What every layer is told at each position, ``(n or 1, channels, h, w)``.

        The place, the class, and the levels above.
        """
        context: Tensor = self.place
        if self.condition is not None and condition is not None:
            context = context + self.condition(condition)[:, :, None, None]  # (n, channels, 1, 1)
        for entries, blend, grid in zip(self.above, self.blend, above, strict=True):
            seen = torch.relu(blend(_embedded(entries, grid)))
            context = context + functional.interpolate(seen, self.shape)
        return context

    def _down(self, x: Tensor, context: Tensor) -> list[Tensor]:
        """What layers tell a row of the rows above it, each ``(n, 2 * channels, h, w)``."""
        said = []
        for layer in self.layers:
            assert isinstance(layer, Gated)
            x, words = layer.down(x, context)
            said.append(words)
        return said

    def _across(self, x: Tensor, said: Sequence[Tensor]) -> Tensor:
        """The horizontal stack: along each row, with what was said of the rows above."""
        for layer, words in zip(self.layers, said, strict=True):
            assert isinstance(layer, Gated)
            x = layer.across(x, words)
        logits: Tensor = self.logits(x)
        return logits


class Gated(nn.Module):
    """One gated layer of both stacks.

    Kernels that end where they may not look take the place of masks: no product is computed to be
    thrown away, and the vertical kernel is as wide as it is, so there is no blind spot. The first
    layer does not see the position itself.
    """

    def __init__(self, channels: int, reach: int, dropout: float, is_first: bool) -> None:
        super().__init__()
        self.reach, self.is_first = reach, is_first
        back = reach if is_first else reach + 1
        self.rows = nn.Conv2d(channels, 2 * channels, (back, 2 * reach + 1))
        self.columns = nn.Conv2d(channels, 2 * channels, (1, back))
        self.link = nn.Conv2d(2 * channels, 2 * channels, 1)
        self.context = nn.Conv2d(channels, 4 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)
        self.dropout = nn.Dropout2d(dropout)

    def down(self, v: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """From vertical features ``(n, channels, h, w)`` to the next, and what rows are told."""
        ours, theirs = self.context(context).chunk(2, 1)
        padded = functional.pad(v, (self.reach, self.reach, self.reach, 0))
        seen = self.rows(padded)[
            :, :, : v.shape[2]
        ]  # the first layer's kernel leaves one row too many: the row itself
        return self.dropout(_gate(seen + ours)), self.link(seen) + theirs

    def across(self, h: Tensor, words: Tensor) -> Tensor:
        """From the horizontal features ``(n, channels, h, w)`` to the next."""
        seen = self.columns(functional.pad(h, (self.reach, 0, 0, 0)))[..., : h.shape[3]]
        out: Tensor = self.out(self.dropout(_gate(seen + words)))
        return out if self.is_first else h + out


def _gate(x: Tensor) -> Tensor:
    """tanh of one half of the channels times the sigmoid of the other."""
    signal, gate = x.chunk(2, 1)
    return signal.tanh() * gate.sigmoid()


def _embedded(entries: nn.Module, grid: Tensor) -> Tensor:
    """Vectors for indices: ``(n, h, w)`` to ``(n, channels, h, w)``."""
    vectors: Tensor = entries(grid)
    return vectors.permute(0, 3, 1, 2)


def _chosen(logits: Tensor, temperature: float) -> Tensor:
    """An index drawn by each example's logits ``(n, size)``; at temperature 0 the likeliest."""
    if temperature == 0:
        return logits.argmax(1)
    return torch.multinomial((logits.float() / temperature).softmax(1), 1)[:, 0]


def _plane(level: Level) -> tuple[int, int]:
    """Height and width of a level; one axis is a single row."""
    return (1, level.grid[0]) if len(level.grid) == 1 else (level.grid[0], level.grid[1])


def _split(codes: Tensor, levels: Sequence[Level]) -> list[Tensor]:
    """The grids ``(n, h, w)`` of flat codes ``(n, total)``."""
    parts = codes.split([prod(level.grid) for level in levels], 1)
    return [part.reshape(-1, *_plane(level)) for part, level in zip(parts, levels, strict=True)]
