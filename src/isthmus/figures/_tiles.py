"""Examples as tiles: images as they are, anything else as a small profile of its columns."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection

from isthmus.core.memory import require
from isthmus.data._scaling import PIXELS
from isthmus.data.datasets import Data, require_data
from isthmus.data.frames import Values, is_frame, numbers_of
from isthmus.data.tables import Table
from isthmus.errors import InputError
from isthmus.figures._images import as_images, mosaic
from isthmus.figures._style import PALETTE, PAPER
from isthmus.figures._waves import waves_of

_BYTES = 8  # of a value that is drawn
_BARS = 128  # columns that a profile shows; of more, every so many
_SEEN = 2000  # training examples from which the scale of a table is taken
_COARSE = 16  # pixels; images of no more are shown with sharp pixels at any size
_PIXELS_FROM = 2.0  # a decoded value above it cannot be meant for [0, 1]
_LONGEST = 8  # sides of an image; what is longer is a signal, whatever its shape
_SHEET = ((0, 0), (1, 0), (1, 1), (0, 1))
_REACH = 2.0  # standard deviations from the middle of a profile to its edge


class Tiles(Protocol):
    """Draws examples side by side. A tile is one unit wide, and the y-axis runs downwards."""

    @property
    def aspect(self) -> float:
        """Height of a tile over its width."""

    @property
    def caption(self) -> str:
        """What has to be said about a tile, if anything."""

    def draw(
        self,
        axes: Axes,
        x: Values,
        rows: int,
        columns: int,
        left: float = 0,
        top: float = 0,
        pad: int = 0,
    ) -> Artist:
        """Draw examples ``(n, *shape)`` row by row, the first one's corner at (left, top)."""


@dataclass(frozen=True)
class Pictures:
    """Tiles that are images.

    Attributes:
        aspect: height over width.
        span: the values that are black and white.
        white: the greatest value of pixels, as they are stored; None for what is no pixels.
        channels, image_shape: how the examples hold an image; see
            :func:`~isthmus.figures._images.as_images`.
    """

    aspect: float
    span: tuple[float, float]
    white: float | None
    channels: str
    image_shape: tuple[int, ...] | None
    caption: str = ""

    def draw(
        self,
        axes: Axes,
        x: Values,
        rows: int,
        columns: int,
        left: float = 0,
        top: float = 0,
        pad: int = 0,
    ) -> Artist:
        """See :class:`Tiles`."""
        x = numbers_of(x)
        images = as_images(
            x, channels=self.channels, image_shape=self.image_shape, span=self._span(x)
        )
        h, w = images.shape[1:3]
        right, bottom = left + columns, top + rows
        gap_x, gap_y = pad / 2 / (w + pad), pad / 2 / (h + pad)  # the mosaic has no gap at its edge
        extent = (left + gap_x, right - gap_x, bottom - gap_y, top + gap_y)
        picture = mosaic(images, rows, columns, pad=pad)
        shown = "nearest" if h <= _COARSE else "auto"
        return axes.imshow(
            picture,
            cmap="gray",
            vmin=0,
            vmax=1,
            extent=extent,
            aspect=self.aspect,
            interpolation=shown,
        )

    def _span(self, x: np.ndarray) -> tuple[float, float]:
        """Decoded pixels lie in [0, 1], unless the model was told to work in 0 to 255."""
        if self.white is None or not x.size or x.max() <= _PIXELS_FROM:
            return self.span
        return 0.0, self.white


