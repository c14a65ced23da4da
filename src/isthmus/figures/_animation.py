"""Code planes and what is decoded of them, while models train: one film of one or of several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure
from PIL import Image
from scipy.interpolate import PchipInterpolator

from isthmus.core.counts import require_count
from isthmus.core.memory import require
from isthmus.core.paths import as_path
from isthmus.data.datasets import Data
from isthmus.errors import InputError
from isthmus.figures._classes import legend
from isthmus.figures._evolution import Film, film_of
from isthmus.figures._notebook import FilmPath
from isthmus.figures._style import (
    bare,
    figure_title,
    head,
    label,
    new_figure,
    over,
    rule,
    shortened,
)
from isthmus.figures._tiles import Tiles, tiles_for
from isthmus.figures._video import FORMATS, as_gif, as_mp4, ffmpeg

_PICTURE = 2**20  # bytes
_LONGEST = 60  # seconds for which a picture may stay; a GIF holds 655
_PANEL = 3.3  # inches, along an edge


def evolution_gif(
    model: Any,
    data: Data,
    path: str | Path,
    *,
    labels: np.ndarray | None = None,
    frames: int | None = None,
    hold: float = 2.5,
    title: str | None = None,
) -> Path:
    """Write a film of the training: the code plane and the decoded plane, of one model or of
    several at the same pace.

    Below a plane, or beside it, lies what the decoder makes of it, on the same axes. All models
    keep to one clock, the epoch; one whose training is over waits.

    Args:
        model: a member that was fitted with ``snapshots``; or several, as a list, or as
            ``{"AE": ae, "VAE": vae}`` with the names that the film shows.
        data: what they were trained on.
        path: the file to write; its name ends in ``.gif`` or ``.mp4`` (which needs ffmpeg: the
            extra ``video``, or a program on the path).
        labels: labels of the probes; see :func:`~isthmus.figures.evolution`.
        frames: how many pictures; those between two snapshots are interpolated. If not given, 40
            of 90 milliseconds in a GIF, 96 of 40 milliseconds in an MP4.
        hold: seconds for which the last picture stays.
        title: a title of your own; an empty one leaves it out.

    Returns:
        The path; a notebook shows the film.

    Raises:
        InputError: for a model without snapshots, labels that are not one per probe, and another
            ending.
        MissingExtraError: for an MP4 where there is no ffmpeg.
    """
    from isthmus.core.files import write_bytes  # it loads torch, which no other figure needs

    path = as_path(path, "path")
    ending = path.suffix.lower()
    if ending not in FORMATS:
        raise InputError(
            f"path={str(path)!r} cannot hold an animation: give a name that ends in"
            f" {' or '.join(FORMATS)}."
        )
    frames = FORMATS[ending].frames if frames is None else frames
    require_count("frames", frames, 2)
    if not (isinstance(hold, int | float) and 0 <= hold <= _LONGEST):
        raise InputError(f"hold={hold!r} is not usable: give seconds from 0 to {_LONGEST}.")
    require(frames * _PICTURE, f"an animation of frames={frames}", "ask for fewer")
    if ending == ".mp4":
        ffmpeg()  # before anything is drawn
    models = named_models(model)
    cast = [(name, film_of(m, data, labels), tiles_for(m, data)) for name, m in models]
    figure, scenes = _staged(cast, _heading(title, models, data))
    figure.set_dpi(FORMATS[ending].dpi)
    pictures = _pictures(figure, scenes, frames)
    if ending == ".mp4":
        write_bytes(path, as_mp4(pictures, hold))
    else:
        colours = np.concatenate([film.colours for _, film, _ in cast])
        write_bytes(path, as_gif(list(pictures), colours, hold))
    return FilmPath(path)


@dataclass(frozen=True)
class Scene:
    """One model of a film: its snapshots, and the panels in which they are drawn.

    Attributes:
        name: what the film calls it; empty where it is alone.
        film: the snapshots.
        tiles: how examples are drawn.
        plane: the panel of the codes, with their ``cloud``.
        decoded: the panel of what is decoded, with the ``lines`` between its tiles.
    """

    name: str
    film: Film
    tiles: Tiles
    plane: Axes
    decoded: Axes
    cloud: PathCollection
    lines: LineCollection

    @cached_property
    def curves(self) -> PchipInterpolator:
        """Where the points are, by the number of the snapshot."""
        return PchipInterpolator(np.arange(len(self.film.epochs)), self.film.points)

    def at(self, epoch: float) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Points, decoded plane and its box at an epoch; points move on smooth curves between
        snapshots, the others fade.
        """
        film = self.film
        last = len(film.epochs) - 1
        moment = float(np.interp(epoch, film.epochs, np.arange(last + 1)))
        before = min(int(moment), max(last - 1, 0))
        share, after = moment - before, min(before + 1, last)
        decoded = (1 - share) * film.grids[before] + share * film.grids[after]
        box = film.boxes
        box = None if box is None else (1 - share) * box[before] + share * box[after]
        points = film.points[0] if last == 0 else self.curves(moment)
        return points, decoded, box

    def show(self, moves: bool) -> None:
        """Show of the plane what moves, or what stays, which is the legend."""
        (self.plane.set_axis_on if moves else self.plane.set_axis_off)()
        head(self.plane, "")
        self.cloud.set_visible(moves)
        legend = self.plane.get_legend()
        if legend is not None:
            legend.set_visible(not moves)

    def draw(self, epoch: float, figure: Figure) -> None:
        """Draw what moves, as it is at an epoch, onto what stays."""
        film = self.film
        points, decoded, box = self.at(epoch)
        self.cloud.set_offsets(points)
        if box is None:
            film.fit(self.plane, points)
        else:  # where the tiles lie, so that both panels have the same axes
            self.plane.set_xlim(*box[:2])
            if film.rows > 1:
                self.plane.set_ylim(*box[2:])
        head(self.plane, _says(self.name, min(epoch, film.epochs[-1])))
        figure.draw_artist(self.plane)
        grid = self.tiles.draw(self.decoded, decoded, film.rows, film.columns)
        for artist in (grid, self.lines):
            self.decoded.draw_artist(artist)
        grid.remove()


