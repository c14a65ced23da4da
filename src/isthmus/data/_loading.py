"""A name or a path goes in, examples come out."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from isthmus.core.declarations import first_paragraph
from isthmus.core.memory import limited
from isthmus.core.paths import as_path, require_regular
from isthmus.data._sound_loading import SoundOptions, load_sounds, read_sounds
from isthmus.data._sources.arrays import read_npy, read_npz
from isthmus.data._sources.containers import is_zarr, read_hdf5, read_zarr
from isthmus.data._sources.door import entering
from isthmus.data._sources.folders import SOUND_FILES, SOUNDS, SUFFIXES, first_file, is_image
from isthmus.data._sources.images import Images, looked_at, read_images, wanted_for
from isthmus.data._sources.lazy import open_stream
from isthmus.data._sources.patches import read_patches
from isthmus.data._sources.series import read_series
from isthmus.data._sources.tables import PARQUET, read_delimited, read_parquet
from isthmus.data._splitting import check_fraction, split
from isthmus.data.datasets import Data
from isthmus.data.frames import joined
from isthmus.data.rows import Rows
from isthmus.data.series import TimeKind, load_windows
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

_OF_SOUNDS = ("sample_rate", "mono")


@dataclass(frozen=True)
class _Options:
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


def load_data(
    source: Location,
    *,
    data_dir: Location | None = None,
    label: str | None = None,
    size: Size | None = None,
    patch: int | None = None,
    like: Any = None,
    skip_unreadable: bool = False,
    stream: bool = False,
    test_fraction: float = 0.2,
    window: int | float | None = None,
    stride: int | float | None = None,
    kind: TimeKind = "signal",
    sample_rate: int | None = None,
    mono: bool = False,
) -> Data:
    """Load a data set, split into a training part and a test part.

    A known name (see :func:`isthmus.data.names`) gives the set with the split of its authors. A
    path gives your own data, shuffled with a fixed seed and split so that each class keeps its
    share; see :func:`isthmus.data.read` for what can be read. An ``.npy`` file of more than 256 MB
    is cut at its tail instead, unshuffled, so that it stays on the disk.

    Args:
        source: a known name, or a path. A text that is a known name is that name; write ``./name``
            for the path.
        data_dir: a folder in which the files of a known set are looked for before they are
            downloaded.
        label: the column of a table that holds the classes.
        size: a height and width, or one number for both, to which the images of a folder are
            resized.
        patch: cuts square patches of so many pixels a side at random places of the images of a
            folder, which may differ in size, in place of resizing them; every pixel is in four of
            them on the average, and no image gives patches to both parts.
        like: a trained member: images are brought to the size, the colours and the layout that it
            was trained on, and need no ``size``; sounds to its rate, channels and windows. Other
            sources are read as ever.
        skip_unreadable: whether images and sounds that cannot be read are left out, with a warning
            that lists them (also in ``unread``), and not refused.
        stream: whether examples stay where they lie and are read batch by batch, for what is larger
            than memory: a folder of images or sounds, Parquet files, HDF5 and zarr arrays. Folders
            of files are split as ever, everything else is cut at its tail.
        test_fraction: the share of your rows to test on; 0 trains on all of them and leaves the
            test part empty.
        window: reads a path as one long series, a step in each row, and cuts it into windows of so
            many steps (:func:`isthmus.data.windows`). Its end is the test part. Of sounds, also
            seconds, as a float; the longest file if not given, or about one second.
        stride: steps, or seconds of sounds, from one window to the next: 1, of sounds a window.
        kind: what windows are, ``"signal"`` or ``"sequence"``; sounds are signals.
        sample_rate: steps a second to which sounds are resampled; they must have one rate without.
        mono: whether the channels of sounds are mixed down to one.

    Raises:
        InputError: what cannot be used, with the place and the remedy.
    """
    check_fraction(test_fraction)
    options = _Options(
        data_dir,
        label,
        size,
        like,
        skip_unreadable or None,
        stream=stream or None,
        sample_rate=sample_rate,
        mono=mono or None,
        patch=patch,
    )
    if holds_sounds(source):
        return _load_sounds(source, options, window, stride, kind, test_fraction)
    if window is not None:
        return _load_series(source, options, window, stride, kind, test_fraction)
    if patch is not None:
        return _load_patches(source, patch, test_fraction, options)
    if isinstance(source, str) and source in DATA:
        _refuse_idle(source, "a known data set", options, "stream", *_OF_SOUNDS)
        return replace(_known(source, options), source={"source": source})
    name = _existing(source).resolve().name
    with limited(f"reading {os.fspath(source)}", "split it, or read it with stream=True"):
        data = split(name, _read_path(source, options), test_fraction)
    given = {
        "source": os.fspath(source),
        "label": label,
        "size": size,
        "skip_unreadable": skip_unreadable or None,
        "stream": stream or None,
        "test_fraction": test_fraction,
    }
    return replace(data, source={name: value for name, value in given.items() if value is not None})


def _load_patches(source: Location, patch: int, test_fraction: float, options: _Options) -> Data:
    """Patches of a folder of images, as a data set."""
    _refuse_idle(
        str(source), "cut into patches", options, "data_dir", "label", "size", "stream", *_OF_SOUNDS
    )
    if not holds_images(source):
        raise InputError(
            f"patch={patch!r} means nothing for {str(source)!r}, which is no folder of images:"
            " leave it out."
        )
    path = _existing(source)
    skip = bool(options.skip_unreadable)
    with limited(f"reading {os.fspath(source)}", "give a smaller patch"), entering(path):
        rows = read_patches(path, patch, test_fraction, skip_unreadable=skip)
    given = {
        "source": os.fspath(source),
        "patch": patch,
        "skip_unreadable": skip or None,
        "test_fraction": test_fraction,
    }
    known = {name: value for name, value in given.items() if value is not None}
    return replace(split(path.resolve().name, rows, test_fraction), source=known)


def _load_sounds(
    source: Location,
    options: _Options,
    window: float | None,
    stride: float | None,
    kind: TimeKind,
    test_fraction: float,
) -> Data:
    """Sounds in two parts."""
    _refuse_idle(str(source), "sound", options, "data_dir", "label", "size", "patch")
    if kind != "signal":
        raise InputError(
            f"kind={kind!r} does not fit {str(source)!r}, which is sound: leave it out, as sounds"
            " are signals."
        )
    path = _existing(source)
    with entering(path):
        data = load_sounds(path, options.of_sounds(window=window, stride=stride), test_fraction)
    return replace(data, source={"source": os.fspath(source), **(data.source or {})})


def _load_series(
    source: Location,
    options: _Options,
    window: float,
    stride: float | None,
    kind: TimeKind,
    test_fraction: float,
) -> Data:
    """One long series in windows, in two parts."""
    idle = ("data_dir", "size", "skip_unreadable", "stream", "patch", *_OF_SOUNDS)
    _refuse_idle(str(source), "one long series", options, *idle)
    steps = {"window": window, "stride": 1 if stride is None else stride}
    for name, value in steps.items():
        if isinstance(value, float):
            raise InputError(
                f"{name}={value!r} is in seconds, but {str(source)!r} is no sound: give steps, a"
                " whole number from 1 up."
            )
    length, every = int(steps["window"]), int(steps["stride"])
    path, label = _existing(source), options.label
    series = read_series_of(path, label=label)
    loaded = load_windows(
        path.resolve().name, series, length, every, kind=kind, test_fraction=test_fraction
    )
    said = {
        "source": os.fspath(source),
        "label": label,
        "window": length,
        "stride": every,
        "kind": kind,
        "test_fraction": test_fraction,
    }
    return replace(loaded, source={k: value for k, value in said.items() if value is not None})


def read_rows(
    source: Location,
    *,
    data_dir: Location | None = None,
    label: str | None = None,
    size: Size | None = None,
    like: Any = None,
    skip_unreadable: bool = False,
    sample_rate: int | None = None,
    mono: bool = False,
) -> Rows:
    """Read all rows of a source in its own order, without splitting them.

    A path may be an ``.npy`` array; an ``.npz``, ``.h5`` or ``.zarr`` file (``x`` and perhaps
    ``y``; or ``x_train``, ``x_test`` and perhaps their labels; or one array); a folder of images
    whose sub-folders are classes, or a single image; sounds likewise, in windows; a ``.csv`` or
    ``.tsv`` table, perhaps compressed (``.csv.gz``), a ``.parquet`` file, or a folder of these.
    Where the source has a split of its own, the training rows come first. The arguments are those
    of :func:`isthmus.data.load`; with ``like``, images need not lie in folders of classes.
    """
    options = _Options(
        data_dir,
        label,
        size,
        like,
        skip_unreadable or None,
        like is None,
        sample_rate=sample_rate,
        mono=mono or None,
    )
    if isinstance(source, str) and source in DATA:
        return _together(_known(source, options))
    with limited(f"reading {os.fspath(source)}", "split it"):
        return _read_path(source, options)


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
    options = _Options(data_dir, label, size, like, skip_unreadable)
    kind = "a folder of images" if path.is_dir() else "an image"
    _refuse_idle(str(source), kind, options, "data_dir", "label")
    wanted = wanted_for(like, size)
    with entering(path):
        return looked_at(path, wanted, skip_unreadable, strict=False)


def read_series_of(source: Location, *, label: str | None = None) -> Any:
    """One long series of a path, a step in each row: a frame of a table, an array of ``.npy``.

    The first column of a table is the time, and becomes the index, where it has no name, holds
    dates or text, or numbers that only rise, and is not alone. Cells without a value are NaN.

    Args:
        source: a ``.csv``, ``.parquet`` or ``.npy`` file.
        label: a column that is left out.
    """
    path = _existing(source)
    with entering(path):
        return read_series(path, label)


def known_names() -> dict[str, str]:
    """The data sets that are known by name, each with a line that says what it is."""
    return {name: first_paragraph(DATA[name].__doc__) for name in DATA}


def _known(name: str, options: _Options) -> Data:
    idle = ("label", "size", "skip_unreadable", *_OF_SOUNDS)
    _refuse_idle(name, "a known data set", options, *idle)
    folder = options.data_dir
    data: Data = DATA[name](None if folder is None else as_path(folder, "data_dir"))
    return data


def _together(data: Data) -> Rows:
    x = joined([data.train.x, data.test.x])
    y = (
        None
        if data.train.y is None or data.test.y is None
        else np.concatenate([data.train.y, data.test.y])
    )
    return Rows(x, y, data.classes, data.columns, train_rows=len(data.train))


def _read_path(source: Location, options: _Options) -> Rows:
    path = _existing(source)
    _refuse_idle(str(source), "a path", options, "data_dir")
    reader = partial(_open_stream, path, options) if options.stream else _reader(path, options)
    with entering(path):
        return reader()


def _reader(path: Path, options: _Options) -> Callable[[], Rows]:
    if holds_sounds(path):
        _refuse_idle(str(path), "sound", options, "label", "size")
        return partial(_read_sounds, path, options)
    _refuse_idle(str(path), "no sound", options, *_OF_SOUNDS)
    if path.is_dir() and (is_zarr(path) or path.suffix.lower() == ".zarr"):
        _refuse_idle(str(path), "a file of arrays", options, "label", "size", "skip_unreadable")
        return partial(read_zarr, path)
    if path.is_dir() and first_file(path, SUFFIXES) is None and first_file(path, PARQUET):
        _refuse_idle(str(path), "a table", options, "size", "skip_unreadable")
        return partial(read_parquet, path, options.label)
    if path.is_dir() or is_image(path.name):
        kind = "a folder of images" if path.is_dir() else "an image"
        _refuse_idle(str(path), kind, options, "label")
        return partial(_read_images, path, options)
    if ending := _ending(path, _TABLES):
        _refuse_idle(str(path), "a table", options, "size", "skip_unreadable")
        return partial(_TABLES[ending], path, options.label)
    if ending := _ending(path, _ARRAYS):
        _refuse_idle(str(path), "a file of arrays", options, "label", "size", "skip_unreadable")
        return partial(_ARRAYS[ending], path)
    raise InputError(
        f"{path} cannot be read: give {', '.join((*_ARRAYS, *_TABLES))}, an image, a sound"
        f" ({', '.join(SOUNDS)}), or a folder of images or of sounds."
    )


def _read_sounds(path: Path, options: _Options) -> Rows:
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


def _open_stream(path: Path, options: _Options) -> Rows:
    idle = ("like", "skip_unreadable", *_OF_SOUNDS)
    _refuse_idle(str(path), "read as a stream", options, *idle)
    return open_stream(path, options.label, options.size)


def _read_images(path: Path, options: _Options) -> Rows:
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
        _existing(source)


def _existing(source: Location) -> Path:
    path = as_path(source, "source")
    if not path.exists():
        raise _missing(str(source), path)
    require_regular(path)
    return path


def _missing(source: str, path: Path) -> InputError:
    if path.suffix or len(path.parts) > 1:
        return InputError(
            f"{source!r} does not exist (looked for {path.absolute()}): check the path."
        )
    return unknown("data set or path", source, DATA)


def _refuse_idle(source: str, kind: str, options: _Options, *names: str) -> None:
    """An argument that would change nothing is a mistake, not a wish to be ignored."""
    for name in names:
        value = getattr(options, name)
        if value is not None:
            raise InputError(
                f"{name}={value!r} means nothing for {source!r}, which is {kind}: leave it out."
            )
