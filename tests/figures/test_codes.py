"""The code plane: which points, in which colours, on which axes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_hex

from isthmus import InputError
from isthmus.data import Data, Part
from isthmus.figures import plane
from isthmus.figures._style import PALETTE

from .conftest import Known, cloud, colours, corner, halves, images, titles


def table(codes: np.ndarray, classes: int | None = None) -> Data:
    y = None if classes is None else np.arange(len(codes)) % classes
    part = Part(codes.astype(np.float32), y)
    return Data("table", part, part)


def same(x: np.ndarray) -> np.ndarray:
    return x


def test_every_test_example_is_where_its_code_is(model: Known, data: Data) -> None:
    figure = plane(model, data)
    np.testing.assert_allclose(cloud(figure).get_offsets(), corner(data.test.x))
    assert colours(figure) == [PALETTE[i % 3] for i in range(30)]
    assert titles(figure)[0] == "Known on squares: codes of 30 test examples"
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("$z_1$", "$z_2$")


def test_at_most_3000_points_are_drawn_and_always_the_same(model: Known) -> None:
    data = Data("many", images(10), images(4000), ("a", "b", "c"))
    first, second = (np.asarray(cloud(plane(model, data)).get_offsets()) for _ in range(2))
    assert len(first) == 3000
    np.testing.assert_array_equal(first, second)
    assert len(cloud(plane(model, data, points=50)).get_offsets()) == 50


def test_a_label_has_its_colour_whichever_labels_are_there(model: Known, data: Data) -> None:
    only = np.flatnonzero(data.test.y == 2)
    few = replace(data, test=data.test.take(only))
    assert set(colours(plane(model, few))) == {PALETTE[2]}


def test_the_legend_names_the_classes_in_their_colours(model: Known, data: Data) -> None:
    legend = plane(model, data).axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b", "c"]
    assert [to_hex(line.get_color()) for line in legend.get_lines()] == list(PALETTE[:3])


def test_more_dimensions_are_projected_and_the_axes_say_so() -> None:
    codes = np.zeros((400, 10))
    codes[:, 3] = 3 * np.tile([1.0, -1.0], 200)
    codes[:, 7] = np.repeat([1.0, -1.0], 200)
    figure = plane(Known(same, same), table(codes))
    axes = figure.axes[0]
    assert axes.get_xlabel() == "PC 1 of the 10-d code (90% of the variance)"
    assert axes.get_ylabel() == "PC 2 of the 10-d code (10% of the variance)"
    np.testing.assert_allclose(
        np.abs(cloud(figure).get_offsets()), np.abs(codes[:, [3, 7]]), atol=1e-5
    )


def test_codes_that_are_all_the_same_are_still_drawn() -> None:
    axes = plane(Known(same, same), table(np.ones((20, 5)))).axes[0]
    assert axes.get_xlabel() == "PC 1 of the 5-d code (0% of the variance)"
    assert axes.get_xlim() == pytest.approx((-1, 1))


@pytest.mark.parametrize(("space", "frame"), [("unit", (0, 1)), ("symmetric", (-1, 1))])
def test_a_bounded_code_is_shown_with_its_whole_box(space: str, frame: tuple[int, int]) -> None:
    axes = plane(Known(corner, halves, space), table(np.full((9, 2), 0.4))).axes[0]
    assert axes.get_xlim() == frame and axes.get_ylim() == frame


def test_a_code_with_a_prior_has_equal_scales() -> None:
    codes = np.random.default_rng(0).normal(size=(50, 2)) * [1, 5]
    axes = plane(Known(same, same, "normal"), table(codes)).axes[0]
    assert np.ptp(axes.get_xlim()) == pytest.approx(np.ptp(axes.get_ylim()))
    assert axes.get_box_aspect() == 1


def test_one_dimension_is_a_strip_for_each_class() -> None:
    codes = np.linspace(-2, 2, 40)[:, None]
    figure = plane(Known(same, same), table(codes, classes=4))
    points = np.asarray(cloud(figure).get_offsets())
    np.testing.assert_allclose(points[:, 0], codes[:, 0], rtol=1e-6)
    np.testing.assert_array_equal(points[:, 1].round(), np.arange(40) % 4)
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["0", "1", "2", "3"]


def test_one_dimension_without_labels_is_a_histogram() -> None:
    axes = plane(Known(same, same), table(np.random.default_rng(0).normal(size=(80, 1)))).axes[0]
    assert sum(bar.get_height() for bar in axes.patches) == 80
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("$z_1$", "examples")


def test_without_labels_there_is_one_colour_and_no_legend(model: Known) -> None:
    figure = plane(model, Data("plain", images(9, classes=None), images(9, classes=None)))
    assert set(colours(figure)) == {PALETTE[0]}
    assert figure.axes[0].get_legend() is None


def test_more_than_ten_classes_have_a_colour_bar() -> None:
    figure = plane(
        Known(same, same), table(np.random.default_rng(0).normal(size=(60, 2)), classes=20)
    )
    assert len(set(colours(figure))) == 20
    assert [text.get_text() for text in figure.axes[1].get_yticklabels()] == [
        str(i) for i in range(20)
    ]
    many = plane(
        Known(same, same), table(np.random.default_rng(0).normal(size=(300, 2)), classes=100)
    )
    assert len(many.axes[1].get_yticklabels()) <= 26


def test_the_training_part_stands_in_for_an_empty_test_part(model: Known, data: Data) -> None:
    figure = plane(model, replace(data, test=data.test.take(slice(0))))
    assert titles(figure)[0] == "Known on squares: codes of 60 training examples"


def test_a_title_of_ones_own(model: Known, data: Data) -> None:
    assert titles(plane(model, data, title="mine"))[0] == "mine"
    assert titles(plane(model, data, title=""))[0] == ""


def test_what_has_no_codes_is_refused(data: Data) -> None:
    with pytest.raises(InputError, match="object has no transform, so it has no codes to draw"):
        plane(object(), data)
