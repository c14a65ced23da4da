"""Sound files: what their heads say, one rate and one number of channels for all, and their steps.

soundfile reads them; steps are float32 in [-1, 1], as every format of sound files means them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil, gcd
from pathlib import Path
from typing import Any, cast

import numpy as np

from isthmus.core.counts import require_count
from isthmus.data._sources.folders import SOUND_FILES, LabelledFile, Listing, list_folder
from isthmus.data._sources.images import say_unread
from isthmus.data._sources.progress import track
from isthmus.errors import InputError, missing_extra

_REACH = 10  # scipy's polyphase filter reaches so many steps of the slower rate to either side
_FARTHEST = 100  # times as fast or slow as another rate, beyond which one is a slip


@dataclass(frozen=True)
class SoundHead:
    """What a sound file says of itself.

    Attributes:
        sample_rate: steps a second.
        channels: how many values a step has.
        steps: how many there are.
        form, subtype: how they are stored, such as ``"WAV"`` and ``"PCM_16"``.
    """

    sample_rate: int
    channels: int
    steps: int
    form: str = "WAV"
    subtype: str = "PCM_16"


@dataclass(frozen=True)
class SoundForm:
    """What all files are brought to.

    Attributes:
        sample_rate: steps a second.
        channels: how many values a step has; 1 mixes all channels down.
    """

    sample_rate: int
    channels: int


@dataclass(frozen=True)
class Clip:
    """A sound file, or a stretch of one, in steps of the rate that all are brought to.

    Attributes:
        file: where it lies, and its class.
        head: what it says of itself.
        start, stop: the stretch.
    """

    file: LabelledFile
    head: SoundHead
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True)
class Clips:
    """Sound files that were looked at.

    Attributes:
        clips: those that can be read.
        form: what they are brought to.
        train: how many at the front are the training part, where the folder has parts.
        unread: the names of those that were left out because they cannot be read.
        notes: what was found, a sentence each.
    """

    clips: tuple[Clip, ...]
    form: SoundForm
    train: int | None = None
    unread: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def looked_at_sounds(
    path: Path,
    *,
    sample_rate: int | None = None,
    mono: bool = False,
    skip_unreadable: bool = False,
) -> Clips:
    """List one sound or a folder of them, read all heads, and settle rate and channels.

    Where sounds lie in sub-folders and beside them, there are no classes, and a note says so.

    Raises:
        InputError: for files of several rates or channels, unless ``sample_rate`` or ``mono`` says
            what they are brought to; for files that are damaged or empty, unless
            ``skip_unreadable``.
    """
    if sample_rate is not None:
        require_count("sample_rate", sample_rate)
    listing, notes = _listed(path)
    kept, unread = _inspected(path, listing, skip_unreadable)
    if sample_rate is not None:
        for known in sorted({head.sample_rate for _, head in kept}):
            require_rate(sample_rate, known)
    form = _form(kept, sample_rate, mono)
    clips = [Clip(file, head, 0, _steps_at(head, form.sample_rate)) for file, head in kept]
    front = set(listing.files[: listing.train])
    train = None if listing.train is None else sum(file in front for file, _ in kept)
    return Clips(tuple(clips), form, train, tuple(unread), notes)


def listed_sounds(path: Path, *, skip_unreadable: bool = False) -> tuple[list[Clip], list[str]]:
    """One sound or those of a folder, each whole and at its own rate; and the names of what cannot
    be read, which is refused unless ``skip_unreadable``.
    """
    kept, unread = _inspected(path, _listed(path)[0], skip_unreadable)
    return [Clip(file, head, 0, head.steps) for file, head in kept], unread


def read_sound(clip: Clip) -> np.ndarray:
    """All steps of a sound as they are stored, ``(time, channels)``, float32."""
    form = SoundForm(clip.head.sample_rate, clip.head.channels)
    return _between(clip, form, clip.start, clip.stop).T


def _inspected(
    path: Path, listing: Listing, skip_unreadable: bool
) -> tuple[list[tuple[LabelledFile, SoundHead]], list[str]]:
    """The files whose heads can be read, and the names of the others."""
    kept, unread = [], []
    for file in track(listing.files, "looking at sounds"):
        try:
            kept.append((file, sound_head(file.path)))
        except InputError as error:
            if not skip_unreadable or isinstance(error, ImportError):
                raise
            unread.append(file.name)
    if not kept:
        raise InputError(f"{path} holds no sound that can be read: name another.")
    if unread:
        say_unread(unread, SOUND_FILES)
    return kept, unread


def _listed(path: Path) -> tuple[Listing, tuple[str, ...]]:
    if not path.is_dir():
        return Listing((LabelledFile(path, path.name),)), ()
    loose = min((one.name for one in path.iterdir() if SOUND_FILES.has(one.name)), default=None)
    listing = list_folder(path, SOUND_FILES, strict=loose is None)
    if loose is None or all(file.path.parent == path for file in listing.files):
        return listing, ()
    note = f"{path} holds sounds in sub-folders and beside them ({loose}): none has a label."
    return listing, (note,)


def sound_head(path: Path) -> SoundHead:
    """What the head of a sound file says.

    Raises:
        InputError: for a file that is damaged or holds no steps; without soundfile.
    """
    with _opened(path) as file:
        numbers = int(file.samplerate), int(file.channels), int(file.frames)
        head = SoundHead(*numbers, file.format, file.subtype)
    if head.steps < 1 or head.sample_rate < 1:
        raise InputError(
            f"{path} holds no sound (0 steps): take it out, or pass skip_unreadable=True."
        )
    return head


def read_steps(clip: Clip, form: SoundForm, start: int, count: int) -> np.ndarray:
    """Steps of a clip at the common rate, ``(channels, count)``, float32; NaN behind its end.

    A stretch is exactly what the whole file would have there: where the rate is changed, as much
    more is read as the filter reaches.
    """
    found = np.full((form.channels, count), np.nan, dtype=np.float32)
    stop = min(clip.start + start + count, clip.stop)
    steps = _between(clip, form, clip.start + start, stop)
    found[:, : steps.shape[1]] = steps
    return found


def resampled(x: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """Steps ``(…, time)`` at another rate, by scipy's polyphase filter; ``⌈time · wanted/rate⌉``.

    Args:
        x: the steps.
        rate: steps a second that they have.
        wanted: steps a second that they get.
    """
    if rate == wanted:
        return x
    from scipy.signal import resample_poly

    up, down = _ratio(rate, wanted)
    found: np.ndarray = resample_poly(x.astype(np.float64), up, down, axis=-1)
    return found.astype(np.float32)


def require_rate(sample_rate: object, known: int) -> None:
    """Refuse to bring steps to a rate, or from one, that is out of all proportion to another: the
    filter would be longer than any sound.

    Args:
        sample_rate: the rate that was asked for.
        known: the other one.
    """
    require_count("sample_rate", sample_rate)
    least, most = ceil(known / _FARTHEST), known * _FARTHEST
    if not least <= cast("int", sample_rate) <= most:
        raise InputError(
            f"sample_rate={sample_rate!r} is not usable beside sounds of {known} steps a second:"
            f" give one from {least} to {most}."
        )


def _between(clip: Clip, form: SoundForm, start: int, stop: int) -> np.ndarray:
    """Steps ``(channels, stop - start)`` of a file at the common rate."""
    rate = clip.head.sample_rate
    up, down = _ratio(rate, form.sample_rate)
    reach = 0 if up == down else ceil(_REACH * max(up, down) / up) + 1
    # a step of the file that meets one of the common rate, far enough in front
    first = max(0, start * down // up - reach) // down * down
    last = min(clip.head.steps, ceil(stop * down / up) + reach)
    with _opened(clip.file.path) as file:
        if first:
            file.seek(first)
        steps = file.read(last - first, dtype="float32", always_2d=True).T  # (channels, time)
    if steps.shape[1] != last - first:
        raise InputError(
            f"{clip.file.path} is damaged or incomplete (its steps end at"
            f" {first + steps.shape[1]:,} of {clip.head.steps:,}): write or copy it again."
        )
    if form.channels == 1 and len(steps) > 1:
        steps = steps.mean(axis=0, keepdims=True)
    offset = start - first * up // down
    changed = resampled(steps, rate, form.sample_rate)[:, offset : offset + stop - start]
    return np.ascontiguousarray(changed)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A sound file, open for reading; what its library says of damage names the file."""
    try:
        import soundfile
    except ImportError as error:
        raise missing_extra("soundfile", "sound", f"reading the sound {path}") from error
    try:
        with soundfile.SoundFile(str(path)) as file:
            yield file
    except soundfile.SoundFileError as error:
        said = str(getattr(error, "error_string", error)).strip().rstrip(".")
        raise InputError(
            f"{path} is damaged or is no sound ({said}): write or copy it again."
        ) from error


