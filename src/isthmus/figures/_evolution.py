"""How the code plane comes about: the snapshots of a training, side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from isthmus.core.counts import require_count
from isthmus.core.latent_grid import plane_space
from isthmus.data.datasets import Data, Part
from isthmus.errors import InputError
from isthmus.figures._classes import NO_CLASSES, ClassColours, classes_of, colours_of, legend
from isthmus.figures._codes import Projection, codes_of, draw_points, frame, project, space_of
from isthmus.figures._style import INK, TEXT, WIDTH, figure_title, head, new_figure, over, quiet

if TYPE_CHECKING:  # torch, which figures do without
    from isthmus.training.callbacks.snapshots import Snapshot

_PANELS = 4  # side by side
_ALIKE = 0.5  # of the squared distance between the codes of unrelated examples


def evolution(
    model: Any,
    data: Data,
    *,
    labels: np.ndarray | None = None,
    panels: int = 8,
    title: str | None = None,
) -> Figure:
    """The code plane at the snapshots of a training, as small multiples.

    Args:
        model: a member that was fitted with ``snapshots``.
        data: what it was trained on.
        labels: labels of the probes, ``(probes,)``. If not given, they are those of the first
            examples of ``data.test``, or of ``data.train`` if the codes are theirs; the points have
            one colour if the codes are of neither.
        panels: how many snapshots are shown at most.
        title: a title of your own; an empty one leaves it out.

    Raises:
        InputError: for a model without snapshots, and for labels that are not one per probe.
    """
    require_count("panels", panels)
    film = film_of(model, data, labels)
    chosen = np.unique(
        np.linspace(0, len(film.epochs) - 1, min(panels, len(film.epochs))).round().astype(int)
    )
    rows = math.ceil(len(chosen) / _PANELS)
    columns = math.ceil(len(chosen) / rows)
    figure = new_figure(WIDTH / _PANELS * max(columns, 2) + 0.7, 1.9 * rows + 0.4)
    every = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, i in zip(every, chosen, strict=False):
        film.draw(axes, film.points[i], 3)
        axes.set_box_aspect(1)
        if film.space != "data":
            axes.label_outer()
        head(axes, f"epoch {film.epochs[i]}" if film.epochs[i] else "before training", TEXT)
    for axes in every[len(chosen) :]:
        axes.remove()
    legend(every[columns - 1], film.classes, list(every[: len(chosen)]))
    figure.supxlabel(film.labels[0], fontsize=TEXT, color=INK)
    figure.supylabel("".join(film.labels[1:]), fontsize=TEXT, color=INK)
    over(figure, figure_title(title, model, data.name, "the codes while it trains"))
    return figure


@dataclass(frozen=True)
class Film:
    """The snapshots of a training, ready to be drawn.

    Attributes:
        epochs: finished epochs at each snapshot.
        points: where the probes are on paper, ``(snapshots, probes, 2)``.
        grids: the decoded planes, ``(snapshots, rows * columns, *shape)``.
        rows, columns: how a decoded plane is laid out.
        boxes: the part of the plane that the tiles of each decoded plane cover, ``(snapshots, 4)``;
            None where that is not known, or the plane is one of components.
        colours: of the probes, ``(probes, 4)``.
        classes: what the colours mean; none where the labels are not known.
        labels: what the axes are; a single one for codes of one dimension, whose height on paper
            means nothing.
        space: where the points live.
    """

    epochs: list[int]
    points: np.ndarray
    grids: np.ndarray
    rows: int
    columns: int
    boxes: np.ndarray | None
    colours: np.ndarray
    classes: ClassColours
    labels: tuple[str, ...]
    space: str

    def draw(self, axes: Axes, points: np.ndarray, size: float) -> PathCollection:
        """Draw the probes at one moment, ``(probes, 2)``."""
        cloud = draw_points(axes, points, self.colours, size)
        quiet(axes, ticks=3)
        if len(self.labels) == 1:
            axes.set_yticks([])
            axes.spines["left"].set_visible(False)
        self.fit(axes, points)
        return cloud

    def fit(self, axes: Axes, points: np.ndarray) -> None:
        """Limits for one moment: its own, or those of all moments where the code has a scale."""
        frame(
            axes,
            points if self.space == "data" else self.points.reshape(-1, 2),
            self.space,
            len(self.labels),
        )


def film_of(model: Any, data: Data, labels: np.ndarray | None = None) -> Film:
    """The snapshots of a model; see :func:`evolution` for the arguments."""
    snapshots = getattr(model, "snapshots_", None)
    if not snapshots:
        raise InputError(
            f"{type(model).__name__} kept no moments of its training: fit it with snapshots=8, and"
            " probes=data.test.x."
        )
    codes = np.stack([s.codes.reshape(len(s.codes), -1) for s in snapshots])  # (snapshots, n, d)
    y = (
        _labels_of(model, data, snapshots[-1].codes)
        if labels is None
        else _checked(labels, codes.shape[1])
    )
    projection = project(codes[-1])
    points = np.stack([projection(z) for z in codes])
    if points.shape[2] == 1:
        points = np.concatenate(
            [points, np.broadcast_to(_heights(y, codes.shape[1]), points.shape)], axis=2
        )
    grids = np.stack([snapshot.grid for snapshot in snapshots])
    rows = 1 if codes.shape[2] == 1 else math.isqrt(grids.shape[1])
    return Film(
        [snapshot.epoch for snapshot in snapshots],
        points,
        grids,
        rows,
        grids.shape[1] // rows,
        _boxes(snapshots, codes.shape[2]),
        *_coloured(data, y, codes.shape[1]),
        _short(projection),
        plane_space(space_of(model), codes.shape[2]),
    )


def _boxes(snapshots: Sequence[Snapshot], dimensions: int) -> np.ndarray | None:
    """Where the grids of snapshots lie; the components of each moment are its own."""
    boxes = [snapshot.box for snapshot in snapshots if snapshot.box is not None]
    return np.array(boxes) if len(boxes) == len(snapshots) and dimensions <= 2 else None


def _short(projection: Projection) -> tuple[str, ...]:
    """Labels for small panels; the components are those of the last snapshot, for all of them."""
    if projection.shares is None:
        return projection.names
    return tuple(f"PC {i} ({share:.0%} at the end)" for i, share in enumerate(projection.shares, 1))


def _coloured(data: Data, y: np.ndarray | None, n: int) -> tuple[np.ndarray, ClassColours]:
    classes = NO_CLASSES if y is None else classes_of(data, y)
    return colours_of(classes, y, n), classes


def _checked(labels: np.ndarray, probes: int) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.shape != (probes,):
        raise InputError(
            f"labels has the shape {labels.shape}, but the snapshots have {probes} probes: give one"
            " label each."
        )
    return labels


def _labels_of(model: Any, data: Data, codes: np.ndarray) -> np.ndarray | None:
    """The labels of the probes, by whose codes they are.

    Wrong labels would make a wrong picture, and nobody would see it.
    """
    for part in (data.test, data.train):
        if (
            part.y is not None
            and len(part) >= len(codes)
            and _is_of(model, part.take(slice(len(codes))), data, codes)
        ):
            return part.y[: len(codes)]
    return None


def _is_of(model: Any, part: Part, data: Data, codes: np.ndarray) -> bool:
    """Whether codes are those of a part.

    The last snapshot may be some epochs younger than the weights that were kept.
    """
    own = codes_of(model, part, data)
    if own.shape != codes.shape:
        return False
    by_chance = 2 * codes.var(axis=0).mean()  # of codes that have nothing in common
    return bool(np.square(own - codes).mean() <= _ALIKE * by_chance)


def _heights(y: np.ndarray | None, n: int) -> np.ndarray:
    """Heights for points of one dimension, ``(n, 1)``: a strip for each class."""
    spread = np.random.default_rng(0).uniform(-0.32, 0.32, n)
    return (spread if y is None else spread - y)[:, None]
