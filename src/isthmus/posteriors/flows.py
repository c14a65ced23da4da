"""Posteriors that a normalising flow bends, each map told of the example."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.distributions import AffineTransform, Transform
from torch.nn import functional as F

from isthmus.core.example import Shape
from isthmus.core.fields import field
from isthmus.core.reductions import full
from isthmus.errors import missing_extra
from isthmus.posteriors.base import Posterior, PosteriorPart
from isthmus.posteriors.gaussian import DiagonalGaussian, DiagonalPosterior, no_maps

_OPEN = 2.0  # a gate of σ(2) = 0.88 lets most of the code through at the start
_LEAST = 1e-6  # of a squared length that is divided by


class PlanarFlowed(NamedTuple):
    """A Gaussian per example, and the K planar maps that bend it.

    Attributes:
        z: where the mean of the Gaussian ends, ``(n, d)``.
        base_mu, base_log_var: the Gaussian, each ``(n, d)``.
        u, w: the directions of the maps, each ``(n, K, d)``.
        b: their offsets, ``(n, K)``.
    """

    z: Tensor
    base_mu: Tensor
    base_log_var: Tensor
    u: Tensor
    w: Tensor
    b: Tensor


class PlanarPosterior(Posterior):
    r"""A Gaussian bent by K maps, each along a plane of its own.

    .. math:: f(z) = z + \hat u \tanh(w^\top z + b), \quad
              \log \left| \det \frac{\partial f}{\partial z} \right|
              = \log \left| 1 + (1 - \tanh^2(w^\top z + b)) \, \hat u^\top w \right|, \quad
              \hat u = u + (\operatorname{softplus}(w^\top u) - 1 - w^\top u)
              \frac{w}{\lVert w \rVert^2}

    where :math:`\hat u^\top w > -1` makes each map invertible. ``features: (n, *features)``,
    ``z: (n, latent_dim)``.
    """

    has_density = False

    def __init__(self, features: Shape, latent_dim: int, transforms: int) -> None:
        super().__init__()
        self.base = DiagonalPosterior(features, latent_dim)
        self.code_shape, self.transforms = self.base.code_shape, transforms
        size = int(torch.Size(features).numel())
        self.maps = nn.Sequential(nn.Flatten(), nn.Linear(size, transforms * (2 * latent_dim + 1)))

    def forward(self, features: Tensor) -> PlanarFlowed:
        mu, log_var = self.base(features)
        d = self.code_shape[0]
        maps = full(self.maps(features)).unflatten(1, (self.transforms, 2 * d + 1))
        u, w, b = maps[..., :d], maps[..., d : 2 * d], maps[..., 2 * d]
        inner = (w * u).sum(-1, keepdim=True)
        shift = (F.softplus(inner) - 1 - inner) * w / (w.square().sum(-1, keepdim=True) + _LEAST)
        chosen = PlanarFlowed(mu, mu, log_var, u + shift, w, b)
        return chosen._replace(z=self._bent(chosen, mu)[0])

    def draw(self, chosen: PlanarFlowed, noise: Tensor) -> tuple[Tensor, Tensor]:
        base = DiagonalGaussian(chosen.base_mu, chosen.base_log_var)
        z, log_q = self.base.draw(base, noise)
        z, volume = self._bent(chosen, z)
        return z, log_q - volume

    def _bent(self, chosen: PlanarFlowed, z: Tensor) -> tuple[Tensor, Tensor]:
        """Where codes ``(..., n, d)`` end, and how far volumes grow on the way, ``(..., n)``."""
        volume = z.new_zeros(z.shape[:-1])
        for step in range(self.transforms):
            u, w, b = chosen.u[:, step], chosen.w[:, step], chosen.b[:, step]
            bend = ((w * z).sum(-1) + b).tanh()  # (..., n)
            z = z + u * bend[..., None]
            volume = volume + (1 + (1 - bend.square()) * (u * w).sum(-1)).log()
        return z, volume


class AutoregressivelyFlowed(NamedTuple):
    """A Gaussian per example, and what the maps that bend it are told.

    Attributes:
        z: where the mean of the Gaussian ends, ``(n, d)``.
        base_mu, base_log_var: the Gaussian, each ``(n, d)``.
        context: what the maps are told of the example, ``(n, c)``.
    """

    z: Tensor
    base_mu: Tensor
    base_log_var: Tensor
    context: Tensor


class AutoregressivePosterior(Posterior):
    r"""A Gaussian bent by inverse autoregressive maps, which are told of the example.

    .. math:: f_i(z) = \sigma_i z_i + (1 - \sigma_i) m_i, \quad
              \log \left| \det \frac{\partial f}{\partial z} \right| = \sum_i \log \sigma_i

    where the gate :math:`\sigma_i` and :math:`m_i` depend on :math:`z_{<i}` and on h(x), the order
    of the dimensions turning round from map to map. ``features: (n, *features)``,
    ``z: (n, latent_dim)``.
    """

    has_density = False

    def __init__(
        self,
        features: Shape,
        latent_dim: int,
        transforms: int,
        hidden: tuple[int, ...],
        context: int,
    ) -> None:
        super().__init__()
        try:
            from zuko.flows import MaskedAutoregressiveTransform
        except ImportError as error:
            raise missing_extra("zuko", "flows", "the posterior IAF") from error
        self.base = DiagonalPosterior(features, latent_dim)
        self.code_shape = self.base.code_shape
        size = int(torch.Size(features).numel())
        self.context = nn.Sequential(nn.Flatten(), nn.Linear(size, context))
        order = torch.arange(latent_dim)
        self.maps = nn.ModuleList(
            MaskedAutoregressiveTransform(
                latent_dim,
                context,
                order=order if step % 2 == 0 else order.flip(0),
                univariate=_gated,
                hidden_features=hidden,
                activation=nn.ELU,
            )
            for step in range(transforms)
        )

    def forward(self, features: Tensor) -> AutoregressivelyFlowed:
        mu, log_var = self.base(features)
        context = full(self.context(features))
        return AutoregressivelyFlowed(self._bent(mu, context)[0], mu, log_var, context)

    def draw(self, chosen: AutoregressivelyFlowed, noise: Tensor) -> tuple[Tensor, Tensor]:
        base = DiagonalGaussian(chosen.base_mu, chosen.base_log_var)
        z, log_q = self.base.draw(base, noise)
        z, volume = self._bent(z, chosen.context.expand(*z.shape[:-1], -1))
        return z, log_q - volume

    def _bent(self, z: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Where codes ``(..., n, d)`` end, and how far volumes grow on the way, ``(..., n)``."""
        volume = z.new_zeros(z.shape[:-1])
        for each in self.maps:
            # the direction in which all dimensions are bent at once
            z, grown = each(context).call_and_ladj(z)
            volume = volume + grown
        return z, volume


