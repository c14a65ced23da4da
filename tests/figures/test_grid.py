"""The decoded grid: which code stands where, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.axis import Axis
from matplotlib.figure import Figure

from isthmus import InputError
from isthmus.data import Data, Part
from isthmus.figures import grid, plane

from .conftest import Known, corner, halves, titles

CENTRES = (np.arange(15) + 0.5) / 15


def shades(figure: Figure) -> tuple[np.ndarray, np.ndarray]:
    """The codes that the tiles of the first row, and of the first column, show."""
    (image,) = figure.axes[0].images
    mosaic = np.asarray(image.get_array())
    return mosaic[0, 0::6], mosaic[0::6, 3]


def marks(axis: Axis) -> list[str]:
    return [text.get_text() for text in axis.get_ticklabels()]


def test_the_first_code_grows_to_the_right_and_the_second_upwards(data: Data) -> None:
    figure = grid(Known(corner, halves, "unit"), data)
    right, up = shades(figure)
    np.testing.assert_allclose(right, CENTRES, atol=1e-6)
    np.testing.assert_allclose(up, CENTRES[::-1], atol=1e-6)
    axes = figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("$z_1$", "$z_2$")


@pytest.mark.parametrize("space", ["unit", "symmetric", "normal", "data"])
def test_the_grid_is_a_map_of_the_plane(space: str, data: Data) -> None:
    """A code has the same place, as a share of the axes, and the same mark in both pictures."""
    model = Known(corner, halves, space)
    below, above = grid(model, data).axes[0], plane(model, data).axes[0]
    low, high = above.get_xlim()
    for at, mark in zip(below.get_xticks(), marks(below.xaxis), strict=True):
        code = float(mark.replace("−", "-"))
        assert at / 15 == pytest.approx((code - low) / (high - low), abs=1e-6)
    low, high = above.get_ylim()
    for at, mark in zip(below.get_yticks(), marks(below.yaxis), strict=True):
        code = float(mark.replace("−", "-"))
        assert 1 - at / 15 == pytest.approx((code - low) / (high - low), abs=1e-6)
    right, up = shades(grid(model, data))
    low, high = above.get_xlim()
    expected = (low + (high - low) * CENTRES).clip(0, 1)  # pictures show no more than [0, 1]
    np.testing.assert_allclose(right, expected, atol=1e-5)
    np.testing.assert_allclose(
        up[::-1],
        (np.subtract(*above.get_ylim()[::-1]) * CENTRES + above.get_ylim()[0]).clip(0, 1),
        atol=1e-5,
    )


def test_the_grid_of_the_course_is_one_call(data: Data) -> None:
    figure = grid(Known(corner, halves, "unit"), data, low=0.05, high=0.95)
    right, up = shades(figure)
    np.testing.assert_allclose(right, np.linspace(0.05, 0.95, 15), atol=1e-6)
    np.testing.assert_allclose(up, np.linspace(0.95, 0.05, 15), atol=1e-6)
    axes = figure.axes[0]
    assert marks(axes.xaxis) == ["0.05", "0.31", "0.50", "0.69", "0.95"]
    assert list(axes.get_xticks()) == [0.5, 4.5, 7.5, 10.5, 14.5]


def test_each_axis_may_have_edges_of_its_own(model: Known, data: Data) -> None:
    right, up = shades(grid(model, data, low=(0, 0.5), high=(0.5, 1), side=3))
    np.testing.assert_allclose(right, [0, 0.25, 0.5], atol=1e-6)
    np.testing.assert_allclose(up, [1, 0.75, 0.5], atol=1e-6)


def test_codes_of_ones_own_keep_their_places(model: Known, data: Data) -> None:
    right, up = np.meshgrid([0.1, 0.2, 0.9], [0.8, 0.3])
    figure = grid(model, data, codes=np.stack([right, up], axis=2))
    np.testing.assert_allclose(shades(figure)[0], [0.1, 0.2, 0.9], rtol=1e-6)
    np.testing.assert_allclose(shades(figure)[1], [0.8, 0.3], rtol=1e-6)
    assert marks(figure.axes[0].xaxis) == ["0.1", "0.2", "0.9"]
    assert marks(figure.axes[0].yaxis) == ["0.8", "0.3"]
    assert titles(figure) == ["Known on squares: codes of your own, decoded"]


def test_codes_that_are_no_lattice_have_no_marks(model: Known, data: Data) -> None:
    rows = np.random.default_rng(0).random((5, 2))
    figure = grid(model, data, codes=rows)
    (image,) = figure.axes[0].images
    mosaic = np.asarray(image.get_array())
    assert mosaic.shape == (12, 18), "five codes fill a square row by row"
    np.testing.assert_allclose(mosaic[0::6, 0::6].ravel()[:5], rows[:, 0], rtol=1e-6)
    assert marks(figure.axes[0].xaxis) == [] and figure.axes[0].get_xlabel() == ""


def test_a_collapsed_code_with_a_prior_is_seen_as_what_it_is(data: Data) -> None:
    silent = Known(lambda x: 0.01 * corner(x), halves, "normal")
    assert plane(silent, data).axes[0].get_xlim() == (-3, 3)
    assert marks(grid(silent, data).axes[0].xaxis) == ["−2", "0", "2"]


def test_a_larger_code_is_marked_with_its_components(data: Data) -> None:
    wide = Known(lambda x: x.reshape(len(x), -1), lambda z: z.reshape(-1, 1, 6, 6))
    axes = grid(wide, data).axes[0]
    assert axes.get_xlabel() == "PC 1 of the 36-d code"
    assert axes.get_ylabel() == "PC 2 of the 36-d code"
    assert plane(wide, data).axes[0].get_xlim()[0] < 0
    spread = grid(wide, data, low=-2, high=2).axes[0]
    assert marks(spread.xaxis) == ["−2.00", "−0.86", "0.00", "0.86", "2.00"]


def test_one_dimension_is_a_line(data: Data) -> None:
    single = Known(lambda x: corner(x)[:, :1], lambda z: halves(z.repeat(2, axis=1)))
    figure = grid(single, data)
    (image,) = figure.axes[0].images
    mosaic = np.asarray(image.get_array())
    assert mosaic.shape == (6, 90) and (np.diff(mosaic[0, ::6]) > 0).all()
    assert titles(figure) == ["Known on squares: the decoded line"]
    assert plane(single, data).axes[0].get_xlim()[0] == pytest.approx(
        1.5 * mosaic[0, 0] - 0.5 * mosaic[0, 6], abs=1e-5
    )


def test_codes_of_any_shape_are_decoded(data: Data) -> None:
    folded = Known(
        lambda x: x[:, 0, :2],
        lambda z: np.broadcast_to(z[:, :1, :1].reshape(-1, 1, 1, 1), (len(z), 1, 6, 6)),
    )
    assert np.asarray(grid(folded, data).axes[0].images[0].get_array()).shape == (90, 90)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"low": 0.9, "high": 0.1}, r"low=0.9 does not lie below high=0.1: give the smaller"),
        ({"low": (0, 0.5), "high": 0.5}, r"low=\(0, 0.5\) does not lie below high=0.5"),
        ({"low": 0.1}, r"low comes without high: give both edges of the grid, or neither"),
        ({"low": (0, 0, 0), "high": 1}, r"low=\(0, 0, 0\) is no edge of a grid of 2 axes: give"),
        ({"low": 0, "high": "one"}, r"high='one' is no edge of a grid of 2 axes"),
        ({"low": 0, "high": float("nan")}, r"high=nan is no edge of a grid of 2 axes"),
        ({"low": 0, "high": 1.2}, r"low=0 and high=1.2 leave the space .* between 0 and 1"),
        ({"codes": np.zeros((4, 3))}, r"codes has the shape \(4, 3\), but this model's codes have"),
        ({"codes": np.zeros(2)}, r"give \(rows, columns, 2\), or \(n, 2\)"),
        ({"codes": np.full((1, 2), -0.5)}, r"codes from -0.5 to -0.5 leave the space"),
        ({"codes": np.full((1, 2), np.nan)}, r"codes holds values that are no finite numbers"),
        ({"codes": np.zeros((1, 2)), "low": 0}, r"low=0 and codes= both say which codes"),
        ({"codes": np.zeros((1, 2)), "side": 9}, r"side=9 and codes= both say which codes"),
    ],
)
def test_what_makes_no_grid_is_refused(given: dict[str, Any], message: str, data: Data) -> None:
    with pytest.raises(InputError, match=message):
        grid(Known(corner, halves, "unit"), data, **given)


def test_codes_that_are_never_negative_stay_so(data: Data) -> None:
    with pytest.raises(InputError, match=r"low=-1 and high=1 leave .* lie from 0 up: stay"):
        grid(Known(corner, halves, "positive"), data, low=-1, high=1)


def test_tiles_lie_under_the_points_where_their_codes_are(data: Data) -> None:
    figure = plane(Known(corner, halves, "unit"), data, tiles=True)
    axes = figure.axes[0]
    (under,) = axes.child_axes
    (image,) = under.images
    for _ in range(3):  # the layout settles
        figure.canvas.draw()
    assert axes.get_xlim() == axes.get_ylim() == (0, 1)
    np.testing.assert_allclose(under.get_position().bounds, axes.get_position().bounds, atol=3e-3)
    assert (*under.get_xlim(), *under.get_ylim()) == (0, 15, 15, 0)
    np.testing.assert_allclose(np.asarray(image.get_array())[0, ::6], CENTRES, atol=1e-6)
    assert under.get_zorder() < axes.collections[0].get_zorder()


def test_tiles_lie_under_the_strips_of_one_dimension(data: Data) -> None:
    single = Known(lambda x: corner(x)[:, :1], lambda z: halves(z.repeat(2, axis=1)))
    axes = plane(single, data, tiles=True).axes[0]
    assert axes.child_axes[0].get_ylim() == (1, 0)


def test_rows_of_a_table_are_tiles_too() -> None:
    part = Part(np.random.default_rng(0).normal(size=(40, 4)))
    model = Known(lambda x: x[:, :2], lambda z: np.tile(z, 2))
    axes = plane(model, Data("table", part, part), tiles=True).axes[0]
    assert len(axes.child_axes[0].collections) == 1
