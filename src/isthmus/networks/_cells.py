"""Residual cells for grids of features, and steps between grids; towers are made of them.

All of them normalise by groups of channels (Wu and He, ECCV 2018) and not by batches: an example
then gives the same alone and among others, in training and after it, and there are no moving
averages that lag behind the weights.
"""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional as F

_GROUP = 8  # channels that are normalised together
_STEP = 0.1  # share of a branch that is added: deep towers start near the identity


class Cell(nn.Module):
    """A state ``(n, channels, h, w)`` plus a tenth of what a branch makes of it."""

    def __init__(self, branch: nn.Module) -> None:
        super().__init__()
        self.branch = branch

    def forward(self, state: Tensor) -> Tensor:
        return state + _STEP * self.branch(state)


class Excitation(nn.Module):
    """Squeeze and excitation: all channels together weigh every channel by a number in (0, 1).

    Reference:
        J. Hu, L. Shen and G. Sun, Squeeze-and-excitation networks, CVPR 2018.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(4, channels // 16)
        self.gate = nn.Sequential(
            nn.Linear(channels, inner), nn.ReLU(), nn.Linear(inner, channels), nn.Sigmoid()
        )

    def forward(self, state: Tensor) -> Tensor:
        return state * self.gate(state.mean((2, 3)))[..., None, None]


def bottom_up_cell(channels: int, size: tuple[int, int]) -> Cell:
    """The cell of a bottom-up tower: two full 3×3 convolutions."""
    return Cell(
        nn.Sequential(
            normalised(channels),
            nn.SiLU(),
            convolution(channels, channels, size),
            normalised(channels),
            nn.SiLU(),
            convolution(channels, channels, size),
            Excitation(channels),
        )
    )


def top_down_cell(channels: int, size: tuple[int, int], expansion: int) -> Cell:
    """The cell of a top-down tower: a 5×5 convolution of each channel, between widening 1×1 ones.

    It sees far with few weights: ``2 * expansion * channels²`` and 25 for each of the
    ``expansion * channels``.
    """
    inner = expansion * channels
    return Cell(
        nn.Sequential(
            normalised(channels),
            nn.Conv2d(channels, inner, 1),
            normalised(inner),
            nn.SiLU(),
            convolution(inner, inner, size, reach=5, groups=inner),
            normalised(inner),
            nn.SiLU(),
            nn.Conv2d(inner, channels, 1),
            normalised(channels),
            Excitation(channels),
        )
    )


def normalised(channels: int) -> nn.GroupNorm:
    """Mean 0 and variance 1 for every example, over about eight channels at a time."""
    return nn.GroupNorm(math.gcd(channels, max(1, channels // _GROUP)), channels)


def convolution(
    inputs: int, outputs: int, size: tuple[int, int], *, reach: int = 3, groups: int = 1
) -> nn.Conv2d:
    """A convolution that keeps the size; its kernel is no larger than what a small grid shows."""
    kernel, padding = _kernel(reach, size)
    return nn.Conv2d(inputs, outputs, kernel, padding=padding, groups=groups)


def _kernel(reach: int, size: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """The sides of a kernel, and the padding that keeps a grid's size."""
    height, width = (min(reach, 2 * side - 1) for side in size)
    return (height, width), (height // 2, width // 2)


class Halve(nn.Module):
    """Half the size, rounded up, and twice the channels: to ``(n, 2c, ⌈h/2⌉, ⌈w/2⌉)``."""

    def __init__(self, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        kernel, padding = _kernel(3, size)
        self.convolution = nn.Conv2d(channels, 2 * channels, kernel, stride=2, padding=padding)

    def forward(self, state: Tensor) -> Tensor:
        return self.convolution(F.silu(state))


class Double(nn.Module):
    """The way back: twice the size and half the channels, cut to ``size`` where that is odd."""

    def __init__(self, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size
        self.convolution = nn.Conv2d(channels, channels // 2, 1)

    def forward(self, state: Tensor) -> Tensor:
        halved = self.convolution(state)  # (n, c / 2, h, w)
        doubled = halved.repeat_interleave(2, 2).repeat_interleave(2, 3)  # (n, c / 2, 2h, 2w)
        return doubled[..., : self.size[0], : self.size[1]]
