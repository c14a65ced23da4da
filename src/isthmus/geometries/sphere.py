"""Codes on the unit sphere: von Mises-Fisher posteriors, and a uniform prior."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.special import betaincinv, ndtr
from torch import Tensor, nn
from torch.nn import functional as F

from isthmus.core.example import Shape
from isthmus.core.reductions import full
from isthmus.errors import InputError
from isthmus.geometries.base import Geometry
from isthmus.latent_priors.base import LatentPrior
from isthmus.posteriors.base import Posterior

_BINS, _REACH = 256, 6.5  # of the table of heights, and how many deviations it reaches
_TINY = 1e-24  # of a squared length that may be 0
_LEAST = 1.0  # concentration, as published: below it, q is hardly told from the prior


class VonMisesFisher(NamedTuple):
    """A von Mises-Fisher distribution per example.

    Attributes:
        mu: the mean direction, of length 1, ``(n, d)``.
        kappa: the concentration around it, ``(n, 1)``.
    """

    mu: Tensor
    kappa: Tensor


class Heights(NamedTuple):
    """Heights w = μᵀz of a von Mises-Fisher distribution, in bins of equal width of a normal.

    Attributes:
        masses: how much lies in each bin, ``(n, bins)``.
        rest: 1 − w in the middle of each, ``(n, bins)``.
        log_area: log of the integral of exp(κ (w − 1)) over the sphere, ``(n,)``.
        b: of Wood's transformation, ``(n, 1)``.
    """

    masses: Tensor
    rest: Tensor
    log_area: Tensor
    b: Tensor


class VonMisesFisherPosterior(Posterior):
    r"""A von Mises-Fisher distribution on the unit sphere of d numbers.

    .. math:: q(z \mid x) = \frac{\exp(\kappa \, \mu^\top z)}{\int_{S^{d-1}}
              \exp(\kappa \, \mu^\top y) \, \mathrm{d}y}, \quad \lVert z \rVert = 1

    A draw is a height :math:`w = \mu^\top z` and a direction around μ. Heights are drawn by
    inverting their cumulative distribution, on a grid in Wood's variable ε,
    :math:`w = \frac{1 - (1 + b) \varepsilon}{1 - (1 - b) \varepsilon}`, in which it is close to a
    Beta distribution for every κ. Wood's own sampler proposes that Beta and rejects. The inverse
    takes noise from outside, as every posterior does, never fails, and its gradient needs no
    correction for what was rejected. The integrals of q are sums over the same grid.

    Reference:
        A. T. A. Wood, Simulation of the von Mises Fisher distribution, 1994.
    """

    def __init__(self, features: Shape, latent_dim: int) -> None:
        super().__init__()
        self.code_shape = (latent_dim,)
        self.project = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(features), latent_dim + 1))
        table = _table(latent_dim)
        self.register_buffer("edges", table.edges, persistent=False)
        self.register_buffer("middles", table.middles, persistent=False)
        self.register_buffer("log_weights", table.log_weights, persistent=False)
        self.edges: Tensor
        self.middles: Tensor
        self.log_weights: Tensor

    def forward(self, features: Tensor) -> VonMisesFisher:
        values = full(self.project(features))  # (n, d + 1)
        mu = _unit(values[:, :-1])
        return VonMisesFisher(mu, F.softplus(values[:, -1:]) + _LEAST)

    def draw(self, chosen: VonMisesFisher, noise: Tensor) -> tuple[Tensor, Tensor]:
        heights = self.heights(chosen.kappa)
        rest, sine = self._drawn(heights, noise[..., 0])  # each (s, n)
        around = _unit(noise[..., 1:])  # (s, n, d - 1)
        upright = torch.cat([1 - rest[..., None], sine[..., None] * around], -1)
        log_q = -chosen.kappa[:, 0] * rest - heights.log_area
        return _turned(upright, chosen.mu), log_q

    def log_prob(self, chosen: VonMisesFisher, z: Tensor) -> Tensor:
        rest = 1 - (z * chosen.mu).sum(-1)
        return -chosen.kappa[:, 0] * rest - self.heights(chosen.kappa).log_area

    def projected(self, z: Tensor) -> Tensor:
        return _unit(z)

    def heights(self, kappa: Tensor) -> Heights:
        """The distribution of the height for concentrations ``(n, 1)``."""
        m = self.code_shape[0] - 1
        b = m / (2 * kappa + (4 * kappa.square() + m**2).sqrt())
        low, high = self.middles  # ε and 1 − ε, each (bins,)
        width = high + b * low
        rest = 2 * b * low / width  # (n, bins)
        log_ratio = -kappa * rest - m * width.log() + self.log_weights
        log_mean = log_ratio.logsumexp(1)
        # of the part of exp(κ (w − 1)) (1 − w²)^((m − 2) / 2) that is not in the grid
        log_scale = 0.5 * (m - 2) * (4 * b).log() + (2 * b).log() + _log_beta(m / 2)
        log_area = log_mean + log_scale[:, 0] + _log_sphere(m)
        return Heights((log_ratio - log_mean[:, None]).exp(), rest, log_area, b)

    def _drawn(self, heights: Heights, noise: Tensor) -> tuple[Tensor, Tensor]:
        """1 − w and the root of 1 − w² of standard normal noise ``(s, n)``, each ``(s, n)``."""
        below = torch.special.ndtr(noise).T.contiguous()  # (n, s)
        ends = heights.masses.cumsum(1)
        places = torch.searchsorted(ends.detach(), below).clamp(max=_BINS - 1)
        mass = heights.masses.gather(1, places)
        share = (1 - (ends.gather(1, places) - below) / mass).clamp(0, 1)
        low, high = (
            edge[places] + share * (edge[places + 1] - edge[places]) for edge in self.edges
        )
        width = high + heights.b * low
        sine = 2 * (heights.b * low * high).sqrt() / width
        return (2 * heights.b * low / width).T, sine.T


class UniformSpherePrior(LatentPrior):
    r"""The uniform distribution on the unit sphere, :math:`\log p(z) = -\log |S^{d-1}|`."""

    def __init__(self, family: VonMisesFisherPosterior) -> None:
        super().__init__()
        self.code_shape = family.code_shape
        self._family = (family,)  # in a tuple, or it would be a part of this module too

    def log_prob(self, z: Tensor) -> Tensor:
        return z.new_full(z.shape[:-1], -_log_sphere(self.code_shape[0]))

    def sample(self, n: int, temperature: float = 1.0) -> Tensor:
        if temperature != 1:
            raise InputError(
                f"temperature={temperature:g} says nothing on a sphere, whose codes are uniform:"
                " leave it out."
            )
        return _unit(torch.randn(n, *self.code_shape))

    def kl(self, chosen: Any) -> Tensor:
        r"""KL(q ‖ p) = −κ E[1 − w] − log ∫ exp(κ (w − 1)) + log |S|, ``(n,)``, in nats."""
        heights = self._family[0].heights(chosen.kappa)
        mean = (heights.masses * heights.rest).sum(1)
        return -chosen.kappa[:, 0] * mean - heights.log_area + _log_sphere(self.code_shape[0])


@dataclass(repr=False)
class Sphere(Geometry):
    r"""Codes of length 1: von Mises-Fisher posteriors, and a uniform prior, of ``latent_dim``
    numbers on the sphere :math:`S^{d-1}`.

    .. math:: q(z \mid x) \propto \exp(\kappa(x) \, \mu(x)^\top z), \quad p(z) = 1 / |S^{d-1}|

    The prior has no centre that draws codes together, and a posterior cannot collapse by growing
    wide. In more than about twenty dimensions the normal prior is as good.

    Raises:
        InputError: for a ``latent_dim`` of 1.

    Reference:
        T. R. Davidson, L. Falorsi, N. De Cao, T. Kipf and J. M. Tomczak, Hyperspherical variational
        auto-encoders, UAI 2018.
    """

    def _modules(self, features: Shape, latent_dim: int) -> tuple[Posterior, LatentPrior]:
        if latent_dim < 2:
            raise InputError(
                f"geometry='sphere' has only two points in latent_dim={latent_dim}: give at least"
                " 2 dimensions."
            )
        family = VonMisesFisherPosterior(features, latent_dim)
        return family, UniformSpherePrior(family)


class _Table(NamedTuple):
    """ε and 1 − ε of a Beta distribution, where a standard normal has bins of one width.

    Attributes:
        edges: ``(2, bins + 1)``.
        middles: ``(2, bins)``.
        log_weights: log of the share of the normal in each bin, by its middle, ``(bins,)``.
    """

    edges: Tensor
    middles: Tensor
    log_weights: Tensor


def _table(dimensions: int) -> _Table:
    ticks = np.linspace(-_REACH, _REACH, 2 * _BINS + 1)
    half = (dimensions - 1) / 2
    low = betaincinv(half, half, ndtr(ticks))
    both = np.stack([low, low[::-1]])  # symmetric: 1 − ε without what rounding takes away
    density = -0.5 * ticks[1::2] ** 2
    weights = density - np.log(np.exp(density).sum())
    edges, middles, log_weights = (
        torch.tensor(np.ascontiguousarray(values), dtype=torch.float32)
        for values in (both[:, ::2], both[:, 1::2], weights)
    )
    return _Table(edges, middles, log_weights)


def _log_sphere(d: float) -> float:
    """The logarithm of the area of the unit sphere of d numbers."""
    return math.log(2) + 0.5 * d * math.log(math.pi) - math.lgamma(0.5 * d)


def _log_beta(a: float) -> float:
    return 2 * math.lgamma(a) - math.lgamma(2 * a)


def _unit(v: Tensor) -> Tensor:
    """Vectors ``(..., d)`` of length 1, in operators that every runtime has."""
    return v / (v.square().sum(-1, keepdim=True) + _TINY).sqrt()


def _turned(upright: Tensor, mu: Tensor) -> Tensor:
    """Points ``(s, n, d)`` around the first axis, mirrored so that this axis becomes μ."""
    first = torch.zeros_like(mu)
    first[:, 0] = 1
    mirror = _unit(first - mu)
    return upright - 2 * (upright * mirror).sum(-1, keepdim=True) * mirror
