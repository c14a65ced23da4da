"""Convolutional networks for images of any size and any number of channels."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from isthmus.core.example import Shape
from isthmus.networks.base import Features, Network, activation


@dataclass(repr=False)
class Strided(Network, ABC):
    """Strided 4×4 convolutions that halve the image for every width, and ones that double it.

    An image whose sides are not divisible is padded with zeros inside, and the decoder's output is
    cropped back, so 27×27, 33×20 or 100×75 work as they are. What a family adds on the coarse grid
    stands in :meth:`_coarse_layers`.
    """

    def accepts(self, shape: Shape) -> str | None:
        if len(shape) == 3:
            return None
        return (
            f"needs images, but an example has the shape {shape}: pass network='mlp', or say with"
            " image_shape=(channels, height, width) how a row becomes an image"
        )

    def encoder(self, shape: Shape) -> Features:
        features = (self._widths[-1], *self._coarse(shape))
        layers: list[nn.Module] = [Pad(self._padded(shape))]
        for inputs, outputs in pairwise([shape[0], *self._widths]):
            layers += [
                nn.Conv2d(inputs, outputs, 4, stride=2, padding=1),
                activation(self.activation),
            ]
        *layers, last = layers
        return Features(nn.Sequential(*layers, *self._coarse_layers(features[0]), last), features)

    def decoder(self, code_shape: Shape, shape: Shape) -> nn.Module:
        channels = [*reversed(self._widths), shape[0]]
        layers = self._entry(code_shape, (channels[0], *self._coarse(shape)))
        layers += self._coarse_layers(channels[0])
        for inputs, outputs in pairwise(channels):
            layers += [
                activation(self.activation),
                nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1),
            ]
        return nn.Sequential(*layers, Crop(shape[1:]))

    @abstractmethod
    def _coarse_layers(self, channels: int) -> list[nn.Module]:
        """What works on the coarsest features, ``(n, channels, height, width)`` to the same.

        The encoder ends with it, the decoder begins with it.
        """

    @property
    def _widths(self) -> tuple[int, ...]:
        return self.widths or (32, 64)

    def _entry(self, code_shape: Shape, features: Shape) -> list[nn.Module]:
        """From the code to the coarsest features.

        A 1×1 convolution of a grid of their size, a linear map of anything else.
        """
        if code_shape[1:] == features[1:]:
            return [nn.Conv2d(code_shape[0], features[0], 1)]
        return [
            nn.Flatten(),
            nn.Linear(math.prod(code_shape), math.prod(features)),
            nn.Unflatten(1, features),
        ]

    def _coarse(self, shape: Shape) -> tuple[int, int]:
        height, width = self._padded(shape)
        return height >> len(self._widths), width >> len(self._widths)

    def _padded(self, shape: Shape) -> tuple[int, int]:
        step = 2 ** len(self._widths)
        return math.ceil(shape[1] / step) * step, math.ceil(shape[2] / step) * step


@dataclass(repr=False)
class Conv(Strided):
    """Strided 4×4 convolutions, and transposed ones that mirror them; none on the coarse grid."""

    def _coarse_layers(self, channels: int) -> list[nn.Module]:
        return []


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
