"""Every finding, provoked by a member that was broken on purpose; nothing else is said of it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import isthmus as ist
from isthmus.core.findings import Finding
from isthmus.data import Data, Part
from isthmus.diagnosis import _codes
from isthmus.diagnosis._examination import Examination
from isthmus.training.history import History
from tests.diagnosis.conftest import SETTINGS

pytestmark = pytest.mark.filterwarnings("ignore::isthmus.errors.LearningWarning")


def found(model: Any, data: Data) -> dict[str, Finding]:
    return {finding.name: finding for finding in ist.diagnose(model, data)}


@torch.no_grad()
def projection(model: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight and bias of the linear map to the code; of a VAE means first, then log variances."""
    bottleneck = model.module_.bottleneck
    parts = getattr(bottleneck, "inner", bottleneck).modules()
    layer = [part for part in parts if isinstance(part, torch.nn.Linear)][-1]
    return layer.weight.data, layer.bias.data


def last_layer(model: Any) -> Any:
    return [part for part in model.module_.decoder.modules() if hasattr(part, "weight")][-1]


# --------------------------------------------------------------------------------------- codes


def test_posterior_collapse_is_found_once_and_first(
    healthy: Callable[..., Any], spots: Data
) -> None:
    model = healthy("vae")
    for part in projection(model):
        part.zero_()
    names = list(found(model, spots))
    assert names[0] == "posterior-collapse"
    assert not {"rate-too-low", "code-ignored", "collapsed-dimensions", "worse-than-pca"} & {*names}


def test_collapsed_dimensions_are_counted(healthy: Callable[..., Any], spots: Data) -> None:
    model = healthy("vae", latent_dim=6)
    rates = _codes.rates_of(Examination(model, spots))
    assert rates is not None
    weight, bias = projection(model)  # (12, features)
    for dimension in rates.argsort()[:4]:
        for row in (dimension, 6 + dimension):
            weight[row], bias[row] = 0, 0
    said = found(model, spots)["collapsed-dimensions"]
    assert said.statement.startswith("4 of 6 dimensions") and "latent_dim to 2" in said.remedy
    assert said.severity == "note" and said.value == 4 / 6


def test_a_posterior_that_ignores_x_is_told_from_a_collapsed_one(
    healthy: Callable[..., Any], spots: Data
) -> None:
    model = healthy("vae")
    weight, bias = projection(model)
    weight.zero_()
    bias.copy_(torch.tensor([3.0, 3.0, -2.0, -2.0]))  # far from the prior, and the same for all
    said = found(model, spots)
    assert "posterior-ignores-input" in said and "posterior-collapse" not in said
    assert said["posterior-ignores-input"].value == pytest.approx(0.0, abs=0.1)


def with_spread(model: Any, data: Data, deviation: float) -> Any:
    """A VAE whose means have that deviation about 0 in each dimension, and noise of 1."""
    weight, bias = projection(model)
    count = len(weight) // 2
    mu = torch.from_numpy(model.encode(data.train.x).mu)
    weight[count:], bias[count:] = 0, 0
    scale = deviation / mu.std(0)
    weight[:count] *= scale[:, None]
    bias[:count] = (bias[:count] - mu.mean(0)) * scale
    return model


