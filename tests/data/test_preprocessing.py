"""The preprocessor: layouts, ranges and scalings, and what wrong data are told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import isthmus as ist
from isthmus.data._layout import extent, layout_of
from isthmus.data.preprocessing import Preprocessor
from isthmus.data.settling import fit_preprocessor
from isthmus.data.stores import ArrayStore

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("outer", "inside"),
    [
        ((8, 9), (1, 8, 9)),
        ((3, 8, 9), (3, 8, 9)),
        ((8, 9, 3), (3, 8, 9)),
        ((8, 9, 1), (1, 8, 9)),
        ((5,), (5,)),
        ((2, 3, 4, 5), (2, 3, 4, 5)),
    ],
)
def test_layouts_are_understood_and_come_back(
    outer: tuple[int, ...], inside: tuple[int, ...]
) -> None:
    x = RNG.random((4, *outer))
    _, layout = layout_of(outer)
    assert layout.transform(x).shape == (4, *inside)
    assert np.array_equal(layout.inverse_transform(layout.transform(x)), x)


def test_channels_last_moves_the_colour_to_the_front() -> None:
    x = RNG.random((2, 6, 5, 3))
    assert np.array_equal(layout_of((6, 5, 3))[1].transform(x)[:, 2], x[..., 2])


@pytest.mark.parametrize("outer", [(3, 8, 3), (5, 8, 7)])
def test_an_ambiguous_image_is_refused_and_the_argument_settles_it(outer: tuple[int, ...]) -> None:
    with pytest.raises(
        ist.InputError, match=r"can be read in two ways: pass channels='first' .* channels='last'"
    ):
        layout_of(outer)
    assert layout_of(outer, "last")[1].shape == (outer[2], *outer[:2])
    assert layout_of(outer, "first")[1].shape == outer


def test_rows_become_images_by_image_shape() -> None:
    model = ist.AE(image_shape=(1, 8, 8), network="conv", epochs=1).fit(RNG.random((10, 64)))
    assert model.preprocessor_.layout.shape == (1, 8, 8)
    assert model.reconstruct(RNG.random((2, 64))).shape == (2, 64)


@pytest.mark.parametrize(("bad", "word"), [(np.nan, "NaN"), (np.inf, "inf"), (-np.inf, "inf")])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_what_is_not_finite_is_named_by_row_and_column(bad: float, word: str, kind: Any) -> None:
    shape = (50, 6, 6) if word == "NaN" else (50, 6)  # of rows, NaN is what is missing
    x = RNG.random(shape).astype(kind)
    x[(31, *[4] * (x.ndim - 1))] = bad
    with pytest.raises(
        ist.InputError, match=rf"X holds {word} \(row and column from 0: row 31, column [0, ]*4"
    ):
        ist.AE().fit(x)
    model = ist.AE(epochs=1).fit(RNG.random(shape))
    with pytest.raises(ist.InputError, match=rf"holds {word} .*row 31, column [0, ]*4"):
        model.transform(x)


def test_extent_looks_at_large_arrays_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isthmus.data._statistics._VALUES", 8)
    x = np.arange(60.0).reshape(20, 3)
    assert extent(x) == (0.0, 59.0, 0.0)
    x[17, 1] = np.nan
    with pytest.raises(ist.InputError, match="row 17, column 1"):
        extent(x)
    x[19, 2] = np.nan
    assert extent(x, gaps=True) == (0.0, 58.0, 2 / 60)


def test_uint8_stays_uint8_in_memory_and_becomes_the_unit_range() -> None:
    x = RNG.integers(0, 256, (10, 8, 8), dtype=np.uint8)
    preprocessor, inside = fit_preprocessor(x, scaling="auto")
    assert inside.dtype == np.uint8
    assert isinstance(inside, ArrayStore)
    assert np.shares_memory(inside.array, x)
    batch = preprocessor.batches(inside, torch.device("cpu")).batch(torch.tensor([3, 1])).x
    np.testing.assert_allclose(batch.numpy(), x[[3, 1]][:, None] / np.float32(255), rtol=1e-6)


@pytest.mark.parametrize("kind", [np.int64, np.int32, bool, np.float16, np.uint16])
def test_other_numbers_become_float32(kind: Any) -> None:
    x = RNG.integers(0, 2, (10, 5)).astype(kind)
    assert ist.AE(epochs=1).fit(x).transform(x).dtype == np.float32


def test_tables_are_standardised_by_column_and_images_as_a_whole() -> None:
    table = (RNG.normal(size=(200, 3)) * [1, 10, 100] + [0, 5, -50]).astype(np.float32)
    preprocessor, inside = fit_preprocessor(table, scaling="auto")
    batch = next(iter(preprocessor.batches(inside, torch.device("cpu")).chunks())).x
    np.testing.assert_allclose(batch.mean(0), np.zeros(3), atol=1e-5)
    np.testing.assert_allclose(batch.std(0, correction=0), np.ones(3), rtol=1e-4)
    np.testing.assert_allclose(
        preprocessor.inverse_transform(batch.numpy()), table, rtol=1e-3, atol=1e-4
    )
    images, _ = fit_preprocessor(table.reshape(-1, 6, 4), scaling="auto")
    assert images.scaling.scale.shape == (1,)


def test_a_constant_column_does_not_divide_by_zero() -> None:
    x = np.column_stack([np.full(20, 7.0), RNG.normal(size=20)])
    assert np.isfinite(ist.AE(epochs=2).fit(x).reconstruct(x)).all()


def test_minmax_makes_any_data_fit_for_bernoulli() -> None:
    x = RNG.normal(size=(50, 4)) * 10
    model = ist.AE(epochs=2, scaling="minmax", likelihood="bernoulli").fit(x)
    assert model.reconstruct(x).min() >= x.min() - 1e-4


def test_bernoulli_refuses_what_lies_outside_the_unit_range() -> None:
    x = RNG.normal(size=(50, 4)) * 10
    with pytest.raises(
        ist.InputError,
        match=(
            r"X lies in \[.*\], but likelihood='bernoulli' needs values in \[0, 1\]: pass scaling="
        ),
    ):
        ist.AE(likelihood="bernoulli").fit(x)


def test_grey_values_up_to_255_are_noticed_after_training_on_the_unit_range() -> None:
    images = RNG.integers(0, 256, (20, 8, 8), dtype=np.uint8)
    for trained_on in (images, (images / 255).astype(np.float32)):
        model = ist.AE(epochs=1, random_state=0).fit(trained_on)
        with pytest.raises(
            ist.InputError,
            match=r"X lies in \[.*, 255\], but the model was trained on values in \[0, 1\]",
        ):
            model.transform(images.astype(np.float32))
        alike = model.transform(images), model.transform((images / 255).astype(np.float32))
        np.testing.assert_allclose(*alike, rtol=1e-4, atol=1e-5)


def test_wrong_shapes_are_named() -> None:
    model = ist.AE(epochs=1).fit(RNG.random((10, 8, 8)))
    with pytest.raises(
        ist.InputError,
        match=r"X has examples of shape \(9, 9\), but the model was trained on \(8, 8\)",
    ):
        model.transform(RNG.random((10, 9, 9)))
    with pytest.raises(
        ist.InputError, match=r"codes have the shape \(4, 3\), but this model takes \(n, 2\)"
    ):
        model.inverse_transform(np.zeros((4, 3)))


def test_too_few_examples() -> None:
    with pytest.raises(ist.InputError, match="at least 2 are needed to train"):
        ist.AE().fit(RNG.random((1, 8, 8)))
    with pytest.raises(ist.InputError, match=r"validation=0\.1 of 4 examples leaves too few"):
        ist.AE(validation=0.1).fit(RNG.random((4, 5)))


def test_text_is_refused() -> None:
    with pytest.raises(
        ist.InputError,
        match=r"X holds .*a.* \(row and column from 0: row 0, column 0, 0\), but each",
    ):
        ist.AE().fit(np.full((4, 5, 5), "a"))


def test_a_door_survives_json() -> None:
    import json

    preprocessor, _ = fit_preprocessor(RNG.normal(size=(30, 4)), scaling="auto")
    again = Preprocessor.from_json(json.loads(json.dumps(preprocessor.to_json())))
    assert np.array_equal(again.scaling.offset, preprocessor.scaling.offset)
    assert np.array_equal(again.scaling.scale, preprocessor.scaling.scale)
    assert again.layout == preprocessor.layout


def test_a_memory_map_is_trained_on_as_it_lies(tmp_path: Any) -> None:
    np.save(tmp_path / "x.npy", RNG.integers(0, 256, (100, 8, 8), dtype=np.uint8))
    x = np.load(tmp_path / "x.npy", mmap_mode="r")
    mapped = ist.AE(epochs=2, random_state=0).fit(x)
    held = ist.AE(epochs=2, random_state=0).fit(np.array(x))
    assert np.array_equal(mapped.transform(x), held.transform(np.array(x)))
    # The model sees the map itself, not a copy of it in memory.
    inside = mapped.preprocessor_.transform(x)
    assert isinstance(inside, ArrayStore) and isinstance(inside.array, np.memmap)
