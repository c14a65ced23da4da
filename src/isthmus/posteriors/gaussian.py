"""Gaussian posteriors: with a diagonal covariance, or with a full one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from isthmus.core.example import Shape
from isthmus.core.reductions import full
from isthmus.divergences import log_normal, log_normal_pairs
from isthmus.errors import InputError
from isthmus.networks.conv import code_layers
from isthmus.posteriors.base import Posterior, PosteriorPart

# Beyond these bounds the exponential overflows or the noise vanishes; no trained model comes near.
_LEAST, _GREATEST = -20.0, 10.0


class DiagonalGaussian(NamedTuple):
    """A diagonal Gaussian per example: mean and log variance, each ``(n, *code_shape)``."""

    mu: Tensor
    log_var: Tensor


def diagonal_gaussian(projected: Tensor) -> DiagonalGaussian:
    """The Gaussian of numbers ``(n, 2 d, ...)`` of an encoder: d means, then d log variances."""
    mu, log_var = full(projected).chunk(2, dim=1)  # each (n, d, ...)
    return DiagonalGaussian(mu, log_var.clamp(_LEAST, _GREATEST))


def precision_weighted(one: DiagonalGaussian, other: DiagonalGaussian) -> DiagonalGaussian:
    r"""The normalised product of two Gaussians, in which each counts by its precision.

    .. math:: \frac{1}{\sigma^2} = \frac{1}{\sigma_1^2} + \frac{1}{\sigma_2^2}, \quad
              \mu = \sigma^2 \left( \frac{\mu_1}{\sigma_1^2} + \frac{\mu_2}{\sigma_2^2} \right)

    >>> import torch
    >>> narrow = DiagonalGaussian(torch.tensor(1.0), torch.tensor(0.25).log())
    >>> wide = DiagonalGaussian(torch.tensor(0.0), torch.tensor(1.0).log())
    >>> product = precision_weighted(narrow, wide)
    >>> round(product.mu.item(), 4), round(product.log_var.exp().item(), 4)
    (0.8, 0.2)
    """
    excess = one.log_var - other.log_var
    # the variance is σ₁² / (1 + σ₁² / σ₂²), and the share of the first is σ² / σ₁²
    log_var = one.log_var - nn.functional.softplus(excess)
    return DiagonalGaussian(other.mu + (one.mu - other.mu) * torch.sigmoid(-excess), log_var)


class DiagonalPosterior(Posterior):
    r"""A Gaussian with a diagonal covariance, :math:`z = \mu + \sigma \odot \varepsilon`.

    ``features: (n, *features)``, ``z: (n, latent_dim)``, of a map ``(n, latent_dim, *grid)``.
    """

    def __init__(self, features: Shape, latent_dim: int, *, is_map: bool = False) -> None:
        super().__init__()
        layers, self.code_shape = code_layers(features, latent_dim, is_map=is_map, parts=2)
        self.project = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> DiagonalGaussian:
        return diagonal_gaussian(self.project(features))

    def draw(self, chosen: DiagonalGaussian, noise: Tensor) -> tuple[Tensor, Tensor]:
        z = chosen.mu + (0.5 * chosen.log_var).exp() * noise  # (s, n, *code_shape)
        log_q = -0.5 * (noise.square() + chosen.log_var + math.log(2 * math.pi))
        return z, log_q.flatten(2).sum(2)

    def log_prob(self, chosen: DiagonalGaussian, z: Tensor) -> Tensor:
        each = log_normal(z, chosen.mu, chosen.log_var)
        return each.flatten(-len(self.code_shape)).sum(-1)

    def log_prob_pairs(self, chosen: DiagonalGaussian, z: Tensor) -> Tensor:
        z = z.flatten(-len(self.code_shape))
        return log_normal_pairs(z, chosen.mu.flatten(1), chosen.log_var.flatten(1))


class FullGaussian(NamedTuple):
    r"""A Gaussian per example whose covariance is :math:`L L^\top`.

    Attributes:
        mu: the mean, ``(n, d)``.
        log_var: the logarithm of each dimension's own variance, ``(n, d)``.
        factor: the lower triangle L, ``(n, d, d)``.
    """

    mu: Tensor
    log_var: Tensor
    factor: Tensor


class FullPosterior(Posterior):
    r"""A Gaussian with a full covariance, :math:`z = \mu + L \varepsilon`.

    .. math:: \log q(z \mid x) = -\tfrac12 \lVert \varepsilon \rVert^2 - \sum_i \log L_{ii}
              - \tfrac d2 \log 2\pi

    ``features: (n, *features)``, ``z: (n, latent_dim)``.
    """

    def __init__(self, features: Shape, latent_dim: int) -> None:
        super().__init__()
        self.code_shape = (latent_dim,)
        below = latent_dim * (latent_dim - 1) // 2
        self.project = nn.Sequential(
            nn.Flatten(), nn.Linear(math.prod(features), 2 * latent_dim + below)
        )
        # where each entry of L stands among [σ, what is below the diagonal, 0]
        places = torch.full((latent_dim, latent_dim), latent_dim + below)
        rows, columns = torch.tril_indices(latent_dim, latent_dim, -1)
        places[rows, columns] = latent_dim + torch.arange(below)
        places.fill_diagonal_(0).diagonal().copy_(torch.arange(latent_dim))
        self.register_buffer("places", places.flatten(), persistent=False)
        self.places: Tensor

    def forward(self, features: Tensor) -> FullGaussian:
        d = self.code_shape[0]
        values = full(self.project(features))  # (n, 2 d + d (d - 1) / 2)
        mu, log_scale, below = values[:, :d], values[:, d : 2 * d], values[:, 2 * d :]
        sigma = log_scale.clamp(_LEAST / 2, _GREATEST / 2).exp()
        entries = torch.cat([sigma, below, torch.zeros_like(sigma[:, :1])], 1)
        factor = entries[:, self.places].unflatten(1, (d, d))
        return FullGaussian(mu, factor.square().sum(2).log(), factor)

    def draw(self, chosen: FullGaussian, noise: Tensor) -> tuple[Tensor, Tensor]:
        z = chosen.mu + (chosen.factor @ noise[..., None])[..., 0]  # (s, n, d)
        return z, self._log_density(chosen, noise)

    def log_prob(self, chosen: FullGaussian, z: Tensor) -> Tensor:
        apart = (z - chosen.mu)[..., None]
        noise = torch.linalg.solve_triangular(chosen.factor, apart, upper=False)[..., 0]
        return self._log_density(chosen, noise)

    def _log_density(self, chosen: FullGaussian, noise: Tensor) -> Tensor:
        """log q where the noise ``(..., n, d)`` leads, ``(..., n)``."""
        volume = chosen.factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        constant = 0.5 * self.code_shape[0] * math.log(2 * math.pi)
        return -0.5 * noise.square().sum(-1) - volume - constant


@dataclass(repr=False)
class Diagonal(PosteriorPart):
    r"""A Gaussian with a diagonal covariance: :math:`z = \mu(x) + \sigma(x) \odot \varepsilon`."""

    def _module(self, features: Shape, latent_dim: int, is_map: bool) -> DiagonalPosterior:
        return DiagonalPosterior(features, latent_dim, is_map=is_map)


@dataclass(repr=False)
class Full(PosteriorPart):
    r"""A Gaussian with a full covariance: :math:`z = \mu(x) + L(x) \varepsilon`.

    The encoder gives L, a lower triangle, so that the dimensions of a code may depend on each other
    given x. The paper calls it a linear inverse autoregressive flow.

    Raises:
        InputError: for ``code="map"``.

    Reference:
        D. P. Kingma et al., Improved variational inference with inverse autoregressive flow,
        NeurIPS 2016, section 4 (as a special case).
    """

    def _module(self, features: Shape, latent_dim: int, is_map: bool) -> FullPosterior:
        if is_map:
            raise no_maps("full")
        return FullPosterior(features, latent_dim)


def no_maps(name: str) -> InputError:
    """The error for a family of codes that are vectors."""
    return InputError(
        f"posterior={name!r} is for codes that are vectors, but code='map' was asked for: take"
        " code='vector', or posterior='diagonal'."
    )
