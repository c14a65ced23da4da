"""The FactorVAE: a critic estimates how much the dimensions of a code depend on each other."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from isthmus.core import sharding
from isthmus.core.autoencoder import Autoencoder, Bottleneck
from isthmus.core.example import Shape
from isthmus.core.fields import field
from isthmus.core.forward import Code, Pass
from isthmus.core.objectives import Adversary, Loss
from isthmus.estimators.spatial import SpatialCode
from isthmus.models._variational import GaussianBottleneck, Variational
from isthmus.models.aae import critic_of


@dataclass(repr=False, eq=False, kw_only=True)
class FactorVAE(SpatialCode, Variational):
    r"""FactorVAE: a VAE that is charged for the total correlation of its code, told by a critic.

    .. math:: \mathcal{L} = -\mathrm{ELBO} + \gamma \,
              \mathbb{E}_{q(z)}\left[\log \frac{D(z)}{1 - D(z)}\right]
              \approx -\mathrm{ELBO} + \gamma \,
              \mathrm{KL}\left(q(z) \Vert \textstyle\prod_j q(z_j)\right)

    The critic D tells codes from codes whose dimensions were permuted, each in an order of its own,
    over the batch: those are draws of the product of the margins. It makes
    :math:`-\tfrac12 \log D(z) - \tfrac12 \log(1 - D(z'))` small, shown as ``critic``; at log 2 =
    0.693 nats dimensions look independent. The history shows the estimate as
    ``total_correlation``. The paper permutes the codes of a second batch; here it is the same one,
    whose codes need not be made twice. ``x: (n, *shape)``, ``z: (n, latent_dim)``.

    Raises:
        InputError: at ``fit``, for batches of a single example.

    Reference:
        H. Kim and A. Mnih, Disentangling by factorising, ICML 2018.

    Example:
        >>> import isthmus as ist
        >>> data = ist.data.load("digits")
        >>> model = ist.FactorVAE(latent_dim=6, epochs=1, random_state=0).fit(data.train)
        >>> "total_correlation" in model.history_[0]
        True
    """

    moving_objective = True

    latent_dim: int = field(10, "size of the code", low=1)
    gamma: float = field(
        10.0, "weight of the total correlation beside the evidence bound; 0 is the VAE", low=0
    )
    critic_hidden: tuple[int, ...] = field(
        (256, 256), "units of the critic's hidden layers; the paper has six of 1000", low=1
    )
    critic_learning_rate: float | None = field(
        None, "step size of the critic; none: that of the autoencoder", above=0
    )

    @property
    def _batch_estimate(self) -> str:
        return "how codes would look if their dimensions were independent"

    def _bottleneck(self, features: Shape) -> Bottleneck:
        return FactorBottleneck(
            features,
            self._code_size,
            self.gamma,
            self.critic_hidden,
            self.critic_learning_rate,
            is_map=self._is_map(features),
        )


class FactorBottleneck(GaussianBottleneck):
    """A Gaussian posterior, and a critic that tells its codes from permuted ones.

    A code is charged for the logit of being told.
    """

    def __init__(
        self,
        features: Shape,
        latent_dim: int,
        gamma: float,
        hidden: tuple[int, ...],
        learning_rate: float | None,
        *,
        is_map: bool = False,
    ) -> None:
        super().__init__(features, latent_dim, is_map=is_map)
        self.gamma, self.learning_rate = gamma, learning_rate
        self.critic = critic_of(self.code_shape, hidden)

    def forward(self, features: Tensor, noise: Tensor | None = None) -> Code:
        code = super().forward(features, noise)
        logit = self.critic(code.z.flatten(1))  # log D(z) / (1 − D(z)), (n,)
        charge = self.gamma * logit if code.penalty is None else code.penalty + self.gamma * logit
        return Code(code.z, charge, {**code.terms, "total_correlation": logit})

    def adversaries(self, module: Autoencoder) -> tuple[Adversary, ...]:
        moved, half = tuple(self.critic.parameters()), math.log(2)
        return (Adversary(moved, self.critic_loss, self.learning_rate, chance=half),)

    def critic_loss(self, made: Pass) -> Loss:
        """The critic's loss: half of −log D of a code, and of −log(1 − D) of a permuted one."""
        z = made.code.z.flatten(1)
        apart = sharding.own(permuted(sharding.gather(z)))
        loss = 0.5 * (F.softplus(-self.critic(z)) + F.softplus(self.critic(apart)))
        return Loss(loss, {"critic": loss})

    @property
    def _remedy(self) -> str:
        return f"lower gamma (it is {self.gamma:g}), or take a smaller scale of the likelihood"


def permuted(z: Tensor) -> Tensor:
    """Codes ``(n, d)`` with the n values of each dimension in a random order of its own."""
    return z.gather(0, torch.rand_like(z).argsort(0))
