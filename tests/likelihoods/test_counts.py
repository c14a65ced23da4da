"""Likelihoods of counts: against scipy, with library sizes, in training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

import isthmus as ist
from isthmus.core.batch import Batch
from isthmus.likelihoods import NegativeBinomialLikelihood, PoissonLikelihood

MODULES = {
    "poisson": PoissonLikelihood,
    "negative-binomial": lambda shape=(), library=False: with_theta(
        NegativeBinomialLikelihood(shape, library), 2.5
    ),
}
both = pytest.mark.parametrize("name", MODULES)


def with_theta(likelihood: NegativeBinomialLikelihood, theta: float) -> NegativeBinomialLikelihood:
    with torch.no_grad():
        likelihood.paced.fill_(np.log(theta) / 10)
    return likelihood


def masses(name: str, x: Any, rate: Any, theta: Any = 2.5) -> np.ndarray:
    """log p of scipy."""
    if name == "poisson":
        return np.asarray(stats.poisson.logpmf(x, rate))
    return np.asarray(stats.nbinom.logpmf(x, theta, theta / (theta + rate)))


def words(n: int = 90, columns: int = 12) -> np.ndarray:
    """Counts of examples that differ in size and in one direction of composition."""
    rng = np.random.default_rng(0)
    size, turn = rng.lognormal(3.5, 0.6, (n, 1)), rng.normal(size=(n, 1))
    share = np.exp(turn * np.linspace(-1, 1, columns))
    return rng.poisson(size * share / share.sum(1, keepdims=True)).astype(float)


@pytest.mark.parametrize("scale", [0.01, 3.0, 1e3, 1e6])
@pytest.mark.parametrize("theta", [None, 1e-3, 1.0, 50.0, 1e8])
def test_the_mass_is_that_of_scipy_in_float32_for_counts_of_any_size(
    scale: float, theta: float | None
) -> None:
    rng = np.random.default_rng(0)
    rate = scale * rng.gamma(2, 0.5, 200)
    x = rng.poisson(rate if theta is None else rate * rng.gamma(theta, 1 / theta, 200))
    log_rate = torch.tensor(np.log(rate), dtype=torch.float32)
    likelihood = (
        PoissonLikelihood() if theta is None else with_theta(NegativeBinomialLikelihood(), theta)
    )
    found = likelihood.each(log_rate, torch.tensor(x, dtype=torch.float32)).detach()
    name = "poisson" if theta is None else "negative-binomial"
    exact_rate = log_rate.double().exp().numpy()
    expected = -masses(name, x, exact_rate, min(theta or 1.0, np.exp(20)))
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6)


@both
def test_the_masses_of_all_counts_sum_to_one(name: str) -> None:
    x = torch.arange(400.0)[:, None]
    nll = MODULES[name]().nll(torch.full((400, 1), 2.0), x)
    assert float((-nll.detach()).exp().sum()) == pytest.approx(1, abs=1e-5)


@both
def test_rates_that_overflow_have_a_finite_cost_and_a_gradient_that_leads_back(name: str) -> None:
    parameters = torch.tensor([[-1e4, -50.0, 50.0, 1e4]], requires_grad=True)
    cost = MODULES[name]().nll(parameters, torch.tensor([[3.0, 3.0, 3.0, 0.0]]))
    cost.sum().backward()
    assert torch.isfinite(cost).all()
    slopes = parameters.grad
    assert slopes is not None and torch.isfinite(slopes).all()
    assert (slopes[0, :2] < 0).all() and (slopes[0, 2:] > 0).all()


@both
def test_parameters_of_a_mean_are_its_inverse(name: str) -> None:
    likelihood = MODULES[name]((3,))
    likelihood.settle(Batch(torch.tensor([[1.0, 40.0, 0.0], [3.0, 0.0, 0.0]])))
    mean = torch.tensor([[0.5, 7.0, 2000.0]])
    torch.testing.assert_close(likelihood.mean(likelihood.parameters_for(mean)), mean)
    # zeros stand for the means that were settled; 1e-4 for what was never counted
    torch.testing.assert_close(
        likelihood.mean(torch.zeros(1, 3)), torch.tensor([[2.0, 20.0, 1e-4]])
    )


@both
def test_draws_are_counts_with_the_mean_and_variance_of_the_distribution(name: str) -> None:
    torch.manual_seed(0)
    drawn = MODULES[name]().draw(torch.full((40_000, 1), np.log(6.0)))
    assert torch.equal(drawn, drawn.round()) and drawn.min() >= 0
    variance = 6.0 if name == "poisson" else 6.0 + 36.0 / 2.5
    assert float(drawn.mean()) == pytest.approx(6.0, rel=0.03)
    assert float(drawn.var()) == pytest.approx(variance, rel=0.05)


@both
def test_under_library_rates_are_shares_of_what_was_counted(name: str) -> None:
    likelihood, logits = MODULES[name]((3,), library=True), torch.tensor([[0.0, 1.0, -2.0]])
    x = torch.tensor([[4.0, 9.0, 0.0]])
    found = likelihood.nll(likelihood.sized(logits, Batch(x)), x)
    expected = -masses(name, x.numpy(), 13 * logits.softmax(1).numpy()).sum()
    assert float(found.detach()) == pytest.approx(expected, rel=1e-5)


def test_the_shares_of_observed_values_sum_to_the_observed_size() -> None:
    likelihood = PoissonLikelihood(library=True)
    logits = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    mask = torch.tensor([[True, True, False, True, False]]).repeat(4, 1)
    mask[3] = False
    x = torch.full((4, 5), 7.0) * mask
    rate = likelihood.mean(likelihood.sized(logits, Batch(x, mask=mask)))
    torch.testing.assert_close((rate * mask)[:3].sum(1), torch.full((3,), 21.0))
    # what was not observed keeps its proportion to what was
    torch.testing.assert_close(
        (rate[:, 2] / rate[:, 0])[:3], (logits[:, 2] - logits[:, 0]).exp()[:3]
    )
    assert torch.isfinite(rate).all()


def test_several_draws_of_an_example_share_its_size() -> None:
    likelihood = PoissonLikelihood(library=True)
    x = torch.tensor([[1.0, 2.0], [30.0, 20.0]])
    rate = likelihood.mean(likelihood.sized(torch.zeros(6, 2), Batch(x)))
    torch.testing.assert_close(rate.sum(1), torch.tensor([3.0, 50.0] * 3))


def test_the_typical_size_is_the_mean_by_weight_of_what_was_observed() -> None:
    likelihood = PoissonLikelihood(library=True)
    x = torch.tensor([[2.0, 4.0], [6.0, 0.0], [10.0, 10.0]])
    mask = torch.tensor([[True, True], [True, False], [True, True]])
    likelihood.settle(Batch(x, mask=mask, weight=torch.tensor([1.0, 1.0, 0.0])))
    assert float(likelihood.mean(likelihood.sized(torch.randn(1, 2))).sum()) == pytest.approx(8.0)


def test_dispersion_is_one_a_column_a_channel_or_a_feature() -> None:
    part = ist.likelihoods.NegativeBinomial()
    shapes = {
        kind: tuple(part.build(ist.core.example.ExampleSpec(kind, shape)).inverse_dispersion.shape)
        for kind, shape in {
            "table": (7,),
            "image": (1, 4, 5),
            "signal": (2, 30),
            "sequence": (30, 3),
        }.items()
    }
    assert shapes == {"table": (7,), "image": (1, 4, 5), "signal": (2, 1), "sequence": (3,)}


@both
@pytest.mark.parametrize("library", [False, True])
def test_an_encoder_sees_logarithms(name: str, library: bool) -> None:
    x = words()
    seen: list[Tensor] = []

    class Watching(torch.nn.Linear):
        def forward(self, input: Tensor) -> Tensor:
            seen.append(input)
            return super().forward(input)

    part = ist.registry.LIKELIHOODS[name](library=library)
    model = ist.AE(encoder=Watching(12, 3), likelihood=part, epochs=1, random_state=0).fit(x)
    seen.clear()
    model.transform(x)
    np.testing.assert_allclose(seen[0].numpy(), np.log1p(x), rtol=1e-6)


@pytest.mark.parametrize("member", ["stacked", "clustering", "vaegan", "contractive", "denoising"])
def test_every_way_into_an_encoder_or_a_discriminator_sees_logarithms(
    member: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counts of a million would leave float32 in a product of raw ones, and none is ever seen."""
    greatest = 0.0
    forward = torch.nn.Linear.forward

    def watched(layer: torch.nn.Linear, x: Tensor) -> Tensor:
        nonlocal greatest
        greatest = max(greatest, float(x.detach().abs().max()))
        return forward(layer, x)

    monkeypatch.setattr(torch.nn.Linear, "forward", watched)
    values = {"n_clusters": 3, "pretrain_epochs": 1} if member == "clustering" else {}
    values |= {"hidden": ()} if member == "contractive" else {}  # its closed form
    model = ist.MEMBERS[member](likelihood="poisson", epochs=1, random_state=0, **values)
    x = 1e6 * words()
    model.fit(x).score_samples(x)
    assert greatest < 1e3


