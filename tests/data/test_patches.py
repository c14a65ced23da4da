"""Patches of photographs: where they come from, and that no image gives to both parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import isthmus as ist


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five images of unequal size, each of one colour of its own."""
    for place, size in enumerate([(40, 30), (64, 50), (33, 90), (48, 48), (30, 30)]):
        Image.new("RGB", size, (40 * place, 100, 0)).save(tmp_path / f"{place}.png")
    return tmp_path


def test_patches_cover_every_image_four_times_and_no_image_is_in_both_parts(folder: Path) -> None:
    data = ist.data.load(folder, patch=24, test_fraction=0.4)
    parts = [data.train.x, data.test.x]
    assert all(part.shape[1:] == (3, 24, 24) and part.dtype == np.uint8 for part in parts)
    colours, counts = np.unique(np.concatenate(parts)[:, 0, 0, 0], return_counts=True)
    areas = np.array([1200, 3200, 2970, 2304, 900])
    assert colours.tolist() == [0, 40, 80, 120, 160]
    assert counts.tolist() == np.ceil(4 * areas / 24**2).tolist()
    train, test = (set(part[:, 0, 0, 0].tolist()) for part in parts)
    assert len(train) == 3
    assert not train & test
    assert data.source == {"source": str(folder), "patch": 24, "test_fraction": 0.4}
    assert np.array_equal(ist.data.load(**data.source).train.x, data.train.x)


def test_a_patch_holds_the_pixels_of_its_place(tmp_path: Path) -> None:
    image = np.arange(30 * 40, dtype=np.uint16).reshape(30, 40) % 251
    for name in "ab":
        Image.fromarray(image.astype(np.uint8)).save(tmp_path / f"{name}.png")
    x = ist.data.load(tmp_path, patch=8).train.x
    windows = np.lib.stride_tricks.sliding_window_view(image, (8, 8)).reshape(-1, 64)
    known = {tuple(window) for window in windows.tolist()}
    assert x.shape[1] == 1
    assert len({tuple(row) for row in x.reshape(len(x), -1).tolist()}) > 40
    assert all(tuple(row) in known for row in x.reshape(len(x), -1).tolist())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patch": 31}, r"0.png is 30x40, smaller than patch=31: give a smaller patch"),
        ({"patch": 0}, r"patch=0 is not usable: give the side of a patch in pixels"),
        ({"patch": 8, "size": 8}, r"size=8 means nothing for .* cut into patches"),
        ({"patch": 8, "window": 8}, r"patch=8 means nothing for .* one long series"),
    ],
)
def test_what_no_patch_can_be_cut_from(folder: Path, options: dict[str, int], message: str) -> None:
    with pytest.raises(ist.InputError, match=message):
        ist.data.load(folder, **options)


def test_a_known_set_has_no_patches() -> None:
    with pytest.raises(ist.InputError, match=r"patch=8 means nothing for 'digits'"):
        ist.data.load("digits", patch=8)
