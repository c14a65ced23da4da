"""Overlapping tiles along one side of an image: where they lie, and how they are weighed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np


class Window(NamedTuple):
    """A stretch of a side, ``start`` to ``stop``, of which ``low`` to ``high`` is kept."""

    start: int
    stop: int
    low: int
    high: int


def tile_windows(size: int, side: int, margin: int) -> Iterator[Window]:
    """Stretches of a side of ``size`` pixels, each at most ``side`` long, that overlap so that what
    is kept of each lies ``margin`` away from its ends, but where these are the image's.
    """
    start = 0
    while True:
        stop = min(start + side, size)
        low = 0 if start == 0 else start + margin
        high = size if stop == size else stop - margin
        yield Window(start, stop, low, high)
        if stop == size:
            return
        start = high - margin


def tile_starts(size: int, side: int, overlap: int) -> list[int]:
    """Where tiles begin, evenly, so that neighbours share ``overlap`` pixels or more."""
    count = 1 if size <= side else math.ceil((size - overlap) / (side - overlap))
    return [round(place) for place in np.linspace(0, size - side, count)]


def ramp(side: int, overlap: int) -> np.ndarray:
    """The weights along a side of a tile, ``(side,)``: a squared sine over the overlap."""
    rising = np.sin(np.pi / 2 * (np.arange(overlap) + 0.5) / max(1, overlap)) ** 2
    return np.concatenate([rising, np.ones(side - 2 * overlap), rising[::-1]])


def inside(window: Window) -> slice:
    """What is kept of a tile, counted from its start."""
    return slice(window.low - window.start, window.high - window.start)


def in_cells(pixels: slice, cell: int) -> slice:
    """A stretch of pixels as cells of the code; the last one may be cut."""
    return slice(pixels.start // cell, math.ceil(pixels.stop / cell))
