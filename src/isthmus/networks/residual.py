"""Residual networks on a coarse grid, for images of any size: those of the VQ-VAE."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from isthmus.core.example import Shape
from isthmus.networks.base import Features, activation
from isthmus.networks.conv import Strided

_BLOCKS = 2


@dataclass(repr=False)
class Residual(Strided):
    """Strided 4×4 convolutions that halve the image for every width, then two residual blocks.

    The decoder is its mirror: residual blocks, then transposed convolutions. With a code that is a
    grid of the coarse size it is the network of the VQ-VAE; the paper's is ``widths=(256, 256)``.

    Reference:
        A. van den Oord, O. Vinyals and K. Kavukcuoglu, Neural discrete representation learning,
        NeurIPS 2017.
    """

    def encoder(self, shape: Shape) -> Features:
        features = super().encoder(shape)
        return Features(_colours_innermost(features.encoder), features.shape)

    def decoder(self, code_shape: Shape, shape: Shape) -> nn.Module:
        return _colours_innermost(super().decoder(code_shape, shape))

    def _coarse_layers(self, channels: int) -> list[nn.Module]:
        return [Block(channels, self.activation) for _ in range(_BLOCKS)]


def _colours_innermost(module: nn.Module) -> nn.Module:
    """The module with its kernels in an order that saves small convolutions a rearrangement."""
    for parameter in module.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return module


class Block(nn.Module):
    """x + f(x); f is activation, 3×3 convolution to half the channels, activation, 1×1 one back.

    ``x: (n, channels, height, width)``, and so is what comes out.
    """

    def __init__(self, channels: int, nonlinearity: str | None) -> None:
        super().__init__()
        inner = max(1, channels // 2)
        self.change = nn.Sequential(
            activation(nonlinearity),
            nn.Conv2d(channels, inner, 3, padding=1),
            activation(nonlinearity),
            nn.Conv2d(inner, channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.change(x)
