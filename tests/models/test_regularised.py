"""Sparse, contractive, denoising and Wasserstein autoencoders do what their names say."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from torch import nn

import isthmus as ist
from isthmus.core.batch import Batch
from isthmus.core.example import ExampleSpec
from isthmus.core.latent_grid import latent_grid
from isthmus.corruptions import GaussianNoise, Masking, SaltAndPepper
from isthmus.divergences import bernoulli_kl, squared_mmd, squared_sliced_wasserstein
from isthmus.models.ae import DeterministicBottleneck
from isthmus.models.contractive import jacobian_norm, layer_norm, projected_norm, sigmoid_layer


def test_topk_keeps_the_k_largest_and_nothing_else() -> None:
    dense = ist.SparseAE(latent_dim=20, sparsity="l1", hidden=(16,)).build((1, 8, 8))
    sparse = ist.SparseAE(latent_dim=20, sparsity="topk", k=3, hidden=(16,)).build((1, 8, 8))
    sparse.load_state_dict(dense.state_dict())
    x = torch.rand(5, 1, 8, 8)
    full, kept = dense.encode(Batch(x))[0], sparse.encode(Batch(x))[0]
    threshold = full.topk(3, dim=1).values[:, -1:]
    torch.testing.assert_close(kept, torch.where(full >= threshold, full, 0))


@pytest.mark.parametrize("sparsity", ["l1", "kl"])
def test_a_larger_weight_makes_codes_sparser(sparsity: str, digits: ist.data.Data) -> None:
    shares = []
    for weight in (0.0, 5.0):
        model = ist.SparseAE(
            sparsity=sparsity,
            sparsity_weight=weight,
            epochs=10,
            learning_rate=3e-3,
            random_state=0,
        ).fit(digits.train)
        shares.append(model.history_[-1]["active"])
    assert shares[1] < 0.6 * shares[0]


def test_kl_draws_the_mean_activation_to_the_target(digits: ist.data.Data) -> None:
    model = ist.SparseAE(
        sparsity="kl", target=0.1, sparsity_weight=20.0, epochs=40, random_state=0
    ).fit(digits.train)
    assert abs(model.transform(digits.train.x).mean() - 0.1) < 0.02


def test_dead_units_are_renewed(digits: ist.data.Data) -> None:
    model = ist.SparseAE(latent_dim=16, epochs=10, random_state=0, sparsity_weight=0.0)
    bottleneck = model.build((1, 8, 8)).bottleneck.train()
    with torch.no_grad():
        bottleneck.linear.bias[:4] = -1e6
    bottleneck(torch.rand(50, 128))
    assert bottleneck.close_epoch() == {"dead": pytest.approx(0.25, abs=0.2)}
    assert bool((bottleneck.linear.bias[:4] == 0).all())
    history = model.fit(digits.train).history_
    assert all(0 <= row["dead"] <= 1 for row in history)


def test_bernoulli_kl_against_torch() -> None:
    rate = torch.tensor([0.01, 0.2, 0.9])
    expected = torch.distributions.kl_divergence(
        torch.distributions.Bernoulli(0.05), torch.distributions.Bernoulli(rate)
    )
    torch.testing.assert_close(bernoulli_kl(0.05, rate), expected)


def test_the_closed_form_is_the_exact_jacobian_of_a_sigmoid_layer() -> None:
    module = ist.ContractiveAE(latent_dim=5, hidden=()).build((7,)).double()
    x = torch.rand(4, 7, dtype=torch.float64)
    layer = sigmoid_layer(module)
    assert layer is not None
    torch.testing.assert_close(
        layer_norm(layer, module.encode(Batch(x))[0]), jacobian_norm(module, Batch(x))
    )


def test_hutchinson_is_unbiased_for_a_deep_encoder() -> None:
    torch.manual_seed(0)
    module = ist.ContractiveAE(latent_dim=5, hidden=(9, 8), activation="tanh").build((7,)).double()
    x = torch.rand(3, 7, dtype=torch.float64)
    assert sigmoid_layer(module) is None
    exact = jacobian_norm(module, Batch(x))
    draws = torch.stack([projected_norm(module, Batch(x)) for _ in range(4000)])
    error = draws.std(0) / math.sqrt(len(draws))
    assert bool(((draws.mean(0) - exact).abs() < 4 * error).all())


@pytest.mark.parametrize(
    "values", [{"hidden": ()}, {"jacobian": "exact"}, {"jacobian": "hutchinson", "probes": 2}]
)
def test_the_charge_alone_drives_the_jacobian_down(values: dict[str, object]) -> None:
    torch.manual_seed(0)
    module = ist.ContractiveAE(latent_dim=8, contraction=2.0, **values).build((1, 8, 8))
    x, optimizer = torch.rand(64, 1, 8, 8), torch.optim.Adam(module.parameters(), lr=1e-2)
    before = jacobian_norm(module, Batch(x)).mean().detach()
    for _ in range(30):
        charge = module.penalty(module, Batch(x))
        torch.testing.assert_close(charge.objective, 2 * charge.terms["jacobian"])
        optimizer.zero_grad()
        charge.objective.mean().backward()
        optimizer.step()
    assert float(jacobian_norm(module, Batch(x)).mean().detach()) < 0.5 * float(before)


def test_corruptions_hit_the_share_that_is_named() -> None:
    torch.manual_seed(0)
    x = torch.rand(400, 100) * 0.8 + 0.1
    assert float((Masking(0.25)(x) == 0).float().mean()) == pytest.approx(0.25, abs=0.01)
    damaged = SaltAndPepper(0.3)(x)
    assert float((damaged == x.max()).float().mean()) == pytest.approx(0.15, abs=0.01)
    assert float((damaged == x.min()).float().mean()) == pytest.approx(0.15, abs=0.01)
    assert float((GaussianNoise(0.5)(x) - x).std()) == pytest.approx(0.5, abs=0.01)


def test_denoising_removes_noise_better_than_a_plain_autoencoder(digits: ist.data.Data) -> None:
    rng = np.random.default_rng(0)
    clean = digits.test.x
    noisy = (clean + 0.4 * rng.normal(size=clean.shape)).astype(np.float32)
    values = {
        "latent_dim": 32,
        "epochs": 20,
        "learning_rate": 3e-3,
        "random_state": 0,
        "likelihood": "mse",
        "scaling": "none",
    }
    denoised = (
        ist.DenoisingAE(corruption=GaussianNoise(0.4), **values).fit(digits.train).denoise(noisy)
    )
    plain = ist.AE(**values).fit(digits.train).reconstruct(noisy)
    before, after, other = (float(((x - clean) ** 2).mean()) for x in (noisy, denoised, plain))
    assert after < 0.4 * before
    assert after < other


def test_missing_values_are_filled_and_the_others_left_alone(digits: ist.data.Data) -> None:
    clean = digits.test.x[:100]
    holes = np.random.default_rng(0).random(clean.shape) < 0.2
    model = ist.DenoisingAE(corruption=Masking(0.2), epochs=60, random_state=0).fit(digits.train)
    filled = model.denoise(np.where(holes, np.nan, clean))
    assert np.array_equal(filled[~holes], clean[~holes])
    assert ((filled - clean)[holes] ** 2).mean() < 0.5 * (clean[holes] ** 2).mean()
    np.testing.assert_allclose(model.denoise(clean, missing=holes), filled, atol=1e-6)


def halved(x: torch.Tensor) -> torch.Tensor:
    return x * 0.5


def test_a_corruption_of_ones_own(few: np.ndarray, tmp_path: Path) -> None:
    model = ist.DenoisingAE(corruption=halved, epochs=2, random_state=0).fit(few)
    plain = ist.DenoisingAE(corruption=lambda x: x, epochs=2, random_state=0).fit(few)
    assert not np.array_equal(model.transform(few), plain.transform(few))
    model.save(tmp_path / "run")
    with pytest.raises(
        ist.RunError, match=r"has its own corruption: pass load\(\.\.\., networks=\{'corruption'"
    ):
        ist.load(tmp_path / "run")
    again = ist.load(tmp_path / "run", networks={"corruption": halved})
    assert np.array_equal(again.transform(few), model.transform(few))


def test_denoising_refuses_what_it_cannot_use(few: np.ndarray) -> None:
    with pytest.raises(
        ist.InputError, match=r"level=1\.5 is not usable: give a number, above 0 and at most 1\."
    ):
        ist.DenoisingAE(corruption=Masking(1.5)).fit(few)
    with pytest.raises(ist.InputError, match=r"missing has the shape \(3,\), X has"):
        ist.DenoisingAE(epochs=1).fit(few).denoise(few, missing=np.zeros(3, bool))


def test_mmd_is_zero_for_one_distribution_and_positive_for_two() -> None:
    torch.manual_seed(0)
    same = torch.stack([squared_mmd(torch.randn(100, 2), torch.randn(100, 2)) for _ in range(200)])
    assert abs(float(same.mean())) < 4 * float(same.std()) / math.sqrt(200)
    assert float(squared_mmd(torch.randn(100, 2), torch.randn(100, 2) + 1)) > 10 * float(same.std())


def test_mmd_against_the_double_sum() -> None:
    torch.manual_seed(0)
    a, b = torch.randn(5, 2, dtype=torch.float64), torch.randn(5, 2, dtype=torch.float64)

    def kernel(x: torch.Tensor, y: torch.Tensor) -> float:
        return sum(
            4 * s / (4 * s + float((x - y).square().sum()))
            for s in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
        )

    pairs = [(i, j) for i in range(5) for j in range(5)]
    within = sum(kernel(a[i], a[j]) + kernel(b[i], b[j]) for i, j in pairs if i != j) / 20
    across = sum(kernel(a[i], b[j]) for i, j in pairs) / 25
    assert float(squared_mmd(a, b)) == pytest.approx(within - 2 * across)


def test_the_codes_of_a_wae_look_like_the_prior(digits: ist.data.Data) -> None:
    values = {
        "latent_dim": 4,
        "epochs": 15,
        "batch_size": 64,
        "learning_rate": 2e-3,
        "random_state": 0,
    }
    codes = [
        model.fit(digits.train).transform(digits.test.x)
        for model in (ist.AE(**values), ist.WAE(mmd_weight=50.0, **values))
    ]
    gaps = [abs(z.mean(0)).max() + abs(z.std(0) - 1).max() for z in codes]
    assert gaps[1] < 0.35
    assert gaps[1] < 0.3 * gaps[0]


def test_the_code_of_a_denoising_autoencoder_can_be_squashed(digits: ist.data.Data) -> None:
    model = ist.DenoisingAE(
        code_activation="sigmoid", latent_dim=4, hidden=(), epochs=1, random_state=0
    ).fit(digits.train)
    z = model.transform(digits.test.x)
    assert 0 < z.min() < z.max() < 1
    assert model.code_space == "unit"
    layer = sigmoid_layer(model.module_)
    assert layer is not None
    assert layer.weight.shape == (4, 64)


@pytest.mark.parametrize("latent_dim", [2, 5])
def test_rectified_codes_are_never_below_0_and_no_picture_asks_for_such(
    digits: ist.data.Data, latent_dim: int
) -> None:
    model = ist.AE(
        code_activation="relu", latent_dim=latent_dim, epochs=2, snapshots=2, random_state=0
    ).fit(digits.train)
    z = model.transform(digits.test.x)
    assert z.min() == 0 < z.max()
    assert model.code_space == "positive"
    features = model.module_.features(Batch(torch.from_numpy(digits.test.x)))
    bottleneck = model.module_.bottleneck
    assert isinstance(bottleneck, DeterministicBottleneck)
    flat, linear, _ = bottleneck.project
    np.testing.assert_allclose(z, linear(flat(features)).clamp(min=0).detach(), atol=1e-5)
    assert latent_grid(model.code_space, z).codes.min() >= 0


def test_the_network_of_many_keras_tutorials() -> None:
    """784-256-128-64-32 with a rectified code, and back to pixels from 0 to 1."""
    settings = {"latent_dim": 32, "hidden": (256, 128, 64), "likelihood": "mse"}
    module = ist.AE(code_activation="relu", **settings).build((1, 28, 28))
    layers = [
        (layer.in_features, layer.out_features)
        for layer in module.modules()
        if isinstance(layer, nn.Linear)
    ]
    forth = [(784, 256), (256, 128), (128, 64), (64, 32)]
    assert layers == [*forth, *((b, a) for a, b in reversed(forth))]
    assert sum(isinstance(layer, nn.ReLU) for layer in module.modules()) == 7
    made = module.decode(50 * torch.rand(8, 32)).detach()
    assert 0 <= float(made.min()) < 0.5 < float(made.max()) <= 1


def test_numbers_of_a_rectified_code_that_died_are_said(digits: ist.data.Data) -> None:
    model = ist.AE(code_activation="relu", latent_dim=3, epochs=1, random_state=0)
    bottleneck = model.fit(digits.train).module_.bottleneck
    found = bottleneck.diagnostics((torch.tensor([[0.0, 1.0, 2.0], [0.0, 0.0, 1.0]]),))
    assert list(map(str, found)) == [
        "1 of 3 numbers of the code are 0 for every example, and learn nothing any more: raise"
        " latent_dim, or change random_state or code_activation."
    ]
    assert bottleneck.diagnostics((torch.tensor([[1.0, 1.0, 2.0], [0.0, 0.0, 1.0]]),)) == []


@pytest.mark.parametrize("learning_rate", [0.001, 0.002, 0.005])
def test_sigmoid_codes_do_not_end_in_one_corner(learning_rate: float) -> None:
    x = ist.data.load("digits").train.x
    model = ist.ContractiveAE(
        learning_rate=learning_rate, batch_size=64, epochs=8, random_state=1
    ).fit(x)
    assert model.transform(x).std(0).min() > 0.1


@pytest.mark.parametrize("target", [0.02, 0.3])
def test_units_at_their_target_are_alive_whatever_it_is(target: float) -> None:
    model = ist.SparseAE(latent_dim=4, sparsity="kl", target=target, hidden=(), epochs=10)
    bottleneck = model.build((4,)).bottleneck.train()
    logit = math.log(target / (1 - target))
    with torch.no_grad():
        bottleneck.linear.weight.zero_()
        bottleneck.linear.bias[:] = logit + torch.tensor([-0.1, 0.1, 0.0, -8.0])
    code = bottleneck(torch.rand(50, 4))
    assert code.terms["active"].mean() == pytest.approx(0.25, abs=0.26)  # above the target
    assert bottleneck.close_epoch() == {"dead": 0.25}  # the last one, which is far below
    assert bottleneck.linear.bias[:3].tolist() == pytest.approx(
        [logit - 0.1, logit + 0.1, logit], abs=1e-5
    )


def test_renewing_no_working_unit_reaches_a_lower_cost(digits: ist.data.Data) -> None:
    model = ist.SparseAE(sparsity="kl", target=0.02, epochs=10, random_state=0).fit(digits.train)
    assert max(row["dead"] for row in model.history_) == 0


@pytest.mark.parametrize(
    ("member", "what"),
    [
        (ist.WAE(batch_size=1), "WAE estimates how far the codes of a batch are from the prior"),
        (ist.BetaTCVAE(batch_size=1), "BetaTCVAE estimates the density of the codes of a batch"),
        (ist.SparseAE(sparsity="kl", batch_size=1), "SparseAE estimates the mean activation"),
    ],
)
def test_what_a_batch_of_one_cannot_say_is_refused(
    member: ist.Estimator, what: str, few: np.ndarray
) -> None:
    with pytest.raises(ist.InputError, match=rf"{what}.*, of which batch_size=1 says nothing"):
        member.fit(few)


def test_a_single_example_says_nothing_of_a_discrepancy(few: np.ndarray) -> None:
    model = ist.WAE(epochs=1, random_state=0).fit(few)
    with pytest.raises(ist.InputError, match=r"of which X with 1 example says nothing"):
        model.partial_fit(few[:1])
    with pytest.raises(ist.InputError, match=r"of which validation_data with 1 example says"):
        ist.WAE(epochs=1).fit(few, validation_data=few[:1])
    assert set(model.terms(few[:1])) == {"distortion"}
    assert set(model.terms(few[:2])) == {"distortion", "mmd"}
    with pytest.raises(ist.InputError, match=r"^a sample of 1 has no pairs to compare it by"):
        squared_mmd(torch.zeros(1, 2), torch.zeros(1, 2))


def test_networks_that_normalise_by_the_batch_need_two(few: np.ndarray) -> None:
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8))
    with pytest.raises(ist.InputError, match=r"a batch of one example has no variance: give a ba"):
        ist.AE(encoder=encoder, batch_size=1).fit(few)
    with pytest.raises(ist.InputError, match=r"LFQ compares how often a batch chooses its entri"):
        ist.VQVAE(quantizer="lfq", network="mlp", tokens=1, batch_size=1).fit(few)


def test_codes_of_small_data_are_told_apart() -> None:
    codes = torch.randn(50, 3)
    bottleneck = ist.AE(latent_dim=3).build((4,)).bottleneck
    for scale in (1e-8, 1.0, 1e8):
        assert bottleneck.diagnostics((scale * codes,)) == []
        assert len(bottleneck.diagnostics((scale * torch.ones(50, 3),))) == 1


def test_a_scale_that_is_given_is_taken_as_it_is() -> None:
    x, mu = torch.full((1, 3), 2e-4), torch.zeros(1, 3)
    likelihood = ist.likelihoods.Gaussian(scale=1e-4, output="linear").build(
        ExampleSpec("vector", (3,))
    )
    expected = -torch.distributions.Normal(mu, 1e-4).log_prob(x).sum(1)
    torch.testing.assert_close(likelihood.nll(mu, x), expected)


def test_the_sliced_distance_of_a_line_is_the_cost_of_the_best_assignment() -> None:
    torch.manual_seed(0)
    a, b = torch.randn(40, 1), 2 * torch.randn(40, 1) + 1
    costs = (a - b.T).square().numpy()
    rows, columns = linear_sum_assignment(costs)
    found = squared_sliced_wasserstein(a, b, projections=3).item()
    assert found == pytest.approx(costs[rows, columns].mean(), rel=1e-5)


def test_the_sliced_distance_of_a_shift_is_its_square_by_the_dimensions() -> None:
    torch.manual_seed(0)
    a, shift = torch.randn(100, 4), torch.tensor([1.0, -2.0, 0.5, 3.0])
    found = squared_sliced_wasserstein(a, a + shift, projections=20_000).item()
    assert found == pytest.approx(shift.square().sum().item() / 4, rel=0.03)


def test_sliced_codes_come_to_look_like_the_prior(digits: ist.data.Data) -> None:
    values: dict[str, Any] = {"latent_dim": 2, "epochs": 15, "random_state": 0, "batch_size": 128}
    codes = [
        ist.SlicedWAE(sliced_weight=weight, learning_rate=3e-3, **values)
        .fit(digits.train)
        .transform(digits.test.x)
        for weight in (0.0, 30.0)
    ]
    gaps = [abs(z.mean(0)).max() + abs(z.std(0) - 1).max() for z in codes]
    assert gaps[1] < 0.4 < gaps[0]
