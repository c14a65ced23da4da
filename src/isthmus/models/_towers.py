"""The two towers of a hierarchy of codes: one from fine to coarse, one from coarse to fine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from isthmus.core.example import Shape
from isthmus.core.reductions import full
from isthmus.models._hierarchy import HierarchicalBottleneck, LatentGroup, Propose, repeated
from isthmus.models._variational import DiagonalGaussian
from isthmus.networks._cells import Double, Halve, bottom_up_cell, normalised, top_down_cell

_BOUND = 10.0  # of a log-variance: beyond it lies nothing that trains


@dataclass(frozen=True)
class TowerConfig:
    """How a hierarchy is laid out.

    Attributes:
        latent_dim: channels of the code of a group.
        groups: groups of codes at each scale, from the coarsest.
        width: channels of both towers at the finest scale; they double from scale to scale.
        cells: residual cells before each group, in either tower.
        expansion: how much wider the inside of a generative cell is.
    """

    latent_dim: int
    groups: tuple[int, ...]
    width: int
    cells: int
    expansion: int


class Scale(NamedTuple):
    """One scale: the size of its grid, its channels, and how many groups it has."""

    size: tuple[int, int]
    channels: int
    groups: int


class TowerGroup(LatentGroup):
    """One group of the top_down tower, with a state of channels on a grid.

    Args:
        approach: from the state that the group above left to the state of this one.
        floor: the scale it belongs to.
        latent_dim: channels of its code.
        is_first: whether its prior is the standard normal.
    """

    def __init__(self, approach: nn.Module, floor: Scale, latent_dim: int, is_first: bool) -> None:
        super().__init__()
        channels = floor.channels
        self.approach = approach
        self.latent_dim, self.shape = latent_dim, (latent_dim, *floor.size)
        self.prior_net = (
            None if is_first else nn.Sequential(nn.SiLU(), nn.Conv2d(channels, 2 * latent_dim, 1))
        )
        # What was seen has any scale at the start, often a small one: unnormalised, the code's
        # noise would drown it.
        self.join = nn.Sequential(normalised(channels), nn.SiLU(), nn.Conv2d(channels, channels, 1))
        self.posterior_net = nn.Sequential(nn.SiLU(), nn.Conv2d(channels, 2 * latent_dim, 1))
        self.mix = nn.Conv2d(latent_dim, channels, 1)

    def forward(self, state: Tensor, code: Tensor) -> Tensor:
        return state + self.mix(code)

    def prior(self, state: Tensor) -> DiagonalGaussian:
        if self.prior_net is None:
            zeros = full(state).new_zeros(state.shape[0], self.latent_dim, *state.shape[2:])
            return DiagonalGaussian(zeros, zeros)
        mu, log_var = full(self.prior_net(state)).chunk(2, 1)
        return DiagonalGaussian(mu, softly_bounded(log_var))

    def posterior(self, prior: DiagonalGaussian, state: Tensor, seen: Tensor) -> DiagonalGaussian:
        """q of this group's code: the prior, moved and stretched by what the bottom-up net saw."""
        shift, stretch = full(self.posterior_net(state + self.join(seen))).chunk(2, 1)
        return DiagonalGaussian(prior.mu + shift, prior.log_var + softly_bounded(stretch))


def scales(size: tuple[int, int], plan: TowerConfig) -> list[Scale]:
    """The scales, from the finest."""
    floors = []
    for number, groups in enumerate(reversed(plan.groups)):
        floors.append(Scale(size, plan.width << number, groups))
        size = (math.ceil(size[0] / 2), math.ceil(size[1] / 2))
    return floors


def bottom_up(floors: Sequence[Scale], plan: TowerConfig) -> list[nn.Module]:
    """The steps of the bottom_up tower, one a group, from the finest."""
    halvings = [[], *([Halve(above.channels, above.size)] for above in floors[:-1])]
    return [
        nn.Sequential(
            *(halving if group == 0 else []),
            *(bottom_up_cell(floor.channels, floor.size) for _ in range(plan.cells)),
        )
        for floor, halving in zip(floors, halvings, strict=True)
        for group in range(floor.groups)
    ]


