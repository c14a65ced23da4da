"""What is done to examples before a denoising member sees them; a fresh draw at every step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from isthmus.core import sharding

Corruption = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class GaussianNoise:
    """Add independent Gaussian noise of a standard deviation, in the model's units."""

    level: float

    def __call__(self, x: Tensor) -> Tensor:
        return x + self.level * sharding.randn_like(x)


@dataclass(frozen=True)
class Masking:
    """Set each value to 0 with a probability."""

    level: float

    def __call__(self, x: Tensor) -> Tensor:
        return x * (sharding.rand_like(x) >= self.level)


@dataclass(frozen=True)
class SaltAndPepper:
    """Replace each value, with a probability, by the least or the greatest value of the batch,
    either as often.
    """

    level: float

    def __call__(self, x: Tensor) -> Tensor:
        drawn = sharding.rand_like(x)
        least, greatest = sharding.least_and_greatest(x)
        return torch.where(
            drawn < self.level / 2, least, torch.where(drawn < self.level, greatest, x)
        )


CORRUPTIONS: dict[str, Callable[[float], Corruption]] = {
    "gaussian": GaussianNoise,
    "masking": Masking,
    "salt-and-pepper": SaltAndPepper,
}
