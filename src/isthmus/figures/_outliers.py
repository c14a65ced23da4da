"""The examples that a model finds least and most typical."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from isthmus.core.counts import require_count
from isthmus.data.datasets import Data, Part, known_of, named_for, require_data
from isthmus.data.frames import Values, rows_of
from isthmus.errors import InputError
from isthmus.figures._classes import class_name
from isthmus.figures._codes import kind_of
from isthmus.figures._style import (
    ALARM,
    INK,
    SMALL,
    TEXT,
    WIDTH,
    bare,
    figure_title,
    head,
    label,
    new_figure,
    over,
    trim,
)
from isthmus.figures._tiles import Tiles, tiles_for

_SCORES = {
    "error": "score: minus the squared error",
    "density": "score: minus the distance of residual and code from the usual",
    "score": "score: the model's own",
    "distance": "score: minus the squared distance of the code from the centre",
}


def outliers(model: Any, data: Data, *, columns: int = 10, title: str | None = None) -> Figure:
    """The least and most typical test examples, each with its reconstruction and its score.

    Args:
        model: a fitted model with ``reconstruct`` and ``squared_error``, by which it is judged; or
            a fitted :class:`~isthmus.OutlierDetector`, which brings its own scores and marks what
            lies below its threshold.
        data: its test part is judged; the training part stands in where that is empty.
        columns: how many of either.
        title: a title of your own; an empty one leaves it out.

    Raises:
        InputError: for a model that gives no score.
    """
    member = getattr(model, "member_", model)
    require_data(data)
    part, x = judged(member, data)
    scores, order = (values := _scores(model, x)), np.argsort(values, kind="stable")
    require_count("columns", columns)
    count, tiles = min(columns, max(1, len(part) // 2)), tiles_for(member, data)
    figure = new_figure(WIDTH, 2 * WIDTH * 2.1 * tiles.aspect / max(count, 6) + 1.6)
    for axes, text, rows in zip(
        figure.subplots(2),
        ("least typical", "most typical"),
        (order[:count], order[::-1][:count]),
        strict=True,
    ):
        restored = member.reconstruct(taken(x, rows))
        limit = getattr(model, "offset_", -np.inf)
        _draw(axes, tiles, rows_of(part.x, rows), restored, scores[rows], limit)
        head(axes, text, TEXT)
        if part.y is not None:
            _name(axes, [class_name(data, y, 100 // count) for y in part.y[rows]])
    label(
        axes,
        "\n".join(
            filter(
                None,
                (_caption(model, scores, f"{len(part):,} {kind_of(data)} examples"), tiles.caption),
            )
        ),
    )
    over(figure, figure_title(title, member, data.name, "least and most typical examples"))
    return trim(figure)


def judged(member: Any, data: Data) -> tuple[Part, Any]:
    """The part of a data set whose examples are judged, and these as a member takes them."""
    part = data.test if len(data.test) else data.train
    # A part of a data set brings the labels that a conditional member must be told.
    return part, part if known_of(member, part) else named_for(member, part.x, data)


def taken(x: Part | Values, rows: np.ndarray) -> Part | Values:
    """Some of these examples."""
    return x.take(rows) if isinstance(x, Part) else rows_of(x, rows)


def _scores(model: Any, x: Any) -> np.ndarray:
    """Those of a detector, or minus the squared error."""
    if hasattr(model, "offset_"):
        return np.asarray(model.score_samples(x))
    if not hasattr(model, "squared_error"):
        raise InputError(
            f"{type(model).__name__} has no squared_error to judge examples by: give a fitted"
            " member."
        )
    return -np.asarray(model.squared_error(x))


def _draw(
    axes: Axes,
    tiles: Tiles,
    x: Values,
    restored: Values,
    scores: np.ndarray,
    threshold: float,
) -> None:
    """Examples ``(n, *shape)`` above their reconstructions; scores below the threshold in red."""
    bare(axes)
    axes.set(xlim=(0, max(len(x), 6)), ylim=(2.1, 0))
    axes.set_aspect(tiles.aspect)
    tiles.draw(axes, x, 1, len(x), pad=1)
    tiles.draw(axes, restored, 1, len(x), top=1.1, pad=1)
    axes.set_yticks([0.5, 1.6], labels=["original", "reconstruction"])
    axes.set_xticks(np.arange(len(x)) + 0.5, labels=_numbers(scores))
    for text, score in zip(axes.get_xticklabels(), scores, strict=True):
        text.set_color(ALARM if score < threshold else INK)


def _name(axes: Axes, names: list[str]) -> None:
    """The classes of the examples above them."""
    top = axes.secondary_xaxis("top")
    top.spines[:].set_visible(False)
    top.set_xticks(np.arange(len(names)) + 0.5, labels=names)
    top.tick_params(length=0, labelcolor=INK, labelsize=SMALL, pad=4)


def _caption(model: Any, scores: np.ndarray, examples: str) -> str:
    """What the numbers are, and where the threshold lies."""
    what = _SCORES[getattr(model, "criterion_", "error")]
    if not hasattr(model, "offset_"):
        return f"{what}, of {examples}"
    limit = model.offset_
    return (
        f"{what}; red: below {_numbers(np.array([limit]))[0]}, as are"
        f" {np.count_nonzero(scores < limit):,} of {examples}"
    )


def _numbers(scores: np.ndarray) -> list[str]:
    """Scores with the same number of decimals, which leaves the largest about three digits."""
    largest = float(np.abs(scores).max())
    if 0 < largest < 1e-4:
        return [f"{score:.2g}".replace("-", "−") for score in scores]
    decimals = int(np.clip(2 - np.floor(np.log10(largest or 1.0)), 0, 6))
    return [f"{score:,.{decimals}f}".replace("-", "−") for score in scores]
