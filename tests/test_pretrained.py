"""What comes trained with the package: small, whole, and as good as its card says."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import isthmus as ist
from benchmarks.pretrained import RECIPES
from isthmus.io import pretrained

ALL = pytest.mark.parametrize("name", pretrained.available())


def measured(name: str, title: str) -> float:
    found = re.search(
        rf"^\| {re.escape(title)} \| ([-\d.e]+)", pretrained.card(name), flags=re.MULTILINE
    )
    assert found is not None
    return float(found[1])


def test_all_are_there_and_small() -> None:
    assert pretrained.available() == sorted(RECIPES)
    files = [
        file
        for file in Path(pretrained.__file__).parent.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    ]
    assert sum(file.stat().st_size for file in files) < 8e6


@ALL
def test_each_loads_and_its_card_says_what_it_is(name: str) -> None:
    model = ist.load(pretrained.PREFIX + name)
    recipe = RECIPES[name]
    assert isinstance(model, ist.MEMBERS[recipe.member])
    assert {key: getattr(model, key) for key in recipe.fields} == recipe.fields
    assert f"python -m benchmarks.pretrained {name}" in pretrained.card(name)
    assert pretrained.summary(name) == recipe.title


def test_the_digits_are_reconstructed_as_the_card_says(digits: ist.data.Data) -> None:
    model = ist.load("pretrained:vae-digits-2d")
    assert model.squared_error(digits.test.x).mean() == pytest.approx(
        measured("vae-digits-2d", "Squared error"), rel=1e-3
    )


@pytest.mark.parametrize(
    "name", [name for name, recipe in RECIPES.items() if recipe.data == "mnist"]
)
def test_mnist_is_reconstructed_as_the_card_says(name: str, mnist: ist.data.Data) -> None:
    model = ist.load(pretrained.PREFIX + name)
    assert model.squared_error(mnist.test.x).mean() == pytest.approx(
        measured(name, "Squared error"), rel=1e-3
    )


@pytest.mark.parametrize("name", ["course-ae", "course-vae"])
def test_the_training_of_the_course_is_replayed(name: str, mnist: ist.data.Data) -> None:
    model = ist.load(pretrained.PREFIX + name)
    shots = model.snapshots_
    assert [shots[0].epoch, shots[-1].epoch, len(shots)] == [0, model.epochs, model.snapshots]
    x = mnist.test.x[: len(shots[0].codes)]
    last = shots[-1]
    np.testing.assert_allclose(last.codes, model.transform(x), atol=0.01 * np.ptp(last.codes))
    errors = []
    for shot in shots:
        assert shot.grid.shape == (225, 1, 28, 28)
        weights = {key: torch.from_numpy(value).float() for key, value in shot.weights.items()}
        assert set(weights) == set(model.module_.state_dict())
        model.module_.load_state_dict(weights)
        moved = np.abs(model.transform(x) - shot.codes).mean()  # by weights of 8 bits
        assert moved < 0.01 * np.ptp(last.codes)
        errors.append(model.squared_error(x).mean())
    assert errors[-1] == pytest.approx(measured(name, "Squared error"), rel=0.05)
    assert errors[0] > 1.3 * errors[1] > 1.4 * errors[-1]


def test_both_of_the_course_saw_the_same_and_differ_in_their_codes() -> None:
    ae, vae = (RECIPES[name].fields for name in ("course-ae", "course-vae"))
    assert ae == {**vae, "code_activation": "sigmoid"}
    shots = [ist.load(f"pretrained:course-{name}").snapshots_ for name in ("ae", "vae")]
    assert [s.epoch for s in shots[0]] == [s.epoch for s in shots[1]]
    assert 0 <= min(s.codes.min() for s in shots[0]) <= max(s.codes.max() for s in shots[0]) <= 1


def test_names_of_before_still_load() -> None:
    assert pretrained.folder("vae-mnist-2d") == pretrained.folder("course-vae")
    assert ist.load("pretrained:ae-mnist-2d").code_space == "unit"


def test_a_class_at_a_time() -> None:
    model = ist.load("pretrained:vqvae-mnist")
    samples = [model.sample(4, label=label, random_state=0) for label in (1, 8)]
    assert samples[0].shape == (4, 1, 28, 28)
    assert samples[0].sum() < samples[1].sum()  # a one has less ink than an eight
    assert model.encode(samples[0]).shape == (4, 7, 7)


def test_unknown_names_and_the_listing(isthmus: Callable[..., tuple[int, str, str]]) -> None:
    with pytest.raises(
        ist.InputError, match="unknown pretrained model 'course-va': did you mean 'course-vae'"
    ):
        ist.load("pretrained:course-va")
    status, printed, _ = isthmus("models", "--pretrained")
    assert status == 0
    assert "pretrained:vae-digits-2d" in printed


def test_the_same_weights_at_every_load() -> None:
    first, second = (
        ist.load("pretrained:vae-digits-2d").sample(3, random_state=0) for _ in range(2)
    )
    assert np.array_equal(first, second)
