"""How the code plane comes about, as an animated picture."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from PIL import Image
from scipy.interpolate import PchipInterpolator

from isthmus.core.memory import require
from isthmus.core.paths import as_path
from isthmus.data.datasets import Data
from isthmus.errors import InputError
from isthmus.figures._classes import legend
from isthmus.figures._evolution import Film, film_of
from isthmus.figures._style import bare, figure_title, head, label, new_figure, over, rule
from isthmus.figures._tiles import Tiles, tiles_for

_PICTURE = 2**20  # bytes
_FRAME = 90  # milliseconds
_GREYS, _CLASSES, _OTHERS = 32, 40, 96  # colours of the palette; there are three of each class
_APART = 12  # of 255: what is nearer to a colour of the palette is not added to it


def evolution_gif(
    model: Any,
    data: Data,
    path: str | Path,
    *,
    labels: np.ndarray | None = None,
    frames: int = 40,
    hold: float = 2.5,
    title: str | None = None,
) -> Path:
    """Write an animated GIF: the code plane beside the decoded plane, through the training.

    Args:
        model: a member that was fitted with ``snapshots``.
        data: what it was trained on.
        path: the file to write; its name ends in ``.gif``.
        labels: labels of the probes; see :func:`~isthmus.figures._evolution`.
        frames: how many pictures; those between two snapshots are interpolated.
        hold: seconds for which the last picture stays.
        title: a title of your own; an empty one leaves it out.

    Returns:
        The path.

    Raises:
        InputError: for a model without snapshots, labels that are not one per probe, and another
            ending.
    """
    from isthmus.core.files import write_bytes  # it loads torch, which no other figure needs

    path = as_path(path, "path")
    if path.suffix.lower() != ".gif":
        raise InputError(
            f"path={str(path)!r} cannot hold an animation: give a name that ends in .gif."
        )
    if frames < 2:
        raise InputError(f"frames={frames} makes no animation: give 2 or more.")
    require(frames * _PICTURE, f"an animation of frames={frames}", "ask for fewer")
    film = film_of(model, data, labels)
    pictures = list(
        _pictures(
            film,
            tiles_for(model, data),
            frames,
            figure_title(title, model, data.name, "while it trains"),
        )
    )
    durations = [_FRAME] * (len(pictures) - 1) + [round(1000 * hold)]
    write_bytes(path, _as_gif(pictures, film.colours, durations))
    return path


def _pictures(film: Film, tiles: Tiles, frames: int, title: str) -> Iterator[Image.Image]:
    """Draw the moments one after another; what never changes is drawn once, beneath all of them."""
    figure = new_figure(7.2, 3.8)
    figure.set_dpi(96)
    canvas: Any = FigureCanvasAgg(figure)  # whose methods have no types
    left, right, cloud = _stage(figure, film, tiles, title)
    for _ in range(2):  # the layout settles in two steps
        canvas.draw()
    figure.set_layout_engine("none")  # and stays, so that nothing jumps
    left.set_visible(False)
    canvas.draw()
    still = canvas.copy_from_bbox(figure.bbox)
    left.set_visible(True)
    lines = rule(right, film.rows, film.columns)
    for epoch, points, decoded in _moments(film, frames):
        canvas.restore_region(still)
        cloud.set_offsets(points)
        film.fit(left, points)
        head(left, f"codes, epoch {epoch}")
        figure.draw_artist(left)
        grid = tiles.draw(right, decoded, film.rows, film.columns)
        for artist in (grid, lines):
            right.draw_artist(artist)
        grid.remove()
        yield Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])


def _stage(
    figure: Figure, film: Film, tiles: Tiles, title: str
) -> tuple[Axes, Axes, PathCollection]:
    """The panels of the codes and of what is decoded, and the points in the first."""
    if film.rows == 1:  # a line of codes and the line of what is decoded: one above the other
        left, right = figure.subplots(2, 1, height_ratios=(5, 1))
    else:
        left, right = figure.subplots(1, 2, gridspec_kw={"wspace": 0.08})
    # the smallest codes have the longest numbers: room is made for those
    cloud = film.draw(left, film.points[0], 7)
    cloud.set_alpha(1)  # few colours, which fit into the palette of a GIF
    label(left, *film.labels)
    head(left, "codes")
    bare(right)
    right.set(xlim=(0, film.columns), ylim=(film.rows, 0), aspect=tiles.aspect)
    head(right, "the decoded plane" if film.rows > 1 else "the decoded line")
    legend(left if film.rows == 1 else right, film.classes)
    over(figure, title)
    return left, right, cloud


def _moments(film: Film, frames: int) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Epoch, points and decoded plane of every picture; points move on smooth curves between."""
    last = len(film.epochs) - 1
    path = PchipInterpolator(np.arange(last + 1), film.points) if last else lambda _: film.points[0]
    for moment in np.linspace(0, last, frames if last else 1):
        before = min(int(moment), max(last - 1, 0))
        share, after = moment - before, min(before + 1, last)
        decoded = (1 - share) * film.grids[before] + share * film.grids[after]
        epoch = (1 - share) * film.epochs[before] + share * film.epochs[after]
        yield round(epoch), path(moment), decoded


def _as_gif(pictures: list[Image.Image], colours: np.ndarray, durations: list[int]) -> bytes:
    """The pictures with one palette."""
    palette = _palette(pictures[-1], colours)
    first, *others = [
        picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures
    ]
    buffer = io.BytesIO()
    first.save(
        buffer, format="GIF", save_all=True, append_images=others, duration=durations, loop=0
    )
    return buffer.getvalue()


def _palette(picture: Image.Image, colours: np.ndarray) -> Image.Image:
    """Greys, the colours of the points in steps towards white, and what else a picture needs.

    Left to itself, a palette follows what covers most of the picture, and classes of few points
    would change colour.
    """
    greys = np.linspace(0, 1, _GREYS)[:, None].repeat(3, axis=1)
    points = np.unique(colours[:, :3], axis=0)[:_CLASSES]
    mixed = [share * points + 1 - share for share in (1.0, 0.7, 0.4)]
    own = (np.concatenate([greys, *mixed]) * 255).round().astype(np.uint8)
    others = np.asarray(picture.quantize(_OTHERS).getpalette(), dtype=np.uint8).reshape(-1, 3)
    nearest = np.abs(others[:, None].astype(int) - own).max(axis=2).min(axis=1)
    palette = Image.new("P", (1, 1))
    palette.putpalette(np.concatenate([own, others[nearest > _APART]])[:256].tobytes())
    return palette
