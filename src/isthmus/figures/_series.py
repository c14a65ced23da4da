"""A long series with the stretches that a member finds unusual, and the score of each step."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from isthmus.data.datasets import Data, require_data
from isthmus.data.series import Windows, series_values
from isthmus.data.steps import StepScores, stretches
from isthmus.errors import InputError
from isthmus.figures._style import (
    ALARM,
    INK,
    PALETTE,
    TEXT,
    WIDTH,
    head,
    label,
    new_figure,
    over,
    quiet,
    shortened,
)

_LINE = PALETTE[0]
_PANELS = 4  # channels that are drawn, each in a panel of its own
_NARROWEST = 0.002  # share of the time: a single step must be seen too


def series_outliers(model: Any, data: Data, *, title: str | None = None) -> Figure:
    """A long series with its unusual stretches marked, and how unusual each step is below it.

    Args:
        model: a fitted member that was trained on windows; or the
            :class:`~isthmus.StepScores` of one, with a threshold of your own.
        data: windows of the series, as :func:`isthmus.data.load` cuts them with ``window``: the
            test part is drawn, the training part where that is empty.
        title: a title of your own; an empty one leaves it out.

    Raises:
        InputError: for data that are no windows.
    """
    found = model if isinstance(model, StepScores) else _scored(model, _windows(data))
    scores, series = _one(found)
    values, times = series_values(series), _times(series)
    shown = min(values.shape[1], _PANELS)
    heights = [1.25] * shown + [1.0]
    figure = new_figure(WIDTH, 1.1 * sum(heights) + 0.6)
    *panels, below = figure.subplots(shown + 1, sharex=True, height_ratios=heights)
    outlier = scores < found.threshold
    for channel, axes in enumerate(panels):
        quiet(axes)
        _mark(axes, times, outlier)
        axes.plot(times, values[:, channel], color=_LINE, linewidth=0.9)
        named = getattr(series, "columns", None)
        name = getattr(series, "name", None) if named is None else named[channel]
        head(axes, "value" if name is None else shortened(str(name), 48), TEXT)
    quiet(below)
    _mark(below, times, outlier)
    below.plot(times, -scores, color=INK, linewidth=0.9)
    below.axhline(-found.threshold, color=ALARM, linewidth=0.9, linestyle="--")
    if np.nanmax(scores) <= 0:  # squared errors, most of them far below those that matter
        below.set_yscale("function", functions=(_root, np.square))
        below.set_ylim(bottom=0)
    below.margins(x=0.01)
    if times.dtype.kind == "M":
        below.xaxis.set_major_locator(dates := AutoDateLocator(maxticks=7))
        below.xaxis.set_major_formatter(ConciseDateFormatter(dates, show_offset=False))
    head(below, "how unusual: minus the score; dashed: the threshold", TEXT)
    label(below, _caption(series, values, outlier))
    over(figure, _title(found, data) if title is None else title)
    return figure


def _windows(data: Data) -> Windows:
    require_data(data)
    part = data.test if len(data.test) else data.train
    if not isinstance(part, Windows):
        raise InputError(
            f"{data.name} holds no windows of a long series: load it with window=..., or cut it by"
            " ist.data.windows."
        )
    return part


def _scored(model: Any, cut: Windows) -> StepScores:
    from isthmus.estimators.series import score_steps  # torch, which a finished score does not need

    return score_steps(model, cut)


def _one(found: StepScores) -> tuple[np.ndarray, Any]:
    """The scores and the series that are drawn: of several, those with the least typical step."""
    if not isinstance(found.scores, list):
        return np.asarray(found.scores), found.series
    worst = int(np.argmin([np.nanmin(scores) for scores in found.scores]))
    return np.asarray(found.scores[worst]), found.series[worst]


def _times(series: Any) -> np.ndarray:
    """The index where it holds times (in UTC) or numbers, else the number of each step."""
    given: Any = getattr(series, "index", np.arange(len(series)))
    index = np.asarray(given if getattr(given, "tz", None) is None else given.tz_convert(None))
    return index if index.dtype.kind in "iufM" else np.arange(len(series))


def _root(values: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(values, 0))


def _mark(axes: Axes, times: np.ndarray, outlier: np.ndarray) -> None:
    """Bands behind the stretches that are outliers, each at least wide enough to be seen."""
    widest = times[-1] - times[0]
    for first, end in stretches(outlier):
        left, right = times[first], times[end - 1]
        lacking = widest * _NARROWEST - (right - left)
        if lacking > lacking * 0:  # numbers, or times
            left, right = left - lacking / 2, right + lacking / 2
        axes.axvspan(left, right, color=ALARM, alpha=0.25, linewidth=0)


def _caption(series: Any, values: np.ndarray, outlier: np.ndarray) -> str:
    times, index = _times(series), getattr(getattr(series, "index", None), "name", None)
    days = f" from {times[0]!s:.10} to {times[-1]!s:.10}" if times.dtype.kind == "M" else ""
    count, pieces = int(outlier.sum()), len(stretches(outlier))
    channels = "" if values.shape[1] <= _PANELS else f"; {_PANELS} of {values.shape[1]} channels"
    return (
        f"{'step' if index is None else index}{days}; marked: {count:,} of {len(outlier):,} steps,"
        f" in {pieces:,} stretch{'es' * (pieces != 1)}{channels}"
    )


def _title(found: StepScores, data: Data) -> str:
    return f"{found.member} on {shortened(data.name, 24)}: unusual stretches"
