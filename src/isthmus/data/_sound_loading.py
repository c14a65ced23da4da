"""Sound files as windows: how long these are, which files are tested on, what is said of them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from isthmus.core.memory import require, say_if_large
from isthmus.core.wording import listed
from isthmus.data._sources.folders import SOUND_FILES, labels_of_files
from isthmus.data._sources.images import say_unread
from isthmus.data._sources.lazy_sounds import SoundWindows
from isthmus.data._sources.sounds import Clip, Clips, looked_at_sounds
from isthmus.data._splitting import selections
from isthmus.data.datasets import Data
from isthmus.data.rows import Rows
from isthmus.data.series import window_starts
from isthmus.data.sounds import Sounds
from isthmus.data.streams import Stream
from isthmus.errors import DataWarning, InputError

_PADDED = 2  # longest sounds to a window, beyond which most of it is padding
_LARGE = 2**30  # bytes of windows beyond which files are read when they are needed
_SILENT = 1e-4  # what no step of a silent file reaches: 80 dB below the greatest
_LOUD = 1.1  # and what a file that was scaled as sound does not


@dataclass(frozen=True)
class SoundOptions:
    """How sounds are read; None where the files, or ``like``, decide.

    Attributes:
        window: steps of a window, or seconds as a float.
        stride: steps, or seconds as a float, from one window to the next; a window if not given.
        sample_rate: steps a second to which all are resampled.
        mono: whether all channels are mixed down to one.
        skip_unreadable: whether files that cannot be read are left out.
        stream: whether windows are read when they are needed.
        like: a trained member, whose rate, channels and windows count.
    """

    window: int | float | None = None
    stride: int | float | None = None
    sample_rate: int | None = None
    mono: bool | None = None
    skip_unreadable: bool = False
    stream: bool = False
    like: Any = None


def load_sounds(path: Path, options: SoundOptions, test_fraction: float) -> Data:
    """Sounds in two parts: whole files are tested on, or the end of a single one.

    ``source`` has the window and stride that were settled, in steps.
    """
    settled, found = _settled(path, options)
    length, stride = _windows(found, settled)
    read = [
        _sounds(replace(found, clips=clips), settled, length, stride)
        for clips in _parts(found, test_fraction, length)
    ]
    train, test = (_labelled(sounds, found) for sounds, _ in read)
    unread = (*found.unread, *(name for _, names in read for name in names))
    said = {
        "window": length,
        "stride": stride,
        "sample_rate": options.sample_rate,
        "mono": options.mono or None,
        "skip_unreadable": options.skip_unreadable or None,
        "stream": options.stream or None,
        "test_fraction": test_fraction,
    }
    return Data(
        path.resolve().name,
        train,
        test,
        train.classes,
        source={name: value for name, value in said.items() if value is not None},
        unread=unread,
        notes=(*found.notes, *_cut_note(found, options, length)),
    )


def read_sounds(path: Path, options: SoundOptions) -> tuple[Sounds, Clips]:
    """All sounds of a path, in the order of their names; and what the files said of themselves."""
    settled, found = _settled(path, options)
    sounds, unread = _sounds(found, settled, *_windows(found, settled))
    return _labelled(sounds, found), replace(found, unread=(*found.unread, *unread))


def steps_in(value: Any, sample_rate: int, name: str) -> int:
    """Steps, of steps as a whole number or of seconds as a float.

    Example:
        >>> steps_in(0.5, 8000, "window"), steps_in(512, 8000, "window")
        (4000, 512)
    """
    is_number = isinstance(value, int | float | np.integer | np.floating)
    if isinstance(value, bool) or not is_number or not 0 < float(value) < math.inf:
        raise InputError(
            f"{name}={value!r} is not usable: give steps as a whole number from 1 up, or seconds"
            " with a point, such as 1.0."
        )
    steps = round(value * sample_rate) if isinstance(value, float | np.floating) else int(value)
    return max(steps, 1)


def _settled(path: Path, options: SoundOptions) -> tuple[SoundOptions, Clips]:
    """The files, looked at; and the options with what ``like`` says of them."""
    known = None if options.like is None else options.like.preprocessor_
    if known is None or known.spec.kind != "signal":
        return options, _looked_at(path, options)
    channels, length = known.spec.shape
    rate = known.spec.sample_rate or options.sample_rate
    _refuse_other(options, "sample_rate", options.sample_rate == rate)
    wants = None if options.window is None else steps_in(options.window, rate or 1, "window")
    _refuse_other(options, "window", wants == length)
    stride = options.stride or known.stride or length
    wanted = replace(options, sample_rate=rate, window=length, stride=stride)
    found = _looked_at(path, replace(wanted, mono=channels == 1))
    if found.form.channels != channels:
        raise InputError(
            f"{found.clips[0].file.path} has {found.form.channels} channels, but this"
            f" {type(options.like).__name__} was trained on {channels}: give sounds with as many."
        )
    return wanted, replace(found, notes=(*found.notes, *_changes(found, options)))


def _changes(found: Clips, options: SoundOptions) -> tuple[str, ...]:
    """What is done to files so that they are what ``like`` was trained on, where nobody asked."""
    form, heads = found.form, [clip.head for clip in found.clips]
    other = sorted({head.sample_rate for head in heads} - {form.sample_rate})
    more = sum(head.channels != form.channels for head in heads)
    said = []
    if other and options.sample_rate is None:
        count = sum(head.sample_rate != form.sample_rate for head in heads)
        least, most = f"{other[0]:,}", f"{other[-1]:,}"
        rates = least if len(other) == 1 else f"rates between {least} and {most}"
        said.append(
            f"{_sounds_are(count)} resampled from {rates} to {form.sample_rate:,} steps a second"
        )
    if more and options.mono is None:
        said.append(f"{_sounds_are(more)} mixed down to one channel")
    trained = f"which {type(options.like).__name__} was trained on"
    return (f"{', and '.join(said)}, {trained}.",) if said else ()


def _refuse_other(options: SoundOptions, name: str, fits: bool) -> None:
    """Refuse what is said of sounds where it is not what ``like`` was trained on."""
    given = getattr(options, name)
    if given is not None and not fits:
        raise InputError(
            f"{name}={given!r} does not fit this {type(options.like).__name__}, which was trained"
            f" on {options.like.preprocessor_.spec}: leave it out."
        )


def _looked_at(path: Path, options: SoundOptions) -> Clips:
    return looked_at_sounds(
        path,
        sample_rate=options.sample_rate,
        mono=bool(options.mono),
        skip_unreadable=options.skip_unreadable,
    )


def _windows(found: Clips, options: SoundOptions) -> tuple[int, int]:
    """Steps of a window, and from one to the next.

    Where nobody says it, a window is the longest file, or the power of two next to one second where
    that is shorter.
    """
    rate = found.form.sample_rate
    longest = max(map(len, found.clips))
    if options.window is None:
        length = min(longest, 2 ** round(math.log2(rate)))
    else:
        length = steps_in(options.window, rate, "window")
        _say_if_long(length, longest, rate, options)
    stride = length if options.stride is None else steps_in(options.stride, rate, "stride")
    return length, stride


def _say_if_long(length: int, longest: int, rate: int, options: SoundOptions) -> None:
    """Say that windows are mostly padding, unless they are those that a member was trained on."""
    if options.like is None and length > _PADDED * longest:
        warnings.warn(
            f"window={options.window!r} is {length:,} steps at {rate:,} Hz, but the longest sound"
            f" has {longest:,}: most of each example is padding, so give a shorter window.",
            DataWarning,
            stacklevel=2,
        )


def _parts(found: Clips, test_fraction: float, length: int) -> list[tuple[Clip, ...]]:
    """The files of the training part and of the test part, or two stretches of a single file."""
    clips = found.clips
    if len(clips) == 1:
        return _stretches(clips[0], test_fraction, length)
    y, classes = labels_of_files([clip.file for clip in clips])
    rows = Rows(np.empty((len(clips), 1)), y, classes, train_rows=found.train)
    order = np.arange(len(clips))
    chosen = [np.sort(order[rows]) for rows in selections(rows, test_fraction)]
    return [tuple(clips[place] for place in places) for places in chosen]


def _stretches(clip: Clip, test_fraction: float, length: int) -> list[tuple[Clip, ...]]:
    if test_fraction == 0:
        return [(clip,), ()]
    count = max(round(len(clip) * test_fraction), length)
    if len(clip) - count < length:
        raise InputError(
            f"{clip.file.path} has {len(clip):,} steps, too few for a training and a test part with"
            f" windows of {length:,}: give more sounds, a shorter window, or test_fraction=0."
        )
    border = clip.stop - count
    return [(replace(clip, stop=border),), (replace(clip, start=border),)]


def _sounds(
    found: Clips, options: SoundOptions, length: int, stride: int
) -> tuple[Sounds, Sequence[str]]:
    """The windows of some files, read now or when they are needed; and the names of those that
    could not be read.
    """
    clips, form = found.clips, found.form
    begins = [window_starts(len(clip), length, stride) for clip in clips]
    places = np.repeat(np.arange(len(clips)), [len(some) for some in begins])
    starts = np.concatenate([np.zeros(0, dtype=np.int64), *begins]).astype(np.int64)
    source = SoundWindows(clips, form, places, starts, length)
    x: np.ndarray | Stream
    unread: Sequence[int] = ()
    size = prod(source.shape) * source.dtype.itemsize
    if options.stream or size > _LARGE:
        x = Stream(source)
    else:
        remedy = "give a larger stride, or read them with stream=True"
        require(size, f"an array of {len(places):,} windows of {length:,} steps", remedy)
        say_if_large(size, f"the array of {len(places)} windows")
        x, unread = source.read_all(skip_unreadable=options.skip_unreadable)
    sounds = Sounds(
        x=x,
        kind="signal",
        stride=stride,
        starts=starts,
        places=places,
        files=tuple(clip.file.name for clip in clips),
        steps=np.array([len(clip) for clip in clips], dtype=np.int64),
        sample_rate=form.sample_rate,
    )
    names = [sounds.files[place] for place in unread]
    if unread:
        say_unread(names, SOUND_FILES)
        sounds = sounds.take(~np.isin(places, unread))
    if not isinstance(x, Stream):
        _say_levels(sounds, clips)
    return sounds, names


def _labelled(sounds: Sounds, found: Clips) -> Sounds:
    """Windows with the classes of their files, ``(n,)`` indices into their names."""
    y, classes = labels_of_files([clip.file for clip in found.clips])
    if y is None:
        return sounds
    labels = {clip.file.name: label for clip, label in zip(found.clips, y, strict=True)}
    of_files = np.array([labels[name] for name in sounds.files], dtype=np.int64)
    return replace(sounds, y=of_files[sounds.places], classes=classes)


def _cut_note(found: Clips, options: SoundOptions, length: int) -> tuple[str, ...]:
    """What was decided where nobody said how long a window is."""
    longest = max(map(len, found.clips))
    if options.window is not None or options.like is not None or longest == length:
        return ()
    rate = found.form.sample_rate
    return (
        f"sounds of up to {longest / rate:.3g} s are cut into windows of {length} steps"
        f" ({length / rate:.3g} s): pass window to say how long they shall be.",
    )


def _say_levels(sounds: Sounds, clips: Sequence[Clip]) -> None:
    """Say which files are silent throughout, and which go beyond what sound may reach; a filter for
    another rate may.
    """
    peaks = np.zeros(len(clips))
    for window, place in zip(np.asarray(sounds.x), sounds.places, strict=True):
        peaks[place] = max(peaks[place], np.nanmax(window), -np.nanmin(window))
    known = np.isin(np.arange(len(peaks)), sounds.places)
    own = np.array([clip.head.sample_rate == sounds.sample_rate for clip in clips], dtype=bool)
    for chosen, what, remedy in (
        (known & (peaks < _SILENT), "silent", "take out what shall not be learnt"),
        (own & (peaks > _LOUD), "beyond [-1, 1]", "divide by the greatest value, or save again"),
    ):
        names = [sounds.files[place] for place in np.flatnonzero(chosen)]
        if names:
            warnings.warn(
                f"{_sounds_are(len(names))} {what} ({listed(names)}): {remedy}.",
                DataWarning,
                stacklevel=3,
            )


def _sounds_are(count: int) -> str:
    return "1 sound is" if count == 1 else f"{count} sounds are"
