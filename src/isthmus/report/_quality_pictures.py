"""The pictures of a synthetic table: columns, pairs of columns, and what learners make of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from isthmus.figures._style import (
    FAINT,
    INK,
    PALETTE,
    QUIET,
    SMALL,
    TEXT,
    bare,
    label,
    new_figure,
    quiet,
    shortened,
)
from isthmus.metrics.efficacy import TargetScore

if TYPE_CHECKING:
    import pandas as pd

COLUMN_WIDTH = 3.2
_BLUE, _BARS, _BINS, _ROW = PALETTE[0], 6, 30, 0.26


def numbers_figure(real: np.ndarray, synthetic: np.ndarray) -> Figure:
    """The distributions of a number, over nearly all of the real range.

    Grey is real, blue is synthetic.
    """
    real, synthetic = (values[~np.isnan(values)] for values in (real, synthetic))
    figure = new_figure(COLUMN_WIDTH, 1.5)
    axes = figure.subplots()
    quiet(axes, ticks=4)
    # a few extremes would press everything else into one bin
    low, high = np.quantile(real if len(real) else [0.0, 1.0], [0.002, 0.998])
    few = np.unique(real)
    if 1 < len(few) <= _BINS and (np.diff(few) == 1).all():
        edges = np.append(few, few[-1] + 1) - 0.5
    else:
        edges = np.linspace(low, high if high > low else low + 1, _BINS + 1)
    shares = [np.histogram(v, edges)[0] / max(len(v), 1) for v in (real, synthetic)]
    axes.stairs(shares[0], edges, fill=True, color=FAINT)
    axes.stairs(shares[1], edges, color=_BLUE, linewidth=1.4)
    axes.set(yticks=[], xlim=(edges[0], edges[-1]))
    axes.spines["left"].set_visible(False)
    return figure


def categories_figure(real: pd.Series, synthetic: pd.Series) -> Figure:
    """The shares of the most frequent categories, the rest together: grey real, blue synthetic."""
    counts = [Counter(map(str, column.dropna())) for column in (real, synthetic)]
    totals = [max(sum(count.values()), 1) for count in counts]
    together = counts[0] + counts[1]
    names = [name for name, _ in together.most_common(_BARS if len(together) <= _BARS else 5)]
    shares = [
        [count[name] / total for name in names] for count, total in zip(counts, totals, strict=True)
    ]
    if len(together) > len(names):
        names.append(f"{len(together) - len(names)} others")
        shares = [[*side, 1 - sum(side)] for side in shares]
    figure = new_figure(COLUMN_WIDTH, 0.5 + _ROW * len(names))
    axes = figure.subplots()
    places = np.arange(len(names))
    quiet(axes, ticks=3)
    axes.barh(places, shares[0], 0.8, color=FAINT)
    axes.barh(places, shares[1], 0.3, color=_BLUE)
    _name_rows(axes, names)
    axes.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    return figure


def pairs_figure(pairs: np.ndarray, names: Sequence[str]) -> Figure:
    """How alike each two columns depend on each other, ``(columns, columns)``, as a map."""
    side = min(max(3.4, 1.6 + 0.24 * len(names)), 9.0)
    figure = new_figure(side + 0.9, side)
    axes = figure.subplots()
    bare(axes)
    low = float(np.nanmin(pairs)) if np.isfinite(pairs).any() else 0.0
    shown = axes.imshow(pairs, cmap="viridis", vmin=min(low, 0.8), vmax=1)
    size = SMALL if len(names) <= 30 else 5
    places, words = range(len(names)), [shortened(name, 18) for name in names]
    axes.set_xticks(places, words, rotation=90, fontsize=size, color=INK)
    axes.set_yticks(places, words, fontsize=size, color=INK)
    bar = figure.colorbar(shown, ax=axes, shrink=0.6, pad=0.02)
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=QUIET, labelcolor=INK, labelsize=SMALL, length=2)
    return figure


def targets_figure(scores: Sequence[TargetScore]) -> Figure:
    """The scores of learners, column by column: grey after real rows, blue after synthetic ones."""
    units = [unit for unit in ("AUROC", "R²") if any(s.unit == unit for s in scores)]
    groups = [[s for s in scores if s.unit == unit] for unit in units]
    heights = [0.7 + _ROW * len(group) for group in groups]
    figure = new_figure(6.0, sum(heights))
    panels = figure.subplots(len(groups), squeeze=False, height_ratios=heights)[:, 0]
    for axes, unit, group in zip(panels, units, groups, strict=True):
        quiet(axes)
        guess = 0.5 if unit == "AUROC" else 0.0
        ends = np.array([[max(s.real, guess - 0.1), max(s.synthetic, guess - 0.1)] for s in group])
        places = np.arange(len(group))
        axes.hlines(places, ends[:, 0], ends[:, 1], color=FAINT, linewidth=2)
        axes.plot(ends[:, 0], places, "o", color=QUIET, markersize=5)
        axes.plot(ends[:, 1], places, "o", color=_BLUE, markersize=5)
        axes.axvline(guess, color=FAINT, linewidth=0.8, linestyle="--")
        axes.set_xlim(guess - 0.12, 1.02)
        label(axes, f"{unit} ({guess:g} is guessing)")
        _name_rows(axes, [score.name for score in group])
    return figure


def _name_rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), [shortened(name, 20) for name in names], fontsize=TEXT - 1)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(len(names) - 0.4, -0.6)
