"""The hierarchy of codes, against closed forms and Monte Carlo."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

import isthmus as ist
from isthmus.core.example import ExampleSpec
from isthmus.divergences import gaussian_kl, kl_between
from isthmus.models._hierarchy import balance
from isthmus.models._towers import TowerBottleneck, TowerConfig
from isthmus.models._variational import DiagonalGaussian
from isthmus.networks import choose

PLAN = TowerConfig(latent_dim=2, groups=(1, 2), width=8, cells=1, expansion=2)


@pytest.fixture
def hierarchy() -> TowerBottleneck:
    """Two scales of 2 × 2 and 3 × 3, whose weights are large enough that every group matters."""
    torch.manual_seed(0)
    return TowerBottleneck((4, 3, 3), PLAN).eval()


@pytest.fixture
def features() -> torch.Tensor:
    return torch.randn(3, 4, 3, 3, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def trained() -> ist.NVAE:
    x = ist.data.load("digits").train.x[:640]
    small = {"width": 8, "expansion": 2, "groups": (1, 1), "hidden": (16, 32), "batch_size": 64}
    return ist.NVAE(**small, epochs=10, learning_rate=5e-3, kl_warmup=20.0, random_state=0).fit(x)


def test_the_divergence_of_two_gaussians_is_that_of_torch() -> None:
    mu, log_var, prior_mu, prior_log_var = torch.randn(
        4, 7, 5, generator=torch.Generator().manual_seed(0)
    ).double()
    closed = kl_between(mu, log_var, prior_mu, prior_log_var)
    expected = kl_divergence(
        Normal(mu, (0.5 * log_var).exp()), Normal(prior_mu, (0.5 * prior_log_var).exp())
    )
    torch.testing.assert_close(closed, expected)
    zero = torch.zeros_like(mu)
    torch.testing.assert_close(kl_between(mu, log_var, zero, zero), gaussian_kl(mu, log_var))
    torch.testing.assert_close(kl_between(mu, log_var, mu, log_var), zero)


def test_groups_lie_from_coarse_to_fine_and_odd_sizes_round_up() -> None:
    odd = TowerBottleneck((4, 7, 5), replace(PLAN, groups=(1, 1, 2)))
    assert odd.shapes == [(2, 2, 2), (2, 4, 3), (2, 7, 5), (2, 7, 5)]
    assert odd.code_shape == (8 + 24 + 70 + 70,)
    state = odd(torch.randn(2, 4, 7, 5)).z
    assert state.shape == (2, *odd.passed_shape) == (2, 8, 7, 5)


def test_features_that_are_a_vector_are_one_place() -> None:
    flat = TowerBottleneck((6,), PLAN)
    assert flat.shapes == [(2, 1, 1)] * 3
    assert flat(torch.randn(2, 6)).z.shape == (2, *flat.passed_shape) == (2, 8)
    assert {
        layer.kernel_size for layer in flat.modules() if isinstance(layer, torch.nn.Conv2d)
    } == {(1, 1)}


def test_the_code_of_the_posterior_expands_to_its_own_state(
    hierarchy: TowerBottleneck, features: torch.Tensor
) -> None:
    with torch.no_grad():
        means = hierarchy(features, torch.zeros(1, *hierarchy.code_shape))
        mu, sigma, kl = hierarchy.posterior(features)
        torch.testing.assert_close(hierarchy.expand(mu), means.z)
        assert not torch.allclose(hierarchy.expand(mu + sigma), means.z, atol=1e-3)
        torch.testing.assert_close(kl.sum(1), means.terms["rate"])


def test_the_first_group_has_a_standard_normal_prior(
    hierarchy: TowerBottleneck, features: torch.Tensor
) -> None:
    # 2 channels of 2 × 2
    mu, sigma, kl = (values[:, :8].detach() for values in hierarchy.posterior(features))
    torch.testing.assert_close(kl, gaussian_kl(mu, 2 * sigma.log()))


def test_the_rate_is_the_mean_of_the_log_ratio(
    hierarchy: TowerBottleneck, features: torch.Tensor
) -> None:
    noise = torch.randn(2000, 3, *hierarchy.code_shape, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        states, log_ratio = hierarchy.draw(features, noise)
        closed = torch.stack([hierarchy(features, e).terms["rate"] for e in noise[:150]])
        torch.testing.assert_close(
            hierarchy(features, noise[7]).z, states.view(2000, 3, 8, 3, 3)[7]
        )
    gap = -log_ratio.mean(0) - closed.mean(0)
    error = (log_ratio.var(0) / len(log_ratio) + closed.var(0) / len(closed)).sqrt()
    assert bool((closed.mean(0) > 1).all())
    assert bool((gap.abs() < 4 * error).all()), (gap, error)


def test_the_log_ratio_is_that_of_the_densities(
    hierarchy: TowerBottleneck, features: torch.Tensor
) -> None:
    noise = torch.randn(1, 3, *hierarchy.code_shape, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        _, log_ratio = hierarchy.draw(features, noise)
        _, choices = hierarchy._follow(features, hierarchy._apart(noise[0]))
        expected = sum(_log_prob(c.prior, c.code) - _log_prob(c.posterior, c.code) for c in choices)
    torch.testing.assert_close(log_ratio[0], expected, rtol=1e-4, atol=1e-4)


def _log_prob(gaussian: tuple[torch.Tensor, torch.Tensor], code: torch.Tensor) -> torch.Tensor:
    return Normal(gaussian[0], (0.5 * gaussian[1]).exp()).log_prob(code).flatten(1).sum(1)


def test_the_warm_up_weighs_and_balances_and_then_neither(
    hierarchy: TowerBottleneck, features: torch.Tensor
) -> None:
    warming = TowerBottleneck((4, 3, 3), PLAN, beta=2.0, kl_warmup=10.0, balanced=True)
    warming.load_state_dict(hierarchy.state_dict())
    noise = torch.zeros(1, *hierarchy.code_shape)
    sizes = [math.prod(shape) for shape in hierarchy.shapes]
    with torch.no_grad():
        rates = torch.stack(
            [kl.sum(1) for kl in hierarchy.posterior(features)[2].split(sizes, 1)], 1
        )
        expected = {
            0.0: torch.zeros(3),
            5.0: 1.0 * rates @ balance(rates, hierarchy.shapes),
            10.0: 2.0 * rates.sum(1),
            math.inf: 2.0 * rates.sum(1),
        }
        for epoch, charge in expected.items():
            warming.anneal(epoch)
            torch.testing.assert_close(warming(features, noise).penalty, charge)
        assert not torch.allclose(expected[5.0], rates.sum(1))
        warming.balanced = False
        warming.anneal(5.0)
        torch.testing.assert_close(warming(features, noise).penalty, rates.sum(1))


def test_the_warm_up_lasts_three_tenths_of_training_unless_said() -> None:
    assert ist.NVAE(epochs=40).warm_epoch == pytest.approx(12)
    assert ist.NVAE(epochs=40, kl_warmup=0.0).warm_epoch == 0


def test_balancing_weights_go_with_size_and_rate() -> None:
    rates = torch.tensor([[1.0, 0.0, 3.0], [3.0, 0.0, 5.0]], requires_grad=True)  # means 2, 0 and 4
    weights = balance(rates, [(2, 1, 1), (2, 2, 2), (2, 2, 2)])  # products 4, 0 and 32
    torch.testing.assert_close(weights, torch.tensor([4.0, 0.0, 32.0]) / 12)
    assert not weights.requires_grad
    assert balance(torch.zeros(2, 2), [(1, 1, 1)] * 2).tolist() == [0.0, 0.0]


@pytest.mark.usefixtures("doubles")
@pytest.mark.parametrize("training", [False, True])
def test_an_example_does_not_depend_on_its_batch(
    hierarchy: TowerBottleneck, features: torch.Tensor, training: bool
) -> None:
    noise = torch.randn(1, *hierarchy.code_shape, generator=torch.Generator().manual_seed(4))
    hierarchy.train(training)
    with torch.no_grad():
        together = hierarchy(features, noise)
        alone = [hierarchy(one, noise) for one in features.split(1)]
    torch.testing.assert_close(together.z, torch.cat([code.z for code in alone]))
    torch.testing.assert_close(together.penalty, torch.cat([code.penalty for code in alone]))


def test_samples_at_temperature_zero_are_all_the_same(trained: ist.NVAE) -> None:
    still, lively = (trained.sample(3, temperature=t, random_state=0) for t in (0.0, 1.0))
    assert np.array_equal(still[0], still[1])
    assert np.array_equal(still, trained.sample(3, temperature=0.0, random_state=1))
    assert not np.array_equal(lively[0], lively[1])
    assert np.array_equal(lively, trained.sample(3, random_state=0))


def test_sampled_codes_follow_the_learnt_prior(hierarchy: TowerBottleneck) -> None:
    """Told what was drawn, each group's prior finds the draws standard normal in its units."""
    torch.manual_seed(0)
    with torch.no_grad():
        code = hierarchy.sample(2000, temperature=0.5)
        parts, units = hierarchy._apart(code), []

        def pick(number: int, prior: DiagonalGaussian, state: torch.Tensor) -> torch.Tensor:
            units.append(((parts[number] - prior.mu) * (-0.5 * prior.log_var).exp()).flatten(1))
            return parts[number]

        hierarchy.descend(len(code), pick)
    drawn = torch.cat(units, 1)
    torch.testing.assert_close(drawn.mean(0), torch.zeros(drawn.shape[1]), atol=0.06, rtol=0)
    torch.testing.assert_close(drawn.std(0), torch.full((drawn.shape[1],), 0.5), atol=0.05, rtol=0)