def test_a_classifier_sees_logarithms_too() -> None:
    x = words()
    base = ist.AE(likelihood="negative-binomial", latent_dim=4, epochs=1, random_state=0)
    model = ist.AutoencoderClassifier(base, freeze=True, epochs=1, random_state=0)
    model.fit(x, (x[:, 0] > x[:, -1]).astype(int))
    np.testing.assert_allclose(model.codes(x), model.member_.transform(x), rtol=1e-6)


def test_reconstructions_have_the_size_of_their_examples_and_samples_a_typical_one() -> None:
    x = words()
    model = ist.VAE(likelihood=ist.likelihoods.Poisson(library=True), epochs=2, random_state=0)
    model.fit(x)
    np.testing.assert_allclose(model.reconstruct(x).sum(1), x.sum(1), rtol=1e-4)
    np.testing.assert_allclose(model.sample(5).sum(1), x.sum(1).mean(), rtol=1e-4)
    np.testing.assert_allclose(model.decode(np.zeros((1, 2))).sum(), x.sum(1).mean(), rtol=1e-4)


def test_what_is_settled_is_saved(tmp_path: Any) -> None:
    x = words()
    for library in (False, True):
        part = ist.likelihoods.NegativeBinomial(library=library)
        model = ist.VAE(likelihood=part, epochs=1, random_state=0).fit(x)
        again = ist.load(model.save(tmp_path / f"run{library}"))
        assert np.array_equal(model.decode(np.ones((2, 2))), again.decode(np.ones((2, 2))))
        assert again.preprocessor_.counts and again.likelihood == part


