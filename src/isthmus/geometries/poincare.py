"""Codes in the Poincaré ball: wrapped normal posteriors and a wrapped normal prior."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from isthmus.core.example import Shape
from isthmus.core.fields import field
from isthmus.geometries.base import Geometry
from isthmus.latent_priors.base import LatentPrior
from isthmus.posteriors.base import Posterior
from isthmus.posteriors.gaussian import DiagonalGaussian, DiagonalPosterior

_RIM = 1e-5  # how near to the rim of the ball a code may come; float32 knows little beyond
_LEAST = 1e-12  # of a squared length whose root has a gradient
_SMALL = 1e-2  # up to which the logarithm of sinh(r) / r is its series
_OUTER = 2.0  # a distance, times √c, from which on it is better known by the law of cosines


class WrappedNormal(NamedTuple):
    """A wrapped normal per example.

    Attributes:
        mu: its centre in the unit ball, ``(n, d)``.
        sigma: the deviations in the tangent space, along geodesics, ``(n, d)``.
    """

    mu: Tensor
    sigma: Tensor


class WrappedNormalPosterior(Posterior):
    r"""A normal in the tangent space of a centre, wrapped around the ball along geodesics.

    .. math:: z = \mu \oplus \tanh\left(\tfrac{\sqrt c}2 \lVert v \rVert\right)
              \frac{v}{\lVert v \rVert}, \quad v \sim \mathcal N(0, \sigma^2), \quad
              \log q(z \mid x) = \log \mathcal N(v; 0, \sigma^2)
              - (d - 1) \log \frac{\sinh(\sqrt c \lVert v \rVert)}{\sqrt c \lVert v \rVert}

    with Möbius addition ⊕ of the unit ball. The density is one by volume in the space of curvature
    −c. ``features: (n, *features)``, ``z: (n, latent_dim)``, :math:`\lVert z \rVert < 1`.

    A draw that lies beyond a distance of :math:`12.2 / \sqrt c` from the middle is handed on as the
    point of that distance before it; its rate is that of the draw itself.
    """

    def __init__(self, features: Shape, latent_dim: int, curvature: float) -> None:
        super().__init__()
        self.base = DiagonalPosterior(features, latent_dim)
        self.code_shape, self.curvature = self.base.code_shape, curvature

    def forward(self, features: Tensor) -> WrappedNormal:
        mu, log_var = self.base(features)
        centre = from_tangent(mu, self.curvature)
        return WrappedNormal(within_rim(centre), (0.5 * log_var).exp())

    def draw(self, chosen: WrappedNormal, noise: Tensor) -> tuple[Tensor, Tensor]:
        still = torch.zeros_like(chosen.sigma)
        v, log_q = self.base.draw(DiagonalGaussian(still, 2 * chosen.sigma.log()), noise)
        z = within_rim(moebius_sum(chosen.mu, from_tangent(v, self.curvature)))
        log_q = log_q - log_stretch(_length(v)[..., 0], z.shape[-1], self.curvature)
        return z, log_q + self._lost(chosen.mu, v, z)

    def log_prob(self, chosen: WrappedNormal, z: Tensor) -> Tensor:
        v = to_tangent(moebius_sum(-chosen.mu, z), self.curvature)
        still = DiagonalGaussian(torch.zeros_like(chosen.sigma), 2 * chosen.sigma.log())
        stretch = log_stretch(_length(v)[..., 0], z.shape[-1], self.curvature)
        return self.base.log_prob(still, v) - stretch

    def projected(self, z: Tensor) -> Tensor:
        return within_rim(z)

    def _lost(self, mu: Tensor, v: Tensor, z: Tensor) -> Tensor:
        """By how much the prior gives a point ``(..., d)`` near the rim more than the draw that it
        stands for, ``(...)``.
        """
        size, root = z.shape[-1], math.sqrt(self.curvature)
        seen = _length(to_tangent(z, self.curvature))[..., 0]
        real = end_distance(mu, v, self.curvature)
        lost = log_wrapped(seen, size, self.curvature) - log_wrapped(real, size, self.curvature)
        return lost.where(root * seen > _OUTER, 0.0)


class WrappedNormalPrior(LatentPrior):
    """The wrapped normal of deviation 1 around the middle of the ball.

    ``sample(temperature=t)`` draws with deviation t.
    """

    def __init__(self, code_shape: Shape, curvature: float) -> None:
        super().__init__()
        self.code_shape, self.curvature = code_shape, curvature

    def log_prob(self, z: Tensor) -> Tensor:
        length = _length(to_tangent(z, self.curvature))[..., 0]
        return log_wrapped(length, z.shape[-1], self.curvature)

    def sample(self, n: int, temperature: float = 1.0) -> Tensor:
        return within_rim(
            from_tangent(temperature * torch.randn(n, *self.code_shape), self.curvature)
        )


def from_tangent(v: Tensor, curvature: float) -> Tensor:
    r"""The point of the unit ball at the end of a geodesic from its middle, :math:`\exp_0(v)`, for
    tangent vectors ``(..., d)`` whose length is that of the geodesic.
    """
    length = _length(v)
    return (0.5 * math.sqrt(curvature) * length).tanh() * v / length


def to_tangent(z: Tensor, curvature: float) -> Tensor:
    r"""The tangent vector ``(..., d)`` that leads from the middle to z, :math:`\log_0(z)`."""
    length = _length(z)
    return (2 / math.sqrt(curvature)) * length.clamp(max=1 - _RIM / 2).atanh() * z / length


def moebius_sum(a: Tensor, b: Tensor) -> Tensor:
    r"""a ⊕ b in the unit ball, of points ``(..., d)``: b as seen from a, moved to the middle.

    .. math:: \frac{(1 + 2 a^\top b + \lVert b \rVert^2) a + (1 - \lVert a \rVert^2) b}
              {1 + 2 a^\top b + \lVert a \rVert^2 \lVert b \rVert^2}
    """
    inner, aa, bb = ((x * y).sum(-1, keepdim=True) for x, y in ((a, b), (a, a), (b, b)))
    above = (1 + 2 * inner + bb) * a + (1 - aa) * b
    return above / (1 + 2 * inner + aa * bb)


def within_rim(z: Tensor) -> Tensor:
    """Points ``(..., d)`` where float32 tells them from the rim of the ball."""
    length = _length(z)
    return z * (length.clamp(max=1 - _RIM) / length)


def end_distance(mu: Tensor, v: Tensor, curvature: float) -> Tensor:
    r"""How far from the middle the end of a geodesic is, ``(...)``, that leaves mu with a tangent
    vector v of its length, both ``(..., d)``: by the hyperbolic law of cosines,

    .. math:: \cosh \rho = \cosh a \cosh b + \sinh a \sinh b \cos \theta,

    in units of :math:`1 / \sqrt c`, with the distance a of mu from the middle, the length b of v
    and the angle θ between the two. Logarithms hold where the end is too near to the rim for
    float32.
    """
    root, out = math.sqrt(curvature), to_tangent(mu, curvature)
    a, b = (root * _length(side)[..., 0] for side in (out, v))
    same = 0.5 * (out / _length(out) + v / _length(v)).square().sum(-1)  # 1 + cos θ
    x, y = (-2 * a).exp(), (-2 * b).exp()
    log_cosh = a + b + (0.25 * (same * (1 + x * y) + (2 - same) * (x + y))).log()
    safe = log_cosh.clamp(min=_SMALL)
    return (safe + torch.log1p((1 - (-2 * safe).exp()).sqrt())) / root


def log_wrapped(length: Tensor, size: int, curvature: float) -> Tensor:
    """The log density of the wrapped normal of deviation 1 at a distance from its centre, in d =
    ``size`` dimensions.
    """
    normal = -0.5 * (length.square() + size * math.log(2 * math.pi))
    return normal - log_stretch(length, size, curvature)


def log_stretch(length: Tensor, size: int, curvature: float) -> Tensor:
    r"""By how much the space at a distance is wider than that of a tangent, in logarithms:
    :math:`(d - 1) \log (\sinh r / r)`, with r the distance times :math:`\sqrt c`.
    """
    r = math.sqrt(curvature) * length
    safe = r.clamp(min=_SMALL)
    far = safe + torch.log1p(-(-2 * safe).exp()) - (2 * safe).log()
    return (size - 1) * torch.where(r < _SMALL, r.square() / 6, far)


def _length(v: Tensor) -> Tensor:
    """The length of vectors ``(..., d)``, ``(..., 1)``, with a gradient at 0 too."""
    return (v.square().sum(-1, keepdim=True) + _LEAST).sqrt()


@dataclass(repr=False)
class Poincare(Geometry):
    r"""Codes in the Poincaré ball, a space of constant negative curvature: wrapped normals.

    .. math:: p(z) = \mathcal N_{\mathbb B}(z; 0, 1), \quad
              q(z \mid x) = \mathcal N_{\mathbb B}(z; \mu(x), \sigma^2(x))

    Its volume grows exponentially with the radius, as the number of leaves of a tree does with its
    depth: it suits data with a hierarchy. Codes are points of the unit ball; ``curvature`` says how
    long one is in units of the prior's deviation.

    Reference:
        E. Mathieu, C. Le Lan, C. J. Maddison, R. Tomioka and Y. W. Teh, Continuous hierarchical
        representations with Poincaré variational auto-encoders, NeurIPS 2019; Y. Nagano, S.
        Yamaguchi, Y. Fujita and M. Koyama, A wrapped normal distribution on hyperbolic space for
        gradient-based learning, ICML 2019.
    """

    curvature: float = field(1.0, "how curved the space is (c); its curvature is -c", above=0)

    def _modules(self, features: Shape, latent_dim: int) -> tuple[Posterior, LatentPrior]:
        family = WrappedNormalPosterior(features, latent_dim, self.curvature)
        return family, WrappedNormalPrior(family.code_shape, self.curvature)
