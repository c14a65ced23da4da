"""Families of posteriors and learnt priors, against torch's own distributions and Jacobians."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence

import isthmus as ist
from isthmus.core.batch import Batch
from isthmus.latent_priors import FlowPrior, GaussianMixture, StandardNormal, VampPrior
from isthmus.posteriors import IAF, Diagonal, Full, Planar

FAMILIES = [Diagonal(), Full(), Planar(transforms=3), IAF(transforms=3, hidden=(8,), context=4)]
PRIORS = [StandardNormal(), GaussianMixture(components=4), FlowPrior(transforms=2, hidden=(8,))]
by_name = {"ids": lambda part: type(part).__name__}


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("part", FAMILIES, **by_name)
def test_the_density_of_a_draw_is_that_of_the_noise_over_the_volume(part: Any) -> None:
    """log q(z) = log N(ε; 0, I) − log |det ∂z/∂ε|, the derivative by torch's own Jacobian."""
    family = part.build((5,), 3).double()
    with torch.no_grad():  # away from the identity
        for parameter in family.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    chosen, noise = family(torch.randn(1, 5).double()), torch.randn(3).double()
    z, log_q = family.draw(chosen, noise[None, None])
    jacobian = torch.autograd.functional.jacobian(
        lambda e: family.draw(chosen, e[None, None])[0][0, 0], noise
    )
    normal = Independent(Normal(0.0, 1.0).expand([3]), 1).log_prob(noise)
    torch.testing.assert_close(log_q[0, 0], normal - torch.linalg.slogdet(jacobian)[1])
    assert z.shape == (1, 1, 3)


def test_a_full_gaussian_is_torchs_multivariate_normal() -> None:
    family = Full().build((5,), 3)
    chosen = family(torch.randn(4, 5))
    truth = MultivariateNormal(chosen.mu, scale_tril=chosen.factor)
    z, log_q = family.draw(chosen, torch.randn(7, 4, 3))
    torch.testing.assert_close(log_q, truth.log_prob(z))
    torch.testing.assert_close(family.log_prob(chosen, z), truth.log_prob(z), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(chosen.log_var.exp(), truth.variance)
    still = MultivariateNormal(torch.zeros(3), torch.eye(3))
    rate = StandardNormal().build((3,)).kl(chosen)
    torch.testing.assert_close(rate, kl_divergence(truth, still), rtol=1e-4, atol=1e-5)


def test_an_autoregressive_map_gates_each_dimension_by_those_before_it() -> None:
    family = IAF(transforms=1, hidden=(8,), context=4).build((5,), 3)
    chosen = family(torch.randn(1, 5))
    bend = torch.autograd.functional.jacobian(
        lambda e: family.draw(chosen, e[None, None])[0][0, 0], torch.randn(3)
    )
    assert bool((bend.triu(1) == 0).all())
    assert bool((bend.tril(-1) != 0).any())
    sigma = (0.5 * chosen.base_log_var[0]).exp()
    assert bool((bend.diagonal() < sigma).all())  # a gate below 1


def test_a_planar_map_is_invertible_whatever_the_encoder_says() -> None:
    """û'w > −1: along w the map rises, so that the volume is never 0."""
    family = Planar(transforms=6).build((5,), 3)
    chosen = family(30 * torch.randn(50, 5))
    assert bool(((chosen.u * chosen.w).sum(-1) > -1.001).all())
    z, log_q = family.draw(chosen, torch.randn(20, 50, 3))
    assert bool(z.isfinite().all() and log_q.isfinite().all())


@pytest.mark.parametrize("part", PRIORS, **by_name)
def test_a_prior_is_a_density(part: Any) -> None:
    """It integrates to 1, by the midpoint rule, and its draws have its mean."""
    prior = part.build((2,))
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
        ticks = torch.linspace(-9, 9, 181)
        grid = torch.cartesian_prod(ticks, ticks)
        mass = prior.log_prob(grid).exp() * (ticks[1] - ticks[0]) ** 2
        assert float(mass.sum()) == pytest.approx(1, abs=2e-3)
        drawn = prior.sample(4000)
    error = drawn.std(0) / math.sqrt(len(drawn))
    assert bool(((mass[:, None] * grid).sum(0) - drawn.mean(0)).abs().lt(4 * error + 0.01).all())
    assert prior.sample(3, temperature=0).std(0).shape == (2,)


def test_a_mixture_is_torchs() -> None:
    prior = GaussianMixture(components=3).build((2,))
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.copy_(torch.randn_like(parameter))
    truth = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(logits=prior.logits),
        Independent(Normal(prior.mu, (0.5 * prior.log_var).exp()), 1),
    )
    z = torch.randn(5, 4, 2)
    torch.testing.assert_close(prior.log_prob(z), truth.log_prob(z))


