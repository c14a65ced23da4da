"""Normalisation by the moments of a batch, alike on any number of processes."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from isthmus.core import sharding

_KEPT = 0.99  # of the running moments, at every step
_LEAST = 1e-10  # beside a variance, to divide by it
_STILL = 1e-5  # of a variance: units that vary less are as good as still, and stay small


class Normalised(NamedTuple):
    """Units of mean 0 and deviation 1, ``(n, m)``, and what was taken from them, each ``(m,)``, or
    ``(n, m)`` where groups of examples were normalised apart.
    """

    z: Tensor
    mean: Tensor
    scale: Tensor


class Normaliser(nn.Module):
    """Units ``(n, m)`` by the moments of their batch; in use by those of the training.

    The running moments forget nothing but what later batches outweigh: they are right from the
    first step on. Where labelled examples stand beside others they are normalised apart: the few
    come in every batch, and would be half of every moment. In use are the moments of the others.

    Args:
        units: how many.
        least: what is added to a variance.
    """

    def __init__(self, units: int, least: float = _LEAST) -> None:
        super().__init__()
        self.least = least
        self.register_buffer("mean", torch.zeros(units))
        self.register_buffer("square", torch.zeros(units))
        self.register_buffer("known", torch.zeros(()))
        self.mean: Tensor
        self.square: Tensor
        self.known: Tensor

    def forward(
        self, h: Tensor, groups: Tensor | None = None, *, is_counted: bool = True
    ) -> Normalised:
        """Units normalised.

        Args:
            h: the units.
            groups: the group of each example, :func:`groups_of`; None: all are of one.
            is_counted: whether their moments are those of use.
        """
        if not self.training:
            share = self.known.clamp(min=_LEAST)
            mean, square = self.mean / share, self.square / share
            variance = (square - mean.square()).clamp(min=0) + (1 - self.known.sign())
            return self._normalised(h - mean, mean, variance)
        if groups is None:
            mean = sharding.batch_mean(h)
            variance = sharding.batch_mean((h - mean).square())
            if is_counted:
                self._count(mean.detach(), variance.detach())
            return self._normalised(h - mean, mean, variance)
        sizes = sharding.all_sum(groups.sum(0)).clamp(min=1)[:, None]
        means = sharding.all_sum(groups.T @ h) / sizes  # (2, m)
        centred = h - groups @ means
        variances = sharding.all_sum(groups.T @ centred.square()) / sizes
        if is_counted:
            self._count(means[0].detach(), variances[0].detach())
        return self._normalised(centred, groups @ means, groups @ variances)

    def forget(self) -> None:
        """Forget the running moments, and count those of the next batches in their place."""
        for kept in (self.mean, self.square, self.known):
            kept.zero_()
        self.train()

    def _normalised(self, centred: Tensor, mean: Tensor, variance: Tensor) -> Normalised:
        """Units whose mean was taken from them, by their variance."""
        scale = (variance + self.least).sqrt()
        return Normalised(centred / scale, mean, scale)

    def _count(self, mean: Tensor, variance: Tensor) -> None:
        for kept, new in (
            (self.mean, mean),
            (self.square, variance + mean.square()),
            (self.known, torch.ones_like(self.known)),
        ):
            kept.mul_(_KEPT).add_(new, alpha=1 - _KEPT)


def groups_of(label: Tensor) -> Tensor:
    """Which examples have no label, and which have one, ``(n, 2)``, by labels ``(n, classes)``."""
    known = label.sum(1, keepdim=True)  # 1 or 0
    return torch.cat([1 - known, known], 1)


class BatchNorm(nn.Module):
    """Units ``(n, m)`` normalised over their batch, each with a gain and an offset that are learnt.

    Reference:
        S. Ioffe and C. Szegedy, Batch normalization, ICML 2015.
    """

    def __init__(self, units: int) -> None:
        super().__init__()
        self.normaliser = Normaliser(units, _STILL)
        self.gain, self.offset = nn.Parameter(torch.ones(units)), nn.Parameter(torch.zeros(units))

    def forward(self, h: Tensor) -> Tensor:
        normalised: Normalised = self.normaliser(h)
        return normalised.z * self.gain + self.offset
