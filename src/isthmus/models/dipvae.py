"""The DIP-VAE: the covariance of the codes is drawn to the identity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from isthmus.core import sharding
from isthmus.core.autoencoder import Bottleneck
from isthmus.core.example import Shape
from isthmus.core.fields import field
from isthmus.core.forward import Code
from isthmus.estimators.spatial import SpatialCode
from isthmus.models._variational import GaussianBottleneck, Variational


@dataclass(repr=False, eq=False, kw_only=True)
class DIPVAE(SpatialCode, Variational):
    r"""DIP-VAE: a VAE whose inferred prior, the codes of all examples, has a diagonal covariance.

    .. math:: \mathcal{L} = -\mathrm{ELBO} + \lambda_{od} \sum_{i \ne j} C_{ij}^2
              + \lambda_d \sum_i (C_{ii} - 1)^2, \quad
              C^{(i)} = \mathrm{Cov}_x[\mu(x)], \quad
              C^{(ii)} = C^{(i)} + \mathbb{E}_x[\Sigma(x)]

    C is estimated from the examples of a batch. Of variant ii it is the covariance of q(z), so that
    the posterior may stay wide where x says nothing; variant i wants means of variance 1 in every
    dimension. The history shows the two sums as ``covariance`` and ``variance``.
    ``x: (n, *shape)``, ``z: (n, latent_dim)``.

    Raises:
        InputError: at ``fit``, for batches of a single example.

    Reference:
        A. Kumar, P. Sattigeri and A. Balakrishnan, Variational inference of disentangled latent
        concepts from unlabeled observations, ICLR 2018.

    Example:
        >>> import isthmus as ist
        >>> data = ist.data.load("digits")
        >>> model = ist.DIPVAE(latent_dim=6, epochs=1, random_state=0).fit(data.train)
        >>> "covariance" in model.history_[0]
        True
    """

    latent_dim: int = field(10, "size of the code", low=1)
    variant: str = field(
        "ii", "whose covariance: of the means ('i'), or of codes ('ii')", choices=("i", "ii")
    )
    covariance_weight: float = field(
        10.0, "weight of the squared covariances of two dimensions (lambda_od)", low=0
    )
    variance_weight: float = field(
        10.0, "weight of how far variances are from 1, squared (lambda_d)", low=0
    )

    @property
    def _batch_estimate(self) -> str:
        return "the covariance of the codes of a batch"

    def _bottleneck(self, features: Shape) -> Bottleneck:
        return InferredPriorBottleneck(
            features,
            self._code_size,
            (self.covariance_weight, self.variance_weight),
            of_means=self.variant == "i",
            is_map=self._is_map(features),
        )


class InferredPriorBottleneck(GaussianBottleneck):
    """A Gaussian posterior, charged for what the covariance of the codes of a batch lacks to I.

    Args:
        features: the shape of the features of one example.
        latent_dim: size of the code; of a map, at each place.
        weights: of the covariances, and of the variances.
        of_means: whether the covariance is that of the means alone (variant i).
        is_map: whether the code keeps the places of the features.
    """

    def __init__(
        self,
        features: Shape,
        latent_dim: int,
        weights: tuple[float, float],
        *,
        of_means: bool,
        is_map: bool = False,
    ) -> None:
        super().__init__(features, latent_dim, is_map=is_map)
        self.weights, self.of_means = weights, of_means

    def forward(self, features: Tensor, noise: Tensor | None = None) -> Code:
        code = super().forward(features, noise)
        if code.penalty is None or sharding.total(len(code.z)) < 2:  # one code has no covariance
            return code
        mu, log_var = (sharding.gather(part.flatten(1)) for part in self.posterior(features))
        gap = gap_to_identity(mu, None if self.of_means else log_var.exp())
        off, diagonal = (part.expand(len(code.z)) for part in gap)
        penalty = code.penalty + self.weights[0] * off + self.weights[1] * diagonal
        return Code(code.z, penalty, {**code.terms, "covariance": off, "variance": diagonal})

    @property
    def _remedy(self) -> str:
        return "lower covariance_weight and variance_weight, or the scale of the likelihood"


class CovarianceGap(NamedTuple):
    """The squared distances of a covariance from the identity, off and on its diagonal."""

    off: Tensor
    diagonal: Tensor


def gap_to_identity(mu: Tensor, var: Tensor | None = None) -> CovarianceGap:
    """What the covariance of codes lacks to the identity, by their means ``(n, d)`` and, where they
    are drawn, their variances ``(n, d)``.
    """
    off_mean = mu - mu.mean(0)
    covariance = off_mean.T @ off_mean / len(mu)  # (d, d)
    if var is not None:
        covariance = covariance + torch.diag(var.mean(0))
    diagonal = covariance.diagonal()
    off = covariance.square().sum() - diagonal.square().sum()
    return CovarianceGap(off, (diagonal - 1).square().sum())
