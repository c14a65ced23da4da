"""An autoencoder is made for its data: one of digits and one of photographs, each tried on both."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image
from sklearn.datasets import load_sample_images

import isthmus as ist
from isthmus.data import Data
from isthmus.data.datasets import Part
from isthmus.figures._style import TEXT, WIDTH, bare, new_figure
from isthmus.report._reference import PCAReference

CODE, EPOCHS, SIDE = 32, 10, 28
# columns of a photograph to the left of it are for training, the 192 to the right for the test
CUT = 448
SHOWN = 6


def photographs() -> Data:
    """Grey patches of 28x28 pixels from scikit-learn's two photographs, 60,000 and 10,000.

    No pixel is in both parts.
    """
    greys = np.stack(
        [np.asarray(Image.fromarray(image).convert("L")) for image in load_sample_images().images]
    )
    random = np.random.default_rng(0)
    train, test = (
        _patches(greys[:, :, :CUT], 60_000, random),
        _patches(greys[:, :, CUT:], 10_000, random),
    )
    return Data("photographs", Part(train), Part(test))


def _patches(greys: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """Patches at random places of images ``(images, height, width)``: ``(count, 1, 28, 28)``."""
    every = np.lib.stride_tricks.sliding_window_view(greys, (SIDE, SIDE), axis=(1, 2))
    image, top, left = (random.integers(size, size=count) for size in every.shape[:3])
    return every[image, top, left][:, None]


def measure() -> tuple[list[dict[str, Any]], Figure]:
    """The squared error of every model on both kinds of image, and the reconstructions."""
    kinds = {"digits": ist.data.load("mnist"), "photographs": photographs()}
    rows = [
        {"name": f"mean-{name}", "squared_error": float(_mean_image(data).mean())}
        for name, data in kinds.items()
    ]
    means = {name: row["squared_error"] for name, row in zip(kinds, rows, strict=True)}
    models = {name: _models(data) for name, data in kinds.items()}
    for trained, pair in models.items():
        for method, model in pair.items():
            for tested, data in kinds.items():
                error = float(model.squared_error(data.test.x).mean())
                rows.append(
                    {
                        "name": f"{method}-{trained}-on-{tested}",
                        "squared_error": error,
                        "share": error / means[tested],
                    }
                )
    return rows, _draw({name: pair["ae"] for name, pair in models.items()}, kinds)


def _mean_image(data: Data) -> np.ndarray:
    """The squared error of test examples if only the mean training image is known, ``(n,)``."""
    mean = data.train.x.mean(axis=0, dtype=np.float64)
    return np.square((data.test.x - mean) / 255).sum(axis=(1, 2, 3))


def _models(data: Data) -> dict[str, Any]:
    ae = ist.AE(latent_dim=CODE, likelihood="mse", epochs=EPOCHS, random_state=0, verbose=0)
    return {"ae": ae.fit(data.train), "pca": PCAReference(latent_dim=CODE).fit(data.train)}


def _lively(x: np.ndarray) -> np.ndarray:
    """The first test examples with more contrast than half of them: plain sky shows nothing."""
    contrast = x.std(axis=(1, 2, 3))
    return x[contrast > np.median(contrast)][:SHOWN]


def _draw(models: dict[str, Any], kinds: dict[str, Data]) -> Figure:
    examples = [_lively(data.test.x) for data in kinds.values()]
    lines = [examples, *([model.reconstruct(x) for x in examples] for model in models.values())]
    names = ["original", *(f"AE of {name}" for name in models)]
    figure = new_figure(WIDTH, WIDTH / 4)
    for axes, title, column in zip(
        figure.subplots(1, 2), ("digits", "photographs"), (0, 1), strict=True
    ):
        images = np.concatenate([ist.figures.as_images(line[column]) for line in lines])
        picture = ist.figures.mosaic(images, len(lines), SHOWN, pad=2)
        bare(axes)
        axes.imshow(picture, cmap="gray", vmin=0, vmax=1)
        axes.set_title(f"tried on {title}", fontsize=TEXT, loc="left")
        if column == 0:
            axes.set_yticks([SIDE / 2 + (SIDE + 2) * i for i in range(len(lines))], labels=names)
    return figure
