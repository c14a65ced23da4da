"""The pictures of rate against distortion: curves, and enlarged details at equal bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from isthmus.figures._style import (
    INK,
    PALETTE,
    SMALL,
    WIDTH,
    bare,
    head,
    label,
    new_figure,
    over,
    quiet,
)

RESULTS = Path(__file__).parent / "results" / "rate_distortion.jsonl"
KEYS = ("image", "codec", "setting")
OWN = "Hyperprior"
PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "motorcycle_left", "rocket")
"""Photographs of scikit-image with colours; no patch of them is trained on."""
IMAGES = Path(__file__).parents[1] / "docs" / "images"
COLOURS = {
    "JPEG": PALETTE[8],
    "WebP": PALETTE[9],
    "AVIF": PALETTE[4],
    "Hyperprior": PALETTE[0],
    "Hyperprior, one file": PALETTE[7],
}
DETAILS = {"astronaut": (60, 180), "coffee": (170, 300), "chelsea": (95, 150)}
"""The first row and column of the detail of each photograph."""
SIDE = 96
_WIDEST = 1.6  # bits per pixel that the curves show

Row = Mapping[str, Any]


def curves(rows: Sequence[Row]) -> Figure:
    """PSNR and MS-SSIM of photographs, and PSNR of CIFAR-10, over bits per pixel: means."""
    figure = new_figure(WIDTH, 3.1)
    first, second, third = figure.subplots(1, 3)
    large = [row for row in rows if row["image"] in PHOTOGRAPHS]
    small = [row for row in rows if row["image"] == "cifar10"]
    _lines(first, large, "psnr", "PSNR in dB", "Photographs")
    _lines(second, large, "ms_ssim", "MS-SSIM in dB", "Photographs")
    _lines(third, small, "psnr", "PSNR in dB", "CIFAR-10, with headers")
    third.set_xlim(0, 12)
    first.legend(frameon=False, fontsize=SMALL)
    last = [line for line in third.get_lines() if line.get_label() == f"{OWN}, one file"]
    third.legend(handles=last, frameon=False, fontsize=SMALL, loc=(0.22, 0.16))
    return figure


def _lines(axes: Axes, rows: Iterable[Row], measure: str, name: str, title: str) -> None:
    quiet(axes)
    label(axes, "bits per pixel", name)
    head(axes, title)
    found = means(rows, measure)
    for codec, points in found.items():
        size, value = np.array(points).T
        shown = -10 * np.log10(1 - value) if measure == "ms_ssim" else value
        axes.plot(size, shown, "o-", color=COLOURS[codec], markersize=3, lw=1.3, label=codec)
    axes.set_xlim(0, _WIDEST)


def means(rows: Iterable[Row], measure: str) -> dict[str, list[tuple[float, float]]]:
    """For each codec bits per pixel and a measure, the means over images at every setting."""
    found: dict[str, dict[int, list[tuple[float, float]]]] = {}
    for row in rows:
        by_setting = found.setdefault(row["codec"], {})
        by_setting.setdefault(row["setting"], []).append((row["bits_per_pixel"], row[measure]))
    return {
        codec: [tuple(np.mean(pairs, axis=0).tolist()) for _, pairs in sorted(by_setting.items())]
        for codec, by_setting in found.items()
    }


def numbers(rows: Sequence[Row]) -> dict[str, float]:
    """What the page says: ``0.psnr`` of the model's first quality, ``0.JPEG.psnr`` of JPEG at as
    many bits per pixel, by straight lines between its settings; and how it was made.
    """
    large = [row for row in rows if row["image"] in PHOTOGRAPHS]
    own = [row for row in large if row["codec"] == OWN]
    found: dict[str, float] = {}
    for measure in ("psnr", "ms_ssim"):
        by_codec = means(large, measure)
        for place, (bits, value) in enumerate(by_codec[OWN]):
            found |= {f"{place}.bits": bits, f"{place}.{measure}": value}
            for codec in by_codec.keys() - {OWN}:
                sizes, values = np.array(by_codec[codec]).T
                found[f"{place}.{codec}.{measure}"] = float(np.interp(bits, sizes, values))
    for place in range(len(by_codec[OWN])):
        some = [row for row in own if row["setting"] == place]
        ratios = [row["bytes"] / row["rate_bytes"] for row in some]
        found[f"{place}.excess"] = float(np.mean(ratios)) - 1
    areas = [8 * row["bytes"] / row["bits_per_pixel"] / 1e6 for row in own]
    for name in ("encode", "decode"):
        speeds = [row[f"{name}d_per_second"] for row in own]
        found[name] = sum(areas) / sum(np.divide(areas, speeds))
    networks = sum(row["network_encodes"] for row in own)
    found["encode.coder"] = 1 - networks * found["encode"] / sum(areas)
    for row in rows:
        if row["image"] in ("held-out patches", "cifar10"):
            key = f"{row['image']}.{row['codec']}.{row['setting']}".replace(" ", "-")
            key = key.replace(",", "")
            found |= {f"{key}.{name}": row[name] for name in _TOLD if name in row}
    return found


_TOLD = ("bits_per_pixel", "psnr", "steps", "seconds", "bytes")

Shown = tuple[str, np.ndarray, int, float]
"""A codec, its pixels of a whole photograph, its bytes, its PSNR."""


def details(rows: Mapping[str, Sequence[Shown]]) -> Figure:
    """Details of photographs, enlarged: the original, then codecs, none larger than the last."""
    columns = max(map(len, rows.values()))
    figure = new_figure(1.9 * columns, 2.25 * len(rows))
    for axes, (name, shown) in zip(
        figure.subplots(len(rows), columns, squeeze=False), rows.items(), strict=True
    ):
        top, left = DETAILS[name]
        for panel, (codec, pixels, size, decibels) in zip(axes, shown, strict=True):
            bare(panel)
            detail = pixels[top : top + SIDE, left : left + SIDE]
            panel.imshow(detail, interpolation="nearest")
            text = codec if not size else f"{codec}, {size:,} bytes\n{decibels:.1f} dB"
            panel.set_title(text, fontsize=SMALL, color=INK, loc="left")
    over(figure, f"Details of {SIDE} × {SIDE} pixels, at equal bytes for the whole photograph")
    return figure


def write(figure: Figure, name: str, colours: int | None = None) -> Path:
    """A figure among the pictures of the documentation, as PNG."""
    path = IMAGES / name
    figure.savefig(path, dpi=150)
    if colours is not None:
        with Image.open(path) as image:
            image.convert("RGB").quantize(colours).save(path, optimize=True)
    return path
