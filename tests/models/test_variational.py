"""Bounds and likelihoods of the variational members, against closed forms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

import isthmus as ist
from isthmus.core.batch import Batch
from isthmus.core.example import ExampleSpec
from isthmus.data.batches import inference_rows
from isthmus.models._rate import RateSchedule
from isthmus.models._variational import GaussianBottleneck, draws_of
from isthmus.models.betatc import (
    decomposed_in_parts,
    decomposed_rate,
    stratified_log_weights,
)
from isthmus.models.iwae import ImportanceWeightedLoss


@pytest.fixture(scope="module")
def gaussian_data() -> np.ndarray:
    rng = np.random.default_rng(0)
    directions = np.linalg.qr(rng.normal(size=(8, 3)))[0] * [3.0, 2.0, 1.5]
    return (rng.normal(size=(1500, 3)) @ directions.T + 0.5 * rng.normal(size=(1500, 8))).astype(
        np.float32
    )


def exact_probabilistic_pca(module: torch.nn.Module, x: np.ndarray) -> np.ndarray:
    """-log p(x) of a linear Gaussian decoder: x ~ N(b, W W' + s² I)."""
    layer = next(layer for layer in module.decoder.modules() if isinstance(layer, torch.nn.Linear))
    weight, bias = layer.weight.detach().double(), layer.bias.detach().double()
    covariance = (
        weight @ weight.T
        + module.likelihood.log_scale.detach().double().exp() ** 2 * torch.eye(len(bias))
    )
    return (
        -torch.distributions.MultivariateNormal(bias, covariance)
        .log_prob(torch.from_numpy(x).double())
        .numpy()
    )


@pytest.mark.parametrize("member", [ist.VAE, ist.IWAE])
def test_nll_is_exact_on_probabilistic_pca_within_three_standard_errors(
    member: type, gaussian_data: np.ndarray
) -> None:
    model = member(
        latent_dim=3,
        hidden=(),
        scaling="none",
        likelihood=ist.likelihoods.Gaussian(output="linear"),
        epochs=60,
        batch_size=50,
        learning_rate=5e-3,
        random_state=0,
    ).fit(gaussian_data)
    x = gaussian_data[:300]
    truth = exact_probabilistic_pca(model.module_, x)
    estimates = np.stack([model.nll(x, samples=200, random_state=seed).mean() for seed in range(8)])
    error = estimates.std(ddof=1) / np.sqrt(len(estimates))
    # of the logarithm of a mean of 200 weights whose relative variance stays below a half
    bias = 0.5 * 0.5 / 200
    assert abs(estimates.mean() - truth.mean()) < 3 * error + bias
    assert truth.mean() < -model.score(x)  # the bound lies above


def test_more_samples_tighten_the_estimate(gaussian_data: np.ndarray) -> None:
    model = ist.VAE(
        latent_dim=3, epochs=3, random_state=0, scaling="none", likelihood="gaussian"
    ).fit(gaussian_data)
    values = [model.nll(gaussian_data, samples=count).mean() for count in (1, 5, 50, 500)]
    assert values == sorted(values, reverse=True)
    assert values[0] == pytest.approx(-model.score(gaussian_data), rel=0.01)


@pytest.mark.parametrize("samples", [1, 7, 200, 3000])
def test_nll_decodes_as_many_rows_at_once_as_inference_does(few: np.ndarray, samples: int) -> None:
    model = ist.VAE(epochs=1, random_state=0, verbose=0).fit(few)
    rows: list[int] = []
    model.module_.decoder.register_forward_hook(lambda module, given, out: rows.append(len(out)))
    model.nll(few, samples=samples)
    most = inference_rows(few.shape[1:])
    assert sum(rows) == samples * len(few)
    assert max(rows) <= most
    assert max(rows) > min(most, sum(rows)) / 2  # neither a trickle


def test_nothing_to_look_at_is_refused(few: np.ndarray) -> None:
    model = ist.VAE(epochs=1, random_state=0, verbose=0).fit(few)
    for use in (model.nll, model.transform, model.score_samples, model.reconstruct):
        with pytest.raises(ist.InputError, match="0 examples: give at least one"):
            use(few[:0])


def test_nll_does_not_disturb_and_repeats(few: np.ndarray) -> None:
    model = ist.VAE(epochs=1, random_state=0).fit(few)
    before = torch.get_rng_state()
    assert np.array_equal(model.nll(few, samples=20), model.nll(few, samples=20))
    assert torch.equal(before, torch.get_rng_state())


def test_nll_is_refused_where_there_is_no_density(few: np.ndarray) -> None:
    model = ist.VAE(likelihood="mse", epochs=1).fit(few)
    with pytest.raises(ist.InputError, match="likelihood='mse' is no density"):
        model.nll(few)
    with pytest.raises(
        ist.InputError, match="samples=0 is not usable: give a whole number, at least 1"
    ):
        model.nll(few, samples=0)


def test_with_one_draw_the_bound_is_that_of_the_vae() -> None:
    torch.manual_seed(0)
    vae = ist.VAE(latent_dim=3, hidden=(16,)).build((1, 8, 8))
    iwae = ist.IWAE(latent_dim=3, hidden=(16,), samples=1).build((1, 8, 8))
    iwae.load_state_dict(vae.state_dict())
    x = torch.rand(4, 1, 8, 8)
    noise = torch.randn(20_000, 1, 3)
    with torch.no_grad():
        features = vae.encoder(x)
        closed, drawn = (
            torch.stack([m.cost(features, Batch(x), e).objective for e in noise[:4000]]).mean(0)
            for m in (vae, iwae)
        )
        many = ist.IWAE(latent_dim=3, hidden=(16,), samples=50).build((1, 8, 8))
        many.load_state_dict(vae.state_dict())
        tighter = torch.stack(
            [many.cost(features, Batch(x), None).objective for _ in range(50)]
        ).mean(0)
    torch.testing.assert_close(closed, drawn, rtol=2e-3, atol=0.02)
    assert bool((tighter < drawn).all())


@pytest.mark.parametrize("samples", [1, 5, 50])
def test_the_bound_is_a_mean_of_weights_and_not_their_sum(samples: int) -> None:
    module = ist.IWAE(latent_dim=3, hidden=(16,), samples=samples).build((1, 8, 8))
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()  # the posterior is the prior, and the decoder ignores the code
        loss = module.loss(Batch(torch.rand(4, 1, 8, 8)))
    torch.testing.assert_close(loss.objective, loss.terms["distortion"])  # every weight is p(x)


def log_weights(draws: int) -> torch.Tensor:
    torch.manual_seed(0)
    return 3 * torch.randn(draws, 4)


def test_the_bounds_of_several_repeats_are_those_of_their_papers() -> None:
    """MIWAE, CIWAE and both at once, each written out."""
    weights = log_weights(6)
    groups = weights.exp().view(3, 2, 4)
    mean_of_bounds = groups.mean(1).log().mean(0)
    torch.testing.assert_close(ImportanceWeightedLoss(2, 3).bound(weights), mean_of_bounds)
    tight, loose = weights.exp().mean(0).log(), weights.mean(0)
    torch.testing.assert_close(
        ImportanceWeightedLoss(6, 1, 0.3).bound(weights), 0.3 * loose + 0.7 * tight
    )
    torch.testing.assert_close(
        ImportanceWeightedLoss(2, 3, 0.3).bound(weights), 0.3 * loose + 0.7 * mean_of_bounds
    )
    assert bool((loose < mean_of_bounds).all() and (mean_of_bounds < tight).all())


def test_a_warm_up_raises_the_prior_over_the_posterior_to_a_power(few: np.ndarray) -> None:
    member = ist.IWAE(latent_dim=3, hidden=(16,), samples=4, kl_warmup=4.0, epochs=8)
    assert member.warm_epoch == 4
    module, batch = member.build((1, 8, 8)), Batch(torch.rand(5, 1, 8, 8))
    features = module.encoder(batch.x)
    for epoch, power in ((0.0, 0.0), (1.0, 0.25), (4.0, 1.0), (7.0, 1.0)):
        module.anneal(epoch)
        torch.manual_seed(1)
        found = module.cost(features, batch, None)
        torch.manual_seed(1)
        draws = draws_of(module, features, batch, torch.randn(4, 5, 3))
        weights = (power * draws.log_ratio - draws.nll).exp()  # p(x | z) (p(z) / q(z | x))^a
        torch.testing.assert_close(found.objective, -weights.mean(0).log())
        torch.testing.assert_close(found.terms["distortion"], draws.nll.mean(0))
    with pytest.raises(ist.InputError, match=r"kl_warmup=-1 is not usable"):
        ist.IWAE(kl_warmup=-1).fit(few)


def test_a_split_trains_decoder_and_encoder_on_bounds_of_their_own() -> None:
    member = ist.IWAE(latent_dim=3, hidden=(16,), samples=2, repeats=3, split=True)
    module = member.build((1, 8, 8))
    (stage,) = member._stages(module)
    decoder, encoder = stage.objectives
    own = [{id(p) for p in side.parameters} for side in (decoder, encoder)]
    assert own[0] == {id(p) for p in module.decoder.parameters()}
    assert own[0] | own[1] == {id(p) for p in module.parameters()}
    assert not own[0] & own[1]
    batch = Batch(torch.rand(4, 1, 8, 8))
    with torch.no_grad():
        decoded, encoded = (
            torch.stack([side.loss(batch).objective for _ in range(1000)]).mean(0)
            for side in (decoder, encoder)
        )
        alone = ist.IWAE(latent_dim=3, hidden=(16,), samples=6).build((1, 8, 8))
        alone.load_state_dict(module.state_dict())
        tight = torch.stack([alone.loss(batch).objective for _ in range(1000)]).mean(0)
    torch.testing.assert_close(decoded, tight, rtol=2e-3, atol=0.02)  # one bound of six draws
    assert bool((encoded > decoded).all())


def test_a_split_without_repeats_is_refused(few: np.ndarray) -> None:
    with pytest.raises(ist.InputError, match=r"split=True .* give repeats of 2 or more"):
        ist.IWAE(split=True).fit(few)
    row = ist.IWAE(samples=2, repeats=2, split=True, epochs=2, random_state=0).fit(few).history_[-1]
    assert row["encoder_bound"] < 0


def test_a_capacity_charges_how_far_the_mean_rate_is_from_it() -> None:
    model = ist.VAE(latent_dim=2, beta=50.0, capacity=3.0, kl_warmup=4.0)
    module = model.build((1, 8, 8))
    batch = Batch(torch.rand(5, 1, 8, 8))
    for epoch, capacity in ((0.0, 0.0), (1.0, 0.75), (9.0, 3.0)):
        module.anneal(epoch)
        loss = module.loss(batch)
        charge = 50 * (loss.terms["rate"].mean() - capacity).abs()
        torch.testing.assert_close(
            loss.objective, loss.terms["distortion"] + charge, rtol=1e-5, atol=1e-5
        )


def test_a_rate_is_held_to_its_capacity(digits: ist.data.Data) -> None:
    model = ist.VAE(beta=20.0, capacity=4.0, epochs=8, learning_rate=3e-3, random_state=0)
    assert model.fit(digits.train).history_[-1]["rate"] == pytest.approx(4, abs=0.5)


def test_a_warm_up_is_done_in_cycles() -> None:
    schedule = RateSchedule(beta=2.0, warmup=5.0, cycles=4, epochs=40)
    shares = [schedule.share(epoch) for epoch in (0, 2.5, 5, 9.9, 10, 12.5, 31, 39, 40, math.inf)]
    assert shares == pytest.approx([0, 0.5, 1, 1, 0, 0.5, 0.2, 1, 1, 1])
    assert schedule.settled == 35
    assert ist.VAE(kl_cycles=4, epochs=40).warm_epoch == 35  # half of each cycle, as published
    assert RateSchedule(warmup=5.0).share(2.5) == 0.5


def test_a_learnt_scale_rests_where_its_square_is_the_mean_squared_error() -> None:
    """The optimal σ of the σ-VAE: the gradient of log σ vanishes there, and nowhere else."""
    torch.manual_seed(0)
    x, parameters = torch.randn(40, 6), torch.randn(40, 6)
    likelihood = ist.likelihoods.Gaussian(output="linear").build(ExampleSpec.of((6,), "real"))
    best = 0.5 * (x - parameters).square().mean().log()
    for shift in (-0.1, 0.0, 0.1):
        likelihood.log_scale.data.copy_(best + shift)
        nll = likelihood.nll(parameters, x).mean()
        (slope,) = torch.autograd.grad(nll, likelihood.log_scale)
        assert slope.item() == pytest.approx(6 * (1 - math.exp(-2 * shift)), abs=1e-4)


def test_two_ways_to_say_what_a_rate_may_cost_are_refused() -> None:
    with pytest.raises(ist.InputError, match=r"capacity=3 and free_bits=0.1 both say which rate"):
        ist.VAE(capacity=3.0, free_bits=0.1).build((1, 8, 8))


def test_free_bits_are_granted_to_the_mean_over_the_batch() -> None:
    bottleneck = GaussianBottleneck((4,), 2, free_bits=0.5)
    project = bottleneck.project[1]
    with torch.no_grad():
        project.weight.copy_(torch.eye(4))
        project.bias.zero_()
        # mu and log_var; the first dimension costs 2 nats of one example and none of the other
        code = bottleneck(torch.tensor([[2.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]))
    torch.testing.assert_close(code.terms["rate"], torch.tensor([2.0, 0.0]))
    torch.testing.assert_close(code.penalty, torch.full((2,), 1.0 + 0.5))


def test_distortion_and_rate_of_the_iwae_add_up_to_the_elbo(few: np.ndarray) -> None:
    model = ist.IWAE(epochs=3, samples=5, random_state=0).fit(few)
    row = model.history_[-1]
    assert row["objective"] < row["distortion"] + row["rate"]


@pytest.mark.parametrize("given", [0, -1, 2.5, True, "many"])
def test_counts_of_draws_are_whole_numbers(given: object, few: np.ndarray) -> None:
    model = ist.VAE(epochs=1, random_state=0).fit(few)
    with pytest.raises(
        ist.InputError, match=r"samples=.* is not usable: give a whole number, at least 1"
    ):
        model.nll(few, samples=given)  # type: ignore[arg-type]
    with pytest.raises(
        ist.InputError, match="give at least 1 example and a temperature of at least 0"
    ):
        model.sample(given)  # type: ignore[arg-type]


@pytest.mark.parametrize("temperature", [-1, float("nan"), float("inf"), "hot"])
def test_temperatures_are_numbers(temperature: object, few: np.ndarray) -> None:
    model = ist.VAE(epochs=1, random_state=0).fit(few)
    with pytest.raises(
        ist.InputError, match="give at least 1 example and a temperature of at least 0"
    ):
        model.sample(2, temperature=temperature)  # type: ignore[arg-type]


def test_the_parts_of_the_rate_are_those_of_their_definitions() -> None:
    """Information, total correlation and dimension-wise KL of q(z) = (q1 + q2) / 2.

    Against quadrature, for two examples with posteriors in one dimension, and by Monte Carlo in
    two.
    """
    torch.manual_seed(0)
    mu = torch.tensor([[-1.0, -1.0], [1.0, 1.0]])
    log_var = torch.log(torch.tensor([[0.25, 0.25], [0.25, 0.25]]))
    draws = 20_000
    parts = [
        decomposed_rate(mu + 0.5 * torch.randn(2, 2), mu, log_var, torch.tensor(2.0))
        for _ in range(draws // 2)
    ]
    estimate = [torch.cat(column).mean().item() for column in zip(*parts, strict=True)]
    ticks = np.linspace(-6, 6, 1201)
    step = ticks[1] - ticks[0]

    def normal(x: np.ndarray, m: float, s: float) -> np.ndarray:
        return np.exp(-0.5 * ((x - m) / s) ** 2) / (s * np.sqrt(2 * np.pi))

    single = 0.5 * (normal(ticks, -1, 0.5) + normal(ticks, 1, 0.5))
    joint = 0.5 * sum(np.outer(normal(ticks, m, 0.5), normal(ticks, m, 0.5)) for m in (-1, 1))
    entropy = -(joint * np.log(joint + 1e-300)).sum() * step**2
    marginal = -(single * np.log(single + 1e-300)).sum() * step
    noise = 2 * 0.5 * np.log(2 * np.pi * np.e * 0.25)
    cross = (single * (0.5 * ticks**2 + 0.5 * np.log(2 * np.pi))).sum() * step
    wanted = [entropy - noise, 2 * marginal - entropy, 2 * (cross - marginal)]
    np.testing.assert_allclose(estimate, wanted, atol=0.03)


def test_stratified_weights_stand_for_all_examples() -> None:
    weights = stratified_log_weights(5, torch.tensor(100.0)).exp()
    torch.testing.assert_close(weights.sum(1), torch.ones(5))
    torch.testing.assert_close(weights.diagonal(), torch.full((5,), 0.01))
    whole = stratified_log_weights(4, torch.tensor(4.0)).exp()
    torch.testing.assert_close(whole, torch.full((4, 4), 0.25))


def test_validation_measures_the_objective_that_is_trained(few: np.ndarray) -> None:
    settings: dict[str, Any] = {"latent_dim": 4, "epochs": 2, "batch_size": 129}
    model = ist.BetaTCVAE(beta=5.0, hidden=(16,), random_state=0, **settings)
    last = model.fit(few, validation_data=few).history_[-1]
    parts = ("distortion", "information", "total_correlation", "dimension_wise")
    distortion, information, correlation, single = (last[f"val_{part}"] for part in parts)
    expected = distortion + information + 5 * correlation + single
    assert last["val_objective"] == pytest.approx(expected, rel=1e-5)
    assert last["val_objective"] == pytest.approx(last["objective"], rel=0.1)
    assert set(model.terms(few)) == {"distortion", "rate"}  # of an example by itself


def test_terms_of_many_codes_are_those_of_parts_at_even_distances() -> None:
    z, mu, log_var = torch.randn(3, 300, 2, generator=torch.Generator().manual_seed(0))
    whole = decomposed_in_parts(z, mu, log_var, torch.tensor(1000.0))
    odd = decomposed_rate(z[1::2], mu[1::2], log_var[1::2], torch.tensor(1000.0))
    for term, part in zip(whole, odd, strict=True):
        torch.testing.assert_close(term[1::2], part)
    few = decomposed_in_parts(z[:256], mu[:256], log_var[:256], torch.tensor(1000.0))
    for term, part in zip(
        few, decomposed_rate(z[:256], mu[:256], log_var[:256], torch.tensor(1000.0)), strict=True
    ):
        torch.testing.assert_close(term, part)


def test_a_larger_weight_lowers_the_total_correlation(digits: ist.data.Data) -> None:
    last = [
        ist.BetaTCVAE(beta=beta, latent_dim=5, epochs=25, batch_size=256, random_state=0)
        .fit(digits.train)
        .history_[-1]
        for beta in (1.0, 20.0)
    ]
    assert last[1]["total_correlation"] < 0.6 * last[0]["total_correlation"]
    total = last[0]["information"] + last[0]["total_correlation"] + last[0]["dimension_wise"]
    assert total == pytest.approx(last[0]["rate"], rel=0.1)


@pytest.mark.parametrize("member", [ist.VAE, ist.IWAE, ist.NVAE])
def test_the_type_of_the_examples_changes_no_draw(member: type[ist.VAE]) -> None:
    x = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    model = member(epochs=1, random_state=0).fit(x)
    few, wide = (model.nll(some, samples=20) for some in (x, x.astype(np.float64)))
    np.testing.assert_allclose(few, wide, rtol=1e-4)


@pytest.mark.parametrize("member", [ist.VAE, ist.NVAE])
def test_a_row_is_filled_in_as_if_it_were_alone(member: type[ist.VAE]) -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(30, 4)).astype(np.float32)
    x[random.random(x.shape) < 0.3] = np.nan
    model = member(epochs=1, random_state=0).fit(x)
    alone = np.concatenate([model.impute(x[row : row + 1]) for row in range(8)])
    np.testing.assert_allclose(model.impute(x)[:8], alone, rtol=1e-4, atol=1e-5)
    wide = model.impute(x.astype(np.float64))
    np.testing.assert_allclose(wide[:8], alone, rtol=1e-3, atol=1e-4)
