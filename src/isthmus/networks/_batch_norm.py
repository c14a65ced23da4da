"""Normalisation by the moments of a batch, alike on any number of processes."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from isthmus.core import sharding

_KEPT = 0.99  # of the running moments, at every step
_LEAST = 1e-10  # beside a variance


class Normalised(NamedTuple):
    """Units of mean 0 and deviation 1, ``(n, m)``, and what was taken from them, each ``(m,)``."""

    z: Tensor
    mean: Tensor
    scale: Tensor


class Normaliser(nn.Module):
    """Units ``(n, m)`` by the moments of their batch; in use by those of the training.

    The running moments forget nothing but what later batches outweigh: they are right from the
    first step on.
    """

    def __init__(self, units: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(units))
        self.register_buffer("square", torch.zeros(units))
        self.register_buffer("known", torch.zeros(()))
        self.mean: Tensor
        self.square: Tensor
        self.known: Tensor

    def forward(self, h: Tensor, *, is_counted: bool = True) -> Normalised:
        """Units normalised; ``is_counted`` where their moments are those of use."""
        if self.training:
            mean, square = sharding.batch_mean(h), sharding.batch_mean(h.square())
            if is_counted:
                self._count(mean.detach(), square.detach())
        else:
            share = self.known.clamp(min=_LEAST)
            mean, square = self.mean / share, self.square / share + (1 - self.known.sign())
        scale = ((square - mean.square()).clamp(min=0) + _LEAST).sqrt()
        return Normalised((h - mean) / scale, mean, scale)

    def forget(self) -> None:
        """Forget the running moments, and count those of the next batches in their place."""
        for kept in (self.mean, self.square, self.known):
            kept.zero_()
        self.train()

    def _count(self, mean: Tensor, square: Tensor) -> None:
        for kept, new in (
            (self.mean, mean),
            (self.square, square),
            (self.known, torch.ones_like(self.known)),
        ):
            kept.mul_(_KEPT).add_(new, alpha=1 - _KEPT)


class BatchNorm(nn.Module):
    """Units ``(n, m)`` normalised over their batch, each with a gain and an offset that are learnt.

    Reference:
        S. Ioffe and C. Szegedy, Batch normalization, ICML 2015.
    """

    def __init__(self, units: int) -> None:
        super().__init__()
        self.normaliser = Normaliser(units)
        self.gain, self.offset = nn.Parameter(torch.ones(units)), nn.Parameter(torch.zeros(units))

    def forward(self, h: Tensor) -> Tensor:
        normalised: Normalised = self.normaliser(h)
        return normalised.z * self.gain + self.offset
