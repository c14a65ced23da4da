"""What is done to examples before a denoising member sees them; a fresh draw at every step.

:data:`isthmus.registry.CORRUPTIONS` lists them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from isthmus.core import sharding
from isthmus.core.fields import field
from isthmus.core.parts import SlotPart


@dataclass(repr=False)
class Corruption(SlotPart, ABC):
    """Damage that is drawn anew for every batch, ``(n, *shape)`` to the same shape."""

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
