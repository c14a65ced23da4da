"""What priors over indices share: the grids of all levels, and what a level knows of the others."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional

from isthmus.core import fields
from isthmus.core.fields import field
from isthmus.core.forward import Level
from isthmus.errors import InputError
from isthmus.priors._trained import TrainedPrior

_PLACES = 2**17  # indices that are drawn or scored at once
_SMALL = 0.1


@dataclass(repr=False, eq=False, kw_only=True)
class IndexPrior(TrainedPrior, ABC):
    """A network over a quantised member's indices, on grids of one or two axes."""

    takes_indices = True

    dropout: float = field(
        0.1, "share of the channels that is left out at random in training", low=0, below=1
    )
    top_p: float = field(
        1.0,
        "draws take only the likeliest entries that have this probability together; 1: all",
        above=0,
        high=1,
        afterwards=True,
    )

    def _admit(self, codes: Tensor, levels: Sequence[Level]) -> None:
        super()._admit(codes, levels)
        if any(len(level.grid) > 2 for level in levels):
            raise InputError(
                f"{type(self).__name__} takes grids of one or two axes, not"
                f" {[level.grid for level in levels]}."
            )
        total = sum(places(level) for level in levels)
        if codes.is_floating_point() or codes.shape[1:] != (total,):
            raise InputError(
                f"codes of {tuple(codes.shape)} {codes.dtype} are not usable: give whole numbers,"
                f" (n, {total})."
            )
        for level, indices in zip(levels, split_levels(codes, levels), strict=True):
            if indices.min() < 0 or indices.max() >= level.size:
                raise InputError(
                    f"an index of {int(indices.max())} does not stand in a level of {level.size}"
                    " entries."
                )

    def _draw(self, n: int, classes: Tensor | None, temperature: float) -> Tensor:
        self._set_anew()
        return super()._draw(n, classes, temperature)

    def _set_anew(self) -> None:
        """Let the network draw as the fields say now."""
        self.validate()
        for name, declaration in fields.declared(type(self)).items():
            if declaration.afterwards:
                setattr(self.module_, name, getattr(self, name))

    @property
    def _rows(self) -> int:
        """How many codes are drawn or scored at once: fewer of long ones."""
        return max(1, min(super()._rows, _PLACES // prod(self.code_shape_)))


class LevelNetwork(nn.Module, ABC):
    """A network of one level, and what it is told beside the level's own indices.

    Args:
        level: its grid and the number of its entries.
        above: the levels that it may see as a whole.
        condition_size: numbers of a condition, one for each class; 0 without.
        channels: size of the vectors at every position.
    """

    def __init__(
        self, level: Level, above: Sequence[Level], condition_size: int, channels: int
    ) -> None:
        super().__init__()
        self.level, self.shape = level, plane_shape(level)
        self.planes = [plane_shape(upper) for upper in above]
        self.entries = nn.Embedding(level.size, channels)
        self.place = nn.Parameter(torch.zeros(1, channels, *self.shape))
        self.condition: nn.Linear | None = None
        if condition_size:
            self.condition = nn.Linear(condition_size, channels, bias=False)
            nn.init.normal_(self.condition.weight)  # as an embedding starts
        self.above = nn.ModuleList(nn.Embedding(upper.size, channels) for upper in above)
        self.blend = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in above)

    def context(self, above: Sequence[Tensor], condition: Tensor | None) -> Tensor:
        """What is known at each position, ``(n or 1, channels, h, w)``: the place, the class, and
        the indices of the levels ``above``, each ``(n, places)``, brought to this grid.
        """
        context: Tensor = self.place
        if self.condition is not None and condition is not None:
            told = self.condition(condition.to(self.place))
            context = context + told[:, :, None, None]  # (n, channels, 1, 1)
        for entries, blend, shape, indices in zip(
            self.above, self.blend, self.planes, above, strict=True
        ):
            seen = torch.relu(blend(embedded(entries, indices.unflatten(1, shape))))
            context = context + functional.interpolate(seen, self.shape)
        return context


def start_small(network: LevelNetwork) -> None:
    """Let what is embedded start small beside what layers of attention add to it: they learn in a
    fraction of the steps.
    """
    told = [] if network.condition is None else [network.condition]
    for embedding in (network.entries, *network.above, *told):
        with torch.no_grad():
            embedding.weight.mul_(_SMALL)


def embedded(entries: nn.Module, grid: Tensor) -> Tensor:
    """Vectors for indices: ``(n, h, w)`` to ``(n, channels, h, w)``."""
    vectors: Tensor = entries(grid)
    return vectors.permute(0, 3, 1, 2)


def plane_shape(level: Level) -> tuple[int, int]:
    """Height and width of a level; one axis is a single row."""
    return (1, level.grid[0]) if len(level.grid) == 1 else (level.grid[0], level.grid[1])


def places(level: Level) -> int:
    """How many indices a level has."""
    return prod(level.grid)


def split_levels(codes: Tensor, levels: Sequence[Level]) -> list[Tensor]:
    """The indices ``(n, places)`` of each level of flat codes ``(n, total)``."""
    return list(codes.split([places(level) for level in levels], 1))


def chosen(logits: Tensor, temperature: float, top_p: float = 1.0) -> Tensor:
    """An index drawn by each example's logits ``(n, size)``; at temperature 0 the likeliest.

    Below a ``top_p`` of 1 among the likeliest entries that have this probability together.
    """
    if temperature == 0:
        return logits.argmax(1)
    shares = (logits.float() / temperature).softmax(1)
    if top_p == 1:
        return torch.multinomial(shares, 1)[:, 0]
    ordered, entries = shares.sort(1, descending=True)
    kept = ordered.where(ordered.cumsum(1) - ordered < top_p, 0.0)
    return entries.gather(1, torch.multinomial(kept, 1))[:, 0]
