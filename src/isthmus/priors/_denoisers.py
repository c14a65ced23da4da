"""Networks that see a code under noise and how much of it there is."""

from __future__ import annotations

import math
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from isthmus.core.example import Shape

_FREQUENCIES, _FASTEST = 32, 1000.0
_COARSEST = 8  # a side below which a map is not made coarser
_GROUP, _HEAD = 8, 16  # channels of a group that is normalised, of a head of attention

Layer = TypeVar("Layer", nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv1d | nn.Conv2d)

_CONVOLUTIONS: dict[int, type[nn.Conv1d] | type[nn.Conv2d]] = {1: nn.Conv1d, 2: nn.Conv2d}


def denoiser(shape: Shape, condition_size: int, width: int, blocks: int) -> nn.Module:
    """The network for codes of a shape: ``(size,)`` vectors, ``(c, t)`` or ``(c, h, w)`` maps.

    It maps codes ``(n, *shape)``, times ``(n,)`` and conditions ``(n, condition_size)`` to what
    has the shape of the codes, which is 0 before it is trained. A condition of zeros is none.
    """
    if len(shape) == 1:
        return VectorDenoiser(shape[0], condition_size, width, blocks)
    return MapDenoiser(shape, condition_size, width, blocks)


class Surroundings(nn.Module):
    """Time and condition as one vector, ``(n, width)``."""

    def __init__(self, condition_size: int, width: int) -> None:
        super().__init__()
        self.time = nn.Sequential(
            nn.Linear(2 * _FREQUENCIES, width), nn.SiLU(), nn.Linear(width, width)
        )
        self.condition: nn.Linear | None = None
        if condition_size:
            self.condition = nn.Linear(condition_size, width, bias=False)
            nn.init.normal_(self.condition.weight)  # as an embedding starts
        powers = torch.arange(_FREQUENCIES) / (_FREQUENCIES - 1)
        self.register_buffer("frequencies", _FASTEST**powers, persistent=False)
        self.frequencies: Tensor

    def forward(self, t: Tensor, condition: Tensor | None) -> Tensor:
        angles = t[:, None] * self.frequencies  # (n, frequencies)
        found: Tensor = self.time(torch.cat([angles.sin(), angles.cos()], 1))
        if self.condition is not None and condition is not None:
            found = found + self.condition(condition)
        return functional.silu(found)


class VectorDenoiser(nn.Module):
    """Residual blocks over a vector, each shifted and scaled by its surroundings.

    Args:
        size: numbers of a code.
        condition_size: numbers of a condition; 0 without.
        width: units of every layer.
        blocks: how many there are.
    """

    def __init__(self, size: int, condition_size: int, width: int, blocks: int) -> None:
        super().__init__()
        self.surroundings = Surroundings(condition_size, width)
        self.first = nn.Linear(size, width)
        self.blocks = nn.ModuleList(VectorBlock(width) for _ in range(blocks))
        self.last = nn.Sequential(nn.LayerNorm(width), _silent(nn.Linear(width, size)))

    def forward(self, z: Tensor, t: Tensor, condition: Tensor | None) -> Tensor:
        around, h = self.surroundings(t, condition), self.first(z)
        for block in self.blocks:
            h = block(h, around)
        found: Tensor = self.last(h)
        return found