def test_the_likelihood_lies_above_the_bound(trained: ist.NVAE, digits: ist.data.Data) -> None:
    x = digits.test.x[:40]
    bound, nll = -trained.score(x), trained.nll(x, samples=64).mean()
    assert bound - 3 < nll < bound
    assert trained.nll(x, samples=1).mean() == pytest.approx(bound, rel=0.05)


def test_training_uses_the_code(trained: ist.NVAE, digits: ist.data.Data) -> None:
    measures = ist.evaluate(trained, replace(digits, test=digits.test.take(slice(100))))
    assert measures["rate"].value > 0.1
    # both suppose one prior for all codes
    assert {"prior_gap", "active_units"}.isdisjoint(measures)
    assert measures["neg_elbo"].value < 30  # an untrained one stands at 44


def test_a_fitted_prior_is_refused_and_so_is_no_group(trained: ist.NVAE, few: np.ndarray) -> None:
    with pytest.raises(
        ist.InputError,
        match="NVAE learns the prior of its codes in training, so there is none to fit",
    ):
        trained.fit_prior(few)
    with pytest.raises(
        ist.InputError, match=r"groups=\(\) makes no code: give the groups of at least one scale"
    ):
        ist.NVAE(groups=()).build((1, 8, 8))


def test_groups_that_carry_nothing_are_named(
    hierarchy: TowerBottleneck, features: torch.Tensor
) -> None:
    posterior = hierarchy.posterior(features)
    assert hierarchy.diagnostics(posterior) == []
    silent = posterior._replace(kl=torch.cat([torch.zeros(3, 8), posterior.kl[:, 8:]], 1))
    (said,) = hierarchy.diagnostics(silent)
    assert "1 of 3 groups of the code carry less than 0.01 nats" in str(said)


def test_images_get_convolutions_however_small() -> None:
    assert type(choose("auto", ExampleSpec.of((1, 8, 8)), None, "relu", "conv")).__name__ == "Conv"
    assert type(choose("auto", ExampleSpec.of((64,)), None, "relu", "conv")).__name__ == "MLP"
    assert ist.NVAE().build((1, 8, 8)).bottleneck.passed_shape == (32, 2, 2)
    assert ist.NVAE(network="mlp").build((1, 8, 8)).bottleneck.passed_shape == (32,)


def test_the_published_setting_for_mnist_builds() -> None:
    module = ist.NVAE(
        latent_dim=20,
        groups=(5, 10),
        width=128,
        cells=2,
        expansion=6,
        hidden=(64, 128),
        activation="silu",
    ).build((1, 32, 32))
    assert module.bottleneck.shapes == [(20, 4, 4)] * 5 + [(20, 8, 8)] * 10
    assert module.bottleneck.code_shape == (5 * 20 * 16 + 10 * 20 * 64,)
    assert sum(parameter.numel() for parameter in module.parameters()) == 30_670_449
