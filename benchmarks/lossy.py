"""What comes back is not what went in: error against bytes, of an AE, of PCA and of JPEG."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

import isthmus as ist
from isthmus.data import Data
from isthmus.figures._style import INK, PALETTE, SMALL, WIDTH, label, new_figure, quiet
from isthmus.report._reference import PCAReference

SIZES, EPOCHS = (1, 2, 4, 8, 16, 32, 64, 128), 10
QUALITIES = (1, 5, 10, 15, 20, 30, 40, 50, 60, 70, 80, 90, 95)
_LEVELS = 255


def measure() -> tuple[list[dict[str, Any]], Figure]:
    """Bytes and squared error of every code size and every JPEG quality, on MNIST's test images."""
    data = ist.data.load("mnist")
    jpegs = [_jpeg(data.test.x[:, 0], quality) for quality in QUALITIES]
    rows = [
        *jpegs,
        _png(data.test.x[:, 0]),
        *(row for size in SIZES for row in _codes(data, size, jpegs)),
    ]
    return rows, draw(rows)


def quantised(z: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Codes ``(n, latent_dim)`` as bytes, and back: 256 equal steps from ``low`` to ``high``."""
    step = (high - low) / _LEVELS
    whole = ((z - low) / step).round().clip(0, _LEVELS).astype(np.uint8)
    return (low + whole * step).astype(np.float32)


def jpeg_sizes(file: bytes) -> tuple[int, int]:
    """The bytes of a JPEG file, and of its scan: pixels without markers, header and tables."""
    # after the marker that starts the file, segments follow: two bytes of marker, two of length,
    # content
    place = 2
    while True:
        kind, length = file[place + 1], int.from_bytes(file[place + 2 : place + 4], "big")
        place += 2 + length
        # the last header: what follows is the scan, up to the two bytes that end the file
        if kind == 0xDA:
            return len(file), len(file) - 2 - place


def _jpeg(images: np.ndarray, quality: int) -> dict[str, Any]:
    """Every image ``(n, h, w)`` as a file of its own.

    A whole file is written with the tables that suit it best; a scan counts under the standard
    tables, which a receiver knows.
    """
    files = [_written(image, "JPEG", quality=quality, optimize=True) for image in images]
    plain = [_written(image, "JPEG", quality=quality) for image in images]
    back = np.stack([np.asarray(Image.open(io.BytesIO(file))) for file in plain])
    return {
        "name": f"jpeg-{quality}",
        "file_bytes": float(np.mean([len(file) for file in files])),
        "scan_bytes": float(np.mean([jpeg_sizes(file)[1] for file in plain])),
        "squared_error": float(
            np.square((back - images.astype(np.float64)) / 255).sum(axis=(1, 2)).mean()
        ),
    }


def _png(images: np.ndarray) -> dict[str, Any]:
    return {
        "name": "png",
        "file_bytes": float(np.mean([len(_written(x, "PNG", optimize=True)) for x in images])),
    }


def _written(image: np.ndarray, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind, **options)
    return buffer.getvalue()


def _codes(data: Data, size: int, jpegs: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """An AE and PCA with codes of a size, and the scan bytes JPEG needs for the same error.

    They are read off its curve.
    """
    ae = ist.AE(latent_dim=size, likelihood="mse", epochs=EPOCHS, random_state=0, verbose=0).fit(
        data.train
    )
    for name, model in (("ae", ae), ("pca", PCAReference(latent_dim=size).fit(data.train))):
        train, z = model.transform(data.train.x), model.transform(data.test.x)
        back = model.inverse_transform(quantised(z, train.min(axis=0), train.max(axis=0)))
        error = float(np.square(back - data.test.x / 255).sum(axis=(1, 2, 3)).mean())
        exact = float(model.squared_error(data.test.x).mean())
        row = {
            "name": f"{name}-{size}",
            "bytes": size,
            "squared_error": error,
            "unquantised": exact,
        }
        yield row | ({"jpeg_scan_bytes": needed} if (needed := bytes_for(error, jpegs)) else {})


def bytes_for(error: float, jpegs: list[dict[str, Any]]) -> float | None:
    """The scan bytes at which JPEG has an error, between measured qualities; None beyond them."""
    curve = sorted((row["squared_error"], row["scan_bytes"]) for row in jpegs)
    errors, sizes = zip(*curve, strict=True)
    return float(np.interp(error, errors, sizes)) if errors[0] <= error <= errors[-1] else None


def draw(rows: list[dict[str, Any]]) -> Figure:
    """Error against bytes, both on logarithmic axes."""
    lines = {
        "AE, a byte a dimension": ("ae", "bytes", PALETTE[2], "-"),
        "PCA, a byte a dimension": ("pca", "bytes", PALETTE[0], "-"),
        "JPEG, scan alone": ("jpeg", "scan_bytes", PALETTE[5], "-"),
        "JPEG, whole file": ("jpeg", "file_bytes", PALETTE[5], ":"),
    }
    figure = new_figure(WIDTH * 0.8, 3.4)
    axes = figure.subplots()
    quiet(axes)
    for title, (method, size, colour, style) in lines.items():
        points = [
            (row[size], row["squared_error"])
            for row in rows
            if row["name"].startswith(f"{method}-")
        ]
        axes.plot(
            *zip(*points, strict=True),
            style,
            marker="o",
            markersize=3.5,
            linewidth=1.4,
            color=colour,
            label=title,
        )
    axes.set(xscale="log", yscale="log")
    axes.set_xticks(
        [1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
        labels=map(str, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]),
    )
    axes.set_yticks([0.02, 0.1, 0.5, 2, 10, 50], labels=map(str, [0.02, 0.1, 0.5, 2, 10, 50]))
    axes.minorticks_off()
    label(axes, "bytes an image", "squared error per image")
    axes.legend(frameon=False, fontsize=SMALL, labelcolor=INK)
    return figure
