"""What the page's player moves through: the code planes of all models, at every snapshot."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.colors import to_hex

from isthmus.core.latent_grid import latent_grid
from isthmus.data.datasets import Data, Part
from isthmus.figures._classes import classes_of
from isthmus.figures._codes import codes_of, decoded_by, project
from isthmus.figures._images import mosaic
from isthmus.figures._style import PALETTE, unescaped
from isthmus.report._pictures import images_of, pixel_data
from isthmus.report._table import Row
from isthmus.training.callbacks.snapshots import Snapshot

_STEPS = 65535
_THUMBNAIL = 32  # pixels along an edge, at the most
_SIGMAS = 2  # of the prior, which are always in sight
_BOXES = {"unit": (0.0, 1.0), "symmetric": (-1.0, 1.0)}


@dataclass(frozen=True)
class Panel:
    """The code plane of one model.

    Attributes:
        label: what the page calls the model.
        axes: what the two axes are.
        epochs: finished epochs at each snapshot; a single one stands still.
        positions: the points, ``(snapshots, probes, 2)`` uint16, little-endian, as base64.
        bounds: the codes that 0 and 65535 stand for: left, right, bottom, top.
        view: what of it is shown, so that a few far points do not shrink all others.
        rings: whether one and two standard deviations of the prior are drawn.
        grids: the decoded plane at each snapshot, as data URIs; none for rows of a table.
        over: what the decoded plane covers.
    """

    label: str
    axes: tuple[str, str]
    epochs: list[int]
    positions: str
    bounds: tuple[float, float, float, float]
    view: tuple[float, float, float, float]
    rings: bool
    grids: list[str]
    over: str


@dataclass(frozen=True)
class Player:
    """All panels, and the probes that they share.

    Attributes:
        epochs: all moments at which any panel has a snapshot.
        panels: one a model.
        labels: the class of each probe, or None.
        classes: the names of the classes; none without labels.
        colours: of the classes; a single one without labels.
        thumbnails: the probes as one image, row by row, as a data URI; empty for rows of a table.
        per_row: thumbnails side by side.
        ratio: height of a thumbnail over its width.
    """

    epochs: list[int]
    panels: list[Panel]
    labels: list[int] | None
    classes: list[str]
    colours: list[str]
    thumbnails: str
    per_row: int
    ratio: float


def player_of(rows: Sequence[Row], data: Data, probes: Part) -> Player:
    """The player of some models; those without snapshots stand still at what they are."""
    panels = [_panel(row, data, probes) for row in rows]
    classes, pictures = classes_of(data), images_of(probes.x, rows[0].model, data)
    per_row = math.ceil(math.sqrt(len(probes)))
    return Player(
        epochs=sorted(
            {epoch for panel in panels if len(panel.epochs) > 1 for epoch in panel.epochs}
        ),
        panels=panels,
        labels=None if probes.y is None else [int(label) for label in probes.y],
        classes=[] if probes.y is None else [unescaped(name) for name in classes.names],
        colours=(
            [PALETTE[0]] if probes.y is None else [to_hex(colour) for colour in classes.colours]
        ),
        thumbnails="" if pictures is None else _sprite(pictures, per_row),
        per_row=per_row,
        ratio=1.0 if pictures is None else pictures.shape[1] / pictures.shape[2],
    )


def _panel(row: Row, data: Data, probes: Part) -> Panel:
    model = row.model
    snapshots = model.snapshots_ or [_standstill(model, probes, data)]
    last = _flat(snapshots[-1].codes)
    # codes that are all the same have no principal components
    with np.errstate(invalid="ignore", divide="ignore"):
        projection, lattice = project(last), latent_grid(model.code_space, last)
    points = np.stack(
        [_spread(projection(_flat(snapshot.codes)), probes) for snapshot in snapshots]
    )
    low, high = points.min(axis=(0, 1)), points.max(axis=(0, 1))
    space = model.code_space if projection.pca is None else "data"
    names = (
        ("PC 1", "PC 2")
        if projection.pca is not None
        else ("z₁", "z₂" if last.shape[1] > 1 else "")
    )
    return Panel(
        label=row.label,
        axes=names,
        epochs=[snapshot.epoch for snapshot in snapshots],
        positions=_packed(points, low, high),
        bounds=(float(low[0]), float(high[0]), float(low[1]), float(high[1])),
        view=_view(points, space, last.shape[1] > 1),
        rings=space == "normal" and last.shape[1] > 1,
        grids=[
            grid
            for s in snapshots
            if (grid := _decoded(s.grid, model, data, lattice.rows, lattice.columns))
        ],
        over=lattice.over,
    )


def _standstill(model: Any, probes: Part, data: Data) -> Snapshot:
    codes = codes_of(model, probes, data)
    lattice = latent_grid(model.code_space, _flat(codes))
    return Snapshot(0, codes, decoded_by(model, lattice.codes.reshape(-1, *codes.shape[1:])))


def _spread(points: np.ndarray, probes: Part) -> np.ndarray:
    """Points ``(n, 2)``; those of a one-dimensional code lie in one strip for every class."""
    if points.shape[1] == 2:
        return points
    strip = np.zeros(len(points)) if probes.y is None else -probes.y.astype(np.float64)
    return np.stack(
        [points[:, 0], strip + np.random.default_rng(0).uniform(-0.32, 0.32, len(points))], axis=1
    )


def _view(points: np.ndarray, space: str, is_plane: bool) -> tuple[float, float, float, float]:
    """Left, right, bottom, top of what is shown, with equal units where both axes are codes."""
    if space in _BOXES and is_plane:
        low, high = _BOXES[space]
        return low, high, low, high
    quantiles = np.quantile(points, (0.004, 0.996), axis=1)  # (2, snapshots, 2)
    low, high = quantiles[0].min(0), quantiles[1].max(0)
    if space == "normal":  # the prior stays in sight, also where codes have collapsed
        axes = 2 if is_plane else 1
        low[:axes], high[:axes] = np.minimum(low[:axes], -_SIGMAS), np.maximum(high[:axes], _SIGMAS)
    middle, reach = (low + high) / 2, np.where(high > low, high - low, 1e-6) * 0.55
    if is_plane:
        reach = np.repeat(reach.max(), 2)
    (left, bottom), (right, top) = middle - reach, middle + reach
    return float(left), float(right), float(bottom), float(top)


def _packed(points: np.ndarray, low: np.ndarray, high: np.ndarray) -> str:
    share = (points - low) / np.where(high > low, high - low, 1)
    return base64.b64encode((share * _STEPS).round().astype("<u2").tobytes()).decode()


def _decoded(grid: np.ndarray, model: Any, data: Data, rows: int, columns: int) -> str:
    images = images_of(grid, model, data)
    return "" if images is None else pixel_data(mosaic(images, rows, columns))


def _sprite(pictures: np.ndarray, per_row: int) -> str:
    step = math.ceil(max(pictures.shape[1:3]) / _THUMBNAIL)
    return pixel_data(
        mosaic(pictures[:, ::step, ::step], math.ceil(len(pictures) / per_row), per_row, pad=0)
    )


def _flat(codes: np.ndarray) -> np.ndarray:
    return codes.reshape(len(codes), -1)
