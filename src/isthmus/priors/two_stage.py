"""The second stage: a VAE over codes, as wide as they are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from math import prod

import torch
from torch import Tensor, nn

from isthmus.core import sharding
from isthmus.core.batch import Batch
from isthmus.core.fields import field
from isthmus.core.objectives import Loss
from isthmus.divergences import gaussian_kl
from isthmus.priors._standardised import StandardisedDensity
from isthmus.priors._trained import Density, TrainedPrior

_DRAWS = 64  # of u, behind an estimate of log p
_LEAST_LOG_SCALE = -4.0  # of the decoder's noise, in units of the codes' deviation


@dataclass(repr=False, eq=False, kw_only=True)
class TwoStage(TrainedPrior):
    r"""The second stage of a two-stage VAE: another VAE whose examples are codes.

    .. math:: p(z) = \int \mathcal N(z; g(u), \gamma^2 I) \, \mathcal N(u; 0, I) \, du, \quad
              u \in \mathbb R^d \text{ as } z

    Codes of a trained VAE fill all d dimensions of theirs, but not as N(0, I) does. A VAE with as
    many latent dimensions can learn such a distribution exactly, so that draws u ~ N(0, I) become
    codes as the decoder of the first stage knows them. γ is learnt. ``sample(temperature=t)`` draws
    u and the noise with standard deviation t. :meth:`log_prob` is the importance-weighted bound of
    64 draws, by the same noise at every call.

    Reference:
        B. Dai and D. Wipf, Diagnosing and enhancing VAE models, ICLR 2019.
    """

    is_bounded = True

    hidden: tuple[int, ...] = field(
        (256, 256), "units of the hidden layers of encoder and decoder", low=1
    )
    learning_rate: float = field(1e-3, "step size of the optimiser", above=0)

    def _density(self) -> Density:
        return SecondStage(prod(self.code_shape_), self.condition_size, self.hidden)


class SecondStage(StandardisedDensity):
    """A VAE over standardised codes, on the scale of the codes.

    Args:
        size: values of a code, all axes taken together.
        condition_size: numbers of a condition, one for each class; 0 without.
        hidden: units of the hidden layers.
    """

    def __init__(self, size: int, condition_size: int, hidden: tuple[int, ...]) -> None:
        super().__init__((size,))
        self.encoder = _layers((size + condition_size, *hidden, 2 * size))
        self.decoder = _layers((size + condition_size, *reversed(hidden), size))
        self.log_scale_of_noise = nn.Parameter(torch.zeros(()))

    def loss(self, batch: Batch) -> Loss:
        """−ELBO of codes, in nats, on their scale."""
        x, condition = self.standardised(batch.x), batch.condition
        mu, log_var = self.posterior(x, condition)
        u = mu + (0.5 * log_var).exp() * sharding.randn_like(mu)
        rate = gaussian_kl(mu, log_var).sum(1)
        distortion = -self._log_normal(x, self._decoded(u, condition)) + self.log_scale(x)
        return Loss(distortion + rate, {"distortion": distortion, "rate": rate})

    def posterior(self, x: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor]:
        """Mean and log variance of q(u | z) of standardised codes, each ``(n, size)``."""
        mu, log_var = self.encoder(_with(x, condition)).chunk(2, dim=1)
        return mu, log_var.clamp(-20.0, 10.0)

    def log_prob(self, codes: Tensor, condition: Tensor | None = None) -> Tensor:
        x = self.standardised(codes)
        mu, log_var = self.posterior(x, condition)
        noise = torch.randn(_DRAWS, 1, x.shape[1], generator=torch.Generator().manual_seed(0)).to(x)
        weights = []
        for each in noise:  # (1, size), the same for all codes
            u = mu + (0.5 * log_var).exp() * each
            log_ratio = 0.5 * (each.square() + log_var - u.square()).sum(1)
            weights.append(log_ratio + self._log_normal(x, self._decoded(u, condition)))
        return torch.stack(weights).logsumexp(0) - math.log(_DRAWS) - self.log_scale(x)

    def draw(self, n: int, condition: Tensor | None, temperature: float) -> Tensor:
        u, noise = temperature * torch.randn(2, n, len(self.mean), device=self.mean.device)
        given = None if condition is None else condition.to(u)
        return self.restored(self._decoded(u, given) + self._log_noise.exp() * noise)

    def _decoded(self, u: Tensor, condition: Tensor | None) -> Tensor:
        mean: Tensor = self.decoder(_with(u, condition))
        return mean

    @property
    def _log_noise(self) -> Tensor:
        """log γ, bounded below: codes that lie on less than d dimensions would take it to −∞."""
        return self.log_scale_of_noise.clamp(min=_LEAST_LOG_SCALE)

    def _log_normal(self, x: Tensor, mean: Tensor) -> Tensor:
        """log N(x; mean, γ²I), ``(n,)``."""
        away = ((x - mean) * (-self._log_noise).exp()).square().sum(1)
        return -0.5 * away - x.shape[1] * (self._log_noise + 0.5 * math.log(2 * math.pi))


def _with(values: Tensor, condition: Tensor | None) -> Tensor:
    return values if condition is None else torch.cat([values, condition.to(values)], dim=1)


def _layers(sizes: tuple[int, ...]) -> nn.Sequential:
    layers = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.SiLU())]
    return nn.Sequential(*layers[:-1])
