"""Convolutional networks for images and signals of any size and any number of channels."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from isthmus.core.example import ExampleSpec, Shape
from isthmus.networks.base import Features, Network, activation

Convolutions = tuple[
    type[nn.Conv1d] | type[nn.Conv2d], type[nn.ConvTranspose1d] | type[nn.ConvTranspose2d]
]


def convolutions(features: Shape) -> Convolutions:
    """The convolution of a grid ``(channels, *sides)`` of one or two sides, and its transposed."""
    if len(features) == 2:
        return nn.Conv1d, nn.ConvTranspose1d
    return nn.Conv2d, nn.ConvTranspose2d


def code_layers(
    features: Shape, size: int, *, is_map: bool, parts: int = 1
) -> tuple[list[nn.Module], Shape]:
    """A linear map from features to a code, and the shape of that: ``(size,)``, or, of a map, the
    same at each place of the features' grid, ``(size, *grid)``.

    So many ``parts`` of that size stand one after another along the first axis.
    """
    if is_map:
        convolution, _ = convolutions(features)
        return [convolution(features[0], parts * size, 1)], (size, *features[1:])
    return [nn.Flatten(), nn.Linear(math.prod(features), parts * size)], (size,)


@dataclass(repr=False)
class Strided(Network, ABC):
    """Networks that halve the sides of an image or a signal for every width, and double them again.

    Signals, (channels, time), are halved over the time alone. Sides that are not divisible are
    padded with zeros inside, and the decoder's output is cropped back, so 27×27, 33×20 or 131 steps
    work as they are.
    """

    def accepts(self, spec: ExampleSpec) -> str | None:
        if spec.kind in ("image", "signal"):
            return None
        return (
            f"needs images or signals, but X is read as {spec}, and an example has the shape"
            f" {spec.shape}: pass network='mlp', say with image_shape=(channels, height, width) how"
            " a row becomes an image, or pass kind='signal' for (n, channels, time)"
        )

    @property
    def _widths(self) -> tuple[int, ...]:
        return self.widths or (32, 64)

    def _entry(self, code_shape: Shape, features: Shape) -> list[nn.Module]:
        """From the code to the coarsest features.

        A 1×1 convolution of a grid of their size, a linear map of anything else.
        """
        if len(code_shape) > 1 and code_shape[1:] == features[1:]:
            convolution, _ = convolutions(features)
            return [convolution(code_shape[0], features[0], 1)]
        return [
            nn.Flatten(),
            nn.Linear(math.prod(code_shape), math.prod(features)),
            nn.Unflatten(1, features),
        ]

    def _coarse(self, shape: Shape) -> Shape:
        return tuple(side >> len(self._widths) for side in self._padded(shape))

    def _padded(self, shape: Shape) -> Shape:
        step = 2 ** len(self._widths)
        return tuple(math.ceil(side / step) * step for side in shape[1:])


@dataclass(repr=False)
class Activated(Strided, ABC):
    """Strided 4×4 convolutions (of signals: over four steps), each with an activation behind it.

    What a family adds on the coarse grid stands in :meth:`_coarse_layers`.
    """

    def encoder(self, spec: ExampleSpec) -> Features:
        features = (self._widths[-1], *self._coarse(spec.shape))
        convolution, _ = convolutions(spec.shape)
        layers: list[nn.Module] = [Pad(self._padded(spec.shape))]
        for inputs, outputs in pairwise([spec.shape[0], *self._widths]):
            layers += [
                convolution(inputs, outputs, 4, stride=2, padding=1),
                activation(self.activation),
            ]
        *layers, last = layers
        return Features(GridEncoder(*layers, *self._coarse_layers(features), last), features)

    def decoder(self, code_shape: Shape, spec: ExampleSpec) -> nn.Module:
        channels = [*reversed(self._widths), spec.shape[0]]
        features = (channels[0], *self._coarse(spec.shape))
        _, transposed = convolutions(spec.shape)
        layers = self._entry(code_shape, features) + self._coarse_layers(features)
        for inputs, outputs in pairwise(channels):
            layers += [
                activation(self.activation),
                transposed(inputs, outputs, 4, stride=2, padding=1),
            ]
        return nn.Sequential(*layers, Crop(spec.shape[1:]))

    @abstractmethod
    def _coarse_layers(self, features: Shape) -> list[nn.Module]:
        """What works on the coarsest features, ``(n, *features)`` to the same.

        The encoder ends with it, the decoder begins with it.
        """


@dataclass(repr=False)
class Conv(Activated):
    """Strided 4×4 convolutions, and transposed ones that mirror them; none on the coarse grid.

    Those of a signal see four steps at once.
    """

    def _coarse_layers(self, features: Shape) -> list[nn.Module]:
        return []


class GridEncoder(nn.Sequential):
    """Layers one after another, which do not read what a mask says was not observed.

    ``x: (n, channels, *sides)`` and its mask. After every layer the places without an observed
    value are 0 again, as the zeros around a whole example are: a short signal has the same features
    however far it is padded, and none behind its end.
    """

    reads_mask = True

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        if mask is None:
            h: Tensor = super().forward(x)
            return h
        return masked_through(list(self), x, mask)[0]


def masked_through(layers: Sequence[nn.Module], x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """What layers of a :class:`GridEncoder` make of x, and where that was observed,
    ``(n, 1, *sides)``.
    """
    seen, h = mask.any(1, keepdim=True), x  # (n, 1, *sides)
    for layer in layers:
        h = layer(h, seen) if getattr(layer, "reads_mask", False) else layer(h)
        seen = _followed(seen, h.shape[2:])
        h = h * seen
    return h, seen


def _followed(seen: Tensor, sides: Sequence[int]) -> Tensor:
    """What a mask of places ``(n, 1, …)`` becomes where a layer padded them, or halved them."""
    seen = Pad(tuple(sides))(seen)
    for axis, side in enumerate(sides, 2):
        if seen.shape[axis] > side:
            first, second = seen.unflatten(axis, (side, 2)).unbind(axis + 1)
            seen = first | second
    return seen


class Pad(nn.Module):
    """Pad a grid with zeros behind the end of its sides, to ``size``; a larger side stays."""

    def __init__(self, size: Shape) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        lacking = [max(0, size - side) for size, side in zip(self.size, x.shape[2:], strict=True)]
        if not any(lacking):
            return x
        return F.pad(x, [amount for lack in reversed(lacking) for amount in (0, lack)])


class Crop(nn.Module):
    """Cut a grid back to ``size``, one number a side; the counterpart of :class:`Pad`."""

    def __init__(self, size: Shape) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        for axis, side in enumerate(self.size, 2):
            x = x.narrow(axis, 0, side)
        return x
