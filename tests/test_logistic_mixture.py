"""The discretised mixture of logistics, against its formula; and what a member makes of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import logistic
from torch import Tensor

import isthmus as ist
from isthmus.core.batch import Batch
from isthmus.core.example import ExampleSpec
from isthmus.likelihoods import LogisticMixture, LogisticMixtureLikelihood

OF_DIGITS = LogisticMixture(components=3, bins=17)


def masses(likelihood: LogisticMixtureLikelihood, parameters: Tensor) -> Tensor:
    """The mass of every value of the grid under parameters ``(n, 3 K)``: ``(bins, n)``."""
    grid = torch.linspace(0, 1, likelihood.bins).to(parameters)
    n = len(parameters)
    return torch.stack([(-likelihood.each(parameters, x.expand(n, 1))).exp()[:, 0] for x in grid])


def random_parameters(n: int, components: int, spread: float, seed: int = 0) -> Tensor:
    return spread * torch.randn(n, 3 * components, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("spread", [0.0, 0.3, 1.0, 10.0, 1e3, 1e6])
@pytest.mark.parametrize(("components", "bins"), [(1, 2), (3, 17), (5, 256)])
def test_the_masses_of_all_values_sum_to_one(components: int, bins: int, spread: float) -> None:
    likelihood = LogisticMixtureLikelihood(components, bins)
    total = masses(likelihood, random_parameters(300, components, spread)).sum(0)
    torch.testing.assert_close(total, torch.ones(300), atol=1e-5, rtol=0)


@pytest.mark.parametrize("bins", [17, 256])
def test_the_masses_are_differences_of_the_logistic_distribution(bins: int) -> None:
    components, x = 4, torch.arange(bins, dtype=torch.float64)[None] / (bins - 1)
    likelihood = LogisticMixtureLikelihood(components, bins).double()
    parameters = random_parameters(bins, components, 0.5).double()
    weight, shift, log_scale = parameters.numpy().reshape(bins, 3, components).transpose(1, 0, 2)
    mean = (shift + (np.arange(components) + 0.5) / components) * (bins - 1)
    scale = 1 / 16 + np.exp(log_scale) * (bins - 1) / (4 * components)
    weight = np.exp(weight) / np.exp(weight).sum(1, keepdims=True)
    j = np.arange(bins)[:, None]
    upper = np.where(j == bins - 1, 1.0, logistic.cdf(j + 0.5, mean, scale))
    lower = np.where(j == 0, 0.0, logistic.cdf(j - 0.5, mean, scale))
    expected = (weight * (upper - lower)).sum(1)
    np.testing.assert_allclose(
        (-likelihood.nll(parameters, x.T)).exp().numpy(), expected, rtol=1e-6, atol=1e-12
    )


@pytest.mark.parametrize("spread", [1.0, 30.0, 1e4, 1e8])
def test_losses_and_gradients_are_finite_everywhere(spread: float) -> None:
    likelihood = LogisticMixtureLikelihood(5, 256)
    for x in (0.0, 1 / 255, 100 / 255, 1.0):
        parameters = random_parameters(500, 5, spread).requires_grad_()
        loss = likelihood.nll(parameters, torch.full((500, 1), x))
        loss.sum().backward()
        assert parameters.grad is not None
        assert loss.isfinite().all() and parameters.grad.isfinite().all()


def test_gradients_against_finite_differences() -> None:
    likelihood = LogisticMixtureLikelihood(3, 17).double()
    parameters = random_parameters(17, 3, 1.0).double().requires_grad_()
    x = torch.linspace(0, 1, 17, dtype=torch.float64)[:, None]
    assert torch.autograd.gradcheck(lambda p: likelihood.nll(p, x), (parameters,))


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((7,), (42,)), ((5, 3), (5, 18)), ((2, 4, 5), (12, 4, 5))],
)
def test_values_of_any_shape_are_charged_one_by_one(
    shape: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    likelihood = LogisticMixture(2, 17).build(ExampleSpec.of(shape, "unit"))
    assert likelihood.parameter_shape(shape) == expected
    torch.manual_seed(0)
    parameters, x = torch.randn(3, 4, *expected), torch.randint(0, 17, (4, *shape)) / 16
    together = likelihood.nll(parameters, x)
    torch.testing.assert_close(together, torch.stack([likelihood.nll(p, x) for p in parameters]))
    # (12, 4, 5) holds 6 numbers of 2 channels, the channels innermost; (5, 18) those of 3 features
    axis = 0 if len(shape) == 3 else -1
    at_first = parameters.unflatten(axis % len(shape) + 2, (6, shape[axis]))
    one = LogisticMixtureLikelihood(2, 17)
    values = at_first.movedim(axis % len(shape) + 2, -1).reshape(-1, 6)
    every = one.nll(values, x.expand(3, *x.shape).reshape(-1, 1))
    torch.testing.assert_close(every.reshape(3, 4, -1).sum(2), together)
    mask = torch.rand(4, *shape) < 0.5
    assert (likelihood.nll(parameters, x, mask) < together).all()


def test_zeros_hold_all_values_about_equally_likely() -> None:
    found = masses(LogisticMixtureLikelihood(5, 256), torch.zeros(1, 15))[:, 0]
    inside = found[20:-20] * 256
    assert inside.min() > 0.5 and inside.max() < 1.5


@pytest.mark.parametrize(("bins", "slack"), [(2, 1e-5), (17, 1e-5), (256, 0.5 / 255)])
@pytest.mark.parametrize("log_scale", [-8.0, -2.0, 1.0])
def test_the_mean_is_that_of_the_masses(bins: int, slack: float, log_scale: float) -> None:
    likelihood = LogisticMixtureLikelihood(3, bins)
    parameters = random_parameters(200, 3, 0.5)
    parameters[:, 6:] = log_scale
    grid = torch.linspace(0, 1, bins)[:, None]
    expected = (masses(likelihood, parameters) * grid).sum(0)
    broad = bins == 256 and log_scale > -3
    off = (likelihood.mean(parameters)[:, 0] - expected).abs().max()
    assert off <= (1e-4 if broad else slack)


@pytest.mark.parametrize("shape", [(7,), (5, 3), (2, 4, 5)])
@pytest.mark.parametrize("bins", [2, 17, 256])
def test_parameters_for_is_the_inverse_of_the_mean(bins: int, shape: tuple[int, ...]) -> None:
    likelihood = LogisticMixture(4, bins).build(ExampleSpec.of(shape, "unit"))
    mean = torch.rand(6, *shape, generator=torch.Generator().manual_seed(0)) * 0.99 + 0.005
    parameters = likelihood.parameters_for(mean)
    assert parameters.shape == (6, *likelihood.parameter_shape(shape))
    torch.testing.assert_close(likelihood.mean(parameters), mean, atol=1e-4, rtol=0)
    ends = likelihood.mean(likelihood.parameters_for(torch.tensor([0.0, 1.0]).expand(1, 1, 1, 2)))
    torch.testing.assert_close(ends.flatten(), torch.tensor([0.001, 0.999]), atol=1e-4, rtol=0)


def test_draws_are_values_of_the_grid_as_often_as_they_are_likely() -> None:
    torch.manual_seed(0)
    likelihood, parameters = LogisticMixtureLikelihood(2, 5), random_parameters(1, 2, 1.0)
    drawn = likelihood.draw(parameters.expand(40_000, -1)) * 4
    assert torch.equal(drawn, drawn.round())
    shares = torch.bincount(drawn.long().flatten(), minlength=5) / 40_000
    torch.testing.assert_close(shares, masses(likelihood, parameters)[:, 0], atol=0.01, rtol=0)


@pytest.mark.parametrize("network", ["mlp", "conv", "residual", "recurrent"])
def test_every_network_gives_as_many_numbers_as_it_takes(network: str, few: np.ndarray) -> None:
    part = LogisticMixture(components=2, bins=17)
    model = ist.AE(network=network, likelihood=part, epochs=3, random_state=0).fit(few)
    assert model.module_.decoder(torch.zeros(2, 2)).shape == (2, 6, 8, 8)
    assert model.history_[-1]["objective"] < model.history_[0]["objective"]
    assert model.reconstruct(few).shape == few.shape


@pytest.mark.parametrize("network", ["mlp", "conv", "residual", "recurrent"])
def test_a_decoder_starts_at_the_mean_of_the_data(network: str, few: np.ndarray) -> None:
    part = LogisticMixture(components=2, bins=17)
    values = {"network": network, "likelihood": part, "epochs": 1, "learning_rate": 1e-12}
    model = ist.AE(**values, random_state=0).fit(few)
    module = model.module_
    *_, last = (layer for layer in module.decoder.modules() if hasattr(layer, "weight"))
    torch.nn.init.zeros_(last.weight)
    over = {"mlp": 0, "recurrent": (0, 2)}.get(network, (0, 1, 2, 3))
    expected = torch.from_numpy(few).mean(over, keepdim=True).clamp(1e-3, 1 - 1e-3)
    said = module.decode(torch.randn(2, 2))
    torch.testing.assert_close(said, expected.expand_as(said), atol=1e-4, rtol=0)


def test_networks_are_chosen_by_the_shape_of_the_data_and_not_of_the_parameters() -> None:
    module = ist.VAE(likelihood="logistic-mixture").build((1, 28, 28))
    assert not any(isinstance(layer, torch.nn.ConvTranspose2d) for layer in module.modules())
    assert module.loss(Batch(torch.rand(3, 1, 28, 28))).objective.shape == (3,)


def test_an_own_decoder_must_give_as_many_numbers() -> None:
    def decoder(values: int) -> Any:
        return lambda code, shape: torch.nn.Linear(code[0], values)

    part = LogisticMixture(components=2)
    assert ist.AE(likelihood=part, decoder=decoder(30)).build((5,))(Batch(torch.rand(2, 5))).shape
    with pytest.raises(
        ist.InputError, match=r"but the likelihood of the data needs \(30,\): change its last layer"
    ):
        ist.AE(likelihood=part, decoder=decoder(5)).build((5,))
    with pytest.raises(ist.InputError, match=r"tied=True needs .* a likelihood of one number"):
        ist.StackedAE(likelihood=part, tied=True).build((5,))


def test_a_conditional_member_is_told_its_labels(digits: ist.data.Data) -> None:
    part = digits.train.take(slice(129))
    model = ist.VAE(likelihood=OF_DIGITS, condition="label", epochs=1, random_state=0).fit(part)
    assert model.sample(3, condition=4).shape == (3, 1, 8, 8)


def test_uint8_images_train_save_load_and_are_measured_in_bits(
    digits: ist.data.Data, tmp_path: Path
) -> None:
    pixels = [
        replace(part, x=(part.x * 255).round().astype(np.uint8))
        for part in (digits.train.take(slice(400)), digits.test.take(slice(100)))
    ]
    data = replace(digits, train=pixels[0], test=pixels[1])
    model = ist.VAE(likelihood="logistic-mixture", epochs=8, random_state=0).fit(data.train)
    assert model.history_[-1]["objective"] < 0.9 * model.history_[0]["objective"]
    again = ist.load(model.save(tmp_path / "run"))
    assert again.likelihood_ == "logistic-mixture" and again.preprocessor_.bins == 256
    assert np.array_equal(again.score_samples(data.test.x), model.score_samples(data.test.x))
    found = ist.evaluate(again, data)["bits_per_dim"]
    assert found.title == "Bits per dimension (discrete)" and 0 < found.value < 8
    assert found.value == pytest.approx(-again.score(data.test.x) / 64 / np.log(2), rel=1e-5)
    assert again.nll(data.test.x, 50).mean() < -again.score(data.test.x)


def test_data_off_the_grid_are_refused_where_their_probability_is_asked_for(
    few: np.ndarray, tmp_path: Path
) -> None:
    with pytest.raises(
        ist.InputError,
        match=r"X holds 0\.\d+, but the likelihood with bins=256 knows only the values 0, 1/255,"
        r" \.\.\., 1: train with bins=17, or take another likelihood\.",
    ):
        ist.VAE(likelihood="logistic-mixture").fit(few)
    with pytest.raises(ist.InputError, match=r"X holds .*: round X to them, or take another"):
        ist.VAE(likelihood=OF_DIGITS).fit(np.random.default_rng(0).random((9, 5)))
    with pytest.raises(ist.InputError, match="'logistic-mixture' needs uint8 pixels, or values in"):
        ist.VAE(likelihood="logistic-mixture").fit(few * 16)
    model = ist.VAE(likelihood=OF_DIGITS, epochs=1, random_state=0).fit(few)
    between = few * 0.9
    assert model.reconstruct(between).shape == few.shape
    for asked in (model.score_samples, model.nll, lambda x: model.fit(few, validation_data=x)):
        with pytest.raises(ist.InputError, match=r"with bins=17 knows only the values 0, 1/16"):
            asked(between)


def test_what_is_drawn_black_or_white_lies_on_every_grid() -> None:
    grey = np.random.default_rng(0).random((40, 6)).astype(np.float32)
    part = LogisticMixture(components=1, bins=2)
    model = ist.VAE(likelihood=part, binarize="dynamic", epochs=1, random_state=0).fit(grey)
    assert np.isfinite(model.history_[-1]["objective"])


def test_whole_numbers_fit_after_scaling(few: np.ndarray) -> None:
    whole = (few * 16).astype(np.float32)
    model = ist.VAE(likelihood=OF_DIGITS, scaling="minmax", epochs=1, random_state=0).fit(whole)
    assert np.isfinite(model.score_samples(whole)).all()
