"""Answers that are known in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

import isthmus as ist
from isthmus.core.batch import Batch
from isthmus.core.example import Column, ExampleSpec
from isthmus.divergences import gaussian_kl, kl_between, log_normal_pairs, normal_kl
from isthmus.likelihoods import (
    BernoulliLikelihood,
    Gaussian,
    GaussianLikelihood,
    Likelihood,
    SquaredError,
    SquaredErrorLikelihood,
)

LINEAR = {
    "hidden": (),
    "scaling": "none",
    "random_state": 0,
    "schedule": "cosine",
}


def test_a_linear_ae_reaches_the_squared_error_of_pca(digits: ist.data.Data) -> None:
    x = digits.train.x.reshape(-1, 64)
    pca = PCA(8).fit(x)
    best = float(((pca.inverse_transform(pca.transform(x)) - x) ** 2).sum(1).mean())
    model = ist.AE(
        latent_dim=8,
        likelihood=SquaredError(output="linear"),
        epochs=40,
        batch_size=32,
        learning_rate=1e-2,
        **LINEAR,
    ).fit(x)
    assert best * 0.9999 <= model.squared_error(x).mean() <= best * 1.01


def test_a_linear_gaussian_vae_reaches_the_likelihood_of_probabilistic_pca() -> None:
    rng = np.random.default_rng(0)
    directions = np.linalg.qr(rng.normal(size=(8, 3)))[0] * [3.0, 2.0, 1.5]
    x = (
        rng.normal(size=(2000, 3)) @ directions.T
        + 0.5 * rng.normal(size=(2000, 8))
        + rng.normal(size=8)
    )
    x = x.astype(np.float32)
    # the log-likelihood per example under the model of Tipping and Bishop
    best = PCA(3).fit(x).score(x)
    model = ist.VAE(
        latent_dim=3,
        likelihood=Gaussian(output="linear"),
        epochs=100,
        batch_size=100,
        learning_rate=3e-2,
        **LINEAR,
    ).fit(x)
    assert best * 1.01 <= model.score(x) <= best + 0.01  # both negative, and a bound lies below


def test_gaussian_kl_against_monte_carlo() -> None:
    torch.manual_seed(0)
    mu, log_var = torch.tensor([0.3, -1.5]), torch.tensor([-1.0, 0.7])
    q = torch.distributions.Normal(mu, (0.5 * log_var).exp())
    z = q.sample((400_000,))
    estimate = (q.log_prob(z) - torch.distributions.Normal(0, 1).log_prob(z)).mean(0)
    torch.testing.assert_close(gaussian_kl(mu, log_var), estimate, atol=0.01, rtol=0)


def test_normal_kl_against_torch_and_monte_carlo() -> None:
    torch.manual_seed(0)
    mu_1, sigma_1 = torch.tensor([0.3, -1.5, 4.0]), torch.tensor([0.6, 1.4, 0.1])
    mu_2, sigma_2 = torch.tensor([-0.2, 1.0, 4.0]), torch.tensor([1.1, 0.8, 0.1])
    p, q = torch.distributions.Normal(mu_1, sigma_1), torch.distributions.Normal(mu_2, sigma_2)
    found = normal_kl(mu_1, sigma_1, mu_2, sigma_2)
    torch.testing.assert_close(found, torch.distributions.kl_divergence(p, q))
    x = p.sample((400_000,))
    torch.testing.assert_close(found, (p.log_prob(x) - q.log_prob(x)).mean(0), atol=0.03, rtol=0)
    assert found[2].item() == pytest.approx(0, abs=1e-6)  # of a distribution from itself


def test_normal_kl_by_hand() -> None:
    assert normal_kl(1.0, 2.0).item() == pytest.approx(2 - math.log(2))
    assert normal_kl(0.0, 1.0, 1.0, 2.0).item() == pytest.approx(math.log(2) - 1 / 4)
    mu, log_var = torch.tensor([0.3, -1.5]), torch.tensor([-1.0, 0.7])  # the rate of a VAE
    torch.testing.assert_close(normal_kl(mu, (0.5 * log_var).exp()), gaussian_kl(mu, log_var))


def test_densities_of_pairs_are_those_of_torch_where_a_gaussian_is_narrow() -> None:
    torch.manual_seed(0)
    mu, log_var = 3 * torch.randn(7, 40), torch.linspace(-18, 2, 7)[:, None].expand(7, 40)
    z = torch.cat([mu + (0.5 * log_var).exp() * torch.randn_like(mu), torch.randn(2, 40)])
    wide = torch.distributions.Normal(mu.double(), (0.5 * log_var.double()).exp())
    expected = wide.log_prob(z.double()[:, None]).sum(-1)
    found = log_normal_pairs(z[None], mu, log_var)
    torch.testing.assert_close(found[0], expected.float(), rtol=1e-5, atol=1e-4)


def test_kl_of_diagonal_gaussians_is_a_sum() -> None:
    torch.manual_seed(1)
    mu, m, log_var, log_s = torch.randn(4, 3)
    p, q = (
        torch.distributions.MultivariateNormal(mean, torch.diag(spread.exp()))
        for mean, spread in ((mu, log_var), (m, log_s))
    )
    torch.testing.assert_close(
        kl_between(mu, log_var, m, log_s).sum(), torch.distributions.kl_divergence(p, q)
    )


def test_a_deviation_is_above_0() -> None:
    with pytest.raises(
        ist.InputError, match=r"other_deviation holds -1, but a standard deviation is above 0"
    ):
        normal_kl(0.0, 1.0, 0.0, -1.0)


def test_bernoulli_sums_to_one() -> None:
    logits = torch.tensor([[0.3, -1.2, 2.0]])
    every = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 3)
    nll = BernoulliLikelihood().nll(logits.expand(8, 3), every)
    assert float((-nll).exp().sum()) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("scale", [0.3, 1.0, None])
def test_gaussian_integrates_to_one(scale: float | None) -> None:
    x = torch.linspace(-20, 20, 40_001)[:, None]
    density = (-GaussianLikelihood(scale).nll(torch.full_like(x, 0.7), x)).exp()
    assert float(torch.trapezoid(density.detach(), x[:, 0])) == pytest.approx(1.0, abs=1e-4)


def test_gaussian_agrees_with_torch_in_many_dimensions() -> None:
    torch.manual_seed(0)
    mean, x = torch.randn(4, 3, 5), torch.randn(4, 3, 5)
    expected = -torch.distributions.Normal(mean, 0.4).log_prob(x).flatten(1).sum(1)
    torch.testing.assert_close(GaussianLikelihood(0.4).nll(mean, x), expected)


def test_bernoulli_is_the_same_with_a_gradient_and_without() -> None:
    # Far logits too: either formula must stay finite where the probability rounds to 0 or 1.
    logits, x = (
        torch.tensor([-200.0, -3.0, 0.0, 0.7, 200.0]).expand(3, 5),
        torch.tensor([[0.0], [0.3], [1.0]]).expand(3, 5),
    )
    with_gradient = BernoulliLikelihood().each(logits.clone().requires_grad_(), x).detach()
    with torch.no_grad():
        torch.testing.assert_close(BernoulliLikelihood().each(logits, x), with_gradient)
    p = logits[:, 1:4].double().sigmoid()
    grey = x[:, 1:4].double()
    torch.testing.assert_close(
        with_gradient[:, 1:4].double(),
        -(grey * p.log() + (1 - grey) * (1 - p).log()),
        rtol=1e-5,
        atol=1e-6,
    )


@pytest.mark.parametrize(
    "likelihood",
    [BernoulliLikelihood(), GaussianLikelihood(0.5), SquaredErrorLikelihood()],
    ids=lambda kind: type(kind).__name__,
)
def test_several_draws_are_charged_like_one_after_another(likelihood: Likelihood) -> None:
    parameters, x = torch.randn(3, 4, 2, 5), torch.rand(4, 2, 5)
    assert likelihood.nll(parameters, x).shape == (3, 4)
    torch.testing.assert_close(
        likelihood.nll(parameters, x), torch.stack([likelihood.nll(draw, x) for draw in parameters])
    )


def test_squared_error_is_a_sum_over_dimensions() -> None:
    parameters, x = torch.zeros(2, 3, 4), torch.ones(2, 3, 4)
    assert SquaredErrorLikelihood().nll(parameters, x).tolist() == [12.0, 12.0]
    assert not SquaredErrorLikelihood().normalised


# A likelihood's gradient is the same whichever member asks for it: all of them for two members, and
# for the others one that is a sum over values, and one whose parameters are several a value.
WITH_ALL, WITH_ONE = ("ae", "vae"), ("nvae", "biva")  # of which each weight costs two passes
SOME = ("bernoulli", "logistic-mixture")


@pytest.mark.parametrize(
    ("name", "likelihood"),
    [
        (name, likelihood)
        for name in ist.MEMBERS
        if not name.startswith("vqvae")  # theirs go straight through
        for likelihood in (
            ist.registry.LIKELIHOODS
            if name in WITH_ALL
            else SOME[: 1 if name in WITH_ONE else None]
        )
    ],
)
def test_gradients_against_finite_differences(name: str, likelihood: str) -> None:
    torch.manual_seed(0)
    values = {"latent_dim": 2, "hidden": (5,), "activation": "tanh", "likelihood": likelihood}
    if name == "vaegan":  # its encoder does not play, which the objective does not say
        values["adversary_weight"] = 0.0
    if name in WITH_ONE:
        values |= {"groups": (2,), "width": 8}
    table = ExampleSpec("table", (4,), (Column("x", "number"), Column("c", "category", 3)))
    shape = table if likelihood == "columns" else (4,)
    module = ist.MEMBERS[name](**values).build(shape).double()
    x = torch.rand(3, 4, dtype=torch.float64)
    noise = torch.randn(1, *module.bottleneck.code_shape, dtype=torch.float64)
    parameters = {
        key: parameter for key, parameter in module.named_parameters() if parameter.requires_grad
    }

    def objective(*values: torch.Tensor) -> torch.Tensor:
        class Loss(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.module = module

            def forward(self) -> torch.Tensor:
                # the same damage, and the same draws of a prior, at every evaluation
                torch.manual_seed(0)
                loss = self.module.loss(Batch(x), noise)
                # its encoder is not told of the other term, which the objective does not say
                return loss.terms["masked_distortion"] if name == "masked" else loss.objective

        named = {f"module.{key}": value for key, value in zip(parameters, values, strict=True)}
        return torch.func.functional_call(Loss(), named, ())

    assert torch.autograd.gradcheck(
        objective, tuple(p.detach().requires_grad_() for p in parameters.values()), fast_mode=True
    )


def test_the_free_bits_floor_is_charged_and_the_true_rate_reported() -> None:
    module = ist.VAE(latent_dim=2, free_bits=100.0).build((1, 8, 8))
    loss = module.loss(Batch(torch.rand(4, 1, 8, 8)))
    torch.testing.assert_close(loss.objective - loss.terms["distortion"], torch.full((4,), 200.0))
    assert float(loss.terms["rate"].detach().max()) < 50


def test_the_weight_of_the_rate_grows_over_the_warm_up_and_beta_weighs_it() -> None:
    module = ist.VAE(latent_dim=2, beta=4.0, kl_warmup=10).build((1, 8, 8))
    x, noise = torch.rand(4, 1, 8, 8), torch.zeros(1, 2)
    for epoch, weight in ((0.0, 0.0), (5.0, 2.0), (10.0, 4.0), (math.inf, 4.0)):
        module.anneal(epoch)
        loss = module.loss(Batch(x), noise)
        torch.testing.assert_close(
            loss.objective, loss.terms["distortion"] + weight * loss.terms["rate"]
        )


def test_the_sigmoid_code_lies_in_the_unit_square(digits: ist.data.Data) -> None:
    model = ist.AE(code_activation="sigmoid", epochs=2, random_state=0).fit(digits.train)
    z = model.transform(digits.test.x)
    assert 0 <= z.min() <= z.max() <= 1
    assert model.code_space == "unit"
