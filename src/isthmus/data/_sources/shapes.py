"""Shapes on a dark ground, one image for every combination of five factors."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np

from isthmus.data._splitting import selections
from isthmus.data.datasets import Data, Part
from isthmus.data.rows import Rows

_SIDE, _FINER = 32, 4  # pixels of an image, and points along a side of a pixel
_PATCH = 23  # pixels of the square in which the largest shape fits, however it is turned
_KINDS = ("square", "ellipse", "heart")
_RADII = (5.0, 6.5, 8.0, 9.5)  # of a shape, in pixels
_TURNS = 8  # within a quarter of a circle, after which a square looks the same
_PLACES = 10  # along an axis, a pixel apart


def shapes(data_dir: Path | None = None) -> Data:
    """9,600 grey images of 32x32 pixels of a square, an ellipse or a heart, made by five known
    factors: shape, scale, orientation, horizontal and vertical position.

    All combinations of 3 shapes, 4 sizes, 8 turns and 10 × 10 places are there once, a fifth of
    them in the test part. Labels are the shapes; ``factors`` of a part are all five.
    """
    sprites = np.stack(
        [
            _sprite(kind, radius, np.pi / 2 * turn / _TURNS)
            for kind, radius, turn in product(_KINDS, _RADII, range(_TURNS))
        ]
    )
    x = np.zeros((len(sprites), _PLACES, _PLACES, _SIDE, _SIDE), np.uint8)
    for across, down in product(range(_PLACES), range(_PLACES)):
        x[:, across, down, down : down + _PATCH, across : across + _PATCH] = sprites
    sizes = {
        "shape": len(_KINDS),
        "scale": len(_RADII),
        "orientation": _TURNS,
        "across": _PLACES,
        "down": _PLACES,
    }
    grid = np.indices(tuple(sizes.values())).reshape(len(sizes), -1)
    factors = dict(zip(sizes, grid, strict=True))
    rows = Rows(x.reshape(-1, 1, _SIDE, _SIDE), factors["shape"], _KINDS)
    whole = Part(rows.x, rows.y, factors=factors)
    train, test = (whole.take(chosen) for chosen in selections(rows, 0.2))
    return Data("shapes", train, test, rows.classes)


def _sprite(kind: str, radius: float, turn: float) -> np.ndarray:
    """A shape in the middle of its square, turned to the left, ``(patch, patch)``: the grey of a
    pixel is the share of its points that lie inside.
    """
    ticks = ((np.arange(_PATCH * _FINER) + 0.5) / _FINER - _PATCH / 2) / radius
    right, up = np.meshgrid(ticks, -ticks)
    cos, sin = np.cos(turn), np.sin(turn)
    inside = _is_inside(kind, cos * right + sin * up, cos * up - sin * right)
    shares = inside.reshape(_PATCH, _FINER, _PATCH, _FINER).mean((1, 3))
    return np.rint(255 * shares).astype(np.uint8)


def _is_inside(kind: str, right: np.ndarray, up: np.ndarray) -> np.ndarray:
    """Whether points lie in a shape of radius 1."""
    if kind == "square":
        return np.maximum(abs(right), abs(up)) < 0.8
    if kind == "ellipse":
        return right**2 + (up / 0.6) ** 2 < 1
    x, y = 1.2 * right, 1.2 * up + 0.1
    return (x**2 + y**2 - 1) ** 3 < x**2 * y**3  # the heart curve
