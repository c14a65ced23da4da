"""Arrays as pictures: every layout, and where each pixel of a mosaic lies."""

from __future__ import annotations

import numpy as np
import pytest

from isthmus import InputError
from isthmus.figures import as_images, mosaic


def test_a_mosaic_goes_row_by_row_from_the_top_left() -> None:
    tiles = np.arange(1, 6)[:, None, None] / 10 * np.ones((5, 2, 3))
    whole = mosaic(tiles, 2, 3, pad=1)
    assert whole.shape == (5, 11)
    np.testing.assert_allclose(whole[:2, :3], 0.1)
    np.testing.assert_allclose(whole[:2, 4:7], 0.2)
    np.testing.assert_allclose(whole[3:, :3], 0.4)
    assert (whole[2] == 1).all() and (whole[:, 3] == 1).all() and (whole[:, 7] == 1).all()
    assert (whole[3:, 8:] == 1).all(), "a missing tile stays background"


def test_a_mosaic_keeps_pixels_and_colours_in_place() -> None:
    tiles = np.random.default_rng(0).random((6, 4, 2, 3)).astype(np.float32)
    whole = mosaic(tiles, 3, 2, pad=0)
    assert whole.shape == (12, 4, 3)
    np.testing.assert_array_equal(whole[4:8, 2:4], tiles[3])
    padded = mosaic(tiles, 3, 2, pad=2, background=0.0)
    assert padded.shape == (16, 6, 3)
    np.testing.assert_array_equal(padded[12:, 4:], tiles[5])
    assert not padded[4:6].any()


def test_too_many_tiles_are_refused() -> None:
    with pytest.raises(
        InputError, match=r"images of shape \(5, 2, 2\) do not fit into rows=2 and columns=2"
    ):
        mosaic(np.zeros((5, 2, 2)), 2, 2)


def test_every_layout_gives_the_same_images() -> None:
    first = np.random.default_rng(0).integers(0, 256, (4, 3, 5, 6), dtype=np.uint8)
    expected = np.moveaxis(first, 1, -1) / np.float32(255)
    np.testing.assert_allclose(as_images(first), expected)
    np.testing.assert_allclose(as_images(np.moveaxis(first, 1, -1)), expected)
    np.testing.assert_allclose(as_images(first.reshape(4, -1), image_shape=(3, 5, 6)), expected)
    with_opacity = np.concatenate([first, first[:, :1]], axis=1)
    np.testing.assert_allclose(as_images(with_opacity), expected)


def test_grey_images_have_no_axis_of_colours() -> None:
    x = np.random.default_rng(0).random((4, 5, 6))
    for layout in (x, x[:, None], x[..., None]):
        np.testing.assert_allclose(as_images(layout), x, rtol=1e-6)


def test_values_are_clipped_to_what_can_be_shown() -> None:
    x = np.array([-1.0, 0.25, 3.0, np.nan]).reshape(1, 2, 2)
    np.testing.assert_array_equal(as_images(x).ravel(), [0, 0.25, 1, 0])
    np.testing.assert_allclose(as_images(x, span=(-1, 4)).ravel(), [0, 0.25, 0.8, 0])


@pytest.mark.parametrize("shape", [(5, 13), (5,), (5, 2, 3, 4, 6)])
def test_what_is_no_image_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"x of shape .* holds no images: give \(n, h, w\)"):
        as_images(np.zeros(shape))


def test_two_channels_are_no_image() -> None:
    with pytest.raises(InputError, match="2 channels, but images have 1, 3 or 4"):
        as_images(np.zeros((5, 2, 8, 8)), channels="first")


def test_sixteen_bits_span_all_that_they_hold() -> None:
    x = np.array([[[0, 65535], [32768, 257]]], np.uint16)
    np.testing.assert_allclose(as_images(x)[0], [[0, 1], [32768 / 65535, 1 / 255]], atol=1e-6)
