"""Photographs of any size, in overlapping tiles."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_sample_image

import isthmus as ist
from isthmus.core.tiles import ramp, tile_starts, tile_windows
from isthmus.estimators._sizes import for_shape
from isthmus.estimators.tiling import Reach, Tiled

pytestmark = pytest.mark.filterwarnings("ignore::isthmus.errors.LearningWarning")
BRIEF: dict[str, Any] = {
    "hidden": (4, 8),
    "epochs": 2,
    "batch_size": 32,
    "learning_rate": 5e-3,
    "random_state": 0,
}
CONVOLVED = {
    "ae": {"code": "map"},
    "denoising": {"code": "map", "network": "conv"},
    "vae": {"code": "map", "beta": 0.01},
    "vqvae": {},
    "vqvae2": {},
}


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    return np.asarray(load_sample_image("china.jpg")[100:283, 200:417])  # (183, 217, 3)


@pytest.fixture(scope="module")
def patches(photograph: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(0)
    at = zip(rng.integers(0, 183 - 16, 300), rng.integers(0, 217 - 16, 300), strict=True)
    return np.stack([photograph[row : row + 16, column : column + 16] for row, column in at])


@pytest.fixture(scope="module")
def on_vectors(patches: np.ndarray) -> Any:
    """A member whose code has no places."""
    brief = BRIEF | {"hidden": (64,), "epochs": 10}
    return ist.AE(latent_dim=16, network="mlp", **brief).fit(patches)


@pytest.mark.parametrize("name", CONVOLVED)
def test_tiles_of_a_convolutional_member_are_the_whole_image_at_once(
    name: str, patches: np.ndarray, photograph: np.ndarray
) -> None:
    model = ist.MEMBERS[name](**CONVOLVED[name], **BRIEF).fit(patches)
    tiled = Tiled(model, side=96)
    assert tiled.reach is not None
    whole = for_shape(model, photograph.shape)
    np.testing.assert_allclose(
        tiled.reconstruct(photograph), whole.reconstruct(photograph[None])[0], atol=1e-6
    )
    if hasattr(model, "denoise"):
        np.testing.assert_allclose(
            tiled.denoise(photograph), whole.denoise(photograph[None])[0], atol=1e-6
        )
    if name != "vqvae2":
        found, expected = tiled.encode(photograph), whole.encode(photograph[None])
        assert type(found) is type(expected)
        pairs = zip(found, expected, strict=True) if name == "vae" else [(found, expected)]
        for one, many in pairs:
            np.testing.assert_allclose(one, many[0], atol=1e-5)


def test_the_reach_is_what_convolutions_see(patches: np.ndarray) -> None:
    """Two 4×4 convolutions of stride 2 and their mirror: a pixel is seen 7 pixels beyond a cell."""
    model = ist.AE(code="map", network="conv", **BRIEF).fit(patches)
    assert Tiled(model).reach == Reach(cell=4, margin=8)


def test_a_code_without_places_has_no_reach(on_vectors: Any) -> None:
    assert Tiled(on_vectors).reach is None


class Thirds(torch.nn.Sequential):
    """An encoder that divides the sides by three."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(torch.nn.Conv2d(shape[0], 4, 3, stride=3), torch.nn.ReLU())


def test_other_cells_than_powers_of_two_are_blended(photograph: np.ndarray) -> None:
    def decoder(code: tuple[int, ...], shape: tuple[int, ...]) -> torch.nn.Module:
        return torch.nn.ConvTranspose2d(code[0], shape[0], 3, stride=3)

    x = photograph[None, :18, :18].repeat(8, axis=0)
    model = ist.AE(code="map", encoder=Thirds, decoder=decoder, epochs=1, random_state=0).fit(x)
    tiled = Tiled(model)
    assert tiled.reach is None
    assert tiled.reconstruct(photograph[:40, :50]).shape == (40, 50, 3)


def test_no_seam_is_measurable(on_vectors: Any, photograph: np.ndarray) -> None:
    """The gradient across borders of tiles is that of everywhere; without overlap it is not."""
    whole = photograph[:176, :208]

    def seam(overlap: int) -> float:
        tiled = Tiled(on_vectors, overlap)
        found = tiled.reconstruct(whole)
        slope = np.abs(np.diff(found.astype(np.float64), axis=0)).mean(axis=(1, 2))
        first = tile_starts(len(whole), 16, overlap)[1:]
        borders = np.zeros(len(slope), bool)
        borders[[place - 1 for place in first]] = True
        return float(slope[borders].mean() / slope[~borders].mean())

    assert seam(0) > 4
    assert seam(4) < 1.05
    assert seam(8) < 1.05


