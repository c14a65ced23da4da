"""Codes on the sphere and in the Poincaré ball, against scipy's Bessel functions and quadrature."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.special import gammaln, ive
from scipy.stats import kstest, vonmises_fisher

import isthmus as ist
from isthmus.geometries import Poincare, Sphere
from isthmus.geometries.poincare import (
    WrappedNormal,
    end_distance,
    from_tangent,
    moebius_sum,
    to_tangent,
)
from isthmus.geometries.sphere import VonMisesFisher

KAPPAS = (1.0, 5.0, 80.0, 2000.0)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def exact_rate(d: int, kappa: float) -> float:
    """KL(vMF ‖ uniform) by Bessel functions, scaled by exp(−κ)."""
    order = d / 2 - 1
    mean = ive(order + 1, kappa) / ive(order, kappa)
    log_constant = order * np.log(kappa) - d / 2 * np.log(2 * np.pi) - np.log(ive(order, kappa))
    log_area = np.log(2) + d / 2 * np.log(np.pi) - gammaln(d / 2)
    return float(kappa * (mean - 1) + log_constant + log_area)


@pytest.mark.parametrize("d", [2, 3, 5, 10, 40])
@pytest.mark.parametrize("kappa", KAPPAS)
def test_the_rate_is_that_of_the_bessel_functions(d: int, kappa: float) -> None:
    family, prior = Sphere().build((4,), d)
    mu = torch.nn.functional.normalize(torch.randn(1, d), dim=1)
    given = torch.tensor([[kappa]], requires_grad=True)
    rate = prior.kl(VonMisesFisher(mu, given))
    assert rate.item() == pytest.approx(exact_rate(d, kappa), rel=1e-3, abs=1e-3)
    (slope,) = torch.autograd.grad(rate.sum(), given)
    step = 1e-3 * kappa
    truth = (exact_rate(d, kappa + step) - exact_rate(d, kappa - step)) / (2 * step)
    assert float(slope) == pytest.approx(truth, rel=2e-2, abs=1e-4)
    assert family.code_shape == (d,)


@pytest.mark.parametrize("d", [2, 3, 10])
@pytest.mark.parametrize("kappa", KAPPAS)
def test_heights_have_their_distribution_and_density(d: int, kappa: float) -> None:
    family, _ = Sphere().build((4,), d)
    mu = torch.nn.functional.normalize(torch.randn(1, d), dim=1)
    z, log_q = family.draw(VonMisesFisher(mu, torch.tensor([[kappa]])), torch.randn(4000, 1, d))
    torch.testing.assert_close(z.norm(dim=-1), torch.ones(4000, 1))
    wide = z[:, 0].double().numpy()
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    axis = mu[0].double().numpy()
    truth = vonmises_fisher(axis / np.linalg.norm(axis), kappa)
    np.testing.assert_allclose(log_q[:, 0], truth.logpdf(wide), atol=0.01 + 1e-4 * kappa)
    angle = 2 * np.arcsin(np.linalg.norm(wide - axis, axis=1) / 2)

    def density(t: float) -> float:
        return math.exp(kappa * (math.cos(t) - 1)) * math.sin(t) ** (d - 2)

    reach = min(math.pi, 12 / math.sqrt(kappa))
    ticks = np.linspace(0, reach, 400)
    masses = [quad(density, a, b)[0] for a, b in pairwise(ticks)]
    ends = np.concatenate([[0], np.cumsum(masses)]) / np.sum(masses)
    assert kstest(angle, lambda t: np.interp(t, ticks, ends)).pvalue > 1e-3


def test_the_gradient_of_a_draw_is_that_of_its_mean() -> None:
    """d E[w] / dκ through the draws, against the derivative of the ratio of Bessel functions."""
    d, kappa = 5, 6.0
    family, _ = Sphere().build((4,), d)
    mu = torch.nn.functional.normalize(torch.randn(1, d), dim=1)
    given = torch.tensor([[kappa]], requires_grad=True)
    z, _ = family.draw(VonMisesFisher(mu, given), torch.randn(60_000, 1, d))
    (slope,) = torch.autograd.grad((z * mu).sum(-1).mean(), given)
    ratios = [ive(d / 2, k) / ive(d / 2 - 1, k) for k in (kappa - 1e-4, kappa + 1e-4)]
    assert float(slope) == pytest.approx((ratios[1] - ratios[0]) / 2e-4, rel=0.02)


def test_uniform_codes_have_length_one_and_no_direction() -> None:
    _, prior = Sphere().build((4,), 3)
    z = prior.sample(20_000)
    torch.testing.assert_close(z.norm(dim=1), torch.ones(20_000))
    assert kstest(z[:, 0].numpy(), lambda t: (t + 1) / 2).pvalue > 1e-3  # Archimedes' hat box
    assert float(prior.log_prob(z)[0]) == pytest.approx(-math.log(4 * math.pi))
    with pytest.raises(ist.InputError, match=r"temperature=0.5 says nothing on a sphere"):
        prior.sample(2, 0.5)
    with pytest.raises(ist.InputError, match=r"only two points in latent_dim=1: give at least"):
        ist.VAE(geometry="sphere", latent_dim=1).build((1, 8, 8))


@pytest.mark.parametrize("curvature", [0.3, 1.0, 2.0])
def test_a_wrapped_normal_is_a_density_of_the_ball(curvature: float) -> None:
    """By quadrature in the disk, whose volume element is (2 / (√c (1 − |z|²)))² dz."""
    family, prior = Poincare(curvature=curvature).build((4,), 2)
    ticks = torch.linspace(-1, 1, 801).double()
    grid = torch.cartesian_prod(ticks, ticks)
    grid = grid[grid.norm(dim=1) < 0.9999]
    volume = (2 / (1 - grid.square().sum(1))) ** 2 / curvature * (ticks[1] - ticks[0]) ** 2
    mu = torch.tensor([[0.2, -0.3]]).double()
    chosen = WrappedNormal(mu, torch.tensor([[0.6, 0.4]]).double())
    log_q, log_p = family.double().log_prob(chosen, grid), prior.log_prob(grid)
    for density in (log_q, 0.0 * log_q + log_p):
        assert float((density.exp() * volume).sum()) == pytest.approx(1, abs=0.02)
    z, drawn_q = family.draw(chosen, torch.randn(20_000, 1, 2).double())
    of_any = family.log_prob(chosen, z[:, 0])
    torch.testing.assert_close(drawn_q[:, 0], of_any, rtol=1e-6, atol=1e-6)
    rate = (log_q.exp() * (log_q - log_p) * volume).sum()
    drawn = (drawn_q[:, 0] - prior.log_prob(z[:, 0])).mean()
    torch.testing.assert_close(drawn, rate, rtol=0.05, atol=0.03)


@pytest.mark.parametrize(("size", "curvature"), [(2, 1.0), (200, 1.0), (40, 4.0), (10, 10.0)])
def test_the_prior_as_posterior_costs_nothing_beyond_the_rim_too(
    size: int, curvature: float
) -> None:
    family, prior = Poincare(curvature=curvature).build((4,), size)
    chosen = WrappedNormal(torch.zeros(1, size), torch.ones(1, size))
    z, log_q = family.draw(chosen, torch.randn(500, 1, size))
    assert z.norm(dim=-1).max() < 1 - 5e-6
    torch.testing.assert_close(log_q, prior.log_prob(z), rtol=1e-5, atol=2e-3)
    assert prior.sample(500).norm(dim=-1).max() < 1 - 5e-6


def lorentz_distance(mu: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """How far from the origin of the hyperboloid, of curvature −1, v leads that was carried to mu,
    by parallel transport and the exponential map (Nagano et al. 2019).
    """
    at = to_tangent(mu, 1.0)
    length = at.norm(dim=-1, keepdim=True)
    centre = torch.cat([length.cosh(), length.sinh() * at / length], -1)
    origin = torch.zeros_like(centre)
    origin[..., 0] = 1
    flat = torch.cat([torch.zeros_like(length), v], -1)

    def product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return (a * b)[..., 1:].sum(-1, keepdim=True) - (a * b)[..., :1]

    alpha = -product(origin, centre)
    carried = flat + product(centre - alpha * origin, flat) / (alpha + 1) * (origin + centre)
    size = product(carried, carried).sqrt()
    return (size.cosh() * centre + size.sinh() * carried / size)[..., 0].acosh()


def test_the_end_of_a_geodesic_is_as_far_as_on_the_hyperboloid() -> None:
    mu = from_tangent(2 * torch.randn(300, 4).double(), 1.0)
    v = 3 * torch.randn(300, 4).double()
    expected = lorentz_distance(mu, v)
    torch.testing.assert_close(end_distance(mu, v, 1.0), expected, rtol=1e-6, atol=1e-6)
    scaled = end_distance(mu, v / 2, 4.0)  # lengths are in units of 1 / √c
    torch.testing.assert_close(scaled, expected / 2, rtol=1e-6, atol=1e-6)


def test_draws_beyond_the_rim_weigh_what_they_should() -> None:
    """The mean of p(z) / q(z) over draws of q is 1, wherever its centre lies."""
    curvature = 25.0  # the rim is 2.44 deviations away
    family, prior = Poincare(curvature=curvature).build((4,), 3)
    mu = from_tangent(torch.tensor([[0.3, -0.2, 0.1]]), curvature)
    chosen = WrappedNormal(mu, torch.full((1, 3), 1.5))
    z, log_q = family.draw(chosen, torch.randn(200_000, 1, 3))
    assert (z.norm(dim=-1) > 1 - 2e-5).float().mean() > 0.3
    weights = (prior.log_prob(z) - log_q).exp()
    error = 4 * float(weights.std()) / len(weights) ** 0.5
    assert error < 0.1
    assert float(weights.mean()) == pytest.approx(1, abs=error)


def test_on_a_line_there_is_no_curvature() -> None:
    """In one dimension the space is flat: the rate is that of two normals."""
    family, prior = Poincare().build((4,), 1)
    mean, sigma = torch.tensor([[0.7]]), torch.tensor([[0.5]])
    chosen = WrappedNormal(from_tangent(mean, 1.0), sigma)
    z, log_q = family.draw(chosen, torch.randn(50_000, 1, 1))
    drawn = float((log_q - prior.log_prob(z)).mean())
    assert drawn == pytest.approx(float(ist.divergences.normal_kl(mean, sigma)), abs=0.02)


def test_a_point_comes_back_from_the_tangent_and_from_afar() -> None:
    v = torch.randn(20, 3)
    torch.testing.assert_close(to_tangent(from_tangent(v, 0.7), 0.7), v, rtol=1e-3, atol=1e-3)
    a, b = (from_tangent(torch.randn(20, 3), 1.0) for _ in range(2))
    torch.testing.assert_close(moebius_sum(-a, moebius_sum(a, b)), b, rtol=1e-3, atol=1e-3)
    # the distance 2 artanh |−a ⊕ b| by the formula with the hyperbolic cosine
    far = 2 * moebius_sum(-a, b).norm(dim=1).atanh()
    gap = (a - b).square().sum(1) / ((1 - a.square().sum(1)) * (1 - b.square().sum(1)))
    torch.testing.assert_close(far, (1 + 2 * gap).acosh(), rtol=1e-3, atol=1e-3)
