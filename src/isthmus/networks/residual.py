"""Residual networks on a coarse grid, for images and signals: those of the VQ-VAE."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from isthmus.core.example import ExampleSpec, Shape
from isthmus.networks.base import Features, activation
from isthmus.networks.conv import Activated, convolutions

_BLOCKS = 2


@dataclass(repr=False)
class Residual(Activated):
    """Strided convolutions that halve every side for every width, then two residual blocks.

    The decoder is its mirror: residual blocks, then transposed convolutions. With a code that is a
    grid of the coarse size it is the network of the VQ-VAE; the paper's is ``widths=(256, 256)``.

    Reference:
        A. van den Oord, O. Vinyals and K. Kavukcuoglu, Neural discrete representation learning,
        NeurIPS 2017.
    """

    def encoder(self, spec: ExampleSpec) -> Features:
        features = super().encoder(spec)
        return Features(_colours_innermost(features.encoder), features.shape)

    def decoder(self, code_shape: Shape, spec: ExampleSpec) -> nn.Module:
        return _colours_innermost(super().decoder(code_shape, spec))

    def _coarse_layers(self, features: Shape) -> list[nn.Module]:
        return [Block(features, self.activation) for _ in range(_BLOCKS)]


def _colours_innermost(module: nn.Module) -> nn.Module:
    """The module with its kernels in an order that saves small convolutions a rearrangement."""
    for parameter in module.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return module


class Block(nn.Module):
    """x + f(x); f is activation, 3×3 convolution to half the channels, activation, 1×1 one back.

    ``x: (n, channels, height, width)``, and so is what comes out; of signals ``(n, channels,
    places)``, with kernels of 3 places and of 1.

    Args:
        features: the shape of x of one example.
        nonlinearity: the name of the activation.
        dilation: how far apart the 3 places of a side are.
        step: what f(x) is multiplied by; below 1, many blocks in a row start near the identity.
    """

    reads_mask = True

    def __init__(
        self, features: Shape, nonlinearity: str | None, *, dilation: int = 1, step: float = 1.0
    ) -> None:
        super().__init__()
        channels, (convolution, _) = features[0], convolutions(features)
        inner, self.step = max(1, channels // 2), step
        self.change = nn.Sequential(
            activation(nonlinearity),
            convolution(channels, inner, 3, padding=dilation, dilation=dilation),
            activation(nonlinearity),
            convolution(inner, channels, 1),
        )

    def forward(self, x: Tensor, seen: Tensor | None = None) -> Tensor:
        if seen is None:
            return x + self._scaled(self.change(x))
        nonlinear, *others = self.change
        change = nonlinear(x) * seen  # of 0 it need not be 0
        for layer in others:
            change = layer(change)
        return x + self._scaled(change)

    def _scaled(self, change: Tensor) -> Tensor:
        return change if self.step == 1 else self.step * change
