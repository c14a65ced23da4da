"""How the code plane comes about, as an animated picture."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image
from scipy.interpolate import PchipInterpolator

from isthmus.data.parts import Data
from isthmus.errors import InputError
from isthmus.figures.classes import legend
from isthmus.figures.evolution import Film, film_of
from isthmus.figures.style import bare, head, heading, label, new_figure, over
from isthmus.figures.tiles import Tiles, tiles_for

_FRAME = 80  # milliseconds
_COLOURS = 128  # of one palette for all frames, so that what does not change is not stored again


def evolution_gif(
    model: Any,
    data: Data,
    path: str | Path,
    *,
    labels: np.ndarray | None = None,
    frames: int = 48,
    hold: float = 2.5,
    title: str | None = None,
) -> Path:
    """Write an animated GIF: the code plane beside the decoded plane, from before training to its end.

    Args:
        model: a member that was fitted with ``snapshots``.
        data: what it was trained on.
        path: the file to write; its name ends in ``.gif``.
        labels: labels of the probes; see :func:`~isthmus.figures.evolution`.
        frames: how many pictures; those between two snapshots are interpolated.
        hold: seconds for which the last picture stays.
        title: a title of your own; an empty one leaves it out.

    Returns:
        The path.

    Raises:
        InputError: for a model without snapshots, labels that are not one per probe, and another ending.
    """
    from isthmus.files import write_bytes  # it loads torch, which no other figure needs

    path = Path(path)
    if path.suffix.lower() != ".gif":
        raise InputError(f"path={str(path)!r} cannot hold an animation: give a name that ends in .gif.")
    film = film_of(model, data, labels)
    pictures = list(_pictures(film, tiles_for(model, data), frames, heading(title, model, data.name, "while it trains")))
    durations = [_FRAME] * (len(pictures) - 1) + [round(1000 * hold)]
    write_bytes(path, _as_gif(pictures, durations))
    return path


def _pictures(film: Film, tiles: Tiles, frames: int, title: str) -> Iterator[Image.Image]:
    """Draw the moments one after another, on one canvas."""
    figure = new_figure(8.2, 4.3)
    figure.set_dpi(100)
    canvas = FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    legend(right, film.classes)
    over(figure, title)
    for epoch, points, decoded in _moments(film, frames):
        left.clear()
        film.draw(left, points, 7)
        label(left, *film.labels)
        head(left, f"codes, epoch {epoch}")
        _draw_grid(right, film, tiles, decoded)
        canvas.draw()
        figure.set_layout_engine("none")  # settled by the first picture, so that nothing jumps
        yield Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])


def _draw_grid(axes: Any, film: Film, tiles: Tiles, decoded: np.ndarray) -> None:
    for artist in (*axes.images, *axes.collections):
        artist.remove()
    bare(axes)
    axes.set(xlim=(0, film.columns), ylim=(film.rows, 0))
    axes.set_aspect(tiles.aspect)
    tiles.draw(axes, decoded, film.rows, film.columns)
    head(axes, "what the decoder says over the plane")


def _moments(film: Film, frames: int) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Epoch, points and decoded plane of every picture; the points move along smooth curves through the snapshots."""
    last = len(film.epochs) - 1
    path = PchipInterpolator(np.arange(last + 1), film.points) if last else lambda _: film.points[0]
    for moment in np.linspace(0, last, frames if last else 1):
        before = min(int(moment), max(last - 1, 0))
        share, after = moment - before, min(before + 1, last)
        decoded = (1 - share) * film.grids[before] + share * film.grids[after]
        epoch = (1 - share) * film.epochs[before] + share * film.epochs[after]
        yield round(epoch), path(moment), decoded


def _as_gif(pictures: list[Image.Image], durations: list[int]) -> bytes:
    """The pictures with a common palette, taken from the first, the middle and the last."""
    chosen = [pictures[i] for i in (0, len(pictures) // 2, -1)]
    sheet = Image.fromarray(np.concatenate([np.asarray(picture) for picture in chosen]))
    palette = sheet.quantize(_COLOURS)
    first, *others = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    buffer = io.BytesIO()
    first.save(buffer, format="GIF", save_all=True, append_images=others, duration=durations, loop=0)
    return buffer.getvalue()
