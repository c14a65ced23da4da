"""How the pictures of members' pages are laid out: rows of images, lines, figures abreast."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from PIL import Image
from sklearn.decomposition import PCA

from isthmus.figures._style import QUIET, SMALL, WIDTH, bare, head, label, new_figure, quiet, trim
from isthmus.figures._tiles import Pictures

GREY, _COLOUR = (Pictures(1.0, (0.0, 1.0), False, channels, None) for channels in ("first", "last"))
_LARGEST = 150_000  # bytes of a picture
_DPI, _HEIGHT = 110, 4.4  # inches, of figures that stand side by side


def sheet(rows: Mapping[str, np.ndarray], title: str, width: float = WIDTH) -> Figure:
    """Rows of images, grey ``(n, 1, h, w)`` or coloured ``(n, h, w, 3)``, named on the left."""
    columns = max(map(len, rows.values()))
    figure = new_figure(width, width * 1.1 * len(rows) / columns + 1)
    axes = figure.subplots()
    bare(axes)
    for place, x in enumerate(rows.values()):
        (_COLOUR if x.shape[-1] == 3 else GREY).draw(axes, x, 1, len(x), top=1.1 * place, pad=1)
    axes.set_yticks(1.1 * np.arange(len(rows)) + 0.5, labels=list(rows))
    head(axes, title)
    axes.set(xlim=(0, columns), ylim=(1.1 * len(rows), 0), aspect="equal")
    return trim(figure)


def tiled(x: np.ndarray, title: str) -> Figure:
    """Sixty-four examples in eight rows."""
    figure = new_figure(5.6, 6.2)
    axes = figure.subplots()
    bare(axes)
    GREY.draw(axes, x, 8, 8, pad=1)
    axes.set(xlim=(0, 8), ylim=(8, 0), aspect="equal")
    head(axes, title)
    return trim(figure)


def lines(
    title: str, x: str, y: str, drawn: Mapping[str, tuple[Any, Any, str]], height: float = 3.6
) -> Figure:
    """Lines with a legend: each a name, with its x, its y and its colour."""
    figure = new_figure(5.6, height)
    axes = figure.subplots()
    quiet(axes)
    label(axes, x, y)
    head(axes, title)
    for name, (places, values, colour) in drawn.items():
        axes.plot(places, values, color=colour, linewidth=1.4, label=name)
    axes.legend(frameon=False, fontsize=SMALL)
    return figure


def rings(figure: Figure) -> Figure:
    """A code plane with circles that hold 39, 86 and 99 of 100 draws of N(0, I)."""
    axes = figure.axes[0]
    for radius in (1, 2, 3):
        axes.add_patch(
            Circle((0, 0), radius, fill=False, edgecolor=QUIET, linewidth=0.9, linestyle="--")
        )
    low, high = axes.get_xlim()
    reach = max(3.2, -low, high)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach))
    return figure


def coloured(model: Any, indices: np.ndarray, level: int) -> np.ndarray:
    """Grids of indices ``(n, h, w)`` as colours ``(n, h, w, 3)``, alike for entries alike."""
    entries = model.module_.bottleneck.level_quantizers[level].vectors.detach().numpy()
    places = PCA(3).fit_transform(entries).argsort(axis=0).argsort(axis=0) / (len(entries) - 1)
    return (0.15 + 0.85 * places)[indices].astype(np.float32)


def write(figures: Sequence[Figure], path: Path) -> None:
    """Figures side by side, as one picture."""
    for figure in figures if len(figures) > 1 else ():
        width, height = figure.get_size_inches()
        figure.set_size_inches(width * _HEIGHT / height, _HEIGHT)
    pictures = [rendered(figure) for figure in figures]
    whole = Image.new(
        "RGB", (sum(p.width for p in pictures), max(p.height for p in pictures)), "white"
    )
    left = 0
    for picture in pictures:
        whole.paste(picture, (left, 0))
        left += picture.width
    path.parent.mkdir(parents=True, exist_ok=True)
    for colours in (256, 128, 64, 32, 16):
        whole.quantize(colours, dither=Image.Dither.NONE).save(path, optimize=True)
        if path.stat().st_size < _LARGEST:
            return


def rendered(figure: Figure) -> Image.Image:
    """A figure as pixels."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=_DPI, format="png")
    return Image.open(buffer).convert("RGB")
