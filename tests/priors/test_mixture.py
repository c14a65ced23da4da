"""The mixture: scikit-learn's densities without scikit-learn's objects."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.mixture import GaussianMixture

from isthmus.priors import Mixture


@pytest.fixture(scope="module")
def codes() -> torch.Tensor:
    random = torch.Generator().manual_seed(0)
    bent = torch.randn(300, 3, generator=random)
    return torch.cat(
        [bent + torch.tensor([4.0, 0.0, 1.0]), bent @ torch.randn(3, 3, generator=random)]
    )


@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])
def test_densities_are_scikit_learns(covariance: str, codes: torch.Tensor) -> None:
    prior = Mixture(components=4, covariance=covariance, fewer=False).fit(codes, seed=3)
    floor = 1e-6 * float(codes.double().numpy().var(0).mean())
    theirs = GaussianMixture(
        4, covariance_type=covariance, random_state=3, reg_covar=floor, max_iter=1000
    )
    theirs.fit(codes.double().numpy())
    expected = torch.from_numpy(theirs.score_samples(codes.double().numpy()))
    torch.testing.assert_close(prior.log_prob(codes), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("covariance", ["full", "diag"])
def test_draws_have_the_moments_of_the_mixture(covariance: str, codes: torch.Tensor) -> None:
    prior = Mixture(components=3, covariance=covariance).fit(codes)
    torch.manual_seed(0)
    drawn = prior.sample(40_000)
    torch.testing.assert_close(drawn.mean(0), codes.mean(0), atol=0.05, rtol=0)
    torch.testing.assert_close(drawn.var(0), codes.var(0), atol=0.1, rtol=0.03)


def test_temperature_scales_the_deviations(codes: torch.Tensor) -> None:
    prior = Mixture(components=1).fit(codes)
    torch.manual_seed(0)
    spread = [prior.sample(5000, temperature=t).std(0) for t in (1.0, 0.25, 0.0)]
    torch.testing.assert_close(spread[1], 0.25 * spread[0], rtol=0.1, atol=0)
    assert float(spread[2].max()) < 1e-6
    assert torch.allclose(prior.sample(1, temperature=0.0), codes.mean(0), atol=1e-5)


def test_no_more_components_than_the_criterion_wants(codes: torch.Tensor) -> None:
    one = torch.randn(400, 2, generator=torch.Generator().manual_seed(0))
    assert len(Mixture(components=8).fit(one).means_) == 1
    assert len(Mixture(components=8, fewer=False).fit(one).means_) == 8
    apart = torch.cat([one[:200] - 20, one[200:] + 20])
    assert len(Mixture(components=8).fit(apart).means_) == 2


def test_each_class_has_a_mixture_of_its_own() -> None:
    random = torch.Generator().manual_seed(0)
    codes = torch.cat(
        [
            torch.randn(50, 2, generator=random) - 5,
            torch.randn(50, 2, generator=random) + 5,
            torch.zeros(1, 2),
        ]
    )
    labels = np.repeat([3, 8, 9], [50, 50, 1])
    prior = Mixture().fit(codes, labels)
    torch.manual_seed(0)
    assert bool((prior.sample(100, label=8) > 0).all())
    # one example is a class too
    assert torch.allclose(prior.sample(5, label="9"), torch.zeros(5, 2), atol=0.1)
    mixed = prior.sample(3, label=[3, 8, 3])
    assert (mixed[:, 0] > 0).tolist() == [False, True, False]
    drawn = (prior.sample(2000)[:, 0] > 0).float().mean()
    assert 0.45 < float(drawn) < 0.55


def test_codes_that_do_not_vary() -> None:
    prior = Mixture().fit(torch.ones(20, 2))
    torch.testing.assert_close(prior.sample(3), torch.ones(3, 2))


def test_the_density_follows_the_scale_of_the_codes(codes: torch.Tensor) -> None:
    """p(c z) = p(z) / c^d, also where the variances are smaller than any fixed floor."""
    scale = 1e-9
    prior = Mixture(components=4).fit(codes, seed=0)
    small = Mixture(components=4).fit(scale * codes, seed=0)
    expected = prior.log_prob(codes) - 3 * np.log(scale)
    torch.testing.assert_close(small.log_prob(scale * codes), expected, rtol=1e-3, atol=1e-2)
