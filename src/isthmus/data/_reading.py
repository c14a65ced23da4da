"""What lies at a path becomes rows: which reader reads it, and what is refused."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from isthmus.core.paths import as_path, require_regular
from isthmus.data._sound_loading import SoundOptions, read_sounds
from isthmus.data._sources.arrays import read_npy, read_npz
from isthmus.data._sources.containers import is_zarr, read_hdf5, read_zarr
from isthmus.data._sources.door import entering
from isthmus.data._sources.folders import SOUND_FILES, SOUNDS, SUFFIXES, first_file, is_image
from isthmus.data._sources.images import Images, looked_at, read_images, wanted_for
from isthmus.data._sources.lazy import open_stream
from isthmus.data._sources.tables import PARQUET, read_delimited, read_parquet
from isthmus.data.rows import Rows
from isthmus.errors import InputError, unknown
from isthmus.registry import DATA

Location: TypeAlias = str | os.PathLike[str]

Size: TypeAlias = int | Sequence[int]

_ARRAYS: dict[str, Callable[[Path], Rows]] = {
    ".npy": read_npy,
    ".npz": read_npz,
    ".h5": read_hdf5,
    ".hdf5": read_hdf5,
    ".zarr": read_zarr,
}

_TABLES: dict[str, Callable[[Path, str | None], Rows]] = {
    ".csv": read_delimited,
    ".csv.gz": read_delimited,
    ".tsv": read_delimited,
    ".tsv.gz": read_delimited,
    **dict.fromkeys(PARQUET, read_parquet),
}

OF_SOUNDS = ("sample_rate", "mono")


@dataclass(frozen=True)
class ReadOptions:
    """How a source is read; what is None was not given."""

    data_dir: Location | None = None
    label: str | None = None
    size: Size | None = None
    like: Any = None
    skip_unreadable: bool | None = None
    strict: bool = True
    stream: bool | None = None
    patch: int | None = None
    sample_rate: int | None = None
    mono: bool | None = None

    def of_sounds(self, **cut: Any) -> SoundOptions:
        """The same, of sounds."""
        return SoundOptions(
            sample_rate=self.sample_rate,
            mono=self.mono,
            skip_unreadable=bool(self.skip_unreadable),
            stream=bool(self.stream),
            like=self.like,
            **cut,
        )


def holds_sounds(source: Location) -> bool:
    """Whether a source is a sound, or a folder that is read as one of sounds."""
    if isinstance(source, str) and source in DATA:
        return False
    path = as_path(source, "source")
    if path.is_dir():
        has_others = is_zarr(path) or first_file(path, SUFFIXES) is not None
        return not has_others and first_file(path, SOUNDS) is not None
    return path.is_file() and SOUND_FILES.has(path.name)


def holds_images(source: Location) -> bool:
    """Whether a source is an image, or a folder that is read as one of images."""
    if isinstance(source, str) and source in DATA:
        return False
    path = as_path(source, "source")
    if path.is_dir():
        return not is_zarr(path) and first_file(path, SUFFIXES) is not None
    return path.is_file() and is_image(path.name)


def open_images(
    source: Location,
    *,
    like: Any,
    data_dir: Location | None = None,
    label: str | None = None,
    size: Size | None = None,
    skip_unreadable: bool = False,
) -> Images:
    """The images of a path, looked at but not yet read, as :func:`read_rows` would read them."""
    path = as_path(source, "source")
    options = ReadOptions(data_dir, label, size, like, skip_unreadable)
    kind = "a folder of images" if path.is_dir() else "an image"
    refuse_idle(str(source), kind, options, "data_dir", "label")
    wanted = wanted_for(like, size)
    with entering(path):
        return looked_at(path, wanted, skip_unreadable, strict=False)


def read_path(source: Location, options: ReadOptions) -> Rows:
    path = existing(source)
    refuse_idle(str(source), "a path", options, "data_dir")
    reader = partial(_open_stream, path, options) if options.stream else _reader(path, options)
    with entering(path):
        return reader()


def _reader(path: Path, options: ReadOptions) -> Callable[[], Rows]:
    if holds_sounds(path):
        refuse_idle(str(path), "sound", options, "label", "size")
        return partial(_read_sounds, path, options)
    refuse_idle(str(path), "no sound", options, *OF_SOUNDS)
    if path.is_dir() and (is_zarr(path) or path.suffix.lower() == ".zarr"):
        refuse_idle(str(path), "a file of arrays", options, "label", "size", "skip_unreadable")
        return partial(read_zarr, path)
    if path.is_dir() and first_file(path, SUFFIXES) is None and first_file(path, PARQUET):
        refuse_idle(str(path), "a table", options, "size", "skip_unreadable")
        return partial(read_parquet, path, options.label)
    if path.is_dir() or is_image(path.name):
        kind = "a folder of images" if path.is_dir() else "an image"
        refuse_idle(str(path), kind, options, "label")
        return partial(_read_images, path, options)
    if ending := _ending(path, _TABLES):
        refuse_idle(str(path), "a table", options, "size", "skip_unreadable")
        return partial(_TABLES[ending], path, options.label)
    if ending := _ending(path, _ARRAYS):
        refuse_idle(str(path), "a file of arrays", options, "label", "size", "skip_unreadable")
        return partial(_ARRAYS[ending], path)
    raise InputError(
        f"{path} cannot be read: give {', '.join((*_ARRAYS, *_TABLES))}, an image, a sound"
        f" ({', '.join(SOUNDS)}), or a folder of images or of sounds."
    )


def _read_sounds(path: Path, options: ReadOptions) -> Rows:
    sounds, found = read_sounds(path, options.of_sounds())
    return Rows(
        sounds.x,
        sounds.y,
        sounds.classes,
        files=sounds.names,
        unread=found.unread,
        notes=found.notes,
        sounds=sounds,
    )


def _open_stream(path: Path, options: ReadOptions) -> Rows:
    idle = ("like", "skip_unreadable", *OF_SOUNDS)
    refuse_idle(str(path), "read as a stream", options, *idle)
    return open_stream(path, options.label, options.size)


def _read_images(path: Path, options: ReadOptions) -> Rows:
    wanted = wanted_for(options.like, options.size)
    skip = bool(options.skip_unreadable)
    rows = read_images(path, wanted, skip_unreadable=skip, strict=options.strict)
    if options.like is None or wanted.channels is None:
        return rows
    return replace(rows, x=options.like.preprocessor_.layout.inverse_transform(rows.x))


def _ending(path: Path, known: dict[str, Any]) -> str | None:
    """The ending of a name that is known, such as ``.csv`` or ``.csv.gz``."""
    return next((ending for ending in known if path.name.lower().endswith(ending)), None)


def require_source(source: str) -> None:
    """Refuse what is neither the name of a known set nor a path that is there."""
    if source not in DATA:
        existing(source)


def existing(source: Location) -> Path:
    path = as_path(source, "source")
    if not path.exists():
        raise _missing(str(source), path)
    require_regular(path)
    _require_content(path)
    return path


def _require_content(path: Path) -> None:
    """Refuse a folder in which there is nothing that a folder is read for."""
    if not path.is_dir() or is_zarr(path) or path.suffix.lower() == ".zarr":
        return
    if first_file(path, (*SUFFIXES, *SOUNDS, *PARQUET)) is None:
        raise InputError(
            f"{path} holds no images ({', '.join(SUFFIXES)}) and no sounds ({', '.join(SOUNDS)}):"
            " name another folder."
        )


def _missing(source: str, path: Path) -> InputError:
    if path.suffix or len(path.parts) > 1:
        return InputError(
            f"{source!r} does not exist (looked for {path.absolute()}): check the path."
        )
    return unknown("data set or path", source, DATA)


def refuse_idle(source: str, kind: str, options: ReadOptions, *names: str) -> None:
    """An argument that would change nothing is a mistake, not a wish to be ignored."""
    for name in names:
        value = getattr(options, name)
        if value is not None:
            raise InputError(
                f"{name}={value!r} means nothing for {source!r}, which is {kind}: leave it out."
            )