def test_what_codes_tell_is_what_a_gaussian_channel_tells(
    healthy: Callable[..., Any], spots: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    """½ log (1 + Var μ / σ²) a dimension: log 2 of two, where both are 1."""
    monkeypatch.setattr(_codes, "_LEAST_TOLD", 10.0)
    seen = Examination(with_spread(healthy("vae"), spots, 1.0), spots)
    (said,) = _codes.ignored_input(seen) or ()
    assert said.value == pytest.approx(np.log(2), abs=0.15)


def test_a_decoder_that_ignores_the_code_is_found_where_a_label_says_enough(spots: Data) -> None:
    model = ist.VAE(
        condition="label", latent_dim=2, hidden=(32,), epochs=15, learning_rate=5e-3, random_state=0
    ).fit(spots.train)
    first = next(part for part in model.module_.decoder.modules() if hasattr(part, "weight"))
    first.weight.data[:, :2] = 0  # the label's columns stay
    said = found(model, spots)["code-ignored"]
    assert said.value == pytest.approx(0.0, abs=1e-6) and said.severity == "fault"


def test_a_rate_that_tells_few_apart_is_too_low(healthy: Callable[..., Any], spots: Data) -> None:
    """½ (m² + s² − log s² − 1) a dimension: ½ of the variance of its mean, where σ is 1."""
    model = with_spread(healthy("vae"), spots, np.sqrt(0.5))
    said = found(model, spots)["rate-too-low"]
    assert said.value == pytest.approx(0.5, abs=0.1) and said.limit == 1.0
    assert "no more than 1.6 kinds" in str(said) or "no more than 1.7 kinds" in str(said)


def test_noise_that_nobody_sees_is_a_rate_too_high(
    healthy: Callable[..., Any], spots: Data
) -> None:
    model = healthy("vae")
    before = ist.diagnose(model, spots)
    projection(model)[1][2:] -= 8  # σ by e⁻⁴: 4 nats a dimension more
    said = found(model, spots)["rate-too-high"]
    assert "rate" in before.fine
    assert said.value > 5.0 and "raise beta (it is 1)" in said.remedy


def test_codes_far_from_the_prior(healthy: Callable[..., Any], spots: Data) -> None:
    model = healthy("vae")
    projection(model)[1][:2] += 4.0  # adds m²/2 = 8 nats a dimension
    said = found(model, spots)["prior-gap"]
    assert said.value == pytest.approx(8.0, abs=1.0)
    assert "prior-gap" not in found(model.fit_prior(spots.train.x, prior="mixture"), spots)


def test_codes_that_are_all_the_same(healthy: Callable[..., Any], spots: Data) -> None:
    model = healthy("ae")
    projection(model)[0].zero_()
    assert "constant-code" in found(model, spots)


def test_units_that_died_and_units_that_never_rest(
    healthy: Callable[..., Any], spots: Data
) -> None:
    model = healthy("sparse", sparsity="l1")
    weight, bias = projection(model)
    weight[:24], bias[:24] = 0, -1.0
    assert found(model, spots)["dead-units"].value >= 24 / 32
    bias[:24] = 1.0
    said = found(model, spots)["dense-units"]
    assert said.value >= 24 / 32 and "sparsity_weight" in said.remedy


def test_a_codebook_of_which_one_entry_is_used(healthy: Callable[..., Any], spots: Data) -> None:
    model = healthy("vqvae")
    (quantizer,) = model.module_.bottleneck.level_quantizers
    quantizer.vectors[1:] = 1e4
    said = found(model, spots)["codebook-collapse"]
    assert said.value == pytest.approx(1 / 16) and "only 1 of 16" in said.statement


# --------------------------------------------------------------------------------------- outputs


def test_outputs_that_say_the_mean(healthy: Callable[..., Any], spots: Data) -> None:
    model = healthy("ae")
    last_layer(model).weight.data.zero_()
    said = found(model, spots)
    assert said["worse-than-mean"].value < 0.05 and said["constant-outputs"].value == 1.0
    assert "worse-than-pca" not in said  # which is no news then


def test_half_of_the_outputs_stand_still(healthy: Callable[..., Any], spots: Data) -> None:
    model = healthy("ae")
    last_layer(model).weight.data[:32] = 0
    said = found(model, spots)["constant-outputs"]
    upper = spots.test.x.reshape(-1, 64).var(0)
    assert said.value == pytest.approx(upper[:32].sum() / upper.sum(), abs=1e-3)


def test_outputs_at_their_ends(healthy: Callable[..., Any], spots: Data) -> None:
    model = healthy("ae")
    layer = last_layer(model)
    layer.weight.data *= 200
    layer.bias.data *= 200
    said = found(model, spots)["saturated-outputs"]
    assert said.value > 0.9 and "neither 0 nor 1" in said.statement


def test_a_linear_map_that_does_better(healthy: Callable[..., Any], spots: Data) -> None:
    from sklearn.decomposition import PCA

    model = healthy("ae")
    last_layer(model).weight.data *= 0.4
    x, new = (part.x.reshape(-1, 64) for part in (spots.train, spots.test))
    pca = PCA(2).fit(x)
    linear = np.square(new - pca.inverse_transform(pca.transform(new))).sum(1).mean()
    said = found(model, spots)["worse-than-pca"]
    assert said.value == pytest.approx(model.squared_error(spots.test.x).mean() / linear, rel=1e-3)


# --------------------------------------------------------------------------------------- training


def test_training_that_ended_while_the_objective_fell(spots: Data) -> None:
    model = ist.AE(hidden=(16,), epochs=4, learning_rate=1e-4, random_state=0).fit(spots.train)
    said = found(model, spots)["stopped-too-early"]
    first, _, third, last = (row["objective"] for row in model.history_)
    second = model.history_[1]["objective"]
    assert said.value == pytest.approx((second - last) / (first - last))
    assert third > last


@pytest.mark.parametrize(("patience", "is_found"), [(None, True), (3, False)])
def test_validation_that_rose_again(
    patience: int | None, is_found: bool, healthy: Callable[..., Any], spots: Data
) -> None:
    model = healthy("ae")
    model.patience = patience
    measured = [9.0, 5.0, 4.0, 4.5, 5.5, 6.0]
    model.history_ = History(
        {"epoch": i + 1.0, "objective": 9.0 * 0.5**i, "val_objective": value}
        for i, value in enumerate(measured)
    )
    said = found(model, spots)
    assert ("trained-too-long" in said) == is_found
    if is_found:
        assert said["trained-too-long"].value == pytest.approx((6.0 - 4.0) / (9.0 - 4.0))
        assert "least after 3 of 6 epochs (4) and rose to 6" in str(said["trained-too-long"])


def test_an_objective_that_did_not_fall(healthy: Callable[..., Any], spots: Data) -> None:
    model = healthy("ae")
    model.history_ = History({"epoch": i + 1.0, "objective": 5.0 + i} for i in range(4))
    said = found(model, spots)
    assert "the objective did not fall (from 5 to 8)" in str(said["objective-did-not-fall"])


@pytest.mark.parametrize(
    ("member", "warm"),
    [
        (ist.VAE(latent_dim=2, hidden=(16,), epochs=2, kl_warmup=100.0), 100),
        (ist.IWAE(latent_dim=2, hidden=(16,), samples=2, epochs=2, kl_warmup=2.5), 2.5),
        (
            ist.AE(
                latent_dim=2,
                epochs=2,
                judge=ist.judges.PatchAdversary(start=2.0, patch_widths=(4,)),
            ),
            2,
        ),
    ],
    ids=["vae", "iwae", "judge"],
)
def test_a_warm_up_that_training_did_not_outlast(
    member: Any, warm: float, spots: Data, recwarn: pytest.WarningsRecorder
) -> None:
    warnings.simplefilter("always", ist.LearningWarning)
    model = member.fit(spots.train)
    said = found(model, spots)["warm-up-unfinished"]
    assert (said.value, said.limit) == (2, warm)
    assert f"ended after 2 epochs of a warm-up of {warm:g}" in str(said)
    assert f"train for {int(warm) + 1} epochs or more" in str(said)
    assert str(said) in " ".join(str(warning.message) for warning in recwarn)


def test_a_portion_of_the_examples_ends_no_warm_up(
    spots: Data, recwarn: pytest.WarningsRecorder
) -> None:
    warnings.simplefilter("always", ist.LearningWarning)
    model = ist.VAE(latent_dim=2, hidden=(16,), kl_warmup=2.0)
    for _ in range(2):
        model.partial_fit(spots.train.x)
    assert "warm-up" not in " ".join(str(warning.message) for warning in recwarn)
    assert found(model, spots)["warm-up-unfinished"].value == 2
    model.partial_fit(spots.train.x)
    assert "warm-up-unfinished" not in found(model, spots)


def test_neighbours_that_are_alike_are_no_other_examples() -> None:
    """A test part in order of time: the code of the next example says nearly the same."""
    random = np.random.default_rng(0)
    t = np.linspace(0, 2 * np.pi, 400)
    wave = np.stack([np.sin(t), np.cos(t)], 1) @ random.standard_normal((2, 40))
    x = (wave + 0.2 * random.standard_normal((400, 40))).astype(np.float32)
    model = ist.AE(latent_dim=2, hidden=(32,), epochs=30, learning_rate=5e-3, random_state=0)
    data = Data("log", Part(x[::2]), Part(x[1::2]))
    assert "code-ignored" not in found(model.fit(x[::2]), data)


def test_remedies_name_fields_that_the_member_has(spots: Data) -> None:
    """Provoked by posteriors without noise, and by those without anything."""
    for name in ("iwae", "factorvae", "dipvae", "infovae", "hvae", "vae", "betatc"):
        member = ist.MEMBERS[name](latent_dim=2, hidden=(16,), epochs=1, random_state=0)
        for noise, factor in ((-9.0, 1.0), (0.0, 0.0)):
            model = member.fit(spots.train)
            weight, bias = projection(model)
            weight.mul_(factor)
            bias[2:] = noise
            for remedy in (finding.remedy for finding in found(model, spots).values()):
                for field in ("beta", "kl_warmup", "capacity", "free_bits"):
                    assert field not in remedy or hasattr(model, field), (name, remedy)


def test_a_code_that_may_hold_no_nats_is_given_more(spots: Data) -> None:
    model = ist.VAE(latent_dim=2, hidden=(16,), epochs=5, capacity=0.0, beta=50.0, random_state=0)
    said = found(model.fit(spots.train), spots)["posterior-collapse"]
    assert said.remedy == "raise capacity (it is 0)"


def test_an_adversary_that_has_not_begun_does_not_win(spots: Data) -> None:
    judge = ist.judges.PatchAdversary(start=9.0, patch_widths=(4,))
    model = ist.AE(latent_dim=2, hidden=(8,), network="conv", epochs=1, judge=judge)
    assert "critic-too-strong" not in found(model.fit(spots.train), spots)


def test_each_critic_is_judged_by_itself_and_beside_guessing(spots: Data) -> None:
    model = ist.SemiSupervisedAAE(latent_dim=2, hidden=(16,), epochs=1, random_state=0)
    y = np.arange(len(spots.train)) % 2
    model.fit(spots.train.x, y)
    assert {*Examination(model, spots).critics} == {"critic", "class_critic"}
    factor = ist.FactorVAE(latent_dim=2, hidden=(16,), epochs=1, random_state=0).fit(spots.train)
    critic = factor.module_.bottleneck.critic
    for parameter in critic.parameters():
        parameter.data.zero_()  # it guesses
    ((loss, chance),) = Examination(factor, spots).critics.values()
    assert loss == pytest.approx(chance) == pytest.approx(np.log(2))
    first, second = (Examination(factor, spots, 3).critics for _ in range(2))
    assert first == second


def test_a_critic_that_is_never_wrong(healthy: Callable[..., Any], spots: Data) -> None:
    model = healthy("aae")
    assert "critic-too-strong" not in found(model, spots)
    projection(model)[1].add_(12.0)  # codes where the prior is not
    logit = torch.nn.Linear(2, 1)
    logit.weight.data.fill_(-1.0)
    logit.bias.data.fill_(12.0)  # half way
    model.module_.bottleneck.critic = torch.nn.Sequential(logit, torch.nn.Flatten(0))
    said = found(model, spots)
    assert said["critic-too-strong"].value < 1e-3 and "prior-gap" in said


# --------------------------------------------------------------------------------------- examples


def noise(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 12)).astype(np.float32)


