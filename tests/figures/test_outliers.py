"""Which examples are shown as least and as most typical, and what is said of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

import isthmus as ist
from isthmus.data import Data, Part
from isthmus.figures import explanation, outliers
from isthmus.figures._style import ALARM, INK

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
        ALARM
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


def test_a_heat_map_shows_the_share_of_every_pixel(digits: Data) -> None:
    detector = ist.OutlierDetector(ist.AE(epochs=2, random_state=0)).fit(digits.test)
    figure = explanation(detector, digits, columns=3)
    (axes,) = figure.axes
    worst = np.argsort(detector.scores_)[:3]
    shown, _, heat = (unpadded(np.asarray(image.get_array()), 8) for image in axes.images)
    np.testing.assert_allclose(shown, digits.test.x[worst, 0])
    expected = detector.explain(digits.test.x[worst])[:, 0]
    np.testing.assert_allclose(heat, expected / np.percentile(expected, 99.8), rtol=1e-4, atol=1e-6)
    assert figure.axes[0].get_title(loc="left") == "AE on digits: what makes examples strange"


def test_bars_name_the_columns_that_cost_most() -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 8)), columns=list("abcdefgh"))
    frame.loc[4, "e"] = 30.5
    part = Part(frame)
    data = Data("table", part, part.take(slice(0)), columns=tuple(frame))
    detector = ist.OutlierDetector(ist.AE(epochs=2, random_state=0)).fit(frame)
    figure = explanation(detector, data, columns=4)
    panel, *others = figure.axes
    assert [axes.get_visible() for axes in others] == [True, True, True, False, False]
    cost = -detector.score_samples(frame.iloc[[4]])[0]
    assert panel.get_title(loc="left") == f"row 4: {cost:.3g}"
    names = [text.get_text() for text in panel.get_yticklabels()]
    assert len(names) == 6 and names[0] == "e = 30.5"
    shares = detector.explain(frame.iloc[[4]])[0]
    widths = [bar.get_width() for bar in panel.patches]
    np.testing.assert_allclose(widths, np.sort(shares)[::-1][:6] / cost, rtol=1e-6)


def test_what_explains_nothing_says_so(data: Data) -> None:
    with pytest.raises(ist.InputError, match="Known has nothing to explain by"):
        explanation(Known(corner, halves), data)
