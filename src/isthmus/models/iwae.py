"""The importance-weighted autoencoder: several draws of the code make a tighter bound."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from isthmus.core import sharding
from isthmus.core.autoencoder import Autoencoder, Bottleneck
from isthmus.core.batch import Batch
from isthmus.core.example import ExampleSpec, Shape
from isthmus.core.fields import field
from isthmus.core.objectives import Loss
from isthmus.core.reductions import sum_dimensions
from isthmus.divergences import gaussian_kl
from isthmus.estimators.spatial import SpatialCode
from isthmus.models._variational import GaussianBottleneck, Variational, drawn


@dataclass(repr=False, eq=False, kw_only=True)
class IWAE(SpatialCode, Variational):
    r"""Importance-weighted autoencoder: a VAE trained on a tighter bound, from k draws of the code.

    .. math:: \mathcal{L}_k = \mathbb{E}_{z_1, \dots, z_k \sim q(z \mid x)}
              \left[ \log \frac1k \sum_{i=1}^k \frac{p(x \mid z_i) \, p(z_i)}{q(z_i \mid x)} \right]

    With k = 1 it is the evidence bound of the VAE. The objective is :math:`-\mathcal{L}_k`, in
    nats; distortion and rate are reported beside it, and add up to the looser −ELBO.
    ``x: (n, *shape)``, ``z: (n, latent_dim)``.

    Reference:
        Y. Burda, R. Grosse and R. Salakhutdinov, Importance weighted autoencoders, ICLR 2016.

    Example:
        >>> import isthmus as ist
        >>> data = ist.data.load("digits")
        >>> iwae = ist.IWAE(samples=5, epochs=1, random_state=0).fit(data.train)
        >>> iwae.nll(data.test.x, samples=10).shape
        (359,)
    """

    samples: int = field(5, "draws of the code behind one bound (k)", low=1)

    def _bottleneck(self, features: Shape) -> Bottleneck:
        return ImportanceWeightedBottleneck(
            features, self._code_size, is_map=self._is_map(features)
        )

    def _loss_function(self, spec: ExampleSpec) -> ImportanceWeightedLoss:
        return ImportanceWeightedLoss(self.samples)


class ImportanceWeightedBottleneck(GaussianBottleneck):
    """A Gaussian posterior without a weight on the rate."""

    @property
    def _remedy(self) -> str:
        return "take fewer samples, a smaller learning_rate, or a VAE, whose rate can be warmed up"


@dataclass(frozen=True)
class ImportanceWeightedLoss:
    """The bound of k draws, as an objective: −log of the mean weight."""

    samples: int

    def __call__(
        self, module: Autoencoder, features: Tensor, batch: Batch, noise: Tensor | None
    ) -> Loss:
        mu, log_var = module.bottleneck.posterior(features)
        draws = (
            sharding.randn(self.samples, *mu.shape, like=mu, dim=1)
            if noise is None
            else noise[None]
        )
        made = drawn(module, features, batch, draws.expand(-1, *mu.shape))
        evidence = made.log_weight.logsumexp(0) - math.log(len(draws))  # (n,)
        rate = sum_dimensions(gaussian_kl(mu, log_var))
        return Loss(-evidence, {"distortion": made.nll.mean(0), "rate": rate})
