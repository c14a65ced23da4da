"""Training curves: every term, its unit, and validation beside it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from isthmus import InputError
from isthmus.data import Data
from isthmus.figures import curves

from .conftest import titles


def trained(epochs: int = 4, likelihood: str = "bernoulli", **terms: float) -> Any:
    """A model whose terms fall from the value given, by one an epoch."""
    rows = [
        {
            "epoch": i + 1.0,
            **{name: value - i for name, value in terms.items()},
            "learning_rate": 1e-3,
            "seconds": 1.0,
        }
        for i in range(epochs)
    ]
    return SimpleNamespace(history_=rows, likelihood_=likelihood)


def test_every_term_has_a_panel_in_nats(data: Data) -> None:
    figure = curves(trained(objective=9, distortion=8, rate=1), data)
    assert titles(figure) == ["objective", "distortion", "rate"]
    assert {axes.get_ylabel() for axes in figure.axes} == {"nats per example"}
    np.testing.assert_array_equal(
        figure.axes[1].lines[0].get_xydata(), [[1, 8], [2, 7], [3, 6], [4, 5]]
    )


def test_validation_is_dashed_in_the_same_colour(data: Data) -> None:
    figure = curves(trained(objective=9, distortion=8, val_objective=10, val_distortion=9), data)
    for axes in figure.axes:
        training, validation = axes.lines
        assert (training.get_linestyle(), validation.get_linestyle()) == ("-", "--")
        assert training.get_color() == validation.get_color()
    legend = figure.axes[0].get_legend()
    assert legend is not None and [text.get_text() for text in legend.get_texts()] == [
        "training",
        "validation",
    ]


def test_a_squared_error_is_not_in_nats(data: Data) -> None:
    figure = curves(trained(objective=9, distortion=8, rate=1, likelihood="mse"), data)
    assert [axes.get_ylabel() for axes in figure.axes] == ["squared error per example"] * 2 + [
        "nats per example"
    ]


def test_shares_and_counts_are_not_in_nats(data: Data) -> None:
    figure = curves(
        trained(objective=9, distortion=8, usage_top=1, perplexity_top=9, dead=3, jacobian=5), data
    )
    named = dict(zip(titles(figure), (axes.get_ylabel() for axes in figure.axes), strict=True))
    assert named == {
        "objective": "nats per example",
        "distortion": "nats per example",
        "usage top": "share of entries",
        "perplexity top": "entries",
        "dead": "share of units",
        "jacobian": "squared norm",
    }


def test_an_objective_that_is_the_distortion_is_shown_once(data: Data) -> None:
    assert titles(curves(trained(objective=9, distortion=9), data)) == [
        "distortion (the whole objective)"
    ]


def test_a_term_keeps_its_colour_and_others_get_their_own(data: Data) -> None:
    few = curves(trained(objective=9, distortion=9), data)
    many = curves(trained(objective=9, distortion=8, penalty=1, rate=1, other=1), data)
    found = {
        title: axes.lines[0].get_color()
        for title, axes in zip(titles(many), many.axes, strict=True)
    }
    assert found["distortion"] == few.axes[0].lines[0].get_color()
    assert len(set(found.values())) == 5


def test_a_single_epoch_can_be_seen(data: Data) -> None:
    assert (
        curves(trained(epochs=1, objective=9, distortion=9), data).axes[0].lines[0].get_marker()
        == "o"
    )


@pytest.mark.parametrize("model", [SimpleNamespace(), SimpleNamespace(history_=[])])
def test_a_model_without_history_is_refused(model: Any, data: Data) -> None:
    with pytest.raises(
        InputError, match="SimpleNamespace has no history_, so there are no training curves"
    ):
        curves(model, data)
