"""How training went: every term of the loss over the epochs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from isthmus.data.datasets import Data
from isthmus.errors import InputError
from isthmus.figures._style import (
    INK,
    PALETTE,
    SMALL,
    TEXT,
    figure_title,
    head,
    label,
    new_figure,
    over,
    quiet,
)

_NO_TERMS = ("epoch", "stage", "learning_rate", "seconds")
# the same in every figure
_COLOURS = {"objective": INK, "distortion": PALETTE[0], "rate": PALETTE[2]}
_UNITS = {
    "active": "share of units",
    "dead": "share of units",
    "distance": "squared distance",
    "error": "share of examples",
    "usage": "share of entries",
    "perplexity": "entries",
    "commitment": "squared distance",
    "jacobian": "squared norm",
    "mmd": "squared discrepancy",
    "sparsity": "sum over units",
}


def curves(model: Any, data: Data, *, columns: int = 3, title: str | None = None) -> Figure:
    """Training curves of every term, each in a panel of its own; validation is dashed.

    Args:
        model: a fitted model with ``history_``.
        data: what it was trained on.
        columns: panels side by side, at the most.
        title: a title of your own; an empty one leaves it out.

    Raises:
        InputError: for a model that kept no history.
    """
    history = getattr(model, "history_", None)
    if not history:
        raise InputError(
            f"{type(model).__name__} has no history_, so there are no training curves: give a"
            " fitted member."
        )
    terms = _terms(history)
    columns = min(len(terms), columns)
    rows = math.ceil(len(terms) / columns)
    figure = new_figure(4.8 if columns == 1 else 2.7 * columns, 2.5 * rows + 0.35)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, (term, colour) in zip(panels, terms.items(), strict=False):
        _draw(axes, history, term, colour)
        label(axes, "epoch", _unit(model, term))
    for axes in panels[len(terms) :]:
        axes.remove()
    if f"val_{next(iter(terms))}" in history[0]:
        panels[0].legend(frameon=False, fontsize=SMALL, labelcolor=INK)
    if "objective" not in terms:
        head(panels[0], "distortion (the whole objective)", TEXT)
    over(figure, figure_title(title, model, data.name, "training"))
    return figure


def _terms(history: Sequence[Mapping[str, float]]) -> dict[str, str]:
    """The terms with their colours; an objective that equals the distortion is left out."""
    # stages differ in what they report
    known = dict.fromkeys(name for row in history for name in row)
    names = [name for name in known if name not in _NO_TERMS and not name.startswith("val_")]
    if "distortion" in names and all(row["objective"] == row.get("distortion") for row in history):
        names.remove("objective")
    spare = (colour for colour in PALETTE * len(names) if colour not in _COLOURS.values())
    return {name: _COLOURS.get(name) or next(spare) for name in names}


def _unit(model: Any, term: str) -> str:
    """What a term counts.

    A rate is in nats whatever the likelihood; a squared error is no probability and has no nats.
    """
    kind = term.partition("_")[0]  # of perplexity_top, perplexity
    squared = getattr(model, "likelihood_", None) == "mse" and term in ("objective", "distortion")
    return "squared error per example" if squared else _UNITS.get(kind, "nats per example")


def _draw(axes: Axes, history: Sequence[Mapping[str, float]], term: str, colour: str) -> None:
    quiet(axes)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))
    for key, style, name in ((term, "-", "training"), (f"val_{term}", "--", "validation")):
        for stage in dict.fromkeys(row.get("stage") for row in history):
            rows = [row for row in history if key in row and row.get("stage") == stage]
            marker = "o" if len(rows) < 3 else ""  # a line of one epoch has no length
            epochs, values = [row["epoch"] for row in rows], [row[key] for row in rows]
            axes.plot(epochs, values, style, marker=marker, color=colour, linewidth=1.4, label=name)
            name = "_"  # every stage has a line of its own, the legend one entry
    head(axes, term.replace("_", " "), TEXT)
