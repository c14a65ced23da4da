"""What judges add to a loss: the features of a classifier, an adversary that looks at patches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import isthmus as ist
from isthmus.core.batch import Batch
from isthmus.core.example import ExampleSpec
from isthmus.judges import FeatureDistance, JudgedLoss, PatchAdversary, Perceptual
from isthmus.networks import Conv
from isthmus.training.settings import seed_of

SHAPE = (1, 8, 8)
BRIEF = {"hidden": (4, 8), "epochs": 1, "random_state": 0, "likelihood": "mse"}
MEMBERS = {
    "ae": {"code": "map", "channels": 3},
    "denoising": {},
    "vae": {"code": "map", "beta": 0.1},
    "vqvae": {},
    "vqvae2": {},
}
pytestmark = pytest.mark.filterwarnings("ignore::isthmus.errors.LearningWarning")


def small(kind: str, **values: Any) -> Any:
    brief: dict[str, Any] = {"perceptual": {"feature_widths": (4, 6), "feature_epochs": 1}}
    brief["patch"] = {"patch_widths": (4,), "start": 0.0}
    brief["vqgan"] = brief["perceptual"] | brief["patch"]
    return ist.registry.JUDGES[kind](**brief[kind] | values)


def judged(judge: Any, seed: int = 0, **values: Any) -> Any:
    torch.manual_seed(seed)
    return ist.AE(**{"code": "map", "network": "conv", "judge": judge} | BRIEF | values).build(
        SHAPE
    )


@pytest.mark.parametrize("name", MEMBERS)
def test_a_judged_member_learns_and_keeps_its_judges(
    name: str, digits: ist.data.Data, tmp_path: Any
) -> None:
    part = digits.train.take(slice(129))
    model = ist.MEMBERS[name](judge=small("vqgan"), **BRIEF | MEMBERS[name]).fit(part)
    row = model.history_[-1]
    assert {"perceptual", "fooling", "balance", "discriminator"} <= set(row)
    again = ist.load(model.save(tmp_path / "run"))
    assert again.judge.feature_widths == (4, 6)
    expected, found = model.terms(digits.test.x[:5]), again.terms(digits.test.x[:5])
    for term, values in expected.items():
        np.testing.assert_array_equal(found[term], values)
    # what judges say is no part of the likelihood
    np.testing.assert_allclose(
        model.score_samples(digits.test.x[:5]),
        -(expected["distortion"] + expected.get("rate", 0.0)),
        rtol=1e-6,
    )


def test_the_objective_is_the_sum_of_what_is_charged() -> None:
    module = judged(small("vqgan", perceptual_weight=0.5, adversary_weight=2.0)).eval()
    module.loss_function.game.balance.fill_(3.0)
    loss = module.loss(Batch(torch.rand(5, *SHAPE)))
    terms = loss.terms
    torch.testing.assert_close(
        loss.objective, terms["distortion"] + 0.5 * terms["perceptual"] + 6 * terms["fooling"]
    )


def test_the_perceptual_distance_is_that_of_directions_of_features() -> None:
    torch.manual_seed(0)
    distance = FeatureDistance(
        Conv(widths=(3, 5)).filled(None, "relu"), ExampleSpec("image", SHAPE)
    )
    a, b = torch.rand(4, *SHAPE), torch.rand(4, *SHAPE)
    _, first, _, second, _ = distance.encoder
    total = torch.zeros(4)
    u, v = a, b
    for convolution in (first, second):
        u, v = (
            F.relu(F.conv2d(x, convolution.weight, convolution.bias, stride=2, padding=1))
            for x in (u, v)
        )
        p, q = (x / x.square().sum(1, keepdim=True).sqrt().clamp(min=1e-8) for x in (u, v))
        total += (p - q).square().sum(1).mean((1, 2))
    torch.testing.assert_close(distance(a, b), 64 * total)
    torch.testing.assert_close(distance(a, a), torch.zeros(4))


def test_the_classifier_is_the_one_that_labels_teach(digits: ist.data.Data) -> None:
    """The features are those of a classifier on a convolutional AE, and stay as they are."""
    part = digits.train.take(slice(300))
    judge = small("perceptual", feature_epochs=3)
    model = ist.AE(judge=judge, **BRIEF).fit(part)
    seed = seed_of(0)
    below = ist.AE(
        latent_dim=64, network=Conv(widths=(4, 6)), epochs=1, likelihood="mse", random_state=seed
    )
    classifier = ist.AutoencoderClassifier(below, epochs=3, random_state=seed).fit(part)
    learnt = classifier.module_.encoder.state_dict()
    kept = model.module_.loss_function.perception.encoder.state_dict()
    assert learnt.keys() == kept.keys()
    for name, value in learnt.items():
        torch.testing.assert_close(kept[name], value)
    rows = digits.train.y[:300].copy()
    by_hand = ist.AE(judge=judge, **BRIEF).fit(part.x, rows)
    np.testing.assert_array_equal(by_hand.transform(part.x[:5]), model.transform(part.x[:5]))


def test_the_balance_makes_both_move_the_last_layer_alike() -> None:
    module = judged(small("patch", adversary_weight=1.0)).train()
    batch = Batch(torch.rand(6, *SHAPE))
    loss = module.loss(batch)
    last = module.decoder[-2].weight
    distortion, fooling = (
        torch.autograd.grad(loss.terms[name].sum(), last, retain_graph=True)[0].norm()
        for name in ("distortion", "fooling")
    )
    balance = module.loss_function.game.balance
    assert float(balance) == pytest.approx(float(distortion / fooling), rel=1e-4)
    assert balance > 0
    module.eval()
    again = module.loss(Batch(torch.rand(2, *SHAPE)))
    torch.testing.assert_close(again.terms["balance"], balance.expand(2))  # kept as it was


def test_without_adaption_it_weighs_as_much_as_a_value() -> None:
    module = judged(small("patch", adaptive=False)).train()
    loss = module.loss(Batch(torch.rand(3, *SHAPE)))
    torch.testing.assert_close(loss.terms["balance"], torch.full((3,), 64.0))


def test_a_discriminator_that_tells_nothing_apart_pays_two_bits() -> None:
    module = judged(small("patch")).train()
    game = module.loss_function.game
    for parameter in game.discriminator.parameters():
        torch.nn.init.zeros_(parameter)
    objective, adversary = module.objectives()
    loss = objective.loss(Batch(torch.rand(3, *SHAPE)))
    told = adversary.loss(loss.made)
    torch.testing.assert_close(told.objective, torch.full((3,), 2 * np.log(2)).float())
    torch.testing.assert_close(loss.terms["fooling"], torch.full((3,), np.log(2)).float())
    moved = {id(p) for p in objective.parameters}
    assert not moved & {id(p) for p in adversary.parameters}


def test_a_verdict_looks_at_a_patch() -> None:
    """Two 4×4 convolutions of stride 2 see 10 pixels."""
    torch.manual_seed(0)
    judge = PatchAdversary(patch_widths=(4, 4))
    spec = ExampleSpec("image", (1, 32, 32))
    discriminator = judge.build(spec, lambda *_: None).game.discriminator  # type: ignore[arg-type]
    x = torch.rand(1, 1, 32, 32)
    other = x.clone()
    other[..., :8, :8] = 0
    moved = (discriminator(x) != discriminator(other)).reshape(8, 8)
    assert moved[:2, :2].all()
    assert not moved[3:].any()
    assert not moved[:, 3:].any()


def test_it_does_not_play_before_its_time(few: np.ndarray) -> None:
    """Before its start nothing moves but what a member moves without it."""
    x = few.reshape(-1, *SHAPE)
    late = ist.AE(code="map", judge=small("patch", start=2.0), **BRIEF | {"epochs": 2}).fit(x)
    row = late.history_[-1]
    assert row["objective"] == row["distortion"]
    assert row["discriminator"] == pytest.approx(late.history_[0]["discriminator"], abs=0.05)
    assert late.warm_epoch == 2.0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"judge": "perceptual"}, r"learns from labels, but there are none: give y, or data"),
        ({"judge": "patch", "kind": "vector"}, r"judge='patch' looks at images and signals, but X"),
        ({"judge": "patchy"}, r"unknown value of judge 'patchy': did you mean 'patch'\?"),
        ({"judge": Perceptual(perceptual_weight=-1)}, r"perceptual_weight=-1 is not usable"),
    ],
)
def test_judges_that_cannot_judge_are_refused(
    few: np.ndarray, values: dict[str, Any], message: str
) -> None:
    x = few.reshape(len(few), -1) if values.get("kind") == "vector" else few
    with pytest.raises(ist.InputError, match=message):
        ist.AE(epochs=1, **values).fit(x)


def test_a_judged_loss_keeps_the_loss_of_the_member() -> None:
    module = judged(small("patch"))
    assert isinstance(module.loss_function, JudgedLoss)
    plain = judged(None)
    plain.load_state_dict(
        {k: v for k, v in module.state_dict().items() if not k.startswith("loss_function")}
    )
    x = Batch(torch.rand(3, *SHAPE))
    torch.testing.assert_close(
        plain.loss(x).terms["distortion"], module.loss(x).terms["distortion"]
    )