def test_training_goes_on_from_the_size_that_was_settled() -> None:
    x = words()
    part = ist.likelihoods.Poisson(library=True)
    model = ist.AE(likelihood=part, epochs=1, warm_start=True, random_state=0).fit(x)
    settled = float(model.module_.likelihood.log_typical)
    assert float(model.fit(2 * x).module_.likelihood.log_typical) == settled


@both
def test_counts_as_uint8_are_counts_and_no_pixels(name: str) -> None:
    x = words().clip(0, 255)
    values = {"likelihood": name, "epochs": 2, "random_state": 0}
    models = [ist.AE(**values).fit(counts) for counts in (x.astype(np.uint8), np.float32(x))]
    scores = [model.score_samples(np.float32(x)) for model in models]
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-5)
    binary = (x > 2).astype(np.uint8)
    model = ist.AE(**values).fit(np.float32(binary))  # 0 and 1 are counts, and so is a later 2
    np.testing.assert_array_equal(model.transform(binary), model.transform(np.float32(binary)))
    assert np.isfinite(model.score_samples(2 * np.float32(binary))).all()


@pytest.mark.parametrize(
    ("x", "values", "message"),
    [
        (
            words() / 2,
            {},
            r"X lies in \[0, .*\], but likelihood='poisson' needs whole numbers from 0 on: give"
            r" counts, or another likelihood \('gaussian' or 'mse'\)\.",
        ),
        (
            words(),
            {"scaling": "standard"},
            "scaling='standard' leaves no counts, which likelihood='poisson' needs: pass"
            r" scaling='none' or 'auto'\.",
        ),
    ],
)
def test_what_is_no_count_is_refused(x: np.ndarray, values: dict[str, Any], message: str) -> None:
    with pytest.raises(ist.InputError, match=message):
        ist.AE(likelihood="poisson", **values).fit(x)