def _gated(m: Tensor, gate: Tensor) -> Transform:
    """The gated map of one dimension, as zuko asks for it."""
    sigma = (gate + _OPEN).sigmoid()
    return AffineTransform((1 - sigma) * m, sigma)


@dataclass(repr=False)
class Planar(PosteriorPart):
    r"""A Gaussian bent by planar maps, whose directions the encoder gives.

    .. math:: f(z) = z + \hat u(x) \tanh(w(x)^\top z + b(x))

    See :class:`PlanarPosterior`, which it builds.

    Raises:
        InputError: for ``code="map"``.

    Reference:
        D. J. Rezende and S. Mohamed, Variational inference with normalizing flows, ICML 2015.
    """

    transforms: int = field(4, "planar maps one after another", low=1)

    def _module(self, features: Shape, latent_dim: int, is_map: bool) -> PlanarPosterior:
        if is_map:
            raise no_maps("planar")
        return PlanarPosterior(features, latent_dim, self.transforms)


@dataclass(repr=False)
class IAF(PosteriorPart):
    r"""A Gaussian bent by inverse autoregressive flows: dimensions depend on those before them.

    .. math:: f_i(z) = \sigma_i z_i + (1 - \sigma_i) m_i, \quad
              \sigma_i, m_i \text{ of } z_{<i} \text{ and } h(x)

    See :class:`AutoregressivePosterior`, which it builds. Needs the extra ``flows``.

    Raises:
        InputError: for ``code="map"``.
        MissingExtraError: where zuko is not installed.

    Reference:
        D. P. Kingma et al., Improved variational inference with inverse autoregressive flow,
        NeurIPS 2016.
    """

    transforms: int = field(2, "autoregressive maps one after another", low=1)
    hidden: tuple[int, ...] = field(
        (128,), "units of the hidden layers of each map's network", low=1
    )
    context: int = field(32, "numbers that the maps are told of an example (h)", low=1)

    def _module(self, features: Shape, latent_dim: int, is_map: bool) -> AutoregressivePosterior:
        if is_map:
            raise no_maps("iaf")
        return AutoregressivePosterior(
            features, latent_dim, self.transforms, self.hidden, self.context
        )
