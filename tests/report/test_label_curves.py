"""The error over the number of labels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import isthmus as ist
from isthmus.report import LabelCurves


@pytest.fixture(scope="module")
def little(digits: ist.data.Data) -> ist.data.Data:
    return ist.data.Data("digits", digits.train.take(slice(200)), digits.test)


def test_errors_are_those_of_classifiers_that_are_trained_alone(little: ist.data.Data) -> None:
    model = ist.AutoencoderClassifier(ist.AE(epochs=1), epochs=4)
    curves = ist.label_curves({"AE": model}, little, n_labels=(20, 200), random_states=(0, 3))
    assert curves.errors.shape == (1, 2, 2)
    alone = ist.AutoencoderClassifier(ist.AE(epochs=1), epochs=4, n_labels=20, random_state=3)
    wrong = np.mean(alone.fit(little.train).predict(little.test.x) != little.test.y)
    assert curves.errors[0, 0, 1] == wrong
    assert not hasattr(model, "member_")


def test_the_figure_shows_means_and_deviations() -> None:
    errors = np.array([[[0.3, 0.5], [0.1, 0.1]], [[0.2, 0.2], [0.0, 0.1]]])
    curves = LabelCurves(("a", "b"), (10, 1000), errors, "digits")
    axes = curves.figure().axes[0]
    lines = [container.lines[0] for container in axes.containers]
    np.testing.assert_allclose(lines[0].get_ydata(), [40, 10])
    np.testing.assert_allclose(lines[1].get_ydata(), [20, 5])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b"]
    assert str(curves).splitlines()[0] == "a, 10 labels: 40.00 ± 14.14 % wrong"


def test_refusals(little: ist.data.Data) -> None:
    with pytest.raises(ist.InputError, match=r"is no classifier with n_labels: give a member such"):
        ist.label_curves({"AE": ist.AE()}, little)  # type: ignore[dict-item]
    with pytest.raises(ist.InputError, match="unknown member 'lader': did you mean 'ladder'"):
        ist.label_curves(["lader"], little)
    unlabelled = ist.data.Data("x", ist.data.Part(little.train.x), little.test)
    with pytest.raises(ist.InputError, match="x has no labels in both parts: say label=… when it"):
        ist.label_curves(["ae"], unlabelled)
    with pytest.raises(ist.InputError, match=r"n_labels=9 is not usable: y holds 200 labels of 10"):
        ist.label_curves(["semiaae"], little, n_labels=(9,))


def test_the_command_draws_and_says_the_errors(
    tmp_path: Path, isthmus: Callable[..., tuple[int, str, str]]
) -> None:
    words = ("label-curves", "ae", "--data", "digits", "--out", tmp_path / "curves.png")
    status, _, message = isthmus(*words, "--labels", "many")
    assert status == 2 and "--labels 'many' is not usable: give whole numbers: 100,1000" in message
    status, _, message = isthmus(*words[:-1], tmp_path / "curves.txt")
    assert status == 2 and "curves.txt" in message
