"""The ladder VAE, against quadrature, torch, and a linear model whose evidence is known."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import MultivariateNormal, Normal

import isthmus as ist
from isthmus.models.laddervae import LadderGroup, LadderLayers
from isthmus.networks._batch_norm import BatchNorm
from isthmus.posteriors.gaussian import DiagonalGaussian, precision_weighted


def filled(linear: nn.Module, weight: torch.Tensor, bias: torch.Tensor | None = None) -> None:
    assert isinstance(linear, nn.Linear)
    linear.weight.data.copy_(weight)
    if bias is not None:
        linear.bias.data.copy_(bias)


@pytest.fixture
def ladder() -> LadderLayers:
    """Three layers, whose weights are large enough that each matters."""
    torch.manual_seed(0)
    made = LadderLayers((5,), [(1, 4), (2, 8), (4, 16)], "tanh", batch_norm=True)
    made(3 * torch.randn(64, 5))  # so that moments are known
    return made.eval()


@pytest.fixture
def features() -> torch.Tensor:
    return 3 * torch.randn(3, 5, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def trained() -> ist.LadderVAE:
    x = ist.data.load("digits").train.x[:640]
    small = {"hidden": (64,), "layers": 2, "latent_dim": 4, "batch_size": 64}
    return ist.LadderVAE(**small, epochs=15, learning_rate=3e-3, random_state=0).fit(x)


def test_the_product_of_two_gaussians_is_that_of_a_quadrature() -> None:
    one = DiagonalGaussian(torch.tensor([1.0, -2.0, 0.5]), torch.tensor([0.3, -1.0, 2.0]))
    other = DiagonalGaussian(torch.tensor([-1.0, 0.0, 3.0]), torch.tensor([-0.5, 1.5, 2.0]))
    z = torch.linspace(-30, 30, 6_001, dtype=torch.float64)[:, None]
    density = torch.ones_like(z)
    for mu, log_var in (one, other):
        density = density * Normal(mu.double(), (0.5 * log_var).exp().double()).log_prob(z).exp()
    density = density / density.sum(0)
    mean = (density * z).sum(0)
    variance = (density * (z - mean).square()).sum(0)
    mu, log_var = precision_weighted(one, other)
    torch.testing.assert_close(mu.double(), mean, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(log_var.double().exp(), variance, rtol=1e-5, atol=1e-6)


def test_what_is_far_less_precise_says_nothing_and_nothing_overflows() -> None:
    sharp = DiagonalGaussian(torch.tensor(3.0), torch.tensor(-200.0))
    blunt = DiagonalGaussian(torch.tensor(-1e6), torch.tensor(200.0))
    for product in (precision_weighted(sharp, blunt), precision_weighted(blunt, sharp)):
        torch.testing.assert_close(product.mu, sharp.mu, atol=0.1, rtol=0)
        torch.testing.assert_close(product.log_var, sharp.log_var)


def test_batches_are_normalised_as_torch_does() -> None:
    torch.manual_seed(0)
    own, h = BatchNorm(3), 2 + 5 * torch.randn(40, 3)
    own.gain.data.uniform_(1, 2)
    own.offset.data.normal_()
    expected = nn.functional.batch_norm(h, None, None, own.gain, own.offset, training=True)
    torch.testing.assert_close(own(h), expected)
    torch.testing.assert_close(own.eval()(h), expected, rtol=1e-3, atol=1e-4)  # of one batch


def linear_ladder(a: torch.Tensor, w: torch.Tensor, v: torch.Tensor, s: float) -> LadderLayers:
    """The ladder whose posterior is that of z₂ ~ N(0, 1), z₁ ~ N(w z₂, v), x ~ N(a z₁, s²)."""
    eye = torch.eye(2)
    ladder = LadderLayers((2,), [(1, 2), (2, 2)], "linear", batch_norm=False)
    for parameter in ladder.parameters():
        nn.init.zeros_(parameter)
    upper, lower = ladder.top_down
    assert isinstance(upper, LadderGroup) and isinstance(lower, LadderGroup)
    for step in (*ladder.bottom_up, upper.lower, lower.lower):
        for linear in step:
            if isinstance(linear, nn.Linear):
                filled(linear, w[:, None] if linear.in_features == 1 else eye)
    # x given z₂ has a mean of a w z₂, and this variance of each value
    spread = a.square() * v + s**2
    precision = 1 + ((a * w).square() / spread).sum()
    seen = torch.stack([a * w / spread / precision, torch.zeros(2)])
    filled(upper.evidence_net, seen, torch.stack([torch.zeros(()), -precision.log()]))
    for net, weight, variance in (
        (lower.prior_net, eye, v),
        (lower.evidence_net, torch.diag(1 / a), s**2 / a.square()),
    ):
        assert net is not None
        bias = torch.cat([torch.zeros(2), variance.log()])
        filled(net, torch.cat([weight, torch.zeros(2, 2)]), bias)
    return ladder


def test_every_draw_of_a_linear_ladder_weighs_the_evidence() -> None:
    """The factorisation holds the exact posterior of a linear model: the bound is the evidence."""
    a, w, v, s = torch.tensor([0.7, 1.5]), torch.tensor([2.0, -1.0]), torch.tensor([0.4, 0.2]), 0.5
    ladder, x = linear_ladder(a, w, v, s), torch.tensor([[0.3, -1.0], [2.0, 2.5], [-1.0, 0.1]])
    covariance = torch.outer(a * w, a * w) + torch.diag(a.square() * v + s**2)
    evidence = MultivariateNormal(torch.zeros(2), covariance).log_prob(x)
    noise = torch.randn(400, 3, 3, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        z, log_ratio = ladder.draw(x, noise)
        log_p = Normal(a * z.view(400, 3, 2), s).log_prob(x).sum(-1)
        torch.testing.assert_close(log_p + log_ratio, evidence.expand(400, 3), rtol=0, atol=1e-4)
        rates = torch.stack([ladder(x, part).terms["rate"] for part in noise])
        gaps = log_p - rates - evidence
    assert bool((gaps.mean(0).abs() < 4 * gaps.std(0) / math.sqrt(len(gaps))).all())


def test_the_rate_is_the_mean_of_the_log_ratio(
    ladder: LadderLayers, features: torch.Tensor
) -> None:
    noise = torch.randn(4000, 3, 7, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        states, log_ratio = ladder.draw(features, noise)
        closed = torch.stack([ladder(features, part).terms["rate"] for part in noise[:200]])
        torch.testing.assert_close(ladder(features, noise[7]).z, states.view(4000, 3, 16)[7])
    error = (log_ratio.var(0) / len(log_ratio) + closed.var(0) / len(closed)).sqrt()
    assert bool((closed.mean(0) > 0.5).all())
    assert bool(((log_ratio.mean(0) + closed.mean(0)).abs() < 4 * error).all())


def test_the_posterior_lies_between_what_was_seen_and_the_prior(
    ladder: LadderLayers, features: torch.Tensor
) -> None:
    with torch.no_grad():
        proposals = ladder.ascend(features, [], 1)
        far = DiagonalGaussian(torch.full((3, 2), 50.0), torch.full((3, 2), 3.0))
        seen = proposals[1](far._replace(log_var=torch.full((3, 2), 60.0)), features)
        between = proposals[1](far, features)
        top = proposals[0](DiagonalGaussian(torch.full((3, 1), 50.0), torch.zeros(3, 1)), features)
    assert bool(((seen.mu < between.mu) & (between.mu < far.mu)).all())
    assert bool((between.log_var < torch.minimum(seen.log_var, far.log_var)).all())
    assert bool((top.mu < 25).all())  # the uppermost looks at no prior


def test_moments_for_samples_are_those_of_samples(trained: ist.LadderVAE) -> None:
    """Under them, units of samples at that temperature have mean 0 and deviation 1."""
    units, ready = [], trained._readjusted(0.5).module_.bottleneck
    before = copy.deepcopy(trained.module_.state_dict())
    assert isinstance(ready, LadderLayers)
    (lowest,) = [layer for layer in ready.top_down[-1].lower[:2] if isinstance(layer, BatchNorm)]
    lowest.normaliser.register_forward_hook(lambda layer, given, made: units.append(made.z))
    with torch.no_grad():
        ready.sample(4000, temperature=0.5)
    torch.testing.assert_close(units[0].mean(0), torch.zeros(64), atol=0.08, rtol=0)
    torch.testing.assert_close(units[0].std(0), torch.ones(64), atol=0.08, rtol=0)
    trained.sample(3, temperature=0.5)
    assert all(
        torch.equal(value, before[name]) for name, value in trained.module_.state_dict().items()
    )


def test_the_published_sizes_for_mnist() -> None:
    ladder = ist.LadderVAE.preset("mnist", epochs=3).build((1, 28, 28))
    bottleneck = ladder.bottleneck
    assert isinstance(bottleneck, LadderLayers)
    assert bottleneck.shapes == [(4,), (8,), (16,), (32,), (64,)]
    layers = [step[0] for step in bottleneck.bottom_up]
    assert [(layer.in_features, layer.out_features) for layer in layers] == [
        (784, 512),
        (512, 256),
        (256, 128),
        (128, 64),
        (64, 32),
    ]
    assert bottleneck.passed_shape == (512,)


def test_images_may_be_convolved_below_the_ladder(few: np.ndarray) -> None:
    model = ist.LadderVAE(network="conv", hidden=(8, 8), epochs=1, random_state=0).fit(few)
    assert model.transform(few).shape == (129, 14)
    assert model.sample(2, random_state=0).shape == (2, 1, 8, 8)


def test_the_likelihood_lies_above_the_bound(trained: ist.LadderVAE, digits: ist.data.Data) -> None:
    x = digits.test.x[:40]
    bound, nll = -trained.score(x), trained.nll(x, samples=64).mean()
    assert bound - 3 < nll < bound < 30
    assert trained.nll(x, samples=1).mean() == pytest.approx(bound, rel=0.05)


def test_samples_at_temperature_zero_are_all_the_same(trained: ist.LadderVAE) -> None:
    still, lively = (trained.sample(3, temperature=t, random_state=0) for t in (0.0, 1.0))
    assert np.array_equal(still[0], still[1])
    assert not np.array_equal(lively[0], lively[1])


def test_a_condition_is_heard(digits: ist.data.Data) -> None:
    ladder = ist.LadderVAE(condition="label", layers=2, epochs=1, random_state=0)
    ladder = ladder.fit(digits.train.x[:200], digits.train.y[:200])
    three, five = (ladder.sample(2, condition=label, random_state=0) for label in (3, 5))
    assert not np.array_equal(three, five)


def test_a_single_example_has_no_variance(few: np.ndarray) -> None:
    with pytest.raises(
        ist.InputError,
        match="LadderVAE estimates the mean and deviation of every unit, of which batch_size=1",
    ):
        ist.LadderVAE(batch_size=1, epochs=1).fit(few)
    model = ist.LadderVAE(batch_size=1, batch_norm=False, epochs=1).fit(few[:5])
    assert math.isfinite(model.score(few[:5]))
