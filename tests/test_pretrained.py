"""What comes trained with the package: small, whole, and as good as its card says."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

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
    assert sum(file.stat().st_size for file in files) < 4e6


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


@pytest.mark.parametrize("name", [name for name in RECIPES if "mnist" in name])
def test_mnist_is_reconstructed_as_the_card_says(name: str, mnist: ist.data.Data) -> None:
    model = ist.load(pretrained.PREFIX + name)
    assert model.squared_error(mnist.test.x).mean() == pytest.approx(
        measured(name, "Squared error"), rel=1e-3
    )


def test_a_class_at_a_time() -> None:
    model = ist.load("pretrained:vqvae-mnist")
    samples = [model.sample(4, label=label, random_state=0) for label in (1, 8)]
    assert samples[0].shape == (4, 1, 28, 28)
    assert samples[0].sum() < samples[1].sum()  # a one has less ink than an eight
    assert model.encode(samples[0]).shape == (4, 7, 7)


def test_unknown_names_and_the_listing(isthmus: Callable[..., tuple[int, str, str]]) -> None:
    with pytest.raises(
        ist.InputError, match="unknown pretrained model 'vae-mnist-2': did you mean 'vae-mnist-2d'"
    ):
        ist.load("pretrained:vae-mnist-2")
    status, printed, _ = isthmus("models", "--pretrained")
    assert status == 0
    assert "pretrained:vae-digits-2d" in printed


def test_the_same_weights_at_every_load() -> None:
    first, second = (
        ist.load("pretrained:vae-digits-2d").sample(3, random_state=0) for _ in range(2)
    )
    assert np.array_equal(first, second)
