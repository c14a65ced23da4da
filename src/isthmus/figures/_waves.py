"""Sounds as small pictures: the outline of a wave in a tile."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection

from isthmus.data.frames import Values, numbers_of
from isthmus.figures._style import PALETTE, PAPER

_BUCKETS = 160  # of steps, in each of which a tile shows the least and the greatest value
_ASPECT = 0.5
_SHEET = np.array([(0, 0), (1, 0), (1, 1), (0, 1)])


@dataclass(frozen=True)
class Waves:
    """Tiles that show sounds from left to right, as the outline between their least and greatest
    values; of several channels, their mean.

    Attributes:
        channels: how many values a step has.
        peak: what reaches the edge of a tile.
        caption: what width and height mean.
    """

    channels: int
    peak: float
    caption: str
    aspect: float = _ASPECT

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
        """See :class:`~isthmus.figures._tiles.Tiles`."""
        sounds = numbers_of(x).reshape(len(x), self.channels, -1)
        place = np.arange(len(sounds))
        corner = np.stack([left + place % columns, top + place // columns], axis=1)[:, None]
        sheets = np.broadcast_to(_SHEET, (len(sounds), 4, 2))
        waves = np.stack([self._wave(sound.mean(axis=0)) for sound in sounds])
        outlines = [one for part in (sheets, waves) for one in corner + 0.04 + 0.92 * part]
        colours = [colour for colour in (PAPER, PALETTE[0]) for _ in place]
        return axes.add_collection(PolyCollection(outlines, facecolor=colours, linewidth=0))

    def _wave(self, steps: np.ndarray) -> np.ndarray:
        """The outline of steps ``(time,)`` in the unit square, ``(points, 2)``, 0 at the top."""
        low, high = outline(steps, _BUCKETS)
        at = np.linspace(0, 1, len(low))
        heights = [np.clip(0.5 - edge / (2 * self.peak), 0, 1) for edge in (high, low)]
        there, back = np.stack([at, heights[0]], 1), np.stack([at, heights[1]], 1)[::-1]
        return np.concatenate([there, back])


def outline(steps: np.ndarray, buckets: int) -> tuple[np.ndarray, np.ndarray]:
    """The least and the greatest value in each of some equal stretches of steps ``(time,)``; what
    is not there is silent.
    """
    known = np.nan_to_num(steps)
    edges = np.linspace(0, len(known), min(buckets, len(known)) + 1).astype(int)[:-1]
    return np.minimum.reduceat(known, edges), np.maximum.reduceat(known, edges)


def waves_of(x: np.ndarray, channels: int, sample_rate: int) -> Waves:
    """How sounds ``(n, …)`` are drawn: as high as the loudest of some."""
    peak = float(np.nanmax(np.abs(x), initial=0.0)) or 1.0
    seconds = x.reshape(len(x), channels, -1).shape[2] / sample_rate
    return Waves(channels, peak, f"waves of {seconds:.3g} s, from −{peak:.2g} to {peak:.2g}")
