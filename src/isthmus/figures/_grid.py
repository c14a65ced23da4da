"""The decoded grid: which codes it shows, and what the decoder makes of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator

from isthmus.core.counts import require_count
from isthmus.core.latent_grid import BOXES, Box, latent_grid, plane_space
from isthmus.data.datasets import Data
from isthmus.errors import InputError
from isthmus.figures._codes import (
    Projection,
    codes_of,
    decoded_by,
    project,
    shown,
    space_of,
    told_of,
)
from isthmus.figures._decoded import finished, sheet
from isthmus.figures._style import figure_title, head, label, rule
from isthmus.figures._tiles import require_room, tiles_for

SIDE = 15
Bound = float | Sequence[float]
"""An edge of a grid: the same for both axes, or one number for each."""


def grid(
    model: Any,
    data: Data,
    *,
    side: int | None = None,
    low: Bound | None = None,
    high: Bound | None = None,
    codes: Any = None,
    title: str | None = None,
) -> Figure:
    """What the decoder makes of a grid of codes: first axis to the right, second upwards.

    A map: every tile lies where its code lies in :func:`~isthmus.figures.plane`, whose axes are the
    same, unless other codes are asked for. ``grid(ae, data, low=0.05, high=0.95)`` shows
    ``linspace(0.05, 0.95, 15)`` along both axes.

    Args:
        model: a fitted model with ``transform`` and ``inverse_transform``.
        data: what it was trained on; the grid covers the codes of its test examples.
        side: points along an axis; 15 if not given.
        low: the first code along each axis, together with ``high``; beyond two dimensions a place
            on the principal components, which are the axes of the picture.
        high: the last code along each axis.
        codes: codes of your own, ``(rows, columns, latent_dim)`` from the top left, or
            ``(n, latent_dim)``, which fill a square row by row.
        title: a title of your own; an empty one leaves it out.

    Raises:
        InputError: for edges that are not low before high or lie outside of the code space, for
            codes of another shape, and for both at once.
    """
    given, tiles = codes_of(model, shown(data), data), tiles_for(model, data)
    flat, space = given.reshape(len(given), -1), space_of(model)
    projection = project(flat)
    if codes is None:
        side = SIDE if side is None else side
        require_count("side", side)
        require_room(side * side, data, f"side={side}")
        lattice = _regular(space, flat, side, low, high)
    else:
        _refuse_beside_codes(side=side, low=low, high=high)
        lattice = _own(np.asarray(codes), projection, space, flat.shape[1])
        require_room(len(lattice.codes), data, f"{len(lattice.codes):,} codes")
    decoded = decoded_by(model, lattice.codes.reshape(-1, *given.shape[1:]).astype(given.dtype))
    figure, axes = sheet(tiles, lattice.columns, lattice.rows, 5.6)
    tiles.draw(axes, decoded, lattice.rows, lattice.columns)
    rule(axes, lattice.rows, lattice.columns)
    _scale(axes, lattice, projection)
    what = "codes of your own, decoded" if codes is not None else "the decoded plane"
    if codes is None and lattice.rows == 1:
        what = "the decoded line"
    head(axes, figure_title(title, model, data.name, what + told_of(model)))
    return finished(figure, axes, tiles)


@dataclass(frozen=True)
class Lattice:
    """The codes of a grid.

    Attributes:
        codes: ``(rows * columns, latent_dim)``, row by row from the top left.
        rows, columns: how they are laid out.
        right, up: the value of the first axis in each column, from the left, and of the second in
            each row, from the top; None where the codes are no regular lattice.
        box: the part of the plane that the tiles cover, where it is the one that ``plane`` shows.
    """

    codes: np.ndarray
    rows: int
    columns: int
    right: np.ndarray | None = None
    up: np.ndarray | None = None
    box: Box | None = None


def _regular(
    space: str, flat: np.ndarray, side: int, low: Bound | None, high: Bound | None
) -> Lattice:
    """The regular lattice over the plane, or between two edges."""
    span = None
    if low is not None or high is not None:
        span = _span(low, high, min(flat.shape[1], 2), plane_space(space, flat.shape[1]))
    found = latent_grid(space, flat, side, span)
    left, right, bottom, top = found.box
    half = (right - left) / side / 2, (top - bottom) / side / 2
    return Lattice(
        found.codes,
        found.rows,
        found.columns,
        np.linspace(left + half[0], right - half[0], side),
        np.linspace(top - half[1], bottom + half[1], side) if found.rows > 1 else None,
        found.box if span is None else None,
    )


def _span(low: Bound | None, high: Bound | None, axes: int, space: str) -> np.ndarray:
    """The first and the last code along each axis, ``(2, axes)``."""
    if low is None or high is None:
        given, other = ("high", "low") if low is None else ("low", "high")
        raise InputError(f"{given} comes without {other}: give both edges of the grid, or neither.")
    edges = np.stack([_edge(name, at, axes) for name, at in (("low", low), ("high", high))])
    if not (edges[0] < edges[1]).all():
        raise InputError(f"low={low} does not lie below high={high}: give the smaller code first.")
    _require_inside(edges, space, f"low={low} and high={high}")
    return edges


def _edge(name: str, given: Bound, axes: int) -> np.ndarray:
    try:
        edge = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        edge = np.empty(0)
    if edge.shape not in ((), (axes,)) or not np.isfinite(edge).all() or not edge.size:
        raise InputError(
            f"{name}={given!r} is no edge of a grid of {axes} ax{'i' if axes == 1 else 'e'}s: give"
            f" a number{'' if axes == 1 else ', or one for each axis'}."
        )
    return np.broadcast_to(edge, (axes,))


def _require_inside(codes: np.ndarray, space: str, given: str) -> None:
    """Refuse codes that the decoder of a model has never to do with."""
    least, most = {**BOXES, "positive": (0.0, math.inf)}.get(space, (-math.inf, math.inf))
    if codes.min() < least or codes.max() > most:
        where = f"between {least:g} and {most:g}" if most < math.inf else f"from {least:g} up"
        raise InputError(
            f"{given} leave the space of this model's codes, which lie {where}: stay inside."
        )


def _refuse_beside_codes(**given: Any) -> None:
    for name, value in given.items():
        if value is not None:
            raise InputError(
                f"{name}={value} and codes= both say which codes are shown: leave one of them out."
            )


def _own(codes: np.ndarray, projection: Projection, space: str, size: int) -> Lattice:
    """Codes that somebody gave, with the axes that they have if they are a regular lattice."""
    if codes.ndim not in (2, 3) or codes.shape[-1] != size or not codes.size:
        raise InputError(
            f"codes has the shape {codes.shape}, but this model's codes have {size}"
            f" number{'s' * (size != 1)}: give (rows, columns, {size}), or (n, {size})."
        )
    if codes.dtype.kind not in "iuf" or not np.isfinite(codes).all():
        raise InputError("codes holds values that are no finite numbers: give numbers alone.")
    _require_inside(codes, space, f"codes from {codes.min():g} to {codes.max():g}")
    flat = codes.reshape(-1, size)
    if codes.ndim == 3:
        rows, columns = codes.shape[:2]
        return Lattice(flat, rows, columns, *_axes_of(projection(flat).reshape(rows, columns, -1)))
    columns = math.ceil(math.sqrt(len(flat)))
    return Lattice(flat, math.ceil(len(flat) / columns), columns)


def _axes_of(places: np.ndarray) -> tuple[np.ndarray | None, np.ndarray | None]:
    """The values along both axes of places ``(rows, columns, 1 or 2)``, where each column has one
    value of the first axis, and each row one of the second.
    """
    right = places[0, :, 0]
    is_level = bool(np.allclose(places[:, :, 0], right))
    if places.shape[2] == 1 or len(places) == 1:
        return (right, None) if is_level else (None, None)
    up = places[:, 0, 1]
    if not is_level or not np.allclose(places[:, :, 1], up[:, None]):
        return None, None
    return right, up


def _scale(axes: Axes, lattice: Lattice, projection: Projection) -> None:
    """Name the axes, and say which codes stand where."""
    if lattice.right is None:
        return
    box = lattice.box
    _mark(axes.xaxis, lattice.right, None if box is None else box[:2])
    label(axes, projection.names[0])
    if lattice.up is not None:
        _mark(axes.yaxis, lattice.up, None if box is None else (box[3], box[2]))
        label(axes, projection.names[0], projection.names[1])


def _mark(axis: Axis, values: np.ndarray, edges: tuple[float, float] | None) -> None:
    """Ticks of an axis of tiles.

    Between the ``edges`` of the plane they stand at round codes, where ``plane`` has them; else in
    the middle of up to five tiles, with the tile's code to about a hundredth of the span.
    """
    marked, places = _tiles_of(values) if edges is None else _round_codes(edges, len(values))
    axis.set_major_locator(FixedLocator(places.tolist()))
    axis.set_major_formatter(FixedFormatter(_written(marked, float(np.ptp(values)))))
    axis.set_tick_params(length=3 if edges is not None else 0)


def _tiles_of(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Up to five codes of tiles, and where the tiles have their middle."""
    chosen = np.unique(np.linspace(0, len(values) - 1, 5).round().astype(int))
    return values[chosen], chosen + 0.5


def _round_codes(edges: tuple[float, float], count: int) -> tuple[np.ndarray, np.ndarray]:
    """Round codes between the edges, and where they are on an axis of so many tiles."""
    first, last = edges
    low, high = min(first, last), max(first, last)
    ticks = np.asarray(MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(low, high))
    slack = 1e-9 * (high - low)
    marked = ticks[(ticks >= low - slack) & (ticks <= high + slack)]
    return marked, (marked - first) / (last - first) * count


def _written(values: np.ndarray, span: float) -> list[str]:
    """Codes with as many decimals as all of them need, at most a hundredth of the span."""
    most = int(np.clip(np.ceil(1.9 - np.log10(span)), 0, 12)) if span > 0 else 1
    rounded = values.round(most) + 0.0  # which makes -0.0 zero
    decimals = next(
        (d for d in range(most) if np.allclose(rounded, rounded.round(d), rtol=0, atol=1e-12)), most
    )
    kind = f".{decimals}f" if decimals <= 6 else ".2g"
    return [f"{value:{kind}}".replace("-", "−") for value in rounded]
