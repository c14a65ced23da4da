"""Which colour stands for which class: the same in every figure of a data set."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, ListedColormap, to_rgba_array
from matplotlib.lines import Line2D

from isthmus.data.datasets import Data, Part
from isthmus.figures._style import INK, PALETTE, SMALL, shortened

_NAMED = 26  # classes that an axis can name one by one


@dataclass(frozen=True)
class ClassColours:
    """The classes of a data set.

    Attributes:
        names: what they are called, by label.
        colours: their colours by label, ``(classes, 4)``.
    """

    names: tuple[str, ...]
    colours: np.ndarray

    def __len__(self) -> int:
        return len(self.names)


NO_CLASSES = ClassColours((), np.empty((0, 4)))


def classes_of(data: Data, labels: np.ndarray | None = None) -> ClassColours:
    """The classes of a data set, or of labels that stand in for its own; perhaps none."""
    given = [y for y in (labels, data.train.y, data.test.y) if y is not None and len(y)]
    if not given:
        return NO_CLASSES
    count = max(len(data.classes or ()), *(int(np.max(y)) + 1 for y in given))
    names = [str(name) for name in data.classes or ()]
    names += [str(i) for i in range(len(names), count)]
    return ClassColours(tuple(map(shortened, names)), _colours(count))


def colours_of(classes: ClassColours, y: np.ndarray | None, n: int) -> np.ndarray:
    """The colour of each of n points, ``(n, 4)``; all the same where they have no labels."""
    return (
        np.repeat(to_rgba_array(PALETTE[0]), n, axis=0)
        if y is None
        else classes.colours[np.asarray(y, dtype=int)]
    )


def class_ticks(classes: ClassColours) -> tuple[list[int], list[str]]:
    """Labels with their names for an axis: all, or every so many where there are too many."""
    labels = list(range(0, len(classes), math.ceil(len(classes) / _NAMED)))
    return labels, [classes.names[i] for i in labels]


def class_name(data: Data, y: int, longest: int = 20) -> str:
    """The name of a label, or the label itself where the classes have no names."""
    return shortened(str(data.classes[y] if data.classes else y), longest)


def legend(axes: Axes, classes: ClassColours, panels: Sequence[Axes] = ()) -> None:
    """The names of the classes right of the axes: a legend, or a colour bar for more than ten."""
    if len(classes) > len(PALETTE):
        _colour_bar(panels or [axes], classes)
    elif len(classes):
        dots = [
            Line2D(
                [],
                [],
                linestyle="",
                marker="o",
                markersize=5,
                markeredgewidth=0,
                color=colour,
                label=name,
            )
            for colour, name in zip(classes.colours, classes.names, strict=True)
        ]
        axes.legend(
            handles=dots,
            loc="upper left",
            bbox_to_anchor=(1.0, 1.0),
            frameon=False,
            fontsize=SMALL,
            labelcolor=INK,
            handletextpad=0.1,
            borderaxespad=0.2,
        )


def _colours(count: int) -> np.ndarray:
    """The palette, or, for more classes than it has colours, steps of a colour map."""
    if count <= len(PALETTE):
        return to_rgba_array(PALETTE[:count])
    return np.asarray(colormaps["turbo"](np.linspace(0.03, 0.97, count)))


def _colour_bar(panels: Sequence[Axes], classes: ClassColours) -> None:
    count, figure = len(classes), panels[0].figure
    assert figure is not None
    shades = ScalarMappable(
        BoundaryNorm(np.arange(count + 1) - 0.5, count), ListedColormap(list(classes.colours))
    )
    bar = figure.colorbar(shades, ax=list(panels), fraction=0.04, pad=0.02, aspect=40)
    ticks, names = class_ticks(classes)
    bar.set_ticks(ticks, labels=names)
    bar.ax.minorticks_off()
    bar.ax.invert_yaxis()  # from the top downwards, as in a legend
    bar.ax.tick_params(length=0, labelsize=SMALL, labelcolor=INK)
    bar.outline.set_visible(False)


def by_class(part: Part, count: int) -> Part:
    """The first examples of every class in turn; without labels, the first examples."""
    if part.y is None:
        return part.take(slice(count))
    turn = np.zeros(len(part), dtype=int)
    for value in np.unique(part.y):
        turn[part.y == value] = np.arange(np.count_nonzero(part.y == value))
    chosen = np.lexsort((part.y, turn))[:count]
    return part.take(chosen[np.lexsort((chosen, part.y[chosen]))])
