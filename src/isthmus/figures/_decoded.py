"""What a decoder makes of codes: of test examples, of draws, of a walk between two."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from isthmus.core.counts import require_count
from isthmus.data.datasets import Data, Part, condition_of, known_of, named_for, require_data
from isthmus.errors import InputError
from isthmus.figures._classes import by_class, class_name
from isthmus.figures._codes import codes_of, decoded_by, kind_of, shown, told_of
from isthmus.figures._sounds import rate_of, spectrograms, spectrograms_of
from isthmus.figures._style import (
    WIDTH,
    bare,
    figure_title,
    head,
    label,
    new_figure,
    shortened,
    trim,
)
from isthmus.figures._tiles import Tiles, require_room, tiles_for


def reconstructions(
    model: Any, data: Data, *, columns: int | None = None, title: str | None = None
) -> Figure:
    """Test examples, of every class in turn, and under each what comes back; sounds as
    :func:`spectrograms`.

    Args:
        model: a fitted model with ``reconstruct``.
        data: what it was trained on.
        columns: how many examples; 10, or 4 sounds, if not given.
        title: a title of your own; an empty one leaves it out.
    """
    if rate_of(model) is not None:
        return spectrograms(model, data, columns=4 if columns is None else columns, title=title)
    columns = 10 if columns is None else columns
    require_count("columns", columns)
    part, tiles = by_class(shown(data), columns), tiles_for(model, data)
    figure, axes = sheet(tiles, max(len(part), 6), 2.1, WIDTH)
    tiles.draw(axes, part.x, 1, len(part), pad=1)
    restored = model.reconstruct(named_for(model, part.x, data), **known_of(model, part))
    tiles.draw(axes, restored, 1, len(part), top=1.1, pad=1)
    axes.set_yticks([0.5, 1.6], labels=["original", "reconstruction"])
    if part.y is not None:
        axes.xaxis.tick_top()
        axes.set_xticks(
            np.arange(len(part)) + 0.5,
            labels=[class_name(data, y, 100 // len(part)) for y in part.y],
        )
    head(
        axes, figure_title(title, model, data.name, f"reconstructions of {kind_of(data)} examples")
    )
    return finished(figure, axes, tiles)


def samples(
    model: Any,
    data: Data,
    *,
    rows: int | None = None,
    columns: int | None = None,
    random_state: int = 0,
    title: str | None = None,
) -> Figure:
    """New examples, drawn from the model's prior; sounds as mel spectrograms.

    Args:
        model: a fitted model with ``sample``.
        data: what it was trained on.
        rows, columns: how many, and how they are laid out; 4 rows of 10, or 2 rows of 4 sounds, if
            not given.
        random_state: seed of the draws.
        title: a title of your own; an empty one leaves it out.

    Raises:
        InputError: for a model that has no prior to sample from.
    """
    rate = rate_of(model)
    rows, columns = (
        usual if given is None else given
        for given, usual in ((rows, 4 if rate is None else 2), (columns, 10 if rate is None else 4))
    )
    require_count("rows", rows)
    require_count("columns", columns)
    if not hasattr(model, "sample"):
        raise InputError(
            f"{type(model).__name__} has no sample, so it cannot make new examples: train a VAE,"
            " for instance."
        )
    drawn, heading = (
        model.sample(rows * columns, random_state=random_state),
        figure_title(title, model, data.name, "samples"),
    )
    if rate is not None:
        sounds = np.asarray(drawn).reshape(len(drawn), *model.preprocessor_.spec.shape)
        return spectrograms_of(sounds, rate, heading, columns)
    tiles = tiles_for(model, data)
    figure, axes = sheet(tiles, columns, rows, WIDTH)
    tiles.draw(axes, drawn, rows, columns, pad=1)
    head(axes, heading)
    return finished(figure, axes, tiles)


def walk(
    model: Any,
    data: Data,
    *,
    between: tuple[int, int] | None = None,
    steps: int = 12,
    title: str | None = None,
) -> Figure:
    """From one example to another, in equal steps along the straight line between their codes.

    Args:
        model: a fitted model with ``transform`` and ``inverse_transform``.
        data: what it was trained on.
        between: the rows of the two examples in ``data.test``; the first, and the first of another
            class, if not given.
        steps: how many codes are decoded, the ends among them.
        title: a title of your own; an empty one leaves it out.
    """
    require_count("steps", steps, 2)
    pair, tiles = _pair(data, between), tiles_for(model, data)
    require_room(steps, data, f"steps={steps}")
    first, last = codes_of(model, pair, data)
    # (steps, 1, ..., 1), so that it multiplies codes of any shape
    share = np.linspace(0, 1, steps, dtype=np.float32).reshape(-1, *[1] * first.ndim)
    decoded = decoded_by(model, first + share * (last - first))
    figure, axes = sheet(tiles, steps + 2.6, 1, WIDTH + 1)
    tiles.draw(axes, pair.take(slice(1)).x, 1, 1, pad=1)
    tiles.draw(axes, decoded, 1, steps, left=1.3, pad=1)
    tiles.draw(axes, pair.take(slice(1, None)).x, 1, 1, left=steps + 1.6, pad=1)
    axes.set_xticks(
        [0.5, 1.3 + steps / 2, steps + 2.1],
        labels=["original", f"decoded, in {steps} equal steps of the code", "original"],
    )
    names = (
        ""
        if pair.y is None
        else f" from {class_name(data, pair.y[0])} to {class_name(data, pair.y[1])}"
    )
    head(axes, figure_title(title, model, data.name, f"a walk{names}{told_of(model)}"))
    return finished(figure, axes, tiles)


def styles(
    model: Any,
    data: Data,
    *,
    rows: int = 6,
    title: str | None = None,
) -> Figure:
    """Style against class: the code of one example in each row, decoded under every class.

    Args:
        model: a fitted conditional member, trained with ``condition="label"``.
        data: what it was trained on.
        rows: how many examples lend their style.
        title: a title of your own; an empty one leaves it out.

    Raises:
        InputError: for a model that was trained without labels as its condition.
    """
    require_count("rows", rows)
    known = condition_of(model)
    if not hasattr(known, "labels"):
        raise InputError(
            f"{type(model).__name__} was trained without labels as its condition, so class and"
            " style cannot be told apart: train it with condition='label'."
        )
    part, tiles, names = by_class(shown(data), rows), tiles_for(model, data), known.labels.names
    codes, own = codes_of(model, part, data), known_of(model, part)["condition"]
    figure, axes = sheet(tiles, len(names) + 1.3, len(part), WIDTH)
    tiles.draw(axes, part.x, len(part), 1, pad=1)
    decoded = [
        model.decode(np.repeat(codes[[row]], len(names), 0), names) for row in range(len(part))
    ]
    tiles.draw(axes, np.concatenate(decoded), len(part), len(names), left=1.3, pad=1)
    axes.xaxis.tick_top()
    axes.set_xticks(np.arange(len(names)) + 1.8, labels=[shortened(name) for name in names])
    axes.set_yticks(np.arange(len(part)) + 0.5, labels=[shortened(str(label)) for label in own])
    head(axes, figure_title(title, model, data.name, "the style of one example under every class"))
    return finished(figure, axes, tiles)


def sheet(tiles: Tiles, columns: float, rows: float, width: float) -> tuple[Figure, Axes]:
    """Empty axes for so many tiles, in a figure that fits around them."""
    figure = new_figure(width, width * rows * tiles.aspect / columns + 1.2)
    axes = figure.subplots()
    bare(axes)
    axes.set(xlim=(0, columns), ylim=(rows, 0))
    axes.set_aspect(tiles.aspect)
    return figure, axes


def finished(figure: Figure, axes: Axes, tiles: Tiles) -> Figure:
    """Say under the axes what a tile shows, and take away the room that is left over."""
    label(axes, "\n".join(filter(None, (axes.get_xlabel(), tiles.caption))), axes.get_ylabel())
    return trim(figure)


def _pair(data: Data, between: tuple[int, int] | None) -> Part:
    require_data(data)
    part = data.test if len(data.test) else data.train
    if between is None:
        others = np.arange(1, len(part)) if part.y is None else np.flatnonzero(part.y != part.y[0])
        between = (0, int(others[0]) if len(others) else len(part) - 1)
    if not all(0 <= i < len(part) for i in between):
        raise InputError(
            f"between={between} names rows that data does not have: its test part has {len(part)},"
            " from 0 on."
        )
    return part.take(np.asarray(between))
