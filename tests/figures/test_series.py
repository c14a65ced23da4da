"""A long series as a picture: what is marked, and what is said below."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import isthmus as ist
from isthmus.data import Data, Part
from isthmus.data.steps import StepScores
from isthmus.figures import series_outliers

NOTHING = Part(np.empty((0, 1)))


def found(series: object, scores: object, threshold: float = -1.0) -> StepScores:
    return StepScores(scores, threshold, series, "AE")


def drawn(found: StepScores) -> Figure:
    return series_outliers(found, Data("waves", NOTHING, NOTHING))


def bands(figure: Figure, panel: int = 0) -> list[tuple[float, float]]:
    return [(patch.get_x(), patch.get_width()) for patch in figure.axes[panel].patches]


def test_stretches_are_marked_and_the_score_stands_below() -> None:
    series, scores = np.arange(50.0), np.full(50, -0.1)
    scores[[10, 11, 12, 30]] = -4.0
    figure = drawn(found(series, scores))
    above, below = figure.axes
    np.testing.assert_array_equal(above.lines[0].get_ydata(), series)
    assert (
        bands(figure)
        == bands(figure, 1)
        == [(10, 2), (pytest.approx(29.951), pytest.approx(0.098))]
    )
    np.testing.assert_array_equal(below.lines[0].get_ydata(), -scores)
    assert list(below.lines[1].get_ydata()) == [1.0, 1.0]
    assert below.get_yscale() == "function" and below.get_ylim()[0] == 0
    assert below.get_xlabel() == "step; marked: 4 of 50 steps, in 2 stretches"
    assert above.get_title(loc="left") == "value"
    assert figure.get_suptitle() == "AE on waves: unusual stretches"


def test_times_and_names_are_those_of_the_frame() -> None:
    days = pd.date_range("2026-02-27", periods=40, name="day", tz="UTC")
    series = pd.DataFrame({"heat": np.arange(40.0), "wind": 1.0}, index=days)
    scores = pd.Series(np.where(np.arange(40) == 7, -9.0, 2.0), index=days)
    figure = drawn(found(series, scores))
    assert [axes.get_title(loc="left") for axes in figure.axes[:2]] == ["heat", "wind"]
    assert figure.axes[2].get_xlabel() == (
        "day from 2026-02-27 to 2026-04-07; marked: 1 of 40 steps, in 1 stretch"
    )
    assert figure.axes[2].get_yscale() == "linear"  # scores above 0 have no root
    ((left, width),) = bands(figure)
    assert (
        width > 0
        and left < figure.axes[0].convert_xunits(np.datetime64("2026-03-06")) < left + width
    )


def test_of_many_channels_four_are_drawn_and_of_many_series_the_worst() -> None:
    wide = np.zeros((20, 6))
    figure = drawn(found([wide, wide + 1], [np.full(20, -0.5), np.full(20, -3.0)]))
    assert len(figure.axes) == 5
    assert figure.axes[0].lines[0].get_ydata()[0] == 1
    assert figure.axes[4].get_xlabel().endswith("20 of 20 steps, in 1 stretch; 4 of 6 channels")


def test_short_signals_of_few_channels_are_no_pictures() -> None:
    cut = ist.data.windows(np.random.default_rng(0).standard_normal((90, 5)), 8, 2)
    model = ist.AE(epochs=1, random_state=0).fit(cut)
    figure = ist.figures.reconstructions(model, Data("waves", cut, cut))
    assert not list(figure.axes[0].images)
    assert "bars: 40 values" in figure.axes[0].get_xlabel()


def test_a_model_is_judged_by_the_windows_of_the_data() -> None:
    cut = ist.data.windows(np.sin(np.arange(90)), 20, 5)
    model = ist.AE(epochs=1, random_state=0).fit(cut)
    figure = series_outliers(model, Data("waves", cut, cut.take(slice(0))), title="mine")
    expected = -ist.score_steps(model, cut).scores
    np.testing.assert_allclose(figure.axes[1].lines[0].get_ydata(), expected)
    assert figure.get_suptitle() == "mine"
    with pytest.raises(ist.InputError, match="waves holds no windows of a long series: load it"):
        series_outliers(model, Data("waves", NOTHING, Part(np.zeros((3, 4)))))