def test_examples_that_were_learnt_by_heart() -> None:
    data = Data("noise", Part(noise(16, 0)), Part(noise(200, 1)))
    model = ist.VAE(
        latent_dim=8, beta=1e-3, hidden=(128,), epochs=150, learning_rate=5e-3, random_state=0
    ).fit(data.train)
    said = found(model, data)
    errors = model.squared_error(data.test.x).mean() / model.squared_error(data.train.x).mean()
    assert said["learnt-by-heart"].value == pytest.approx(errors, rel=1e-3) and errors > 5


def test_samples_that_are_training_examples(spots: Data) -> None:
    """Eight examples, a code each, and a prior of eight Gaussians."""
    data = replace(spots, train=spots.train.take(slice(8)))
    model = ist.AE(**{**SETTINGS, "latent_dim": 8, "epochs": 300}).fit(data.train)
    model.fit_prior(data.train, prior=ist.priors.Mixture(components=8, random_state=0))
    finding = found(model, data)["samples-are-copies"]
    samples = model.sample(200, random_state=1)
    near, usual = (
        np.median(
            np.linalg.norm(x.reshape(len(x), 1, -1) - data.train.x.reshape(1, 8, -1), axis=2).min(1)
        )
        for x in (samples, data.test.x)
    )
    assert finding.value == pytest.approx(near / usual, abs=0.1) and finding.value < 0.5


