"""Residual networks on a coarse grid, for images of any size; the encoder and decoder of the VQ-VAE."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from isthmus.networks.base import Features, Shape, activation
from isthmus.networks.conv import Strided

_BLOCKS = 2


@dataclass(frozen=True)
class Residual(Strided):
    """Strided 4×4 convolutions that halve the image once for every width, then two residual blocks on the coarse grid.

    The decoder is its mirror: residual blocks, then transposed convolutions. With a code that is a grid of the coarse size it
    is the network of the VQ-VAE; the paper's is ``widths=(256, 256)``.

    Reference:
        A. van den Oord, O. Vinyals and K. Kavukcuoglu, Neural discrete representation learning, NeurIPS 2017.
    """

    # Colours innermost: the many small convolutions then run without rearranging their inputs, 6% of a VQ-VAE's step.

    def encoder(self, shape: Shape) -> Features:
        features = super().encoder(shape)
        return Features(features.encoder.to(memory_format=torch.channels_last), features.shape)

    def decoder(self, code_shape: Shape, shape: Shape) -> nn.Module:
        return super().decoder(code_shape, shape).to(memory_format=torch.channels_last)

    def _coarse_layers(self, channels: int) -> list[nn.Module]:
        return [Block(channels, self.activation) for _ in range(_BLOCKS)]


class Block(nn.Module):
    """x + f(x), where f is activation, 3×3 convolution to half the channels, activation, 1×1 convolution back.

    ``x: (n, channels, height, width)``, and so is what comes out.
    """

    def __init__(self, channels: int, nonlinearity: str) -> None:
        super().__init__()
        inner = max(1, channels // 2)
        self.change = nn.Sequential(
            activation(nonlinearity), nn.Conv2d(channels, inner, 3, padding=1),
            activation(nonlinearity), nn.Conv2d(inner, channels, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return x + self.change(x)
