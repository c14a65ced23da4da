"""Gaussian priors: the standard normal, and a mixture that is learnt."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from isthmus.core.example import Shape
from isthmus.core.fields import field
from isthmus.core.reductions import sum_dimensions
from isthmus.divergences import full_gaussian_kl, gaussian_kl, log_normal_pairs
from isthmus.latent_priors.base import LatentPrior, LatentPriorPart
from isthmus.posteriors.gaussian import DiagonalGaussian, FullGaussian


class StandardNormalPrior(LatentPrior):
    r"""The standard normal, :math:`\log p(z) = -\tfrac12 (\lVert z \rVert^2 + d \log 2\pi)`."""

    def __init__(self, code_shape: Shape) -> None:
        super().__init__()
        self.code_shape = code_shape

    def log_prob(self, z: Tensor) -> Tensor:
        each = -0.5 * (z.square() + math.log(2 * math.pi))
        return each.flatten(-len(self.code_shape)).sum(-1)

    def sample(self, n: int, temperature: float = 1.0) -> Tensor:
        return temperature * torch.randn(n, *self.code_shape)

    def kl(self, chosen: Any) -> Tensor | None:
        match chosen:
            case DiagonalGaussian(mu, log_var):
                return sum_dimensions(gaussian_kl(mu, log_var))
            case FullGaussian(mu, _, factor):
                return full_gaussian_kl(mu, factor)
        return None


class GaussianMixturePrior(LatentPrior):
    r"""A mixture of K diagonal Gaussians, all of which is learnt.

    .. math:: p(z) = \sum_k w_k \, \mathcal N(z; \mu_k, \operatorname{diag} \sigma_k^2)

    The means start as draws of N(0, I), the deviations at 1, the weights all alike.
    """

    def __init__(self, code_shape: Shape, components: int) -> None:
        super().__init__()
        self.code_shape = code_shape
        self.logits = nn.Parameter(torch.zeros(components))
        self.mu = nn.Parameter(torch.randn(components, *code_shape))
        self.log_var = nn.Parameter(torch.zeros(components, *code_shape))

    def log_joint(self, z: Tensor) -> Tensor:
        """log p(z, k) of codes ``(..., *code_shape)`` and every Gaussian, ``(..., K)``."""
        z = z.flatten(-len(self.code_shape))
        each = log_normal_pairs(z, self.mu.flatten(1), self.log_var.flatten(1))
        return each + self.logits.log_softmax(0)

    def log_prob(self, z: Tensor) -> Tensor:
        return self.log_joint(z).logsumexp(-1)

    def sample(self, n: int, temperature: float = 1.0) -> Tensor:
        chosen = torch.multinomial(self.logits.softmax(0), n, replacement=True)
        noise = torch.randn(n, *self.code_shape, device=self.mu.device, dtype=self.mu.dtype)
        return self.mu[chosen] + temperature * (0.5 * self.log_var[chosen]).exp() * noise


@dataclass(repr=False)
class StandardNormal(LatentPriorPart):
    """The standard normal, N(0, I), which learns nothing."""

    def _module(self, code_shape: Shape) -> StandardNormalPrior:
        return StandardNormalPrior(code_shape)


@dataclass(repr=False)
class GaussianMixture(LatentPriorPart):
    r"""A mixture of diagonal Gaussians that is learnt with the weights.

    .. math:: p(z) = \sum_k w_k \, \mathcal N(z; \mu_k, \operatorname{diag} \sigma_k^2)

    See :class:`GaussianMixturePrior`, which it builds.

    Reference:
        N. Dilokthanakul et al., Deep unsupervised clustering with Gaussian mixture variational
        autoencoders, 2016; J. M. Tomczak and M. Welling, VAE with a VampPrior, AISTATS 2018, where
        it is compared with.
    """

    components: int = field(10, "Gaussians in the mixture", low=1)

    def _module(self, code_shape: Shape) -> GaussianMixturePrior:
        return GaussianMixturePrior(code_shape, self.components)
