"""What the measured pages rest on, on values that are known by hand."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from benchmarks import (
    course,
    data_specific,
    learnt,
    lossy,
    outliers,
    overcomplete,
    pages,
    properties,
    recognised,
    series,
)
from isthmus.data import Data, Part


@dataclass
class Itself:
    """A model whose codes are the examples."""

    def transform(self, x: np.ndarray) -> np.ndarray:
        return x

    inverse_transform = transform


def as_jpeg(image: np.ndarray, streamtype: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=20, streamtype=streamtype)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "image",
    [np.zeros((28, 28), np.uint8), np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)],
)
def test_the_scan_of_a_jpeg_is_the_same_with_and_without_tables(image: np.ndarray) -> None:
    (whole, scan), (short, alone) = (lossy.jpeg_sizes(as_jpeg(image, kind)) for kind in (0, 2))
    assert scan == alone < short < whole
    # start, application header, frame header, scan header, end
    assert short - alone == 2 + 18 + 13 + 10 + 2


def test_a_blank_jpeg_has_the_bits_of_sixteen_empty_blocks() -> None:
    _, scan = lossy.jpeg_sizes(as_jpeg(np.full((28, 28), 128, np.uint8), 0))
    assert scan == 16 * (2 + 4) // 8  # for each block: no difference to the last, end of block


def test_codes_are_rounded_to_256_equal_steps_and_clipped() -> None:
    low, high = np.array([-1.0, 0.0]), np.array([1.0, 255.0])
    z = np.array([[-1.0, 0.0], [1.0, 255.0], [0.0, 3.4], [7.0, -9.0]])
    found = lossy.quantised(z, low, high)
    assert found == pytest.approx(np.array([[-1, 0], [1, 255], [1 / 255, 3], [1, 0]]), abs=1e-6)
    assert (
        len(np.unique(lossy.quantised(np.linspace(-1, 1, 9999)[:, None], low[:1], high[:1]))) == 256
    )


def test_the_bytes_for_an_error_lie_between_those_measured() -> None:
    curve = [
        {"squared_error": 10.0, "scan_bytes": 40.0},
        {"squared_error": 4.0, "scan_bytes": 70.0},
    ]
    assert lossy.bytes_for(7.0, curve) == pytest.approx(55.0)
    assert lossy.bytes_for(10.5, curve) is None is lossy.bytes_for(3.9, curve)


def test_no_pixel_of_a_photograph_is_in_both_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.zeros((427, 640, 3), np.uint8)
    image[:, data_specific.CUT :] = 255
    monkeypatch.setattr(
        data_specific, "load_sample_images", lambda: SimpleNamespace(images=[image, image])
    )
    data = data_specific.photographs()
    assert data.train.x.shape == (60_000, 1, 28, 28)
    assert data.train.x.max() == 0
    assert data.test.x.min() == 255


def test_the_mean_image_leaves_the_variance() -> None:
    x = np.array([0, 255], np.uint8).repeat(4).reshape(2, 1, 2, 2)
    errors = data_specific._mean_image(Data("two", Part(x), Part(x)))
    assert errors.tolist() == [1.0, 1.0]  # four pixels, 0.25 each


def test_a_row_gives_mean_and_deviation_over_seeds() -> None:
    row = learnt._row("ae", 100, np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]]))
    expected = {
        "name": "ae-100",
        "examples": 100,
        "train": 2.0,
        "train_sd": 1.0,
        "test": 5.0,
        "test_sd": 0.0,
    }
    assert row == expected


def test_far_codes_are_those_beyond_what_test_codes_do() -> None:
    line = np.arange(1000.0)[:, None]
    data = Data("line", Part(line), Part(line[:200] + np.linspace(0, 0.2, 200)[:, None]))
    drawn = np.array([[3.0], [3.1], [3.4], [5000.0]])
    assert course._far(Itself(), data, drawn) == 0.5


def test_draws_are_named_by_the_training_codes_around_them() -> None:
    x = np.repeat([0.0, 10.0, 20.0], 5)[:, None]
    data = Data("groups", Part(x, np.repeat([1, 2, 3], 5)), Part(x))
    # of the classes 2, 2, 1, 3, 1, 2: one third each was wanted
    drawn = np.array([[9.0], [11.0], [2.0], [19.0], [4.0], [8.0]])
    assert course._astray(Itself(), data, drawn) == pytest.approx(1 / 6)


def test_the_floor_of_the_cross_entropy_is_the_entropy_of_the_greys() -> None:
    x = np.array([0, 255, 51, 204], np.uint8).reshape(1, 1, 2, 2)
    expected = -2 * (0.2 * math.log(0.2) + 0.8 * math.log(0.8))
    assert course._entropy(Data("greys", Part(x), Part(x))) == pytest.approx(expected)


def test_a_pair_is_the_brighter_pixel_of_either_image() -> None:
    x = np.zeros((4, 1, 2, 2), np.float32)
    x[0, 0, 0, 0], x[2, 0, 1, 1], x[3, 0, 0, 1] = 0.25, 1.0, 0.5
    pairs = overcomplete.paired(x)
    assert pairs[0].tolist() == pairs[2].tolist() == [[[0.25, 0.0], [0.0, 1.0]]]
    assert pairs[1].tolist() == pairs[3].tolist() == [[[0.0, 0.5], [0.0, 0.0]]]
    assert overcomplete.error(pairs, x) == pytest.approx((1 + 0.25 + 0.0625 + 0) / 4)


def test_draws_that_are_all_alike_have_no_spread() -> None:
    x = np.zeros((3, 1, 28, 28), np.uint8)
    assert recognised.spread(x) == 0
    x[0, 0, 0, 0] = 255  # deviations of 2/3, 1/3 and 1/3 from the mean
    assert recognised.spread(x) == pytest.approx((4 + 1 + 1) / 9 / 3)


def test_an_unknown_property_is_refused() -> None:
    with pytest.raises(
        SystemExit,
        match="no property 'losy': choose among data-specific, lossy, learnt-from-examples",
    ):
        properties.main(["losy"])


def test_the_page_of_series_has_the_numbers_that_were_measured() -> None:
    text = series.PAGE.read_text()
    assert pages.filled(text, series.numbers()) == text
    assert len(pages.MARKED.findall(text)) > 20


def test_anomalies_are_put_into_a_series_as_it_is_said() -> None:
    clean = np.sin(np.arange(600) / 5)
    values, is_anomaly = series.with_anomalies(clean, 36, 0)
    assert is_anomaly.sum() == 2 * (1 + 6 + 6)
    assert is_anomaly.reshape(6, 100).any(axis=1).all()  # one in each sixth
    np.testing.assert_array_equal(values[~is_anomaly], clean[~is_anomaly])


def test_the_components_of_series_leave_out_what_is_missing() -> None:
    draw = np.random.default_rng(0)
    x = series.padded([draw.standard_normal((2, 9)) for _ in range(8)], 9)
    inside = (x - x.mean((0, 2), keepdims=True)) / x.std((0, 2), keepdims=True)
    flat = inside.reshape(8, -1)
    left = np.linalg.svd(flat - flat.mean(0), compute_uv=False)[4:]  # beside four components
    errors = series.Components().fit(x).errors(x)
    assert errors.sum() == pytest.approx(np.square(left).sum())
    short = series.padded([one[:, :5] for one in x], 9)
    assert not series.Components().fit(x).errors(short)[:, :, 5:].any()


def test_contrast_is_by_the_image_and_neither_brightness_nor_range_matters() -> None:
    image = np.array([[0, 0], [0, 4]], np.uint8)
    found = outliers.contrasts(np.stack([image, 10 * image + 7])[:, None])
    np.testing.assert_allclose(found[0, 0], np.array([[-1, -1], [-1, 3]]) / 1.5, rtol=1e-6)
    np.testing.assert_allclose(found[1], found[0], rtol=1e-6)