@dataclass(frozen=True)
class Profiles:
    """Tiles that show the columns of a row from left to right, as bars above and below a base line.

    Attributes:
        centre, scale: what of each column lies on the base line, and how much spans a tile, each
            ``(columns,)``.
        base: where the base line is, from 0 (bottom) to 1 (top).
        caption: what the height means.
        table: how cells become the numbers that are drawn; None where examples are numbers.
    """

    centre: np.ndarray
    scale: np.ndarray
    base: float
    caption: str
    table: Table | None = None
    aspect: float = 1.0

    def draw(
        self,
        axes: Axes,
        x: Values,
        rows: int,
        columns: int,
        left: float = 0,
        top: float = 0,
        pad: int = 0,
    ) -> Artist:
        """See :class:`Tiles`."""
        place = np.arange(len(x))
        corner = np.stack([left + place % columns, top + place // columns], axis=1)
        corner = corner[:, None]  # (n, 1, 2)
        numbers = _numbers(x, self.table)
        parts = (np.broadcast_to(_SHEET, (len(x), 4, 2)), *self._outlines(numbers))
        outlines = [outline for part in parts for outline in corner + 0.04 + 0.92 * part]
        colours = [colour for colour in (PAPER, PALETTE[0], PALETTE[2]) for _ in place]
        return axes.add_collection(PolyCollection(outlines, facecolor=colours, linewidth=0))

    def _outlines(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Outlines above and below the base line in the unit square, ``(n, 2 * bars + 2, 2)``."""
        values = (x.reshape(len(x), -1) - self.centre) / self.scale
        values = values[:, :: math.ceil(values.shape[1] / _BARS)]
        heights = np.nan_to_num(self.base + values).clip(0, 1).repeat(2, axis=1)
        heights = np.pad(heights, ((0, 0), (1, 1)), constant_values=self.base)
        edges = np.broadcast_to(np.linspace(0, 1, values.shape[1] + 1).repeat(2), heights.shape)
        above, below = (1 - bound(heights, self.base) for bound in (np.maximum, np.minimum))
        return np.stack([edges, above], axis=-1), np.stack([edges, below], axis=-1)


def tiles_for(model: Any, data: Data) -> Tiles:
    """How the examples of a data set are drawn, by what the model was told of their layout."""
    colours = getattr(model, "channels", "auto")
    hints: dict[str, Any] = {
        # a number is that of a map's channels
        "channels": colours if isinstance(colours, str) else "auto",
        "image_shape": getattr(model, "image_shape", None),
    }
    require_data(data)
    step = math.ceil(len(data.train) / _SEEN)
    preprocessor = getattr(model, "preprocessor_", None)
    spec, table = getattr(preprocessor, "spec", None), getattr(preprocessor, "table", None)
    x = _numbers(data.train.take(slice(None, None, step)).x, table, data.name)
    if table is not None:
        return _profiles(x, "column" if table.is_plain else "value", table)
    if spec is not None and spec.sample_rate is not None:
        return waves_of(x, spec.shape[0], spec.sample_rate)
    if spec is not None and spec.has_time:
        return _profiles(x.reshape(len(x), -1), "value")
    aspect = _aspect(x[:1], hints)
    if not 1 / _LONGEST <= aspect <= _LONGEST:
        return _profiles(x.reshape(len(x), -1))
    low, high = (0.0, 1.0) if x.dtype in PIXELS else (float(x.min()), float(x.max()))
    span = (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)
    return Pictures(aspect, span, PIXELS.get(x.dtype), **hints)


def _aspect(x: np.ndarray, hints: dict[str, Any]) -> float:
    """Height over width of images, or 0 for what is none."""
    try:
        h, w = as_images(x, **hints).shape[1:3]
    except InputError:
        return 0.0
    return float(h / w)


def _numbers(x: Values, table: Table | None, name: str = "X") -> np.ndarray:
    """Examples as numbers; the cells of a table as a model sees them, without its scaling."""
    cells: Any = x
    return table.encode(cells) if table is not None and is_frame(x) else numbers_of(x, name)


def _profiles(x: np.ndarray, word: str = "column", table: Table | None = None) -> Profiles:
    """As a model scales: what lies in [0, 1] is left alone, all else is standardised."""
    columns = x.shape[1]
    step = math.ceil(columns / _BARS)
    bars = (
        f"bars: {columns:,} {word}{'s' * (columns > 1)}"
        if step == 1
        else f"bars: one in {step} of {columns:,} {word}s"
    )
    x = np.ma.masked_invalid(x)  # cells that are missing
    if x.min() >= 0 and x.max() <= 1:
        return Profiles(np.zeros(columns), np.ones(columns), 0.0, f"{bars}, from 0 to 1", table)
    scale = x.std(axis=0, dtype=np.float64).filled(0)
    caption = f"{bars}, from −{_REACH:g} to {_REACH:g} standard deviations"
    return Profiles(
        x.mean(axis=0, dtype=np.float64).filled(0),
        np.where(scale > 0, scale, 1) * 2 * _REACH,
        0.5,
        caption,
        table,
    )


def require_room(count: int, data: Data, asked: str) -> None:
    """Refuse a figure of more examples than the memory holds; ``asked`` is the argument."""
    require(count * math.prod(data.shape) * _BYTES, f"a figure with {asked}", "ask for fewer")
