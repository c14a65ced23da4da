"""The grid of codes over which a decoder is pictured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

_BOXES = {"unit": (0.0, 1.0), "symmetric": (-1.0, 1.0)}


@dataclass(frozen=True)
class LatentGrid:
    """Codes on a grid, row by row from the top left: first axis to the right, second upwards.

    Attributes:
        codes: ``(rows * columns, latent_dim)``.
        rows, columns: how the codes are laid out.
        over: what the grid covers, in words for a caption.
    """

    codes: np.ndarray
    rows: int
    columns: int
    over: str


def latent_grid(space: str, codes: np.ndarray, side: int = 15) -> LatentGrid:
    """A grid of ``side`` × ``side`` codes over the part of the code space that is in use.

    Args:
        space: ``"unit"`` and ``"symmetric"`` cover the box, ``"normal"`` the quantiles of N(0, 1),
            ``"data"`` those of the codes themselves, ``"positive"`` what lies between 0 and them.
        codes: codes of examples, ``(n, latent_dim)``; beyond two dimensions the grid lies in the
            plane of their first two principal components.
        side: points along an axis.
    """
    codes = codes.reshape(len(codes), -1)
    if codes.shape[1] == 1:
        ticks, over = _ticks(space, codes[:, 0], side)
        return LatentGrid(ticks[:, None].astype(codes.dtype), 1, side, over)
    from sklearn.decomposition import PCA  # whoever only loads a run does not need it

    has_plane = codes.shape[1] > 2 and len(codes) > 2
    with np.errstate(invalid="ignore", divide="ignore"):
        # Codes that are all the same have no principal components: the grid is then one point.
        # and of arrays, whatever scikit-learn is set to give out
        pca = PCA(2).set_output(transform="default").fit(codes) if has_plane else None
    flat = codes if pca is None else pca.transform(codes)
    (right, over), (up, _) = (
        _ticks(space if pca is None else "data", flat[:, axis], side) for axis in (0, 1)
    )
    # (side * side, 2)
    points = np.stack([axis.ravel() for axis in np.meshgrid(right, up[::-1])], axis=1)
    if pca is None:
        grid = np.pad(points, ((0, 0), (0, codes.shape[1] - 2)))
    else:
        grid, over = pca.inverse_transform(points), over + ", first two principal components"
    if space in _BOXES:
        grid = grid.clip(*_BOXES[space])
    if space == "positive":
        grid = grid.clip(min=0)
    return LatentGrid(grid.astype(codes.dtype), side, side, over)


def _ticks(space: str, values: np.ndarray, side: int) -> tuple[np.ndarray, str]:
    if space in _BOXES:
        return np.linspace(*_BOXES[space], side), (
            "the unit square" if space == "unit" else "the square [-1, 1]²"
        )
    if space == "normal":
        return ndtri(np.linspace(0.03, 0.97, side)), "quantiles of N(0, 1)"
    if space == "positive":  # many codes are exactly 0
        return np.linspace(
            0, np.quantile(values, 0.97), side
        ), "0 to the quantile 0.97 of the codes"
    return np.quantile(values, np.linspace(0.03, 0.97, side)), "quantiles of the codes"