def test_later_rows_that_are_no_counts_have_codes_and_no_probability() -> None:
    x = words()
    model = ist.VAE(likelihood="poisson", epochs=1, random_state=0).fit(x)
    assert np.isfinite(model.transform(x - 0.5)).all()
    assert np.isfinite(model.reconstruct(x + 0.5)).all()
    with pytest.raises(
        ist.InputError,
        match=r"X holds -0\.5, but the likelihood knows only whole numbers from 0 on: give counts",
    ):
        model.score_samples(np.where(x == 0, -0.5, x))


def test_bits_per_dimension_are_those_of_the_masses_and_none_of_a_mass_given_its_size() -> None:
    x = words()
    data = ist.data.Data("words", ist.data.Part(x[:60]), ist.data.Part(x[60:]))
    found = {
        library: ist.evaluate(
            ist.VAE(likelihood=ist.likelihoods.Poisson(library), epochs=1, random_state=0).fit(
                data.train
            ),
            data,
        )
        for library in (False, True)
    }
    bits = found[False]["neg_elbo"].value / (12 * np.log(2))
    assert found[False]["bits_per_dim"].value == pytest.approx(bits)
    assert "bits_per_dim" not in found[True] and "neg_elbo" in found[True]


def test_a_decoder_starts_at_the_mean_counts() -> None:
    x = words()
    for part in (ist.likelihoods.Poisson(), ist.likelihoods.NegativeBinomial(library=True)):
        model = ist.AE(likelihood=part, epochs=1, learning_rate=1e-12, random_state=0).fit(x)
        restored = model.reconstruct(x).mean(0)
        assert np.corrcoef(restored, x.mean(0))[0, 1] > 0.95
        np.testing.assert_allclose(restored.sum(), x.mean(0).sum(), rtol=0.1)


def test_corruption_damages_what_the_encoder_sees() -> None:
    seen: list[Tensor] = []

    def watched(x: Tensor) -> Tensor:
        seen.append(x)
        return x

    x = words()
    ist.DenoisingAE(corruption=watched, likelihood="poisson", epochs=1, batch_size=90).fit(x)
    assert float(seen[0].max()) == pytest.approx(np.log1p(x.max()), rel=1e-6)


def test_sparse_counts_and_dense_ones_are_the_same() -> None:
    from scipy import sparse

    x = words()
    part = ist.likelihoods.NegativeBinomial(library=True)
    dense, kept = (
        ist.VAE(likelihood=part, epochs=2, random_state=0).fit(each)
        for each in (x, sparse.csr_array(x.astype(np.int64)))
    )
    np.testing.assert_allclose(dense.score_samples(x), kept.score_samples(x), rtol=1e-5)


@pytest.mark.slow
def test_a_low_rank_model_of_overdispersed_counts_is_found() -> None:
    """Its true entropy is known by quadrature over the two dimensions of its code."""
    rng = np.random.default_rng(7)
    weight, bias, theta = rng.normal(0, 0.7, (2, 30)), rng.normal(1, 1, 30), rng.uniform(1, 5, 30)
    z = rng.normal(size=(1200, 2))
    rate = np.exp(z @ weight + bias)
    x = rng.poisson(rate * rng.gamma(theta, 1 / theta, rate.shape)).astype(float)
    train, test = x[:1000], x[1000:]
    points = np.stack(np.meshgrid(*[np.linspace(-4.5, 4.5, 61)] * 2), -1).reshape(-1, 2)
    prior = np.exp(-0.5 * (points**2).sum(1))
    rates = np.exp(points @ weight + bias)
    given = np.stack([masses("negative-binomial", row, rates, theta).sum(1) for row in test])
    entropy = -np.log(np.exp(given) @ (prior / prior.sum())).mean()
    found = {
        name: ist.VAE(likelihood=name, epochs=40, random_state=0).fit(train) for name in MODULES
    }
    nll = {name: model.nll(test, 100).mean() for name, model in found.items()}
    assert entropy - 0.1 < nll["negative-binomial"] < entropy + 0.8
    assert nll["poisson"] > entropy + 8
    learnt = found["negative-binomial"].module_.likelihood.inverse_dispersion.detach().numpy()
    assert np.corrcoef(np.log(learnt), np.log(theta))[0, 1] > 0.9