@pytest.mark.parametrize("posterior", ["diagonal", "full"])
def test_the_vampprior_is_the_mean_of_the_posteriors_of_its_pseudo_inputs(posterior: str) -> None:
    model = ist.VAE(latent_dim=2, posterior=posterior, latent_prior=VampPrior(components=5))
    module = model.build((1, 8, 8))
    prior = module.bottleneck.prior
    with torch.no_grad():
        prior.pseudo_inputs.copy_(torch.rand(5, 1, 8, 8))
        chosen = module.encode(Batch(prior.pseudo_inputs))
        z = torch.randn(4, 2)
        covariance = (
            torch.diag_embed(chosen.log_var.exp())
            if posterior == "diagonal"
            else chosen.factor @ chosen.factor.mT
        )
        each = MultivariateNormal(chosen.mu, covariance).log_prob(z[:, None])
        truth = each.exp().mean(1).log()
        torch.testing.assert_close(prior.log_prob(z), truth, rtol=1e-4, atol=1e-4)
    loss = module.loss(Batch(torch.rand(6, 1, 8, 8))).objective.mean()
    (gradient,) = torch.autograd.grad(loss, prior.pseudo_inputs)
    assert float(gradient.abs().sum()) > 0


def test_pseudo_inputs_start_at_examples_and_stay_within_their_range(few: Any) -> None:
    part = VampPrior(components=7)
    model = ist.VAE(latent_prior=part, epochs=1, learning_rate=1e-9, random_state=0).fit(few)
    started = model.module_.bottleneck.prior
    apart = torch.cdist(started.pseudo_inputs.detach().flatten(1), torch.from_numpy(few).flatten(1))
    assert float(apart.amin(1).max()) < 0.2  # noise of 0.01 on each of 64 pixels
    assert started.range.tolist() == [0.0, 1.0]
    noisy = ist.VAE(latent_prior=VampPrior(components=7, start="noise"), epochs=1).fit(few)
    assert float(noisy.module_.bottleneck.prior.pseudo_inputs.detach().max()) < 0.05


def test_the_rate_of_a_draw_averages_to_the_divergence() -> None:
    """What is charged where no formula is known has the mean of the formula, where it is known."""
    family, prior = Diagonal().build((5,), 3), StandardNormal().build((3,))
    chosen = family(torch.randn(4, 5))
    z, log_q = family.draw(chosen, torch.randn(40_000, 4, 3))
    drawn = (log_q - prior.log_prob(z)).mean(0)
    torch.testing.assert_close(drawn, prior.kl(chosen), rtol=0.03, atol=0.02)


def test_maps_and_flows_that_mean_nothing_are_refused() -> None:
    with pytest.raises(ist.InputError, match=r"posterior='full' is for codes that are vectors"):
        ist.VAE(code="map", posterior="full").build((1, 8, 8))
    with pytest.raises(ist.InputError, match=r"'vampprior' is a mixture of posteriors.*'diagonal'"):
        ist.VAE(posterior="planar", latent_prior="vampprior").build((1, 8, 8))
    with pytest.raises(ist.InputError, match=r"free_bits=0.1 asks for the rate of every dimension"):
        ist.VAE(posterior="full", free_bits=0.1).build((1, 8, 8))
    with pytest.raises(ist.InputError, match=r"posterior='iaf' is for codes .* geometry='sphere'"):
        ist.VAE(posterior="iaf", geometry="sphere").build((1, 8, 8))
    with pytest.raises(ist.InputError, match="unknown value of latent_prior 'vamp'"):
        ist.VAE(latent_prior="vamp").build((1, 8, 8))