def named_models(model: Any) -> list[tuple[str, Any]]:
    """The models of a film with their names; a single one needs none."""
    if isinstance(model, Mapping):
        found = [(str(name), one) for name, one in model.items()]
    elif isinstance(model, Sequence) and not isinstance(model, str):
        kinds = [type(one).__name__ for one in model]
        found = [
            (f"{kind} {kinds[: i + 1].count(kind)}" if kinds.count(kind) > 1 else kind, one)
            for i, (kind, one) in enumerate(zip(kinds, model, strict=True))
        ]
    else:
        return [("", model)]
    if not found:
        raise InputError("model holds no model: give a fitted member, or several of them.")
    return found


def _heading(title: str | None, models: list[tuple[str, Any]], data: Data) -> str:
    if len(models) == 1 and not models[0][0]:
        return figure_title(title, models[0][1], data.name, "while it trains")
    if title is not None:
        return title
    names = [shortened(name, 24) for name, _ in models]
    *others, last = names
    listed = f"{', '.join(others)} and {last}" if others else last
    return f"{listed} on {shortened(data.name, 24)}: while they train"


def _says(name: str, epoch: float) -> str:
    moment = f"epoch {round(epoch)}" if epoch >= 0.5 else "before training"
    return f"{shortened(name, 24) or 'codes'}, {moment}"


def _staged(cast: list[tuple[str, Film, Tiles]], title: str) -> tuple[Figure, list[Scene]]:
    """The figure, and in it the panels of every model: its codes, and what is decoded.

    A single plane has what is decoded beside it; a line of codes, and several models, below.
    """
    count, is_line = len(cast), all(film.rows == 1 for _, film, _ in cast)
    is_wide = count == 1 and not is_line
    if is_wide:
        figure = new_figure(7.2, 3.8)
        panels = figure.subplots(1, 2, gridspec_kw={"wspace": 0.08}).reshape(2, 1)
    else:
        figure = new_figure(
            max(_PANEL * count + 0.4, 7.2 if is_line else 0), 3.8 if is_line else 2 * _PANEL + 0.7
        )
        heights = (5, 1) if is_line else (1, 1)
        panels = figure.subplots(2, count, squeeze=False, height_ratios=heights)
    scenes = [_set(*one, *pair) for one, pair in zip(cast, panels.T, strict=True)]
    last = scenes[-1]
    beside = last.decoded if is_wide else last.plane
    legend(beside, last.film.classes, [beside])
    over(figure, title)
    return figure, scenes


def _set(name: str, film: Film, tiles: Tiles, plane: Axes, decoded: Axes) -> Scene:
    """Put the first moment of a model into its panels."""
    # the smallest codes have the longest numbers: room is made for those
    cloud = film.draw(plane, film.points[0], 7)
    cloud.set_alpha(1)  # few colours, which fit into the palette of a GIF
    label(plane, *film.labels)
    head(plane, _says(name, 0))
    bare(decoded)
    decoded.set(xlim=(0, film.columns), ylim=(film.rows, 0), aspect=tiles.aspect)
    head(decoded, "the decoded plane" if film.rows > 1 else "the decoded line")
    lines = rule(decoded, film.rows, film.columns)
    return Scene(name, film, tiles, plane, decoded, cloud, lines)


def _pictures(figure: Figure, scenes: list[Scene], frames: int) -> Iterator[Image.Image]:
    """Draw the moments one after another; what never changes is drawn once, beneath all of them."""
    canvas: Any = FigureCanvasAgg(figure)  # whose methods have no types
    for _ in range(2):  # the layout settles in two steps
        canvas.draw()
    figure.set_layout_engine("none")  # and stays, so that nothing jumps
    for scene in scenes:
        scene.show(False)
    canvas.draw()
    still = canvas.copy_from_bbox(figure.bbox)
    for scene in scenes:
        scene.show(True)
    for epoch in _clock(scenes, frames):
        canvas.restore_region(still)
        for scene in scenes:
            scene.draw(epoch, figure)
        yield Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])


def _clock(scenes: list[Scene], frames: int) -> np.ndarray:
    """The epoch of each picture, at the pace of the snapshots of the longest training."""
    epochs = max((scene.film.epochs for scene in scenes), key=lambda e: (e[-1], len(e)))
    last = len(epochs) - 1
    return np.interp(np.linspace(0, last, frames if last else 1), np.arange(last + 1), epochs)