def places(x: np.ndarray) -> np.ndarray:
    """One value for the whole of each image: its place in the batch."""
    values = np.arange(len(x), dtype=np.float32)
    return np.ones_like(x, np.float32) * values[:, None, None, None]


def test_what_overlaps_is_the_weighted_mean(on_vectors: Any) -> None:
    """Of two tiles that are 0 and 1 and share half, what is kept rises as a squared sine."""
    member = copy.copy(on_vectors)
    member.reconstruct = places
    tiled = Tiled(member)
    found = tiled.reconstruct(np.zeros((16, 24, 3), np.uint8))
    rising = np.sin(np.pi / 2 * (np.arange(8) + 0.5) / 8) ** 2
    expected = np.concatenate([np.zeros(8), rising, np.ones(8)])
    np.testing.assert_allclose(found, np.broadcast_to(expected[:, None], (16, 24, 3)), atol=1e-6)


def test_windows_keep_every_pixel_once() -> None:
    for size in (1, 15, 16, 17, 40, 100, 123):
        kept = [
            pixel
            for window in tile_windows(size, 16, 4)
            for pixel in range(window.low, window.high)
            if window.start <= pixel < window.stop and window.stop - window.start <= 16
        ]
        assert kept == list(range(size))
        for window in tile_windows(size, 16, 4):
            assert window.start % 4 == 0
            assert window.start == 0 or window.low - window.start == 4
            assert window.stop == size or window.stop - window.high == 4


def test_tiles_cover_a_side_and_share_what_was_asked_for() -> None:
    for size in (16, 17, 24, 99):
        found = tile_starts(size, 16, 8)
        assert (found[0], found[-1]) == (0, size - 16)
        assert all(b - a <= 8 for a, b in itertools.pairwise(found))
    np.testing.assert_allclose(ramp(16, 8)[:8] + ramp(16, 8)[8:], 1)


def test_images_come_back_in_the_form_they_had(on_vectors: Any, photograph: np.ndarray) -> None:
    tiled = Tiled(on_vectors)
    one = tiled.reconstruct(photograph[:40, :50])
    assert one.shape == (40, 50, 3)
    assert tiled.reconstruct(photograph[None, :40, :50]).shape == (1, 40, 50, 3)
    several = tiled.reconstruct([photograph[:40, :50], photograph[:9, :20]])
    assert [image.shape for image in several] == [(40, 50, 3), (9, 20, 3)]  # smaller than a tile
    np.testing.assert_array_equal(several[0], one)
    small = photograph[None, :16, :16]
    np.testing.assert_allclose(tiled.reconstruct(small), on_vectors.reconstruct(small), atol=1e-6)


def test_what_cannot_be_tiled_is_refused(on_vectors: Any, few: np.ndarray) -> None:
    tiled = Tiled(on_vectors)
    rows = ist.AE(epochs=1, image_shape=(1, 8, 8)).fit(few.reshape(-1, 64))
    for call, message in (
        (
            lambda: tiled.encode(np.zeros((20, 20, 3))),
            r"the code of this AE is no map, so",
        ),
        (lambda: tiled.denoise(np.zeros((20, 20, 3))), r"AE does not clean examples"),
        (
            lambda: tiled.reconstruct(np.zeros((3, 20, 20))),
            r"shape \(3, 20, 20\), but the model was",
        ),
        (lambda: tiled.reconstruct([]), r"X holds no images: give at least one"),
        (
            lambda: Tiled(on_vectors, 9),
            r"overlap=9 is not usable for tiles of 16 pixels",
        ),
        (lambda: Tiled(on_vectors, 0.5), r"overlap=0\.5 is not usable for tiles of 16"),  # type: ignore[arg-type]
        (lambda: Tiled(on_vectors, side=0), r"side=0 is not usable: give a whole number from 1"),
        (lambda: Tiled("runs/map"), r"model='runs/map' is no trained member: give one that was"),
        (lambda: Tiled(ist.AE), r"model=<class .* is no trained member"),
        (lambda: tiled.reconstruct("x.png"), r"X='x.png' holds no examples: give an array, or"),
        (lambda: tiled.reconstruct(["x.png"]), r"X='x.png' holds no examples"),
        (lambda: tiled.reconstruct(None), r"X=None holds no examples"),
        (lambda: Tiled(rows), r"tiles are cut from images, but this AE was trained on images"),
    ):
        with pytest.raises(ist.InputError, match=message):
            call()