def top_down(
    floors: Sequence[Scale], plan: TowerConfig, kind: type[TowerGroup]
) -> list[TowerGroup]:
    """The groups of the top_down tower, from the coarsest; all but the first of a kind."""
    order = [floor for floor in floors[::-1] for _ in range(floor.groups)]
    groups = [TowerGroup(nn.Identity(), order[0], plan.latent_dim, is_first=True)]
    for above, floor in pairwise(order):
        doubling = [] if above == floor else [Double(above.channels, floor.size)]
        cells = [
            top_down_cell(floor.channels, floor.size, plan.expansion) for _ in range(plan.cells)
        ]
        approach = nn.Sequential(*doubling, *cells)
        groups.append(kind(approach, floor, plan.latent_dim, is_first=False))
    return groups


def softly_bounded(log_var: Tensor) -> Tensor:
    """Softly kept within the bound, so that a gradient remains everywhere."""
    return _BOUND * (log_var / _BOUND).tanh()


class TowerBottleneck(HierarchicalBottleneck):
    r"""Groups on grids, whose posteriors are told relative to their priors.

    .. math:: q(z \mid x) = \prod_l \mathcal{N}(z_l; \mu_l + \Delta\mu_l(z_{<l}, x),
              \sigma_l \cdot \Delta\sigma_l(z_{<l}, x))

    Features ``(n, c, h, w)`` give states ``(n, width, h, w)``; those of a signal, ``(n, c, w)``,
    are a grid of height 1, and a vector is a grid of one place, which gives ``(n, width)``.

    Args:
        features: the shape of the features of one example.
        plan: how it is laid out.
        beta, kl_warmup, balanced: as for :class:`HierarchicalBottleneck`.
    """

    reads_condition = True
    kind: type[TowerGroup] = TowerGroup
    """That of all groups but the first."""

    def __init__(
        self,
        features: Shape,
        plan: TowerConfig,
        beta: float = 1.0,
        kl_warmup: float = 0.0,
        balanced: bool = False,
    ) -> None:
        channels, *sides = features
        height, width = [1, 1, *sides][-2:]
        floors = scales((height, width), plan)
        groups = top_down(floors, plan, self.kind)
        shapes = [group.shape for group in groups]
        super().__init__(shapes, (plan.width, *sides), beta, kl_warmup, balanced)
        self.grid = (channels, height, width)
        self.stem = nn.Conv2d(self.grid[0], plan.width, 1)
        self.bottom_up = nn.ModuleList(bottom_up(floors, plan))
        self.context: nn.Linear | None = None  # how a condition enters the top of the tower
        self.start = nn.Parameter(torch.zeros(floors[-1].channels, *floors[-1].size))
        self.top_down = nn.ModuleList(groups)
        self.finish = top_down_cell(plan.width, floors[0].size, plan.expansion)

    def add_condition(self, size: int) -> None:
        channels = self.start.shape[0]
        self.context = nn.Linear(size, channels, bias=False, device=self.start.device)
        nn.init.zeros_(self.context.weight)  # at first, a condition changes no prior

    def ascend(self, features: Tensor, noise: Sequence[Tensor], times: int) -> list[Propose]:
        state, seen = self.entry(features), []
        for step in self.bottom_up:
            state = step(state)
            seen.append(repeated(state, times))
        return [
            partial(cast(TowerGroup, group).posterior, seen=level)
            for group, level in zip(self.top_down, reversed(seen), strict=True)
        ]

    def top(self, n: int, condition: Tensor | None) -> Tensor:
        state = self.start.expand(n, *self.start.shape)
        if self.context is not None and condition is not None:
            state = state + self.context(condition)[..., None, None]
        return _contiguous(state)

    def entry(self, features: Tensor) -> Tensor:
        """The state below the bottom_up tower, ``(n, width, h, w)``."""
        state: Tensor = self.stem(_contiguous(features.reshape(-1, *self.grid)))
        return state


def _contiguous(state: Tensor) -> Tensor:
    """Channel beside channel in memory.

    Convolutions of single channels then take a third of the time on a processor.
    """
    return state.contiguous(memory_format=torch.channels_last)
