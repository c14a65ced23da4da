"""Sounds in, sounds out: a folder, or a single file, through a trained member; and new ones."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from isthmus._cli.shared import require_labels, say
from isthmus.core.wording import listed
from isthmus.errors import DataWarning, InputError

if TYPE_CHECKING:
    import numpy as np

    from isthmus.data._sources.sounds import Clip

_FEW = 8  # new sounds; more are not listened to

Target: TypeAlias = Literal["folder", "sound"] | None


def sound_target(source: str, out: Path) -> Target:
    """Whether sounds are to be written one by one into a folder, or one as another; None where no
    sounds are.
    """
    from isthmus.data._reading import holds_sounds
    from isthmus.data._sources.sound_files import is_sound

    if not holds_sounds(source) or (out.suffix and not is_sound(out) and not out.is_dir()):
        return None
    if is_sound(out) and not out.is_dir():
        if Path(source).expanduser().is_dir():
            raise InputError(f"{out} is one sound, but {source} is a folder: name a folder.")
        return "sound"
    return "folder"


def restore_sounds(
    model: Any,
    source: str,
    out: Path,
    *,
    command: str,
    told: Mapping[str, Any],
    overwrite: bool,
    skip_unreadable: bool,
    as_json: bool,
) -> None:
    """Write what is made of every sound: under its own name into a folder, or as one file.

    Each keeps its format, its rate, its channels and its length. A folder is written as a whole:
    what was there stays until every sound has been made.
    """
    from isthmus._cli import exports, pictures
    from isthmus.core.files import write_bytes
    from isthmus.core.paths import as_path
    from isthmus.data._sources.sounds import listed_sounds

    is_folder = sound_target(source, out) == "folder"
    if is_folder:
        pictures.require_target(source, out, command, overwrite)
    else:
        exports.refuse_existing(out, overwrite)
    path = as_path(source, "source")
    clips, unread = listed_sounds(path, skip_unreadable=skip_unreadable)
    made = SoundRestoration(model, source, command, told, skip_unreadable, unread)
    if is_folder:
        names = [clip.file.name for clip in clips]
        with pictures.filling(out, source, names, command=command, overwrite=overwrite) as new:
            for name, content in made.of(clips):
                new.write(name, content)
            made.require_some()
    else:
        for _, content in made.of(clips, out.suffix):
            write_bytes(out, content)
        made.require_some()
    made.tell(out, as_json)


class SoundRestoration:
    """What a member makes of sounds, one after the other.

    Args:
        model: the member.
        source: where the sounds come from, for messages.
        command: what is made of them, ``"reconstruct"`` or ``"denoise"``.
        told: what the member is told while it decodes.
        skip_unreadable: whether sounds that cannot be read are left out.
        unread: the names of those that were left out already.
    """

    def __init__(
        self,
        model: Any,
        source: str,
        command: str,
        told: Mapping[str, Any],
        skip_unreadable: bool,
        unread: Sequence[str],
    ) -> None:
        self.model, self.source, self.told = model, source, told
        self.restore = model.denoise if command == "denoise" else None
        self.skip_unreadable, self.unread = skip_unreadable, list(unread)
        self.seconds, self.count = 0.0, 0
        self.peaks = Peaks()

    def of(self, clips: Sequence[Clip], ending: str | None = None) -> Iterator[tuple[str, bytes]]:
        """The name and the file of each sound, in its own format or that of an ``ending``."""
        from isthmus.core.files import speaking_of
        from isthmus.data._sources.folders import SOUND_FILES
        from isthmus.data._sources.images import say_unread
        from isthmus.data._sources.progress import track
        from isthmus.data._sources.sound_files import sound_bytes
        from isthmus.data._sources.sounds import read_sound
        from isthmus.data.datasets import condition_of
        from isthmus.estimators.sounds import restore_sound

        damaged = []
        is_conditional = condition_of(self.model) is not None
        for clip in track(clips, "restoring sounds"):
            head, label = clip.head, clip.file.label if is_conditional else None
            if is_conditional and not self.told:
                require_labels(label, str(clip.file.path))
            try:
                x = read_sound(clip)
            except InputError:
                if not self.skip_unreadable:
                    raise
                damaged.append(clip.file.name)
                continue
            label = label or self.told.get("condition")
            with speaking_of(clip.file.path):
                restored = restore_sound(
                    self.model, x, head.sample_rate, label=label, restore=self.restore, **self.told
                )
            stored = None if ending else (head.form, head.subtype)
            content, factor = sound_bytes(ending or "", restored, head.sample_rate, stored)
            self.peaks.add(clip.file.name, factor)
            self.count, self.seconds = self.count + 1, self.seconds + len(x) / head.sample_rate
            yield clip.file.name, content
        if damaged:
            say_unread(damaged, SOUND_FILES)
            self.unread += damaged

    def require_some(self) -> None:
        """Refuse to have made nothing."""
        if not self.count:
            raise InputError(f"{self.source} holds no sound that can be read: name another.")

    def tell(self, out: Path, as_json: bool) -> None:
        """Say what was made."""
        self.peaks.tell()
        found = {"out": out, "sounds": self.count, "seconds": round(self.seconds, 3)}
        found |= {"quieter": self.peaks.decibels} if self.peaks.decibels else {}
        found |= {"unread": self.unread} if self.unread else {}
        say(f"{out}: {_sounds(self.count)}, {self.seconds:,.3g} s", found, as_json)


class Peaks:
    """Which sounds had to be made quieter so that they do not clip."""

    def __init__(self) -> None:
        self.decibels: dict[str, float] = {}

    def add(self, name: str, factor: float) -> None:
        """Remember a sound that was multiplied by a factor."""
        from isthmus.data._sources.sound_files import quieter

        if factor < 1:
            self.decibels[name] = round(quieter(factor), 2)

    def tell(self) -> None:
        """Say so."""
        if not self.decibels:
            return
        most, names = max(self.decibels.values()), listed(list(self.decibels))
        count = len(self.decibels)
        were = "1 sound was" if count == 1 else f"{count} sounds were"
        warnings.warn(
            f"{were} made quieter, by up to {most:.2g} dB, where values beyond 1 would have clipped"
            f" ({names}): make the others as much quieter to keep how loud they are to each other.",
            DataWarning,
            stacklevel=3,
        )


def may_hold_samples(out: Path) -> bool:
    """Whether a place is a folder, or one to be, or called like a sound."""
    from isthmus.data._sources.sound_files import is_sound

    return out.is_dir() or not out.suffix or is_sound(out)


def default_count(out: Path) -> int:
    """How many new sounds are written where nobody says it."""
    from isthmus.data._sources.sound_files import is_sound

    return 1 if is_sound(out) and not out.is_dir() else _FEW


def require_sounds(model: Any, run: Path, out: Path) -> None:
    """Refuse to write as sounds what is none."""
    spec = model.preprocessor_.spec
    if spec.sample_rate is None:
        raise InputError(
            f"{out} would hold sounds, but {run} was trained on {spec}: give a name that ends in"
            " .npy, .png, .csv or .parquet."
        )


def check_samples(run: Path, out: Path, n: int, overwrite: bool) -> None:
    """Refuse a place where so many new sounds cannot be written."""
    from isthmus._cli import exports, pictures
    from isthmus.data._sources.sound_files import is_sound

    if not is_sound(out) or out.is_dir():
        pictures.require_target(str(run), out, "sample", overwrite)
        return
    if n > 1:
        raise InputError(f"-n {n} sounds do not fit into {out}: name a folder, or pass -n 1.")
    exports.refuse_existing(out, overwrite)


def write_samples(
    model: Any,
    run: Path,
    out: Path,
    sounds: np.ndarray,
    label: str | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Write new sounds ``(n, …)`` of the run's layout: one as a file, or each into a folder."""
    import numpy as np

    from isthmus._cli import pictures
    from isthmus.core.files import write_bytes
    from isthmus.data._sources.sound_files import is_sound, sound_bytes

    spec, peaks = model.preprocessor_.spec, Peaks()
    sounds = np.asarray(sounds).reshape(len(sounds), spec.shape[0], -1)  # (n, channels, time)
    is_file = is_sound(out) and not out.is_dir()
    start = "sample" if label is None else "".join(c if c.isalnum() else "-" for c in label)
    digits = max(2, len(str(len(sounds) - 1)))
    files: dict[str, bytes] = {}
    for place, sound in enumerate(sounds):
        name = out.name if is_file else f"{start}-{place:0{digits}d}.wav"
        ending = out.suffix if is_file else ".wav"
        files[name], factor = sound_bytes(ending, sound.T, spec.sample_rate)
        peaks.add(name, factor)
    if is_file:
        write_bytes(out, files[out.name])
    else:
        with pictures.filling(
            *(out, str(run), list(files)), command="sample", overwrite=overwrite
        ) as new:
            for name, content in files.items():
                new.write(name, content)
    peaks.tell()
    seconds = sounds.shape[2] / spec.sample_rate
    found = {
        "out": out,
        "sounds": len(sounds),
        "seconds": seconds,
        "sample_rate": spec.sample_rate,
        **({"quieter": peaks.decibels} if peaks.decibels else {}),
    }
    text = f"{out}: {_sounds(len(sounds))} of {seconds:.3g} s at {spec.sample_rate} Hz"
    say(text, found, as_json)


def _sounds(count: int) -> str:
    return f"{count} sound{'s' * (count != 1)}"
