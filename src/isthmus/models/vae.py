"""The variational autoencoder: the code is a distribution, kept close to a prior."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from isthmus.divergences import gaussian_kl
from isthmus.estimator import Estimator, Shape
from isthmus.fields import field
from isthmus.likelihoods import full
from isthmus.module import Bottleneck, Code


@dataclass(repr=False, eq=False, kw_only=True)
class VAE(Estimator):
    r"""Variational autoencoder: a Gaussian posterior over the code and a standard normal prior.

    .. math:: -\mathrm{ELBO} = \mathbb{E}_{q(z \mid x)}[-\log p(x \mid z)]
              + \beta \, \mathrm{KL}\left(q(z \mid x) \,\Vert\, \mathcal{N}(0, I)\right),
              \quad q(z \mid x) = \mathcal{N}(\mu(x), \sigma^2(x))

    Both terms are in nats, summed over dimensions and averaged over examples, so ``beta=1`` is the evidence bound.
    ``x: (n, *shape)``, ``z: (n, latent_dim)``. ``transform`` gives μ, the same at every call; ``encode`` gives μ and log σ².

    Raises:
        InputError: at ``fit``, for data outside [0, 1] under a Bernoulli likelihood, and for unusable fields.

    References:
        D. P. Kingma and M. Welling, Auto-encoding variational Bayes, ICLR 2014.
        I. Higgins et al., β-VAE, ICLR 2017 (``beta``).
        D. P. Kingma et al., Improved variational inference with inverse autoregressive flow, NeurIPS 2016 (``free_bits``).

    Example:
        >>> import isthmus as ist
        >>> data = ist.data.load("digits")
        >>> vae = ist.VAE(latent_dim=2, epochs=1, random_state=0).fit(data.train)
        >>> vae.encode(data.test.x[:5]).log_var.shape
        (5, 2)
    """

    beta: float = field(1.0, "weight of the rate, KL(q(z|x) || p(z)); 1 is the evidence bound", low=0)
    kl_warmup: float = field(0.0, "epochs over which the weight of the rate grows from 0 to beta", low=0)
    free_bits: float = field(0.0, "nats per dimension of the code that cost nothing, on the average of a batch", low=0)

    unbounded_likelihood = "gaussian"

    @property
    def code_space(self) -> str:
        return "normal"

    @property
    def warm_epoch(self) -> float:
        return self.kl_warmup

    def _bottleneck(self, features: Shape) -> Bottleneck:
        return GaussianPosterior(features, self.latent_dim, self.beta, self.kl_warmup, self.free_bits)

    def _prior(self, n: int) -> Tensor:
        return torch.randn(n, self.latent_dim)


class Gaussian(NamedTuple):
    """A diagonal Gaussian per example: its mean and the logarithm of its variance, each ``(n, latent_dim)``."""

    mu: Tensor
    log_var: Tensor


class GaussianPosterior(Bottleneck):
    """q(z | x), a diagonal Gaussian; the code is drawn by z = μ + σ·ε, and the rate is its divergence from N(0, I).

    ``features: (n, *features)`` to ``z: (n, latent_dim)``.
    """

    is_random = True

    def __init__(
        self, features: Shape, latent_dim: int, beta: float = 1.0, kl_warmup: float = 0.0, free_bits: float = 0.0
    ) -> None:
        super().__init__()
        self.code_shape = (latent_dim,)
        self.project = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(features), 2 * latent_dim))
        self.beta, self.kl_warmup, self.free_bits = beta, kl_warmup, free_bits
        self.register_buffer("weight", torch.tensor(beta), persistent=False)
        self.weight: Tensor

    def posterior(self, features: Tensor) -> Gaussian:
        mu, log_var = full(self.project(features)).chunk(2, dim=-1)  # each (n, latent_dim)
        # Beyond these bounds the exponential overflows or the noise vanishes; no trained model comes near them.
        return Gaussian(mu, log_var.clamp(-20.0, 10.0))

    def forward(self, features: Tensor, noise: Tensor | None = None) -> Code:
        mu, log_var = self.posterior(features)
        z = mu + (0.5 * log_var).exp() * (torch.randn_like(mu) if noise is None else noise)
        kl = gaussian_kl(mu, log_var)  # (n, latent_dim)
        rate = kl.sum(1)
        # Free bits look at the mean over the batch, so every example carries the same charge.
        charge = kl.mean(0).clamp(min=self.free_bits).sum().expand_as(rate) if self.free_bits > 0 else rate
        return Code(z, self.weight * charge, {"rate": rate})

    def anneal(self, epoch: float) -> None:
        if self.kl_warmup > 0:
            self.weight.fill_(self.beta * min(1.0, epoch / self.kl_warmup))

    def complaints(self, posterior: Sequence[Tensor]) -> list[str]:
        rates = gaussian_kl(posterior[0], posterior[1]).mean(0)
        collapsed = int((rates < 0.01).sum())
        if collapsed < len(rates):
            return []
        return [
            f"all {collapsed} dimensions of the code carry less than 0.01 nats (posterior collapse), so the decoder ignores "
            f"the code: lower beta (it is {self.beta:g}), set kl_warmup to some epochs, or free_bits to about 0.1."
        ]
