"""The Wasserstein autoencoder: codes as a whole match the prior, each by itself is a point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from isthmus.core import sharding
from isthmus.core.autoencoder import Bottleneck
from isthmus.core.example import Shape
from isthmus.core.fields import field
from isthmus.core.forward import Code, Point
from isthmus.divergences import squared_mmd
from isthmus.estimators.base import Estimator
from isthmus.estimators.settings import Conditional
from isthmus.estimators.spatial import SpatialCode
from isthmus.models.ae import DeterministicBottleneck

Discrepancy = Callable[[Tensor, Tensor], Tensor]
"""From two samples ``(n, d)`` to a number: how far their distributions are from each other."""


@dataclass(repr=False, eq=False, kw_only=True)
class WAE(SpatialCode, Conditional, Estimator):
    r"""Wasserstein autoencoder (WAE-MMD): the distribution of the codes matches the prior.

    .. math:: \min_{f, g} \; \mathbb{E}_x[-\log p(x \mid z = f(x))]
              + \lambda \, \mathrm{MMD}^2(f(x), \mathcal{N}(0, I))

    The discrepancy is measured within each batch against fresh draws of the prior, by the unbiased
    estimate with inverse multiquadratic kernels; the history shows it as ``mmd``. Codes are
    deterministic. Use batches of a hundred or more: small ones see little of the codes.
    ``x: (n, *shape)``, ``z: (n, latent_dim)``.

    Raises:
        InputError: at ``fit``, for batches of a single example.

    Reference:
        I. Tolstikhin, O. Bousquet, S. Gelly and B. Schölkopf, Wasserstein auto-encoders, ICLR 2018.

    Example:
        >>> import isthmus as ist
        >>> data = ist.data.load("digits")
        >>> ist.WAE(epochs=1, random_state=0).fit(data.train).sample(3).shape
        (3, 1, 8, 8)
    """

    mmd_weight: float = field(
        10.0, "weight of the discrepancy between codes and prior (lambda)", low=0
    )

    @property
    def code_space(self) -> str:
        return "normal"

    @property
    def _batch_estimate(self) -> str:
        return "how far the codes of a batch are from the prior"

    def _bottleneck(self, features: Shape) -> Bottleneck:
        return MatchedBottleneck(
            features,
            self._code_size,
            self.mmd_weight,
            squared_mmd,
            "mmd",
            is_map=self._is_map(features),
        )


class MatchedBottleneck(Bottleneck):
    """A linear map to the code; how far a batch's codes are from N(0, I) is charged.

    Args:
        features: the shape of the features of one example.
        latent_dim: size of the code; of a map, at each place.
        weight: of the discrepancy.
        discrepancy: of two samples ``(n, d)``, a single number.
        term: what the history calls it.
        is_map: whether the code keeps the places of the features.
    """

    draws = True  # of N(0, I), whenever it is charged

    def __init__(
        self,
        features: Shape,
        latent_dim: int,
        weight: float,
        discrepancy: Discrepancy,
        term: str,
        *,
        is_map: bool = False,
    ) -> None:
        super().__init__()
        self.inner = DeterministicBottleneck(features, latent_dim, is_map=is_map)
        self.code_shape = self.inner.code_shape
        self.weight, self.discrepancy, self.term = weight, discrepancy, term

    def posterior(self, features: Tensor) -> Point:
        return self.inner.posterior(features)

    def forward(self, features: Tensor, noise: Tensor | None = None) -> Code:
        z = self.inner(features).z
        if (found := from_normal(z, self.discrepancy)) is None:
            return Code(z)
        return Code(z, self.weight * found, {self.term: found})


def from_normal(z: Tensor, discrepancy: Discrepancy) -> Tensor | None:
    """How far the codes of the whole batch are from as many draws of N(0, I).

    It is one number for the batch, carried by every example, ``(n,)``. None of a single code: there
    is nothing to compare, and in training there is never a single one.
    """
    codes = sharding.gather(z.flatten(1))
    if len(codes) < 2:
        return None
    return discrepancy(codes, torch.randn_like(codes)).expand(len(z))
