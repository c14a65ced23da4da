"""What is known beside an example: labels and covariates that encoder, decoder and priors see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import isthmus as ist
from isthmus.core.batch import Batch
from isthmus.core.conditioning import with_condition
from isthmus.data._splitting import held_out_rows
from isthmus.data.stores import ArrayStore
from isthmus.training.settings import seed_of

pytestmark = pytest.mark.usefixtures("fewer_digits")

CONDITIONAL = [
    name for name in ist.MEMBERS if "condition" in ist.MEMBERS[name].__dataclass_fields__
]
NOISE = np.random.default_rng(0)


def fitted(name: str, digits: ist.data.Data, **values: Any) -> Any:
    member = ist.MEMBERS[name](condition="label", epochs=2, batch_size=64, random_state=0, **values)
    return member.fit(digits.train.take(slice(300)))


def test_every_variational_adversarial_and_quantised_member_is_conditional() -> None:
    assert {"vae", "iwae", "nvae", "aae", "wae", "vqvae", "vqvae2", "betatc"} <= set(CONDITIONAL)


@pytest.mark.parametrize("name", CONDITIONAL)
def test_encoder_decoder_and_samples_follow_the_condition(
    name: str, digits: ist.data.Data, tmp_path: Path
) -> None:
    model = fitted(name, digits)
    x, y = digits.test.x[:6], digits.test.y[:6]
    with torch.no_grad():  # E starts at zero, and two epochs move it little
        model.module_.conditioning.shift.weight.normal_(std=5)
    codes = model.codes(x, y)
    seen = [
        model.module_.features(Batch(torch.from_numpy(x), torch.eye(10)[labels]))
        for labels in (y, (y + 1) % 10)
    ]
    assert not torch.allclose(*seen)
    assert not np.allclose(model.decode(codes, 3), model.decode(codes, 4))
    np.testing.assert_array_equal(model.reconstruct(x, y), model.reconstruct(x, condition=y))
    moved = model.reconstruct(x, y, condition=7)
    np.testing.assert_allclose(moved, model.decode(codes, 7), atol=1e-5)
    if name.startswith("vq"):
        model.fit_prior(digits.train.take(slice(300)), prior=ist.priors.PixelCNN(epochs=1))
    samples = model.sample(4, condition="3", random_state=0)
    again = ist.load(model.save(tmp_path / name))
    np.testing.assert_allclose(again.sample(4, condition=3, random_state=0), samples, atol=1e-5)
    np.testing.assert_allclose(again.codes(x, y), codes, atol=1e-5)


def test_a_prior_that_is_learnt_sees_the_condition(digits: ist.data.Data) -> None:
    model = fitted("nvae", digits)
    bottleneck = model.module_.bottleneck
    with torch.no_grad():
        bottleneck.context.weight.normal_()
        one, other = (bottleneck.sample(8, 0.0, torch.eye(10)[[label] * 8]) for label in (0, 1))
    assert not torch.allclose(one, other)


def test_a_fitted_prior_draws_the_class_that_is_asked_for(digits: ist.data.Data) -> None:
    model = fitted("vae", digits).fit_prior(digits.train, prior="mixture")
    asked = model.prior_.classes_.names
    assert asked == tuple("0123456789")
    assert model.sample(5, condition=[1, 2, 3, 4, 5]).shape == (5, 1, 8, 8)


def test_a_condition_carries_what_the_code_then_need_not() -> None:
    """Two clusters that the label tells apart: with it, a code of noise alone is left."""
    label = NOISE.integers(2, size=2000)
    x = (4.0 * label[:, None] - 2 + 0.1 * NOISE.standard_normal((2000, 4))).astype(np.float32)
    plain, told = (
        ist.VAE(latent_dim=1, epochs=20, scaling="none", condition=condition, random_state=0)
        for condition in ("none", "label")
    )
    rate = plain.fit(x).terms(x)["rate"].mean()
    assert told.fit(x, label).terms(x, label)["rate"].mean() < 0.3 * rate
    zero = np.zeros((1, 1))
    np.testing.assert_allclose(told.decode(zero, 0), np.full((1, 4), -2), atol=0.3)
    np.testing.assert_allclose(told.decode(zero, 1), np.full((1, 4), 2), atol=0.3)


def test_covariates_are_standardised_and_move_the_decoder() -> None:
    age = 20 + 60 * NOISE.random(2000)
    x = (age[:, None] / 10 + 0.1 * NOISE.standard_normal((2000, 3))).astype(np.float32)
    model = ist.VAE(latent_dim=1, epochs=30, condition="covariates", random_state=0).fit(x, age)
    decoded = model.decode(np.zeros((2, 1)), [[30.0], [70.0]])
    np.testing.assert_allclose(decoded.mean(1), [3.0, 7.0], atol=0.6)
    with pytest.raises(ist.InputError, match=r"knows its examples by covariates: say with"):
        model.sample(3)
    with pytest.raises(ist.InputError, match=r"condition has the shape \(2,\): give 1 covariates"):
        model.decode(np.zeros((3, 1)), [1.0, 2.0])


def test_what_is_missing_or_means_nothing_is_said(digits: ist.data.Data) -> None:
    few = digits.train.take(slice(100))
    with pytest.raises(ist.InputError, match=r"condition='label' needs to know each example's"):
        ist.VAE(condition="label").fit(few.x)
    model = ist.VAE(condition="label", epochs=1, random_state=0).fit(few)
    with pytest.raises(ist.InputError, match=r"VAE was trained with condition='label': pass"):
        model.transform(few.x)
    with pytest.raises(ist.InputError, match=r"unknown label 'eleven'"):
        model.sample(2, condition="eleven")
    plain = ist.VAE(epochs=1, random_state=0).fit(few)
    with pytest.raises(ist.InputError, match=r"condition=3 means nothing to this VAE, which was"):
        plain.sample(2, condition=3)
    with pytest.raises(ist.InputError, match=r"^condition of shape \(100,\) means nothing"):
        plain.reconstruct(few.x, few.y)
    with pytest.raises(ist.InputError, match=r"is told the condition that a classifier"):
        ist.AutoencoderClassifier(ist.VAE(condition="label")).fit(few.x, few.y)


def test_a_shift_of_x_is_a_condition_beside_x() -> None:
    """A (x + E c) = A x + (A E) c, so nothing is lost in front of a linear layer."""
    layer, shift = nn.Linear(5, 3), nn.Linear(2, 5, bias=False)
    x, c = torch.randn(4, 5), torch.randn(4, 2)
    beside = nn.Linear(7, 3)
    beside.weight.data = torch.cat([layer.weight, layer.weight @ shift.weight], 1)
    beside.bias.data = layer.bias.data
    torch.testing.assert_close(layer(x + shift(c)), beside(torch.cat([x, c], 1)))
    grid = with_condition(torch.zeros(8, 1, 2, 2), c)  # two draws of each of four examples
    torch.testing.assert_close(grid[:, 1:, 0, 1], torch.cat([c, c]))


def test_weights_count_examples(digits: ist.data.Data) -> None:
    x = digits.train.x[:40]
    weight = np.where(np.arange(40) < 10, 3, 1)
    twice = np.repeat(x, weight, axis=0)
    values = {"batch_size": 1000, "epochs": 3, "random_state": 0, "optimizer": "sgd"}
    weighted = ist.AE(**values).fit(x, sample_weight=weight)
    repeated = ist.AE(**values).fit(twice)
    batch = Batch(torch.from_numpy(x), weight=torch.from_numpy(weight / weight.mean()))
    assert batch.size == 40
    for one, other in zip(weighted.history_, repeated.history_, strict=True):
        assert one["objective"] == pytest.approx(other["objective"], rel=1e-4)
    with pytest.raises(ist.InputError, match=r"sample_weight has the shape \(3,\), but there are"):
        ist.AE().fit(x, sample_weight=[1, 2, 3])
    with pytest.raises(ist.InputError, match=r"sample_weight holds a weight that is negative"):
        ist.AE().fit(x, sample_weight=-weight)


def test_validation_counts_examples_by_their_weights(digits: ist.data.Data) -> None:
    x, weight = digits.train.x[:60], np.where(np.arange(60) % 3 == 0, 5.0, 1.0)
    values = {"epochs": 1, "validation": 0.5, "random_state": 0, "learning_rate": 1e-20}
    model = ist.AE(**values).fit(x, sample_weight=weight)
    _, held_out = held_out_rows(ArrayStore(x), 0.5, seed_of(0))
    errors = -model.score_samples(x[held_out])
    wanted = np.average(errors, weights=weight[held_out])
    assert model.history_[0]["val_objective"] == pytest.approx(wanted, rel=1e-4)
    assert abs(wanted - errors.mean()) > 1e-3
    with pytest.raises(ist.InputError, match=r"validation=0.5 leaves a part whose examples all"):
        ist.AE(**values).fit(x, sample_weight=np.arange(60) == held_out[0])
