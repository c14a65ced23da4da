"""Which examples are shown as least and as most typical, and what is said of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

import isthmus as ist
from isthmus.data import Data, Part
from isthmus.figures import outliers
from isthmus.figures._style import INK, PALETTE

from .conftest import Known, corner, halves
from .test_decoded import unpadded


class Judged(Known):
    """A model that says how badly it rebuilds an example."""

    def squared_error(self, x: np.ndarray) -> np.ndarray:
        return np.square(np.asarray(x) - self.reconstruct(x)).reshape(len(x), -1).sum(1)


@pytest.fixture
def model() -> Judged:
    return Judged(corner, halves)


def ticks(axes: object) -> list[str]:
    return [text.get_text() for text in axes.get_xticklabels()]  # type: ignore[attr-defined]


def test_the_worst_rebuilt_stand_above_the_best_rebuilt(model: Judged, data: Data) -> None:
    figure = outliers(model, data, columns=4)
    order = np.argsort(-model.squared_error(data.test.x))
    for axes, rows in zip(figure.axes, (order[:4], order[::-1][:4]), strict=True):
        originals, back = (unpadded(np.asarray(image.get_array())) for image in axes.images)
        np.testing.assert_allclose(originals, data.test.x[rows, 0])
        np.testing.assert_allclose(back, model.reconstruct(data.test.x[rows])[:, 0])
        shown = [float(text.replace("−", "-")) for text in ticks(axes)]
        np.testing.assert_allclose(shown, -model.squared_error(data.test.x)[rows], atol=0.05)
        (names,) = axes.child_axes
        assert ticks(names) == ["abc"[data.test.y[row]] for row in rows]
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["least typical", "most typical"]
    assert figure.axes[1].get_xlabel() == "score: minus the squared error, of 30 test examples"
    assert figure.get_suptitle() == "Judged on squares:\nleast and most typical examples"


def test_a_detector_marks_what_lies_below_its_threshold(digits: Data) -> None:
    detector = ist.OutlierDetector(
        ist.VAE(epochs=2, random_state=0), contamination=0.01, criterion="score"
    ).fit(digits.test)
    figure = outliers(detector, digits)
    assert [to_hex(text.get_color()) for text in figure.axes[0].get_xticklabels()] == [
        PALETTE[2]
    ] * 4 + [INK] * 6
    limit = f"{detector.offset_:.1f}".replace("-", "−")
    assert (
        figure.axes[1].get_xlabel()
        == f"score: the model's own; red: below {limit}, as are 4 of 359 test examples"
    )


def test_rows_of_a_table_come_with_their_names() -> None:
    frame = pd.DataFrame(
        np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32), columns=list("abcd")
    )
    part = Part(frame.to_numpy())
    model = ist.AE(epochs=1, random_state=0).fit(frame)
    figure = outliers(
        model, Data("table", part, replace(part, x=part.x[:0]), columns=tuple("abcd"))
    )
    assert "of 30 training examples\nbars: 4 columns" in figure.axes[1].get_xlabel()


def test_few_examples_are_not_shown_twice(model: Judged, data: Data) -> None:
    figure = outliers(model, replace(data, test=data.test.take(slice(7))))
    assert [len(ticks(axes)) for axes in figure.axes] == [3, 3]


def test_what_cannot_judge_says_so(data: Data) -> None:
    with pytest.raises(
        ist.InputError,
        match="Known has no squared_error to judge examples by: give a fitted member",
    ):
        outliers(Known(corner, halves), data)
