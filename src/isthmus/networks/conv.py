"""Convolutional networks for images of any size and any number of channels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from isthmus.networks.base import Features, Network, Shape, activation


@dataclass(frozen=True)
class Conv(Network):
    """Strided 4×4 convolutions that halve the image once for every width, and transposed ones that double it.

    An image whose sides are not divisible is padded with zeros inside, and the decoder's output is cropped back, so
    27×27, 33×20 or 100×75 work as they are.
    """

    def encoder(self, shape: Shape) -> Features:
        channels = [shape[0], *self._widths]
        height, width = self._coarse(shape)
        layers: list[nn.Module] = [Pad(self._padded(shape))]
        for inputs, outputs in pairwise(channels):
            layers += [nn.Conv2d(inputs, outputs, 4, stride=2, padding=1), activation(self.activation)]
        return Features(nn.Sequential(*layers), (channels[-1], height, width))

    def decoder(self, code_shape: Shape, shape: Shape) -> nn.Module:
        channels = [*reversed(self._widths), shape[0]]
        layers = self._entry(code_shape, (channels[0], *self._coarse(shape)))
        for inputs, outputs in pairwise(channels):
            layers += [activation(self.activation), nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1)]
        return nn.Sequential(*layers, Crop(shape[1:]))

    @property
    def _widths(self) -> tuple[int, ...]:
        return self.widths or (32, 64)

    def _entry(self, code_shape: Shape, features: Shape) -> list[nn.Module]:
        """From the code to the coarsest features: a 1×1 convolution of a grid of their size, else a linear map."""
        if code_shape[1:] == features[1:]:
            return [nn.Conv2d(code_shape[0], features[0], 1)]
        return [nn.Flatten(), nn.Linear(math.prod(code_shape), math.prod(features)), nn.Unflatten(1, features)]

    def _coarse(self, shape: Shape) -> tuple[int, int]:
        height, width = self._padded(shape)
        return height >> len(self._widths), width >> len(self._widths)

    def _padded(self, shape: Shape) -> tuple[int, int]:
        step = 2 ** len(self._widths)
        return math.ceil(shape[1] / step) * step, math.ceil(shape[2] / step) * step


class Pad(nn.Module):
    """Pad an image with zeros, below and to the right, to ``size`` (height, width)."""

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        below, right = self.size[0] - x.shape[-2], self.size[1] - x.shape[-1]
        return F.pad(x, (0, right, 0, below)) if below or right else x


class Crop(nn.Module):
    """Cut an image back to ``size`` (height, width); the counterpart of :class:`Pad`."""

    def __init__(self, size: tuple[int, ...]) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        return x[..., : self.size[0], : self.size[1]]
