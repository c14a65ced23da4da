"""Densities over codes that are brought to mean 0 and deviation 1 first."""

from __future__ import annotations

from abc import ABC

import torch
from torch import Tensor

from isthmus.core.example import Shape
from isthmus.core.objectives import Batches
from isthmus.priors._trained import Density

_LEAST_SCALE = 1e-6  # of a coordinate, as a share of the widest one


class StandardisedDensity(Density, ABC):
    r"""A density of u = (z − mean) / scale, on the scale of the codes z.

    .. math:: \log p(z) = \log p(u) - \sum_i \log s_i

    Args:
        shape: of mean and scale. Axes of size 1 are shared: ``(size,)`` has one of each for every
            number of a code, ``(c, 1, 1)`` one for each channel of a map.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("scale", torch.ones(shape))

    def look(self, batches: Batches) -> None:
        """Take over mean and standard deviation of the codes."""
        codes = torch.cat([self.shaped(batch.x) for batch in batches.chunks()])
        shared = [0, *(i + 1 for i, size in enumerate(self.mean.shape) if size == 1)]
        self.mean.copy_(codes.mean(shared).view_as(self.mean))
        scale = codes.std(shared, correction=0).view_as(self.scale)
        least = _LEAST_SCALE * scale.max()
        self.scale.copy_(scale.clamp_min(least if least > 0 else _LEAST_SCALE))

    def shaped(self, codes: Tensor) -> Tensor:
        """Codes ``(n, *code_shape)`` as mean and scale fit them: flat where these are."""
        return codes.flatten(1) if self.mean.ndim == 1 else codes

    def standardised(self, codes: Tensor) -> Tensor:
        """u of codes."""
        return (self.shaped(codes) - self.mean) / self.scale

    def restored(self, u: Tensor) -> Tensor:
        """The codes of u."""
        return u * self.scale + self.mean

    def log_scale(self, u: Tensor) -> Tensor:
        """The sum of log s over all numbers of one code."""
        return self.scale.log().expand(u.shape[1:]).sum()
