"""Whether tiles of a photograph show seams: how steep it is across their borders, and elsewhere.

    python -m benchmarks.tiles

Trains an AE whose code is a map on patches of a photograph that comes with scikit-learn, restores
the whole photograph in tiles side by side and by ``ist.Tiled``, and writes the picture and the
numbers of docs/maps.md.
"""

from __future__ import annotations

import json

import matplotlib
import numpy as np
from sklearn.datasets import load_sample_image

import isthmus as ist
from benchmarks import pages
from isthmus.estimators._sizes import for_shape

SIDE, PATCHES, CELL = 32, 4000, 4
DETAIL = (slice(110, 270), slice(150, 330))
PAGE = pages.DOCS / "maps.md"


def patches(photograph: np.ndarray) -> np.ndarray:
    """Squares from anywhere, ``(n, side, side, 3)``."""
    draw = np.random.default_rng(0)
    ends = [length - SIDE for length in photograph.shape[:2]]
    at = zip(*(draw.integers(0, end, PATCHES) for end in ends), strict=True)
    return np.stack([photograph[row : row + SIDE, col : col + SIDE] for row, col in at])


def side_by_side(model: ist.Estimator, photograph: np.ndarray) -> np.ndarray:
    """Tiles of the size of the patches, each by itself."""
    height, width, channels = photograph.shape
    grid = photograph.reshape(height // SIDE, SIDE, width // SIDE, SIDE, channels)
    tiles = grid.swapaxes(1, 2).reshape(-1, SIDE, SIDE, channels)
    made = model.reconstruct(tiles).reshape(height // SIDE, width // SIDE, SIDE, SIDE, channels)
    whole: np.ndarray = made.swapaxes(1, 2).reshape(photograph.shape)
    return whole


def seam(image: np.ndarray) -> float:
    """How steep an image is across borders of tiles, as a multiple of other borders of cells.

    The decoder draws cells of four pixels, whose own borders are no seams.
    """
    slope = np.abs(np.diff(image.astype(np.float64), axis=0)).mean(axis=(1, 2))
    lines = np.arange(1, len(image))
    borders, others = lines % SIDE == 0, (lines % CELL == 0) & (lines % SIDE != 0)
    return float(slope[borders].mean() / slope[others].mean())


def main() -> None:
    photograph = load_sample_image("china.jpg")[:416, :640]
    model = ist.AE(
        code="map",
        channels=8,
        hidden=(16, 32),
        likelihood="mse",
        epochs=8,
        batch_size=32,
        learning_rate=3e-3,
        schedule="cosine",
        random_state=0,
    ).fit(patches(photograph))
    tiled = ist.Tiled(model, side=160).reconstruct(photograph)
    whole = for_shape(model, photograph.shape).reconstruct(photograph[None])[0]
    apart = side_by_side(model, photograph)
    numbers = {
        "seam.apart": seam(apart),
        "seam.tiled": seam(tiled),
        "seam.photograph": seam(photograph / 255),
        "difference": float(np.abs(tiled - whole).max()),
    }
    print(json.dumps(pages.rounded(numbers)))
    draw([photograph / 255, apart, tiled])
    pages.fill(PAGE, numbers)


def draw(images: list[np.ndarray]) -> None:
    """The same detail of each, one beside the other."""
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(images), figsize=(9, 2.8), layout="constrained")
    for axis, image in zip(axes, images, strict=True):
        axis.imshow(image[DETAIL].clip(0, 1), interpolation="nearest")
        axis.axis("off")
    pages.save(figure, pages.DOCS / "images" / "tiles.png")


if __name__ == "__main__":
    main()