def _ratio(rate: int, wanted: int) -> tuple[int, int]:
    """How many steps become how many, as two whole numbers: ``(up, down)``."""
    common = gcd(rate, wanted)
    return wanted // common, rate // common


def _steps_at(head: SoundHead, rate: int) -> int:
    up, down = _ratio(head.sample_rate, rate)
    return -(-head.steps * up // down)


def _form(
    kept: Sequence[tuple[LabelledFile, SoundHead]], sample_rate: int | None, mono: bool
) -> SoundForm:
    """The rate and channels of all files, which must be one unless it is said what they become."""
    first, head = kept[0]
    for file, other in kept:
        if sample_rate is None and other.sample_rate != head.sample_rate:
            lower = min(head.sample_rate, other.sample_rate)
            raise InputError(
                f"the sounds differ in rate: {first.path} has {head.sample_rate} steps a second,"
                f" {file.path} has {other.sample_rate}: pass sample_rate={lower} to resample them"
                " all."
            )
        if not mono and other.channels != head.channels:
            raise InputError(
                f"the sounds differ in channels: {first.path} has {head.channels}, {file.path} has"
                f" {other.channels}: pass mono=True to mix them all down to one."
            )
    return SoundForm(sample_rate or head.sample_rate, 1 if mono else head.channels)
