"""The adversarial autoencoder: a critic tells codes from the prior, and the encoder fools it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from isthmus.core import sharding
from isthmus.core.autoencoder import Autoencoder, Bottleneck
from isthmus.core.example import Shape
from isthmus.core.fields import field
from isthmus.core.forward import Code, Pass, Point
from isthmus.core.objectives import Adversary, Loss
from isthmus.estimators.base import Estimator
from isthmus.estimators.settings import Conditional
from isthmus.estimators.spatial import SpatialCode
from isthmus.models.ae import DeterministicBottleneck


@dataclass(repr=False, eq=False, kw_only=True)
class AAE(SpatialCode, Conditional, Estimator):
    r"""Adversarial autoencoder: a critic makes the distribution of the codes match N(0, I).

    .. math:: \min_{f, g} \; \mathbb{E}_x \left[ -\log p(x \mid z = f(x))
              - \lambda \log D(f(x)) \right], \quad
              \min_D \; \mathbb{E}_{z \sim \mathcal{N}(0, I)} [-\log D(z)]
              + \mathbb{E}_x [-\log (1 - D(f(x)))]

    Both move once in every step, the autoencoder first. The history shows :math:`-\log D(f(x))` as
    ``adversary``, and the critic's own loss as ``critic``: at :math:`2 \log 2 = 1.386` nats it can
    no longer tell the two apart. Codes are deterministic. ``x: (n, *shape)``,
    ``z: (n, latent_dim)``.

    Reference:
        A. Makhzani, J. Shlens, N. Jaitly, I. Goodfellow and B. Frey, Adversarial autoencoders, ICLR
        workshop 2016.

    Example:
        >>> import isthmus as ist
        >>> data = ist.data.load("digits")
        >>> ist.AAE(epochs=1, random_state=0).fit(data.train).sample(3).shape
        (3, 1, 8, 8)
    """

    moving_objective = True

    adversary_weight: float = field(1.0, "weight of fooling the critic (lambda)", low=0)
    critic_hidden: tuple[int, ...] = field((128, 128), "units of the critic's hidden layers", low=1)
    critic_learning_rate: float | None = field(
        None, "step size of the critic; none: that of the autoencoder", above=0
    )

    @property
    def code_space(self) -> str:
        return "normal"

    def _bottleneck(self, features: Shape) -> Bottleneck:
        return AdversarialBottleneck(
            features,
            self._code_size,
            self.adversary_weight,
            self.critic_hidden,
            self.critic_learning_rate,
            is_map=self._is_map(features),
        )


class AdversarialBottleneck(Bottleneck):
    """A linear map to the code, and a critic that distinguishes codes from draws of N(0, I).

    A code is charged for being told.
    """

    def __init__(
        self,
        features: Shape,
        latent_dim: int,
        weight: float,
        hidden: tuple[int, ...],
        learning_rate: float | None,
        *,
        is_map: bool = False,
    ) -> None:
        super().__init__()
        self.inner = DeterministicBottleneck(features, latent_dim, is_map=is_map)
        self.code_shape = self.inner.code_shape
        self.weight, self.learning_rate = weight, learning_rate
        self.critic = critic_of(self.code_shape, hidden)

    def posterior(self, features: Tensor) -> Point:
        return self.inner.posterior(features)

    def forward(self, features: Tensor, noise: Tensor | None = None) -> Code:
        z = self.inner(features).z
        adversary = fooling(self.critic, z.flatten(1))
        return Code(z, self.weight * adversary, {"adversary": adversary})

    def adversaries(self, module: Autoencoder) -> tuple[Adversary, ...]:
        return (Adversary(tuple(self.critic.parameters()), self.critic_loss, self.learning_rate),)

    def critic_loss(self, made: Pass) -> Loss:
        """The critic's loss: −log D of a draw of the prior, and −log(1 − D) of the code."""
        z = made.code.z.flatten(1)
        loss = telling(self.critic, sharding.randn_like(z), z)
        return Loss(loss, {"critic": loss})


def critic_of(code_shape: Shape, hidden: tuple[int, ...]) -> nn.Sequential:
    """A network from flat codes ``(n, numbers of a code)`` to a logit each, ``(n,)``."""
    sizes = [math.prod(code_shape), *hidden]
    layers = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.LeakyReLU(0.2))]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], 1), nn.Flatten(0))


def fooling(critic: nn.Module, code: Tensor) -> Tensor:
    """−log D of codes, ``(n,)``: what an encoder pays for being told."""
    return F.softplus(-critic(code))


def telling(critic: nn.Module, drawn: Tensor, code: Tensor) -> Tensor:
    """−log D of what was drawn, and −log(1 − D) of codes, ``(n,)``: what a critic pays."""
    return fooling(critic, drawn) + F.softplus(critic(code))
