"""What is done to examples before a denoising member sees them; a fresh draw at every step.

:data:`isthmus.registry.CORRUPTIONS` lists them.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from isthmus.core import sharding
from isthmus.core.example import ExampleSpec
from isthmus.core.fields import field
from isthmus.core.parts import SlotPart, part_of
from isthmus.errors import InputError
from isthmus.registry import CORRUPTIONS


@dataclass(repr=False)
class Corruption(SlotPart, ABC):
    """Damage that is drawn anew for every batch, ``(n, *shape)`` to the same shape."""

    def accepts(self, spec: ExampleSpec) -> str | None:
        """Why such examples cannot be damaged so, with the remedy; None where they can."""
        return None

    @abstractmethod
    def __call__(self, x: Tensor) -> Tensor:
        """A damaged batch."""


@dataclass(repr=False)
class GaussianNoise(Corruption):
    """Add independent Gaussian noise, in the model's units."""

    level: float = field(0.3, "standard deviation of the noise", above=0)

    def __call__(self, x: Tensor) -> Tensor:
        return x + self.level * sharding.randn_like(x)


@dataclass(repr=False)
class Masking(Corruption):
    """Set each value to 0 with a probability."""

    level: float = field(0.3, "share of the values that are set to 0", above=0, high=1)

    def __call__(self, x: Tensor) -> Tensor:
        return x * (sharding.rand_like(x) >= self.level)


@dataclass(repr=False)
class SaltAndPepper(Corruption):
    """Replace values, with a probability, by the batch's least or greatest, either as often."""

    level: float = field(0.3, "share of the values that are replaced", above=0, high=1)

    def __call__(self, x: Tensor) -> Tensor:
        drawn = sharding.rand_like(x)
        least, greatest = sharding.least_and_greatest(x)
        return torch.where(
            drawn < self.level / 2, least, torch.where(drawn < self.level, greatest, x)
        )


@dataclass(repr=False)
class RandomAffine(Corruption):
    r"""Shift, rotate and zoom images: the moved image goes in, the clean one is to come out.

    .. math:: \tilde x(c + p) = x\left(c + \tfrac{1}{s} R_\theta^\top (p - t)\right), \quad
              t \sim U[-a, a]^2, \; \theta \sim U[-b, b], \; s \sim U[1 - d, 1 + d]

    around the centre c, each image by a draw of its own, with bilinear weights between pixels. What
    comes in from outside is as the edge is. ``x: (n, channels, height, width)``; a field of 0
    leaves its motion out.

    Reference:
        X. Guo, E. Zhu, X. Liu and J. Yin, Deep embedded clustering with data augmentation, ACML
        2018.

    Example:
        >>> import isthmus as ist, torch
        >>> motion = ist.corruptions.RandomAffine(shift=2, rotate=10, zoom=0.1)
        >>> motion(torch.rand(5, 1, 28, 28)).shape
        torch.Size([5, 1, 28, 28])
    """

    shift: float = field(2.0, "pixels by which an image moves at most, to each side", low=0)
    rotate: float = field(
        10.0, "degrees by which an image turns at most, either way", low=0, high=180
    )
    zoom: float = field(0.1, "share by which an image grows or shrinks at most", low=0, below=1)

    def accepts(self, spec: ExampleSpec) -> str | None:
        if spec.kind == "image":
            return None
        return f"moves images, but X is read as {spec}: take another, or pass image_shape"

    def __call__(self, x: Tensor) -> Tensor:
        drawn = 2 * sharding.rand_like(x.new_empty(len(x), 4)) - 1  # (n, 4) in [-1, 1)
        return moved(
            x,
            shift=self.shift * drawn[:, :2],
            angle=math.radians(self.rotate) * drawn[:, 2],
            scale=1 + self.zoom * drawn[:, 3],
        )


def moved(x: Tensor, shift: Tensor, angle: Tensor, scale: Tensor) -> Tensor:
    """Images ``(n, c, h, w)``, each scaled and turned around its centre, and then shifted.

    Args:
        x: the images.
        shift: to the right and down, in pixels, ``(n, 2)``.
        angle: in radians, from the axis to the right towards the one that points down, ``(n,)``.
        scale: the factor by which each grows, ``(n,)``.
    """
    height, width = x.shape[-2:]
    cosine, sine = angle.cos() / scale, angle.sin() / scale
    right, down = shift.unbind(1)
    # torch asks where each pixel comes from, in units in which the image reaches from -1 to 1
    across = [cosine, sine * height / width, -2 / width * (cosine * right + sine * down)]
    along = [-sine * width / height, cosine, -2 / height * (cosine * down - sine * right)]
    back = torch.stack([*across, *along], 1).view(-1, 2, 3)
    grid = F.affine_grid(back, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False)


def corruption_of(
    value: str | Corruption | Callable[[Tensor], Tensor], spec: ExampleSpec
) -> Callable[[Tensor], Tensor]:
    """What a slot for a corruption holds, for examples as ``spec`` says.

    Raises:
        InputError: for a corruption that cannot damage such examples.
    """
    part: Callable[[Tensor], Tensor] = part_of(value, CORRUPTIONS)
    refusal = part.accepts(spec) if isinstance(part, Corruption) else None
    if refusal is not None:
        raise InputError(f"corruption={value!r} {refusal}.")
    return part