class VectorBlock(nn.Module):
    """h + A silu(B h̃), with h̃ normalised, then scaled and shifted; it starts as the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.shift = nn.Linear(width, 2 * width)
        self.inner, self.outer = nn.Linear(width, width), _silent(nn.Linear(width, width))

    def forward(self, h: Tensor, around: Tensor) -> Tensor:
        scale, shift = self.shift(around).chunk(2, 1)  # (n, width) each
        found: Tensor = self.outer(functional.silu(self.inner(self.norm(h) * (1 + scale) + shift)))
        return h + found


class MapDenoiser(nn.Module):
    """A U-Net over a map, which is made coarser by halves while its sides are long enough.

    Args:
        shape: ``(c, t)`` or ``(c, h, w)``.
        condition_size: numbers of a condition; 0 without.
        width: channels on the finest grid; twice as many on all coarser ones.
        blocks: residual blocks on each grid, on the way down and on the way up.
    """

    def __init__(self, shape: Shape, condition_size: int, width: int, blocks: int) -> None:
        super().__init__()
        width = _GROUP * math.ceil(width / _GROUP)
        convolution = _CONVOLUTIONS[len(shape) - 1]
        self.surroundings = Surroundings(condition_size, 4 * width)
        self.first = convolution(shape[0], width, 3, padding=1)
        self.inside = Floor(shape[1:], width, 2 * width, 4 * width, blocks)
        self.last = nn.Sequential(
            nn.GroupNorm(width // _GROUP, width),
            nn.SiLU(),
            _silent(convolution(width, shape[0], 3, padding=1)),
        )

    def forward(self, z: Tensor, t: Tensor, condition: Tensor | None) -> Tensor:
        found: Tensor = self.last(self.inside(self.first(z), self.surroundings(t, condition)))
        return found


class Floor(nn.Module):
    """One grid of a U-Net, and inside of it the next coarser one.

    On the coarsest every block is followed by attention, which costs little there.

    Args:
        grid: its sides.
        channels: on this grid.
        below: channels on coarser grids.
        around: numbers of the surroundings.
        blocks: residual blocks before and behind what is inside.
    """

    def __init__(self, grid: Shape, channels: int, below: int, around: int, blocks: int) -> None:
        super().__init__()
        axes = len(grid)
        self.down = nn.ModuleList(MapBlock(axes, channels, around) for _ in range(blocks))
        self.up = nn.ModuleList(MapBlock(axes, channels, around) for _ in range(blocks))
        self.is_coarsest = min(grid) < 2 * _COARSEST
        if self.is_coarsest:
            self.looks = nn.ModuleList(MapAttention(channels) for _ in range(2 * blocks))
            return
        convolution = _CONVOLUTIONS[axes]
        self.coarser = convolution(channels, below, 3, stride=2, padding=1)
        self.inside = Floor(tuple((side + 1) // 2 for side in grid), below, below, around, blocks)
        self.finer = convolution(below, channels, 3, padding=1)

    def forward(self, h: Tensor, around: Tensor) -> Tensor:
        if self.is_coarsest:
            for block, look in zip((*self.down, *self.up), self.looks, strict=True):
                h = block(h, around)
                h = h + look(h)
            return h
        for block in self.down:
            h = block(h, around)
        coarse = self.inside(self.coarser(h), around)
        h = h + self.finer(functional.interpolate(coarse, h.shape[2:]))
        for block in self.up:
            h = block(h, around)
        return h


class MapBlock(nn.Module):
    """Two convolutions beside a shortcut; the second starts at 0, so the block as the identity."""

    def __init__(self, axes: int, channels: int, around: int) -> None:
        super().__init__()
        convolution, groups = _CONVOLUTIONS[axes], channels // _GROUP
        self.before = nn.GroupNorm(groups, channels)
        self.inner = convolution(channels, channels, 3, padding=1)
        self.between = nn.GroupNorm(groups, channels, affine=False)
        self.shift = nn.Linear(around, 2 * channels)
        self.outer = _silent(convolution(channels, channels, 3, padding=1))

    def forward(self, h: Tensor, around: Tensor) -> Tensor:
        inner = self.between(self.inner(functional.silu(self.before(h))))
        scale, shift = (
            part.view(*part.shape, *[1] * (h.ndim - 2)) for part in self.shift(around).chunk(2, 1)
        )  # (n, channels, 1, 1) each
        found: Tensor = self.outer(functional.silu(inner * (1 + scale) + shift))
        return h + found


class MapAttention(nn.Module):
    """Every place looks at all others: what it adds to a map ``(n, channels, …)``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.heads = max(1, channels // _HEAD)
        while channels % self.heads:
            self.heads -= 1
        self.norm = nn.GroupNorm(channels // _GROUP, channels)
        self.asked = nn.Linear(channels, 3 * channels)
        self.told = _silent(nn.Linear(channels, channels))

    def forward(self, h: Tensor) -> Tensor:
        places = self.norm(h).flatten(2).mT  # (n, places, channels)
        query, key, value = (
            part.unflatten(2, (self.heads, -1)).transpose(1, 2)  # (n, heads, places, head)
            for part in self.asked(places).chunk(3, 2)
        )
        seen = functional.scaled_dot_product_attention(query, key, value)
        told: Tensor = self.told(seen.transpose(1, 2).flatten(2))  # (n, places, channels)
        return told.mT.reshape(h.shape)


def _silent(layer: Layer) -> Layer:
    """A layer that gives 0 until it is trained."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
