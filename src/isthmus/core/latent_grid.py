"""The grid of codes over which a decoder is pictured, and the part of the code plane it covers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

BOXES = {"unit": (0.0, 1.0), "symmetric": (-1.0, 1.0)}
"""The edges of code spaces that have some, along every axis."""
SIGMAS = 3.0
"""How far a plane of codes with a prior N(0, I) reaches at the least."""
_OVER = {
    "unit": ("the unit interval", "the unit square"),
    "symmetric": ("[−1, 1]", "the square [−1, 1]²"),
    "normal": ("the prior and all codes", "the prior and all codes"),
    "positive": ("0 to the greatest code", "0 to the greatest codes"),
    "data": ("the range of the codes", "the range of the codes"),
}

Box = tuple[float, float, float, float]
"""A part of the code plane: left, right, bottom, top."""


@dataclass(frozen=True)
class LatentGrid:
    """Codes on a grid, row by row from the top left: first axis to the right, second upwards.

    Each code stands in the middle of a tile; together the tiles cover the box without a gap, so
    that a point of the plane lies on the tile of its code.

    Attributes:
        codes: ``(rows * columns, latent_dim)``.
        rows, columns: how the codes are laid out.
        over: what the grid covers, in words for a caption.
        box: the outer edges of the tiles on the axes of the picture: the codes themselves, or,
            beyond two dimensions, their first two principal components. A single axis has 0 and 1
            for bottom and top.
    """

    codes: np.ndarray
    rows: int
    columns: int
    over: str
    box: Box


def plane_box(space: str, points: np.ndarray) -> np.ndarray:
    """The part of the plane that pictures of codes show: lower and upper edges, ``(2, axes)``.

    Args:
        space: ``"unit"`` and ``"symmetric"`` have their own box; ``"normal"`` reaches three
            standard deviations of N(0, 1) and all points, alike on all axes; ``"positive"`` goes
            from 0 to the greatest; ``"data"`` has the range of the points.
        points: codes on paper, ``(n, axes)``.
    """
    axes = points.shape[1]
    if space in BOXES:
        return np.repeat(np.array([BOXES[space]]), axes, axis=0).T
    if space == "normal":
        reach = max(SIGMAS, 1.05 * float(np.abs(points).max()))
        return np.array([np.full(axes, -reach), np.full(axes, reach)])
    if space == "positive":
        greatest = 1.05 * points.max(axis=0).astype(np.float64)
        return np.stack([np.zeros(axes), np.where(greatest > 0, greatest, 1.0)])
    low, high = points.min(axis=0).astype(np.float64), points.max(axis=0).astype(np.float64)
    middle, half = (high + low) / 2, (high - low) / 2
    # codes that are all the same, but for rounding, have no scale
    half = np.where(half > 1e-6 * np.abs(middle), 1.05 * half, 1.0)
    return np.stack([middle - half, middle + half])


def plane_space(space: str, dimensions: int) -> str:
    """The space of what a plane shows of codes of so many dimensions: principal components of
    codes in a box lie in none.
    """
    return "data" if dimensions > 2 and space in {*BOXES, "positive"} else space


def latent_grid(
    space: str, codes: np.ndarray, side: int = 15, span: np.ndarray | None = None
) -> LatentGrid:
    """A regular grid of ``side`` × ``side`` codes over the part of the plane that is pictured.

    Args:
        space: where codes live, as for :func:`plane_box`.
        codes: codes of examples, ``(n, latent_dim)``; beyond two dimensions the grid lies in the
            plane of their first two principal components.
        side: points along an axis.
        span: the first and the last code along each axis, ``(2, axes)``, where the box of the
            plane is not meant.
    """
    codes = codes.reshape(len(codes), -1)
    pca = _components(codes)
    points = codes[:, :2] if pca is None else pca.transform(codes)
    seen = plane_space(space, codes.shape[1])
    edges = plane_box(seen, points) if span is None else _around(span, side)
    half = (edges[1] - edges[0]) / side / 2
    right, *up = np.linspace(edges[0] + half, edges[1] - half, side).T
    over = _OVER[seen][points.shape[1] - 1] if span is None else _words(span)
    if not up:
        return LatentGrid(right[:, None].astype(codes.dtype), 1, side, over, _box(edges))
    # (side * side, 2)
    places = np.stack([axis.ravel() for axis in np.meshgrid(right, up[0][::-1])], axis=1)
    if pca is None:
        grid = np.pad(places, ((0, 0), (0, codes.shape[1] - 2)))
    else:
        grid, over = pca.inverse_transform(places), over + ", first two principal components"
    if space in BOXES and span is None:
        grid = grid.clip(*BOXES[space])
    if space == "positive":
        grid = grid.clip(min=0)
    return LatentGrid(grid.astype(codes.dtype), side, side, over, _box(edges))


def _components(codes: np.ndarray) -> Any:
    """The first two principal components of codes that need them to come onto paper, else None."""
    if codes.shape[1] <= 2 or len(codes) <= 2:
        return None
    from sklearn.decomposition import PCA  # whoever only loads a run does not need it

    with np.errstate(invalid="ignore", divide="ignore"):
        # Codes that are all the same have no principal components: the grid is then one point.
        # and of arrays, whatever scikit-learn is set to give out
        return PCA(2).set_output(transform="default").fit(codes)


def _around(span: np.ndarray, side: int) -> np.ndarray:
    """The outer edges of tiles in whose middle the codes of a span stand, ``(2, axes)``."""
    half = (span[1] - span[0]) / max(side - 1, 1) / 2
    return np.stack([span[0] - half, span[1] + half])


def _words(span: np.ndarray) -> str:
    axes = [f"{low:.3g} to {high:.3g}".replace("-", "−") for low, high in span.T]
    return axes[0] if len(set(axes)) == 1 else " × ".join(axes)


def _box(edges: np.ndarray) -> Box:
    """Left, right, bottom, top of edges ``(2, axes)``."""
    (left, *bottom), (right, *top) = edges.tolist()
    return left, right, *(bottom or [0.0]), *(top or [1.0])
