"""The second stage: its bound and its draws, against a linear model and a known distribution."""

from __future__ import annotations

import numpy as np
import torch

import isthmus as ist
from isthmus.core.batch import Batch
from isthmus.priors.two_stage import SecondStage


def linear(weight: float, deviation: float) -> SecondStage:
    """z = w u + γ ε in two dimensions, and the posterior of u that belongs to it."""
    stage = SecondStage(2, 0, ())
    total = weight**2 + deviation**2
    with torch.no_grad():
        stage.decoder[0].weight.copy_(weight * torch.eye(2))
        stage.encoder[0].weight.copy_(torch.cat([weight / total * torch.eye(2), torch.zeros(2, 2)]))
        stage.encoder[0].bias.copy_(torch.tensor([0, 0, 1, 1]) * np.log(deviation**2 / total))
        stage.decoder[0].bias.zero_()
        stage.log_scale_of_noise.fill_(np.log(deviation))
        stage.mean.copy_(torch.tensor([1.0, -2.0]))
        stage.scale.copy_(torch.tensor([3.0, 0.5]))
    return stage


def test_the_bound_of_the_true_posterior_is_the_density() -> None:
    stage = linear(0.8, 0.6)
    z = torch.randn(7, 2) * stage.scale + stage.mean
    wanted = torch.distributions.Normal(stage.mean, stage.scale).log_prob(z).sum(1)
    torch.testing.assert_close(stage.log_prob(z), wanted)
    losses = torch.stack([stage.loss(Batch(z)).objective for _ in range(4000)]).mean(0)
    torch.testing.assert_close(losses, -wanted, atol=0.1, rtol=0)


def test_draws_are_those_of_the_model() -> None:
    torch.manual_seed(0)
    drawn = linear(0.8, 0.6).draw(50_000, None, 1.0)
    torch.testing.assert_close(drawn.mean(0), torch.tensor([1.0, -2.0]), atol=0.05, rtol=0)
    torch.testing.assert_close(drawn.std(0), torch.tensor([3.0, 0.5]), rtol=0.02, atol=0)
    cool = linear(0.8, 0.6).draw(50_000, None, 0.5)
    torch.testing.assert_close(cool.std(0), torch.tensor([1.5, 0.25]), rtol=0.02, atol=0)


def test_it_learns_what_one_gaussian_cannot_say() -> None:
    """Codes along a parabola: a normal of their mean and covariance is far behind."""
    first, noise = np.random.default_rng(0).normal(size=(2, 600))
    z = torch.from_numpy(np.stack([first, first**2 + 0.2 * noise], 1)).float()
    prior = ist.priors.TwoStage(hidden=(32,), epochs=60, learning_rate=1e-2, batch_size=100).fit(z)
    normal = torch.distributions.MultivariateNormal(z.mean(0), z.T.cov())
    assert prior.log_prob(z).mean() > normal.log_prob(z).mean() + 0.4
    drawn = prior.sample(500)
    off = (drawn[:, 1] - drawn[:, 0].square()).abs().median()
    assert off < 0.8  # of a normal: 1.3
