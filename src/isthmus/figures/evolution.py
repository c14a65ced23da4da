"""How the code plane comes about: the snapshots of a training, side by side."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from isthmus.data.parts import Data, Part
from isthmus.errors import InputError
from isthmus.figures.classes import Classes, classes_of, colours_of, legend
from isthmus.figures.codes import draw_points, limits_of, project, space_of
from isthmus.figures.style import TEXT, WIDTH, head, heading, new_figure, over

_PANELS = 4  # side by side
_ALIKE = 0.5  # of the squared distance between the codes of unrelated examples


def evolution(model: Any, data: Data, *, labels: np.ndarray | None = None, panels: int = 8, title: str | None = None) -> Figure:
    """The code plane at the snapshots of a training, as small multiples.

    Args:
        model: a member that was fitted with ``snapshots``.
        data: what it was trained on.
        labels: labels of the probes, ``(probes,)``. If not given, they are those of the first examples of ``data.test``,
            or of ``data.train`` if the codes are theirs; the points have one colour if the codes are of neither.
        panels: how many snapshots are shown at most.
        title: a title of your own; an empty one leaves it out.

    Raises:
        InputError: for a model without snapshots, and for labels that are not one per probe.
    """
    film = film_of(model, data, labels)
    chosen = np.unique(np.linspace(0, len(film.epochs) - 1, min(panels, len(film.epochs))).round().astype(int))
    columns = min(len(chosen), _PANELS)
    rows = math.ceil(len(chosen) / columns)
    figure = new_figure(WIDTH / _PANELS * max(columns, 2) + 0.7, 1.9 * rows + 0.4)
    every = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, i in zip(every, chosen, strict=False):
        film.draw(axes, film.points[i], 3)
        head(axes, f"epoch {film.epochs[i]}" if film.epochs[i] else "before training", TEXT)
    for axes in every[len(chosen) :]:
        axes.remove()
    legend(every[columns - 1], film.classes, every[: len(chosen)])
    figure.supxlabel(", ".join(film.labels), fontsize=TEXT)
    over(figure, heading(title, model, data.name, "the codes while it trains"))
    return figure


@dataclass(frozen=True)
class Film:
    """The snapshots of a training, ready to be drawn.

    Attributes:
        epochs: finished epochs at each snapshot.
        points: where the probes are on paper, ``(snapshots, probes, 2)``.
        grids: the decoded planes, ``(snapshots, rows * columns, *shape)``.
        rows, columns: how a decoded plane is laid out.
        colours: of the probes, ``(probes, 4)``.
        classes: what the colours mean; none where the labels are not known.
        labels: what the axes are; a single one for codes of one dimension, whose height on paper means nothing.
        space: where the codes live.
    """

    epochs: list[int]
    points: np.ndarray
    grids: np.ndarray
    rows: int
    columns: int
    colours: np.ndarray
    classes: Classes
    labels: tuple[str, ...]
    space: str

    def draw(self, axes: Axes, points: np.ndarray, size: float) -> Any:
        """Draw the probes at one moment, ``(probes, 2)``; a bounded code or a prior keeps the scale of all moments."""
        cloud = draw_points(axes, points, self.colours, size)
        return cloud


def film_of(model: Any, data: Data, labels: np.ndarray | None = None) -> Film:
    """The snapshots of a model; see :func:`evolution` for the arguments."""
    snapshots = getattr(model, "snapshots_", None)
    if not snapshots:
        raise InputError(f"{type(model).__name__} has no snapshots_: fit it with snapshots=8, probes=data.test.x, for instance.")
    return snapshots
