"""What a decoder makes of codes: which picture stands where."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

import isthmus as ist
from isthmus import InputError
from isthmus.data import Data, Part
from isthmus.figures import grid, outliers, plane, reconstructions, samples, styles, walk

from .conftest import Known, corner, halves, titles


def pictures(figure: Figure) -> list[np.ndarray]:
    return [np.asarray(image.get_array()) for image in figure.axes[0].images]


def unpadded(row: np.ndarray, width: int = 6, pad: int = 1) -> np.ndarray:
    """A row of tiles taken apart: ``(tiles, height, width)``."""
    padded = np.pad(row, ((0, 0), (0, pad)))
    return padded.reshape(len(row), -1, width + pad)[..., :width].swapaxes(0, 1)


def test_reconstructions_show_every_class_in_turn_above_what_comes_back(
    model: Known, data: Data
) -> None:
    figure = reconstructions(model, data)
    originals, back = (unpadded(row) for row in pictures(figure))
    y = np.asarray(data.test.y)
    chosen = np.concatenate(
        [np.flatnonzero(y == 0)[:4], np.flatnonzero(y == 1)[:3], np.flatnonzero(y == 2)[:3]]
    )
    np.testing.assert_allclose(originals, data.test.x[chosen, 0])
    np.testing.assert_allclose(back, model.reconstruct(data.test.x[chosen])[:, 0])
    assert [text.get_text() for text in figure.axes[0].get_xticklabels()] == list("aaaabbbccc")
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == [
        "original",
        "reconstruction",
    ]
    tops = [image.get_extent()[3] for image in figure.axes[0].images]
    assert tops[0] < tops[1] and figure.axes[0].yaxis_inverted()


def test_samples_are_what_the_model_draws(model: Known, data: Data) -> None:
    drawn = np.random.default_rng(0).random((6, 1, 6, 6))
    model.sample = lambda n, *, random_state: drawn[:n] + 0 * random_state  # type: ignore[attr-defined]
    (mosaic,) = pictures(samples(model, data, rows=2, columns=3))
    np.testing.assert_allclose(unpadded(mosaic[:6]), drawn[:3, 0], rtol=1e-6)
    np.testing.assert_allclose(unpadded(mosaic[7:]), drawn[3:, 0], rtol=1e-6)


def test_what_cannot_sample_says_so(model: Known, data: Data) -> None:
    with pytest.raises(InputError, match="Known has no sample, so it cannot make new examples"):
        samples(model, data)


def test_a_walk_is_straight_in_the_code_with_the_originals_at_its_ends(
    model: Known, data: Data
) -> None:
    figure = walk(model, data, between=(3, 7))
    first, steps, last = pictures(figure)
    np.testing.assert_allclose(first, data.test.x[3, 0])
    np.testing.assert_allclose(last, data.test.x[7, 0])
    codes = corner(data.test.x[[3, 7]])
    expected = codes[0] + np.linspace(0, 1, 12)[:, None] * (codes[1] - codes[0])
    np.testing.assert_allclose(unpadded(steps), halves(expected)[:, 0], rtol=1e-5)
    assert titles(figure) == ["Known on squares: a walk from a to b"]


def test_a_walk_goes_to_another_class_by_itself(model: Known, data: Data) -> None:
    shuffled = Data(
        data.name, data.train, Part(data.test.x, np.array([1, 1, 1] + [2] * 27)), data.classes
    )
    first, _, last = pictures(walk(model, shuffled))
    np.testing.assert_allclose(first, data.test.x[0, 0])
    np.testing.assert_allclose(last, data.test.x[3, 0])


def test_a_walk_between_rows_that_are_not_there_is_refused(model: Known, data: Data) -> None:
    with pytest.raises(
        InputError,
        match=r"between=\(0, 30\) names rows that data does not have: its test part has 30",
    ):
        walk(model, data, between=(0, 30))


def test_tiles_keep_the_shape_of_the_images(data: Data) -> None:
    part = Part(np.random.default_rng(0).random((9, 1, 15, 5)))
    tall = Known(corner, lambda z: np.zeros((len(z), 1, 15, 5)))
    assert walk(tall, Data("tall", part, part)).axes[0].get_aspect() == pytest.approx(3)


def test_pixels_are_shown_alike_before_and_after(data: Data) -> None:
    part = Part((data.train.x * 255).astype(np.uint8))
    for scale in (1, 255):
        back = Known(
            lambda x: corner(x / np.float32(255)), lambda z, scale=scale: scale * halves(z)
        )
        _, shown = pictures(reconstructions(back, Data("pixels", part, part)))
        assert 0.5 < shown[:, :6].max() <= 1
        np.testing.assert_allclose(
            unpadded(shown)[:, :, 0], corner(part.x)[:10, :1].repeat(6, axis=1) / 255, rtol=1e-5
        )


def test_images_in_other_units_span_their_own_range(data: Data) -> None:
    part = Part(data.train.x * 40 - 20)
    originals, _ = pictures(reconstructions(Known(corner, halves), Data("units", part, part)))
    low, high = part.x.min(), part.x.max()
    np.testing.assert_allclose(
        unpadded(originals), (part.x[:10, 0] - low) / (high - low), atol=1e-5
    )


def bars(figure: Figure) -> np.ndarray:
    """The outlines of what lies above the base line, ``(tiles, corners, 2)``."""
    first, *_ = (
        artist for artist in figure.axes[0].collections if isinstance(artist, PolyCollection)
    )
    outlines = [path.vertices[:-1] for path in first.get_paths()]
    return np.array(outlines[len(outlines) // 3 : 2 * len(outlines) // 3])


def test_a_row_of_a_table_is_a_profile_of_its_columns() -> None:
    x = np.random.default_rng(0).normal(size=(50, 6)) * [1, 10, 100, 1, 1, 1] + 5
    x[0] = x.mean(axis=0) + x.std(axis=0) * [0, 1, 2, 3, -1, -3]
    part = Part(x)
    figure = reconstructions(
        Known(lambda x: x[:, :2], lambda z: np.tile(z, 3)), Data("table", part, part)
    )
    heights = 1 - (bars(figure)[0, 1:-1:2, 1] - 0.04) / 0.92
    np.testing.assert_allclose(heights, [0.5, 0.75, 1, 1, 0.5, 0.5], atol=0.05)
    assert figure.axes[0].get_xlabel() == "bars: 6 columns, from −2 to 2 standard deviations"


@pytest.mark.parametrize(
    ("shape", "scale"),
    [((1,), 1), ((1,), 7), ((2,), 7), ((13,), 1), ((5000,), 7), ((1, 300), 7), ((2, 3, 4, 5), 1)],
)
def test_what_is_no_image_is_always_drawn(shape: tuple[int, ...], scale: float) -> None:
    x = np.random.default_rng(0).random((12, *shape)) * scale
    x.reshape(12, -1)[:, -1] = 0.5  # a column that never changes
    size = min(2, x[0].size)
    model = Known(
        lambda x: x.reshape(len(x), -1)[:, :size], lambda z: np.full((len(z), *shape), 0.3)
    )
    part = Part(x)
    for figure in (grid, reconstructions, walk):
        drawn = figure(model, Data("numbers", part, part))
        assert drawn.axes[0].collections and not drawn.axes[0].images
        assert "column" in drawn.axes[0].get_xlabel()


def test_styles_show_the_code_of_one_example_under_every_class(
    digits: ist.data.Data,
) -> None:
    model = ist.VAE(condition="label", epochs=1, random_state=0).fit(digits.train)
    figure = styles(model, digits, rows=3)
    originals, decoded = pictures(figure)
    assert originals.shape[0] > 24 and decoded.shape[1] > 80
    first = digits.test.take(np.array([int((digits.test.y == 0).argmax())]))
    wanted = model.decode(model.codes(first), 1)[0, 0]
    np.testing.assert_allclose(decoded[:8, 9:17], wanted, atol=1e-5)
    with pytest.raises(ist.InputError, match=r"was trained without labels as its condition"):
        styles(ist.AE(epochs=1, random_state=0).fit(digits.train), digits)


def test_a_picture_of_one_class_says_which(digits: ist.data.Data) -> None:
    model = ist.VAE(condition="label", epochs=1, random_state=0).fit(digits.train)
    for figure in (grid(model, digits), walk(model, digits), plane(model, digits, tiles=True)):
        (title, *_) = titles(figure)
        assert title.endswith(f"decoded as {model.preprocessor_.condition.typical}"), title
    assert "decoded as" not in titles(plane(model, digits))[0]
    covariates = ist.VAE(condition="covariates", epochs=1, random_state=0)
    covariates.fit(digits.train.x[:200], np.linspace(0, 1, 200)[:, None])
    part = Part(digits.test.x[:50], np.linspace(0, 1, 50))
    shown = grid(covariates, Data("digits", part, part))
    assert titles(shown)[0].endswith("at mean covariates")


@pytest.mark.parametrize("draw", [grid, reconstructions, samples, walk, plane, outliers])
def test_figures_tell_a_conditional_member_what_it_must_know(
    draw: Any, digits: ist.data.Data
) -> None:
    model = ist.VAE(condition="label", epochs=1, random_state=0).fit(digits.train)
    assert draw(model, digits).get_figwidth() > 1
