"""The Wasserstein autoencoder: codes as a whole match the prior, each by itself is a point."""

from __future__ import annotations

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
        return MMDBottleneck(
            features, self._code_size, self.mmd_weight, is_map=self._is_map(features)
        )

    def _prior(self, n: int, temperature: float, condition: Tensor | None = None) -> Tensor:
        return temperature * torch.randn(n, *self.module_.bottleneck.code_shape)


class MMDBottleneck(Bottleneck):
    """A linear map to the code, with the discrepancy of a batch's codes from N(0, I) as penalty."""

    draws = True  # of N(0, I), whenever it is charged

    def __init__(
        self, features: Shape, latent_dim: int, weight: float, *, is_map: bool = False
    ) -> None:
        super().__init__()
        self.inner = DeterministicBottleneck(features, latent_dim, is_map=is_map)
        self.code_shape = self.inner.code_shape
        self.weight = weight

    def posterior(self, features: Tensor) -> Point:
        return self.inner.posterior(features)

    def forward(self, features: Tensor, noise: Tensor | None = None) -> Code:
        z = self.inner(features).z
        codes = sharding.gather(z.flatten(1))
        if len(codes) < 2:  # never in training: there is nothing to compare, and nothing to report
            return Code(z)
        # one number for the batch, carried by every example
        mmd = squared_mmd(codes, torch.randn_like(codes)).expand(len(z))
        return Code(z, self.weight * mmd, {"mmd": mmd})
