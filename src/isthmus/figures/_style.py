"""How all figures look: one palette, one set of sizes, quiet axes."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from isthmus.core.wording import printable
from isthmus.figures._notebook import ShownFigure

# Found by search, in the order of ten digits: classes that are neighbours in planes of digits (3, 5
# and 8; 4, 7 and 9; 0 and 6; 2 and 8; 3 and 9) are at least 27 apart by CIEDE2000, for normal sight
# and under simulated deuteranopia and protanopia; any two at least 14. All can be seen on white and
# on dark paper. The pages take their colours from here.
PALETTE = (
    "#3780ed",
    "#923780",
    "#ff5b92",
    "#5b00ff",
    "#12805b",
    "#00c8b6",
    "#809237",
    "#a4b6ff",
    "#a42400",
    "#dbb624",
)
ALARM, WARM = "#b40b06", "#f5bd16"
"""The red of what is unusual, and the yellow on the way to it: words name these colours."""
INK, QUIET, FAINT, PAPER = "#222222", "#777777", "#cccccc", "#f1f1f1"

WIDTH = 7.2
"""The width of a figure that fills a page, in inches."""
TITLE, TEXT, SMALL = 10.0, 9.0, 8.0
"""Sizes of type, in points."""
_LINE = 48  # letters of a title that fit into the narrowest figure
_MARGIN = 3 / 72  # inches, as the layout keeps around its panels


def new_figure(width: float, height: float) -> Figure:
    """An empty white figure of a size in inches, which belongs to no window and no backend."""
    return ShownFigure(figsize=(width, height), dpi=150, layout="constrained", facecolor="white")


def trim(figure: Figure) -> Figure:
    """Give back the room that pictures of a fixed shape leave unused."""
    layout = figure.get_layout_engine()
    assert layout is not None
    layout.execute(figure)
    box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    figure.set_size_inches(
        min(box.width + 2 * _MARGIN, width), min(box.height + 2 * _MARGIN, height)
    )
    layout.execute(figure)  # it settles in two steps, of which the drawing itself is the second
    return figure


def quiet(axes: Axes, ticks: int = 5) -> None:
    """Light axes: two thin spines and a few small ticks."""
    axes.set_facecolor("white")
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set(color=FAINT, linewidth=0.8)
    axes.tick_params(colors=QUIET, labelcolor=INK, labelsize=SMALL, length=3, width=0.8)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(ticks, steps=[1, 2, 5, 10], min_n_ticks=2))


def rule(axes: Axes, rows: int, columns: int) -> LineCollection:
    """Hairlines between tiles of one unit each, so that neighbours do not run into each other."""
    upright = [((i, 0), (i, rows)) for i in range(1, columns)]
    level = [((0, i), (columns, i)) for i in range(1, rows)]
    lines = LineCollection([*upright, *level], colors="white", linewidths=0.7)
    axes.add_collection(lines)
    return lines


def bare(axes: Axes) -> None:
    """Axes without any: no spines, no ticks; labels remain possible."""
    axes.set_facecolor("white")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelcolor=INK, labelsize=SMALL, pad=4)
    axes.set(xticks=[], yticks=[])


def label(axes: Axes, x: str = "", y: str = "") -> None:
    """Name the axes."""
    axes.set_xlabel(x, fontsize=TEXT, color=INK)
    axes.set_ylabel(y, fontsize=TEXT, color=INK)


def head(axes: Axes, text: str, size: float = TITLE) -> None:
    """A title, flush left."""
    axes.set_title(text, loc="left", fontsize=size, color=INK)


def over(figure: Figure, text: str) -> None:
    """A title over several panels, flush left."""
    if text:
        figure.suptitle(text, x=0.01, horizontalalignment="left", fontsize=TITLE, color=INK)


def figure_title(title: str | None, model: Any, data_name: str, what: str) -> str:
    """The title that was asked for, or "VAE on digits: …", on two lines if it is long."""
    if title is not None:
        return title
    subject = f"{type(model).__name__} on {shortened(data_name, 24)}:"
    return f"{subject} {what}" if len(subject) + len(what) < _LINE else f"{subject}\n{what}"


def shortened(name: str, longest: int = 14) -> str:
    """A name that fits into the room for it, as matplotlib must be told it."""
    name = printable(name)
    # the ellipsis is as wide as two letters
    return escaped(name if len(name) <= longest else name[: longest - 2] + "…")


def escaped(name: str) -> str:
    """A name whose dollar signs are no mathematics."""
    return name.replace("$", r"\$")


def unescaped(name: str) -> str:
    """The inverse of :func:`escaped`, for what matplotlib does not draw."""
    return name.replace(r"\$", "$")
