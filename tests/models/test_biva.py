"""The BIVA, against densities written out, Monte Carlo, and a lattice."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.distributions import Normal

import isthmus as ist
from isthmus.models._towers import TowerConfig
from isthmus.models.biva import BidirectionalBottleneck, BidirectionalGroup

PLAN = TowerConfig(latent_dim=2, groups=(1, 2), width=8, cells=1, expansion=2)


@pytest.fixture
def biva() -> BidirectionalBottleneck:
    """Two scales of 2 × 2 and 3 × 3, whose weights are large enough that every group matters."""
    torch.manual_seed(0)
    return BidirectionalBottleneck((4, 3, 3), PLAN).eval()


@pytest.fixture
def features() -> torch.Tensor:
    return torch.randn(3, 4, 3, 3, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def trained() -> ist.BIVA:
    x = ist.data.load("digits").train.x[:640]
    small = {"width": 8, "expansion": 2, "groups": (1, 1), "hidden": (16, 32), "batch_size": 64}
    return ist.BIVA(**small, epochs=10, learning_rate=5e-3, random_state=0).fit(x)


def test_all_groups_but_the_coarsest_have_two_halves(biva: BidirectionalBottleneck) -> None:
    assert biva.shapes == [(2, 2, 2), (4, 3, 3), (4, 3, 3)]
    assert [isinstance(group, BidirectionalGroup) for group in biva.top_down] == [False, True, True]


def test_the_log_ratio_is_that_of_the_factorisation(
    biva: BidirectionalBottleneck, features: torch.Tensor
) -> None:
    """log p(z) − log q(z | x), factor by factor as the paper has them."""
    noise = torch.randn(1, 3, *biva.code_shape, generator=torch.Generator().manual_seed(3))
    coarse, middle, fine = biva.top_down
    with torch.no_grad():
        state, log_ratio = biva.draw(features, noise)
        e_coarse, e_middle, e_fine = biva._apart(noise[0])
        expected, seen, up = torch.zeros(3), [], biva.entry(features)
        rising = []
        for step, group, e in zip(biva.bottom_up, (fine, middle), (e_fine, e_middle), strict=False):
            up = step(up)
            seen.append(up)
            mu, log_var = group.rising(up)
            rising.append(mu + (0.5 * log_var).exp() * e[:, :2])
            expected -= log_prob((mu, log_var), rising[-1])
            up = up + group.lift(rising[-1])
        up = biva.bottom_up[-1](up)
        down = biva.top(3, None)
        mu, log_var = coarse.posterior(coarse.prior(down), down, up)
        code = mu + (0.5 * log_var).exp() * e_coarse
        expected += log_prob((torch.zeros_like(mu), torch.zeros_like(mu)), code)
        expected -= log_prob((mu, log_var), code)
        down = coarse(down, code)
        for group, place, e in ((middle, 1, e_middle), (fine, 0, e_fine)):
            down = group.approach(down)
            prior = group.prior(down)
            own = type(prior)(prior.mu[:, 2:], prior.log_var[:, 2:])
            falling = group.posterior(own, down, seen[place])
            code = falling.mu + (0.5 * falling.log_var).exp() * e[:, 2:]
            expected -= log_prob(falling, code)
            code = torch.cat([rising[place], code], 1)
            expected += log_prob(prior, code)
            down = group(down, code)
    torch.testing.assert_close(log_ratio[0], expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(state, biva.finish(down))


def log_prob(gaussian: tuple[torch.Tensor, torch.Tensor], code: torch.Tensor) -> torch.Tensor:
    return Normal(gaussian[0], (0.5 * gaussian[1]).exp()).log_prob(code).flatten(1).sum(1)


def test_the_rate_is_the_mean_of_the_log_ratio(
    biva: BidirectionalBottleneck, features: torch.Tensor
) -> None:
    noise = torch.randn(2000, 3, *biva.code_shape, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        states, log_ratio = biva.draw(features, noise)
        rates = torch.stack([biva(features, part).terms["rate"] for part in noise[:300]])
        torch.testing.assert_close(biva(features, noise[7]).z, states.view(2000, 3, 8, 3, 3)[7])
    gap = -log_ratio.mean(0) - rates.mean(0)
    error = (log_ratio.var(0) / len(log_ratio) + rates.var(0) / len(rates)).sqrt()
    assert bool((rates.mean(0) > 1).all())
    assert bool((gap.abs() < 4 * error).all()), (gap, error)


def test_what_is_drawn_below_is_known_above(
    biva: BidirectionalBottleneck, features: torch.Tensor
) -> None:
    """The fine bottom-up code moves the coarse posterior; the fine top-down code does not."""

    def coarse(*places: int) -> torch.Tensor:
        noise = torch.zeros(1, *biva.code_shape)
        noise[0, list(places)] = 3.0
        _, choices = biva._follow(features, biva._apart(noise))
        return choices[0].posterior.mu

    finest = 8 + 36  # where the code of the finest group begins: 2 channels up, 2 down, of 3 × 3
    with torch.no_grad():
        still = coarse()
        torch.testing.assert_close(coarse(finest + 20), still)
        assert not torch.allclose(coarse(finest), still, atol=1e-4)


def test_two_groups_of_one_value_weigh_the_evidence_of_a_lattice() -> None:
    """E_q[p(x, z) / q(z | x)] is ∫ p(x | z) p(z) dz: drawn here, summed over a lattice there."""
    torch.manual_seed(1)
    plan = TowerConfig(latent_dim=1, groups=(2,), width=8, cells=1, expansion=1)
    tiny = BidirectionalBottleneck((3,), plan).eval().double()
    assert tiny.code_shape == (3,)
    features, x = torch.randn(1, 3).double(), torch.tensor(0.4).double()

    def likelihood(states: torch.Tensor) -> torch.Tensor:
        return Normal(states.mean(1), 0.7).log_prob(x)

    axis = torch.linspace(-7, 7, 57).double()
    top, up, down = torch.meshgrid(axis, axis, axis, indexing="ij")
    code = torch.stack([top, up, down], -1).reshape(-1, 3)
    log_p = []

    def pick(number: int, prior: tuple[torch.Tensor, torch.Tensor], state: torch.Tensor) -> object:
        part = tiny._apart(code)[number]
        log_p.append(log_prob(prior, part))
        return part

    with torch.no_grad():
        states = tiny.descend(len(code), pick)
        cell = 3 * math.log(float(axis[1] - axis[0]))
        lattice = (likelihood(states) + sum(log_p) + cell).logsumexp(0)
        noise = torch.randn(20_000, 1, 3, generator=torch.Generator().manual_seed(0)).double()
        states, log_ratio = tiny.draw(features, noise)
        weights = (likelihood(states) + log_ratio[:, 0]).exp()
    error = float(weights.std() / math.sqrt(len(weights)) / weights.mean())
    assert error < 0.02
    assert float(weights.mean().log()) == pytest.approx(float(lattice), abs=4 * error)


def test_the_code_of_the_posterior_expands_to_its_own_state(
    biva: BidirectionalBottleneck, features: torch.Tensor
) -> None:
    with torch.no_grad():
        means = biva(features, torch.zeros(1, *biva.code_shape))
        mu, sigma, _ = biva.posterior(features)
        torch.testing.assert_close(biva.expand(mu), means.z)
        assert not torch.allclose(biva.expand(mu + sigma), means.z, atol=1e-3)


def test_features_that_are_a_vector_are_one_place() -> None:
    flat = BidirectionalBottleneck((6,), replace(PLAN, groups=(1, 1)))
    assert flat.shapes == [(2, 1, 1), (4, 1, 1)]
    assert flat(torch.randn(2, 6)).z.shape == (2, *flat.passed_shape) == (2, 8)


def test_the_likelihood_lies_above_the_bound(trained: ist.BIVA, digits: ist.data.Data) -> None:
    x = digits.test.x[:40]
    bound, nll = -trained.score(x), trained.nll(x, samples=64).mean()
    assert bound - 3 < nll < bound < 33  # an untrained one stands at 44
    assert trained.nll(x, samples=1).mean() == pytest.approx(bound, rel=0.05)


def test_samples_at_temperature_zero_are_all_the_same(trained: ist.BIVA) -> None:
    still, lively = (trained.sample(3, temperature=t, random_state=0) for t in (0.0, 1.0))
    assert np.array_equal(still[0], still[1])
    assert not np.array_equal(lively[0], lively[1])


def test_a_single_group_has_nothing_above_it() -> None:
    with pytest.raises(
        ist.InputError, match=r"groups=\(1,\) makes a code of 1 group: give .* 2 or more of them"
    ):
        ist.BIVA(groups=(1,)).build((1, 8, 8))
