"""The β-TC-VAE: the rate taken apart, and only the dependence between dimensions weighed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from isthmus.core import sharding
from isthmus.core.autoencoder import Autoencoder, Bottleneck
from isthmus.core.example import Shape
from isthmus.core.fields import field
from isthmus.core.forward import Code
from isthmus.core.objectives import Batches, Stage
from isthmus.divergences import log_normal
from isthmus.estimators.spatial import SpatialCode
from isthmus.models._variational import GaussianBottleneck, Variational

_TOGETHER = 256  # codes whose densities are estimated from each other where examples are measured


@dataclass(repr=False, eq=False, kw_only=True)
class BetaTCVAE(SpatialCode, Variational):
    r"""β-TC-VAE: a VAE with the weight β on the total correlation of its code.

    .. math:: \mathrm{KL}(q(z \mid x) \Vert p(z)) = \underbrace{I(x; z)}_{\text{information}}
              + \underbrace{\mathrm{KL}(q(z) \Vert \textstyle\prod_j q(z_j))}
              _{\text{total correlation}}
              + \underbrace{\textstyle\sum_j \mathrm{KL}(q(z_j) \Vert p(z_j))}
              _{\text{dimension-wise KL}}

    on the average over x, where :math:`q(z) = \frac1N \sum_n q(z \mid x_n)` over the N training
    examples. The objective weighs the second term with β and the others with 1; with β = 1 it is
    the evidence bound of the VAE. Both densities are estimated within a batch, by minibatch
    stratified sampling, and so they are where validation is measured. The history shows all three
    terms and the ``rate`` that they add up to on the average. ``x: (n, *shape)``,
    ``z: (n, latent_dim)``.

    Raises:
        InputError: at ``fit``, for batches of a single example.

    Reference:
        R. T. Q. Chen, X. Li, R. Grosse and D. Duvenaud, Isolating sources of disentanglement in
        variational autoencoders, NeurIPS 2018.

    Example:
        >>> import isthmus as ist
        >>> data = ist.data.load("digits")
        >>> model = ist.BetaTCVAE(beta=4, latent_dim=6, epochs=1, random_state=0).fit(data.train)
        >>> "total_correlation" in model.history_[0]
        True
    """

    latent_dim: int = field(10, "size of the code", low=1)
    beta: float = field(6.0, "weight of the total correlation; 1 is the evidence bound", low=0)

    @property
    def _batch_estimate(self) -> str:
        return "the density of the codes of a batch"

    def _bottleneck(self, features: Shape) -> Bottleneck:
        return TotalCorrelationBottleneck(
            features, self._code_size, self.beta, is_map=self._is_map(features)
        )

    def _stages(self, module: Autoencoder) -> list[Stage]:
        assert isinstance(module.bottleneck, TotalCorrelationBottleneck)
        return [Stage(self._epochs, module.objectives(), partial(module.bottleneck.count))]


class TotalCorrelationBottleneck(GaussianBottleneck):
    """A Gaussian posterior whose rate is split into three terms, each with its weight."""

    def __init__(
        self, features: Shape, latent_dim: int, beta: float, *, is_map: bool = False
    ) -> None:
        super().__init__(features, latent_dim, beta, is_map=is_map)
        self.register_buffer("examples", torch.ones(()))  # how many there are to train on (N)
        self.examples: Tensor

    def count(self, batches: Batches) -> None:
        """Take note of how many examples there are, before the first step."""
        self.examples.fill_(len(batches))

    def forward(self, features: Tensor, noise: Tensor | None = None) -> Code:
        mu, log_var = self.posterior(features)
        code = super().forward(features, noise)
        total = sharding.total(len(mu))
        # whoever brings noise judges every example by itself
        if total < 2 or (noise is not None and not self.training):
            return Code(code.z, code.terms["rate"], code.terms)
        z, mu, log_var = (sharding.gather(part.flatten(1)) for part in (code.z, mu, log_var))
        decompose = decomposed_rate if self.training else decomposed_in_parts
        rate = DecomposedRate(*map(sharding.own, decompose(z, mu, log_var, self.examples)))
        charge = rate.information + self.beta * rate.total_correlation + rate.dimension_wise
        return Code(code.z, charge, {**code.terms, **rate._asdict()})

    @property
    def _remedy(self) -> str:
        return f"lower beta (it is {self.beta:g}), or take a smaller scale of the likelihood"


class DecomposedRate(NamedTuple):
    """The three parts of the rate of each example, in nats, each ``(n,)``."""

    information: Tensor
    total_correlation: Tensor
    dimension_wise: Tensor


def decomposed_rate(z: Tensor, mu: Tensor, log_var: Tensor, examples: Tensor) -> DecomposedRate:
    """The parts of the rate of codes ``(m, d)``, estimated from the posteriors of a batch.

    Each code was drawn from its own of the m posteriors; the batch is one out of ``examples``.
    """
    # log q(z_i | x_k) of every dimension, of every code under every posterior: (m, m, d)
    each = log_normal(z[:, None], mu[None], log_var[None])
    weights = stratified_log_weights(len(z), examples)  # (m, m)
    log_q = (each.sum(2) + weights).logsumexp(1)
    log_q_product = (each + weights[..., None]).logsumexp(1).sum(1)
    log_conditional = each.diagonal().sum(0)
    log_prior = log_normal(z, torch.zeros_like(z), torch.zeros_like(z)).sum(1)
    return DecomposedRate(log_conditional - log_q, log_q - log_q_product, log_q_product - log_prior)


def decomposed_in_parts(z: Tensor, mu: Tensor, log_var: Tensor, examples: Tensor) -> DecomposedRate:
    """The same of any number of codes, such as those of all validation examples, at most 256 at a
    time, since memory grows by their square; those of a part lie at even distances.
    """
    count = math.ceil(len(z) / _TOGETHER)
    order = torch.cat([torch.arange(i, len(z), count, device=z.device) for i in range(count)])
    found = [
        decomposed_rate(z[i::count], mu[i::count], log_var[i::count], examples)
        for i in range(count)
    ]
    return DecomposedRate(*(torch.cat(term)[order.argsort()] for term in zip(*found, strict=True)))


def stratified_log_weights(m: int, examples: Tensor) -> Tensor:
    r"""log of the weight of posterior k in the estimate of q(z_i), ``(m, m)``.

    The example's own posterior stands for itself, 1 / N. The other m − 1 stand for the remaining
    N − 1, each with :math:`\frac{N - 1}{N (m - 1)}`; each row sums to 1.
    """
    own = torch.eye(m, dtype=torch.bool, device=examples.device)
    others = (examples - 1) / (examples * (m - 1))
    return torch.where(own, 1 / examples, others).log()
