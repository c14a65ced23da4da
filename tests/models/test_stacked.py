"""Stacked autoencoders: pretraining moves one layer at a time; tied weights are one set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import isthmus as ist
from isthmus.core.batch import Batch
from isthmus.core.example import ExampleSpec
from isthmus.corruptions import Masking, RandomAffine
from isthmus.models.stacked import stack


@pytest.mark.parametrize(
    "values", [{"hidden": (20, 10)}, {"hidden": (4, 6), "network": "conv"}, {"hidden": ()}]
)
@pytest.mark.parametrize("tied", [False, True])
def test_every_layer_moves_its_own_weights_and_sees_what_the_layers_below_make(
    tied: bool, values: dict[str, object]
) -> None:
    torch.manual_seed(0)
    module = ist.StackedAE(latent_dim=3, tied=tied, activation="sigmoid", **values).build((1, 8, 8))
    layers = list(stack(module))
    assert len(layers) == len(values["hidden"]) + 1
    owned = [{id(parameter) for parameter in layer.parameters} for layer in layers]
    assert sum(map(len, owned)) == len(set.union(*owned)) == len(list(module.parameters()))
    x = torch.rand(5, 1, 8, 8)
    for layer in layers:
        loss = layer.loss(Batch(x))
        assert loss.objective.shape == (5,)
        loss.objective.mean().backward()
        moved = {id(parameter) for parameter in module.parameters() if parameter.grad is not None}
        assert moved == {id(parameter) for parameter in layer.parameters}
        module.zero_grad(set_to_none=True)


def test_pretraining_makes_each_layer_better(digits: ist.data.Data) -> None:
    model = ist.StackedAE(
        hidden=(40, 20), latent_dim=5, pretrain_epochs=8, epochs=3, random_state=0
    ).fit(digits.train)
    for stage in (1, 2, 3):
        objectives = [row["objective"] for row in model.history_ if row["stage"] == stage]
        assert len(objectives) == 8
        assert objectives[-1] < 0.9 * objectives[0]
    assert [row["epoch"] for row in model.history_] == list(range(1, 28))


def test_pretraining_is_a_better_start(digits: ist.data.Data) -> None:
    # Four layers of sigmoid units: without pretraining the code says nothing yet, and the mean is
    # all that is learnt.
    values = {
        "hidden": (64, 32, 16),
        "latent_dim": 8,
        "epochs": 3,
        "random_state": 0,
        "activation": "sigmoid",
    }
    values |= {"learning_rate": 0.01, "batch_size": 64}
    start, cold = (
        ist.StackedAE(pretrain_epochs=epochs, **values)
        .fit(digits.train)
        .squared_error(digits.test.x)
        .mean()
        for epochs in (15, 0)
    )
    assert start < 0.5 * cold


def test_tied_weights_are_transposed_and_stay_tied(digits: ist.data.Data, tmp_path: Path) -> None:
    model = ist.StackedAE(
        hidden=(20,), latent_dim=4, tied=True, pretrain_epochs=2, epochs=2, random_state=0
    ).fit(digits.train)
    module = model.module_
    up, code = module.encoder[1].weight, module.bottleneck.project[1].weight
    h = torch.randn(3, 4)
    expected = torch.relu(h @ code + module.decoder[1].bias) @ up + module.decoder[3].bias
    torch.testing.assert_close(module.decoder(h).flatten(1), expected)
    free = ist.StackedAE(hidden=(20,), latent_dim=4).build((1, 8, 8))
    assert (
        sum(p.numel() for p in free.parameters()) - sum(p.numel() for p in module.parameters())
        == 64 * 20 + 20 * 4
    )
    assert "decoder.1.weight" not in module.state_dict()
    again = ist.load(model.save(tmp_path / "run"))
    assert np.array_equal(again.reconstruct(digits.test.x), model.reconstruct(digits.test.x))


def test_tied_convolutions_are_the_adjoint() -> None:
    torch.manual_seed(0)
    module = (
        ist.StackedAE(network="conv", hidden=(3,), latent_dim=2, tied=True, activation="linear")
        .build((1, 8, 8))
        .double()
    )
    convolve, back = module.encoder[1], module.decoder[-2]
    x, h = (
        torch.randn(1, 1, 8, 8, dtype=torch.float64),
        torch.randn(1, 3, 4, 4, dtype=torch.float64),
    )
    torch.testing.assert_close((convolve(x) * h).sum(), (x * back(h)).sum())  # biases start at zero


def test_tied_weights_need_networks_that_mirror(few: np.ndarray) -> None:
    own = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 8))
    with pytest.raises(
        ist.InputError, match=r"tied=True needs the networks of isthmus.*pass tied=False"
    ):
        ist.StackedAE(encoder=own, tied=True).fit(few)


def test_tied_weights_refuse_what_does_not_mirror() -> None:
    with pytest.raises(
        ist.InputError,
        match=r"needs a decoder that mirrors the encoder.*pass network='mlp' or 'conv'",
    ):
        ist.StackedAE(tied=True, network="residual").build((3, 16, 16))


def test_pretraining_reads_what_is_missing_as_the_whole_does() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(40, 5)).astype(np.float32)
    x[random.random(x.shape) < 0.3] = np.nan
    model = ist.StackedAE(hidden=(4,), epochs=1, pretrain_epochs=1, random_state=0).fit(x)
    module = model.module_
    assert module.hiding is not None
    module.hiding = None  # hides other values at every step
    layers = list(stack(module))
    seen = Batch(torch.tensor(x).nan_to_num(0.0), mask=torch.tensor(~np.isnan(x)))
    features = module.features(seen)
    through, mask = layers[1].below(seen.x, seen.mask)
    torch.testing.assert_close(through, features)
    assert mask is None  # what a layer of all values makes is there for every row
    worth = layers[1].loss(seen).objective
    decoded = torch.nn.Sequential(*layers[1].decode)(module.bottleneck.posterior(features).z)
    torch.testing.assert_close(worth, (decoded - features).square().sum(1))


def test_pretraining_is_blind_behind_the_end_of_a_signal() -> None:
    torch.manual_seed(0)
    module = ist.StackedAE(network="conv").build(ExampleSpec("signal", (2, 16)))
    mask = torch.ones(3, 2, 16, dtype=torch.bool)
    mask[:, :, 8:] = False
    x = torch.randn(3, 2, 16).masked_fill(~mask, 0.0)
    _, second, _ = stack(module)
    given, left = second.below(x, mask)
    assert left is not None
    assert not given.masked_fill(left, 0.0).any()
    torch.testing.assert_close(second.encode(given, left)[0], module.features(Batch(x, mask=mask)))
    decoded = torch.nn.Sequential(*second.decode)(second.encode(given, left)[0])
    expected = (decoded - given).square()[..., :4].sum((1, 2))  # 8 steps, two to a place
    torch.testing.assert_close(second.loss(Batch(x, mask=mask)).objective, expected)


def test_hidden_pixels_meet_convolutions_layer_by_layer(digits: ist.data.Data) -> None:
    model = ist.StackedAE(
        network="conv", hide=0.3, epochs=1, pretrain_epochs=1, random_state=0, batch_size=512
    ).fit(digits.train)
    assert [row["stage"] for row in model.history_] == [1.0, 2.0, 3.0, 4.0]


def test_each_layer_rebuilds_its_clean_input_from_a_damaged_one() -> None:
    torch.manual_seed(0)
    halves = {"corruption": lambda h: 0.5 * h, "activation": "sigmoid", "tied": True}
    model = ist.StackedAE(hidden=(7,), latent_dim=3, code_activation="sigmoid", **halves)
    module = model.build((10,), unit_range=True).double()
    x = torch.rand(4, 10, dtype=torch.float64)
    lowest, upper = (objectives[0] for objectives in model._layers(module))
    first, second = module.encoder[1], module.bottleneck.project[1]
    up, down = module.decoder[1].bias, module.decoder[3].bias

    h = torch.sigmoid(first(0.5 * x))
    logits = h @ first.weight + down
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="none")
    torch.testing.assert_close(lowest.loss(Batch(x)).objective, expected.sum(1))

    h = torch.sigmoid(first(x))  # of clean examples
    rebuilt = torch.sigmoid(torch.sigmoid(second(0.5 * h)) @ second.weight + up)
    torch.testing.assert_close(upper.loss(Batch(x)).objective, (rebuilt - h).square().sum(1))
    assert module.corruption is None  # fine-tuning sees clean examples


def test_every_layer_has_its_level() -> None:
    model = ist.StackedAE(
        hidden=(7, 6), corruption="masking", corruption_levels=(0.1, 0.0, 0.3), latent_dim=3
    )
    lowest, second, third = model._corruptions(3)
    assert (lowest, second, third) == (Masking(0.1), None, Masking(0.3))
    moving = ist.StackedAE(hidden=(7, 6), corruption="affine")
    assert moving._corruptions(3) == [RandomAffine(), None, None]


def test_stacked_denoising_trains_and_comes_back(digits: ist.data.Data, tmp_path: Path) -> None:
    model = ist.StackedAE(
        hidden=(40,),
        latent_dim=20,
        corruption=Masking(0.3),
        corruption_levels=(0.2, 0.4),
        pretrain_epochs=3,
        epochs=1,
        random_state=0,
    ).fit(digits.train)
    again = ist.load(model.save(tmp_path / "run"))
    assert (again.corruption, again.corruption_levels) == (Masking(0.3), (0.2, 0.4))
    assert np.array_equal(again.transform(digits.test.x), model.transform(digits.test.x))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"corruption_levels": (0.1,)}, "but there is none: pass corruption='masking'"),
        (
            {"corruption": "masking", "corruption_levels": (0.1, 0.2)},
            r"names 2 layers, but there are 3: give one for each of hidden, and one for the code",
        ),
        (
            {"corruption": "masking", "corruption_levels": (0.1, 0.2, 1.5)},
            r"level=1.5",
        ),
        (
            {"corruption": "affine", "corruption_levels": (1, 1, 1)},
            r"corruption='affine', which has no level: take 'masking'",
        ),
    ],
)
def test_levels_must_fit_the_layers(
    values: dict[str, object], message: str, few: np.ndarray
) -> None:
    with pytest.raises(ist.InputError, match=message):
        ist.StackedAE(hidden=(5, 4), epochs=1, **values).fit(few)


def test_networks_of_ones_own_have_no_layers_to_corrupt(few: np.ndarray) -> None:
    own = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 8))
    with pytest.raises(ist.InputError, match=r"count as one: .* or take a DenoisingAE"):
        ist.StackedAE(encoder=own, corruption="masking", epochs=1).fit(few)
