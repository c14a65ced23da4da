"""Sounds and what comes back, as waves and as spectrograms that are read in seconds and in Hz."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from isthmus.core.counts import require_count
from isthmus.data.datasets import Data, Part, known_of, named_for
from isthmus.data.sounds import Sounds
from isthmus.data.spectra import decibels, mel_spectrogram, mels_of
from isthmus.errors import InputError
from isthmus.figures._classes import by_class, class_name
from isthmus.figures._codes import kind_of, shown
from isthmus.figures._style import (
    INK,
    PALETTE,
    SMALL,
    TEXT,
    WIDTH,
    figure_title,
    new_figure,
    over,
    quiet,
)
from isthmus.figures._waves import outline

_PER_ROW = 4  # sounds side by side that can still be read
_DEPTH = 70.0  # dB below the loudest place that a spectrogram shows
_HEARD = 0.01  # what a sound reaches that is worth a picture
_TICKS = (100, 300, 1000, 3000, 10000)  # Hz
_BUCKETS = 500
_HEIGHT = 1.15  # inches of a panel


def waveforms(
    model: Any, data: Data, *, columns: int = _PER_ROW, title: str | None = None
) -> Figure:
    """Test sounds as waves, of every class in turn, and under each what comes back.

    Args:
        model: a fitted model of sounds.
        data: what it was trained on.
        columns: how many sounds.
        title: a title of your own; an empty one leaves it out.

    Raises:
        InputError: for a model that was not trained on sounds.
    """
    part, originals, restored, rate = _pairs(model, data, columns, "waveforms")
    peak = float(max(np.abs(np.nan_to_num(originals)).max(), _HEARD))
    figure, panels = _sheet(len(part))
    rows = _rows(panels, [_named(data, part), originals, restored])
    for axes, (name, original, back) in rows:
        for place, (below, sound, colour) in enumerate(
            zip(axes, (original, back), (INK, PALETTE[0]), strict=True)
        ):
            _wave(below, sound, rate, peak, colour)
            _head(below, name if place == 0 else "reconstruction")
    _finish(figure, panels, len(part), "seconds", "amplitude")
    over(figure, figure_title(title, model, data.name, f"waves of {kind_of(data)} sounds"))
    return figure


def spectrograms(
    model: Any, data: Data, *, columns: int = _PER_ROW, title: str | None = None
) -> Figure:
    """Mel spectrograms of test sounds, of every class in turn, and under each what comes back.

    Args:
        model: a fitted model of sounds.
        data: what it was trained on.
        columns: how many sounds.
        title: a title of your own; an empty one leaves it out.

    Raises:
        InputError: for a model that was not trained on sounds.
    """
    part, originals, restored, rate = _pairs(model, data, columns, "spectrograms")
    figure, panels = _sheet(len(part))
    loudest = _loudest(originals, rate)
    rows = _rows(panels, [_named(data, part), originals, restored])
    image = None
    for axes, (name, original, back) in rows:
        for place, (below, sound) in enumerate(zip(axes, (original, back), strict=True)):
            image = _spectrogram(below, sound, rate, loudest)
            _head(below, name if place == 0 else "reconstruction")
    _finish(figure, panels, len(part), "seconds", "Hz")
    _bar(figure, image, panels)
    what = f"mel spectrograms of {kind_of(data)} sounds"
    over(figure, figure_title(title, model, data.name, what))
    return figure


def spectrograms_of(
    sounds: np.ndarray, sample_rate: int, title: str, columns: int = _PER_ROW
) -> Figure:
    """Mel spectrograms of sounds ``(n, channels, time)`` alone, side by side."""
    count = len(sounds)
    per_row = min(columns, count)
    lines = -(-count // per_row)
    figure = new_figure(WIDTH, _HEIGHT * lines + 0.9)
    panels = figure.subplots(lines, per_row, squeeze=False, sharex=True, sharey=True)
    loudest, image = _loudest(sounds, sample_rate), None
    for axes, sound in zip(panels.flat, sounds, strict=False):
        image = _spectrogram(axes, sound, sample_rate, loudest)
    for axes in panels.flat[count:]:
        axes.set_visible(False)
    figure.supxlabel("seconds", fontsize=TEXT, color=INK)
    figure.supylabel("Hz", fontsize=TEXT, color=INK)
    _bar(figure, image, panels)
    over(figure, title)
    return figure


def rate_of(model: Any) -> int | None:
    """Steps a second of the sounds that a model was trained on; None of any other model."""
    return getattr(
        getattr(getattr(model, "preprocessor_", None), "spec", None), "sample_rate", None
    )


def heard(part: Part) -> Part:
    """The examples of a part that are not silent, or all of them where each is; of windows, the
    first of every file comes first.
    """
    peaks = np.abs(np.nan_to_num(np.asarray(part.x))).reshape(len(part), -1).max(axis=1)
    chosen = np.flatnonzero(peaks > _HEARD) if (peaks > _HEARD).any() else np.arange(len(part))
    if isinstance(part, Sounds):
        places, turns = part.places[chosen], np.empty(len(chosen), dtype=int)
        for place in np.unique(places):
            turns[places == place] = np.arange(np.count_nonzero(places == place))
        chosen = chosen[np.argsort(turns, kind="stable")]
    return part.take(chosen)


def _pairs(
    model: Any, data: Data, columns: int, figure: str
) -> tuple[Part, np.ndarray, np.ndarray, int]:
    """Some sounds of every class in turn, ``(n, channels, time)``, and what comes back."""
    require_count("columns", columns)
    rate = rate_of(model)
    if rate is None:
        known = getattr(model, "preprocessor_", None)
        learnt = "was not trained on any" if known is None else f"was trained on {known.spec}"
        raise InputError(
            f"{figure} are of sounds, but {type(model).__name__} {learnt}: take reconstructions."
        )
    part = by_class(heard(shown(data)), columns)
    x = named_for(model, part.x, data)
    restored = np.asarray(model.reconstruct(x, **known_of(model, part)))
    shape = (len(part), *model.preprocessor_.spec.shape)
    return part, np.asarray(x).reshape(shape), restored.reshape(shape), rate


def _named(data: Data, part: Part) -> list[str]:
    """What stands over each original."""
    if part.y is None:
        return ["original"] * len(part)
    return [class_name(data, y, 16) for y in part.y]


def _sheet(count: int) -> tuple[Figure, np.ndarray]:
    """Panels for so many sounds: pairs of rows, an original above what comes back."""
    per_row = min(count, _PER_ROW)
    lines = 2 * -(-count // per_row)
    figure = new_figure(WIDTH, _HEIGHT * lines + 0.7)
    return figure, figure.subplots(lines, per_row, squeeze=False, sharex=True, sharey=True)


def _rows(panels: np.ndarray, values: Sequence[Any]) -> list[tuple[list[Axes], tuple[Any, ...]]]:
    """The two panels of each sound, and what is drawn there."""
    per_row = panels.shape[1]
    found = []
    for place, one in enumerate(zip(*values, strict=True)):
        line, column = divmod(place, per_row)
        found.append(([panels[2 * line, column], panels[2 * line + 1, column]], one))
    return found


def _wave(axes: Axes, sound: np.ndarray, rate: int, peak: float, colour: str) -> None:
    quiet(axes, 3)
    steps = sound.mean(axis=0)
    low, high = outline(steps, _BUCKETS)
    at = np.linspace(0, len(steps) / rate, len(low))
    axes.fill_between(at, low, high, color=colour, linewidth=0.4, edgecolor=colour)
    axes.set(xlim=(0, len(steps) / rate), ylim=(-1.05 * peak, 1.05 * peak))


def _spectrogram(axes: Axes, sound: np.ndarray, rate: int, loudest: float) -> Any:
    quiet(axes, 3)
    power = mel_spectrogram(np.nan_to_num(sound).mean(axis=0), rate)
    image = axes.imshow(
        decibels(power / loudest),
        origin="lower",
        aspect="auto",
        cmap="magma",
        vmin=-_DEPTH,
        vmax=0,
        interpolation="nearest",
        extent=(0, sound.shape[1] / rate, 0, float(mels_of(rate / 2))),
    )
    ticks = [hertz for hertz in _TICKS if hertz < 0.9 * rate / 2]
    names = [f"{hertz:,}" for hertz in ticks]
    axes.set_yticks([float(mels_of(hertz)) for hertz in ticks], labels=names)
    return image


def _loudest(sounds: np.ndarray, rate: int) -> float:
    """The power of the loudest place of all spectrograms."""
    power = mel_spectrogram(np.nan_to_num(sounds).mean(axis=1), rate)
    return float(max(power.max(), 1e-12))


def _head(axes: Axes, text: str) -> None:
    axes.set_title(text, loc="left", fontsize=SMALL, color=INK, pad=3)


def _finish(figure: Figure, panels: np.ndarray, count: int, x: str, y: str) -> None:
    """Hide the panels that hold nothing, and say what both axes are."""
    per_row = panels.shape[1]
    for place in range(count, panels.size // 2):
        line, column = divmod(place, per_row)
        for axes in (panels[2 * line, column], panels[2 * line + 1, column]):
            axes.set_visible(False)
    figure.supxlabel(x, fontsize=TEXT, color=INK)
    figure.supylabel(y, fontsize=TEXT, color=INK)


def _bar(figure: Figure, image: Any, panels: np.ndarray) -> None:
    """What the colours of spectrograms mean."""
    bar = figure.colorbar(image, ax=panels, fraction=0.03, pad=0.02, aspect=30)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=SMALL, labelcolor=INK, length=2)
    bar.set_label("dB below the loudest", fontsize=SMALL, color=INK)
