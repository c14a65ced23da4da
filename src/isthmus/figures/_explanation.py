"""Which pixels, columns or steps make the least typical examples strange."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from isthmus.core.counts import require_count
from isthmus.data.datasets import Data, require_data
from isthmus.data.frames import Values, numbers_of, rows_of
from isthmus.errors import InputError
from isthmus.figures._images import mosaic
from isthmus.figures._outliers import judged, taken
from isthmus.figures._style import (
    ALARM,
    FAINT,
    INK,
    SMALL,
    TEXT,
    WARM,
    WIDTH,
    bare,
    figure_title,
    head,
    label,
    new_figure,
    over,
    shortened,
    trim,
)
from isthmus.figures._tiles import Pictures, tiles_for

_HEAT = LinearSegmentedColormap.from_list("heat", ["white", WARM, ALARM, "#3a0202"])
_BRIGHTEST = 99.8  # percent of the shares that are told apart
_BARS = 6  # columns that are named of each row


def explanation(model: Any, data: Data, *, columns: int = 6, title: str | None = None) -> Figure:
    """What makes the least typical test examples strange, value by value.

    Of pictures a heat map below each and its reconstruction; of anything else a panel for each
    example, with the columns or steps that cost most, and their share in the whole.

    Args:
        model: a fitted :class:`~isthmus.OutlierDetector`, or a fitted member, which is then judged
            by its squared error.
        data: its test part is judged; the training part stands in where that is empty.
        columns: how many examples.
        title: a title of your own; an empty one leaves it out.

    Raises:
        InputError: for a model that explains nothing.
    """
    member = getattr(model, "member_", model)
    if not hasattr(member, "module_"):
        raise InputError(
            f"{type(model).__name__} has nothing to explain by: give a fitted OutlierDetector, or a"
            " fitted member."
        )
    require_data(data)
    part, x = judged(member, data)
    detector = model
    if not hasattr(model, "explain"):
        from isthmus.estimators.outliers import OutlierDetector  # it takes torch along

        detector = OutlierDetector.from_run(model, criterion="error").fit(x)
    order = np.argsort(detector.score_samples(x), kind="stable")
    require_count("columns", columns)
    rows = order[: min(columns, len(order))]
    shares = np.asarray(detector.explain(taken(x, rows)))
    tiles = tiles_for(member, data)
    title = figure_title(title, member, data.name, "what makes examples strange")
    if isinstance(tiles, Pictures) and member.preprocessor_.spec.kind == "image":
        restored = member.reconstruct(taken(x, rows))
        heat = member.preprocessor_.layout.transform(shares).sum(1)  # (n, height, width)
        figure = _heat_maps(tiles, rows_of(part.x, rows), restored, heat)
        head(figure.axes[0], title)
    else:
        names = _names(member, data, shares.shape[1:])
        values = numbers_of(rows_of(part.x, rows)).reshape(len(rows), -1)
        figure = _bars(rows, values, shares.reshape(len(rows), -1), names)
        over(figure, title)
    return trim(figure)


def _heat_maps(tiles: Pictures, x: Values, restored: Values, heat: np.ndarray) -> Figure:
    """Examples, their reconstructions, and what each pixel costs, one below the other."""
    count = len(heat)
    figure = new_figure(WIDTH, WIDTH * 2.8 * tiles.aspect / max(count, 6) + 0.8)
    axes = figure.subplots()
    bare(axes)
    axes.set(xlim=(0, max(count, 6)), ylim=(3.2, 0))
    tiles.draw(axes, x, 1, count, pad=1)
    tiles.draw(axes, restored, 1, count, top=1.1, pad=1)
    brightest = max(float(np.nanpercentile(heat, _BRIGHTEST)), 1e-12)
    h, w = heat.shape[1:]
    gap_x, gap_y = 0.5 / (w + 1), 0.5 / (h + 1)
    picture = mosaic(np.nan_to_num(heat) / brightest, 1, count, pad=1, background=0.0)
    extent = (gap_x, count - gap_x, 3.2 - gap_y, 2.2 + gap_y)
    axes.imshow(picture, cmap=_HEAT, vmin=0, vmax=1, extent=extent, aspect=tiles.aspect)
    for left in range(count):
        frame = (left + gap_x, 2.2 + gap_y)
        axes.add_patch(
            Rectangle(frame, 1 - 2 * gap_x, 1 - 2 * gap_y, fill=False, edgecolor=FAINT, lw=0.6)
        )
    axes.set_aspect(tiles.aspect)
    axes.set_yticks([0.5, 1.6, 2.7], labels=["original", "reconstruction", "share of the score"])
    label(axes, f"from white (0) to dark red ({brightest:.3g} and more)")
    return figure


def _bars(rows: np.ndarray, values: np.ndarray, shares: np.ndarray, names: list[str]) -> Figure:
    """A panel for each example: its costliest columns, with their values and their share."""
    across = min(3, len(rows))
    down = -(-len(rows) // across)
    figure = new_figure(WIDTH, 0.6 + down * (0.45 + 0.2 * min(_BARS, len(names))))
    panels = figure.subplots(down, across, squeeze=False).ravel()
    for axes, row, value, share in zip(panels, rows, values, shares, strict=False):
        _panel(axes, value, np.nan_to_num(share), names)
        head(axes, f"row {row}: {np.nansum(share):.3g}", TEXT)
    for axes in panels[len(rows) :]:
        axes.set_visible(False)
    return figure


def _panel(axes: Axes, values: np.ndarray, shares: np.ndarray, names: list[str]) -> None:
    bare(axes)
    most = np.argsort(-shares, kind="stable")[:_BARS]
    whole = max(float(shares.sum()), 1e-12)
    axes.barh(np.arange(len(most)), shares[most] / whole, color=ALARM, height=0.7)
    axes.set(xlim=(0, 1.25), ylim=(len(most) - 0.4, -0.6))
    labels = [f"{shortened(names[place])} = {values[place]:.3g}" for place in most]
    axes.set_yticks(np.arange(len(most)), labels=labels)
    axes.axvline(0, color=FAINT, linewidth=0.8)
    for place, share in enumerate(shares[most] / whole):
        axes.text(share + 0.03, place, f"{share:.0%}", va="center", fontsize=SMALL, color=INK)


def _names(member: Any, data: Data, shape: tuple[int, ...]) -> list[str]:
    """What the values of an example are called: columns, or steps with their features."""
    if hasattr(member, "feature_names_in_"):
        return [str(name) for name in member.feature_names_in_]
    if data.columns is not None and len(shape) == 1:
        return list(data.columns)
    if member.preprocessor_.spec.kind in ("sequence", "signal"):
        places = np.ndindex(shape)
        return ["step " + ", ".join(map(str, place)) for place in places]
    return [", ".join(map(str, place)) for place in np.ndindex(shape)]