@pytest.mark.parametrize("name", ["clustering", "vade"])
def test_clusters_of_which_one_holds_everything(
    name: str, healthy: Callable[..., Any], spots: Data
) -> None:
    model = healthy(name)
    bottleneck = model.module_.bottleneck
    centres = bottleneck.centres if name == "clustering" else bottleneck.prior.mu
    assert "one-cluster" not in found(model, spots)
    centres.data[1:] += 1e4
    assert found(model, spots)["one-cluster"].value == len({*model.predict(spots.test.x)}) == 1


# --------------------------------------------------------------------------------------- scale


COLUMN = np.array([15.0, *[0.5] * 11], dtype=np.float32)


def far_out(x: np.ndarray) -> np.ndarray:
    return np.where(np.arange(x.size).reshape(x.shape) == 7, np.float32(1e5), x)


@pytest.mark.parametrize(
    ("name", "change", "remedy"),
    [
        ("values-too-large", lambda x: 1e3 * x, "standard"),
        ("values-too-small", lambda x: 1e-3 * x, "standard"),
        ("one-column-dominates", lambda x: COLUMN * x, "standard"),
        ("values-far-out", far_out, "quantile"),
    ],
)
def test_data_that_are_badly_scaled(
    name: str, change: Callable[[np.ndarray], np.ndarray], remedy: str
) -> None:
    data = Data("noise", Part(change(noise(300, 0))), Part(noise(100, 1)))
    wrong, right = (
        ist.AE(scaling=scaling, hidden=(8,), epochs=1, random_state=0).fit(data.train)
        for scaling in ("none", remedy)
    )
    said = found(wrong, data)
    assert name in said and remedy in said[name].remedy
    assert name not in found(right, data)


def test_new_examples_on_another_scale(healthy: Callable[..., Any], spots: Data) -> None:
    data = Data("noise", Part(noise(100, 0)), Part(10 * noise(100, 1)))
    model = ist.AE(hidden=(8,), epochs=1, random_state=0).fit(data.train)
    said = found(model, data)["test-scaled-otherwise"]
    assert said.value == pytest.approx(10, rel=0.1)
