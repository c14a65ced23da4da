"""A name or a path goes in, examples come out."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import numpy as np

from isthmus.core.declarations import first_paragraph
from isthmus.core.flags import require_flags
from isthmus.core.memory import limited
from isthmus.core.paths import as_path
from isthmus.data._reading import (
    OF_SOUNDS,
    Location,
    ReadOptions,
    Size,
    existing,
    holds_images,
    holds_sounds,
    read_path,
    refuse_idle,
)
from isthmus.data._sound_loading import load_sounds
from isthmus.data._sources.door import entering
from isthmus.data._sources.patches import read_patches
from isthmus.data._sources.series import read_series
from isthmus.data._splitting import check_fraction, split
from isthmus.data.datasets import Data
from isthmus.data.frames import joined
from isthmus.data.rows import Rows
from isthmus.data.series import TimeKind, load_windows
from isthmus.errors import InputError
from isthmus.registry import DATA


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
    require_flags(skip_unreadable=skip_unreadable, stream=stream, mono=mono)
    options = ReadOptions(
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
        refuse_idle(source, "a known data set", options, "stream", *OF_SOUNDS)
        return replace(_known(source, options), source={"source": source})
    name = existing(source).resolve().name
    with limited(f"reading {os.fspath(source)}", "split it, or read it with stream=True"):
        data = split(name, read_path(source, options), test_fraction)
    given = {
        "source": os.fspath(source),
        "label": label,
        "size": size,
        "skip_unreadable": skip_unreadable or None,
        "stream": stream or None,
        "test_fraction": test_fraction,
    }
    return replace(data, source={name: value for name, value in given.items() if value is not None})


def _load_patches(source: Location, patch: int, test_fraction: float, options: ReadOptions) -> Data:
    """Patches of a folder of images, as a data set."""
    refuse_idle(
        str(source), "cut into patches", options, "data_dir", "label", "size", "stream", *OF_SOUNDS
    )
    if not holds_images(source):
        raise InputError(
            f"patch={patch!r} means nothing for {str(source)!r}, which is no folder of images:"
            " leave it out."
        )
    path = existing(source)
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
    options: ReadOptions,
    window: float | None,
    stride: float | None,
    kind: TimeKind,
    test_fraction: float,
) -> Data:
    """Sounds in two parts."""
    refuse_idle(str(source), "sound", options, "data_dir", "label", "size", "patch")
    if kind != "signal":
        raise InputError(
            f"kind={kind!r} does not fit {str(source)!r}, which is sound: leave it out, as sounds"
            " are signals."
        )
    path = existing(source)
    with entering(path):
        data = load_sounds(path, options.of_sounds(window=window, stride=stride), test_fraction)
    return replace(data, source={"source": os.fspath(source), **(data.source or {})})


def _load_series(
    source: Location,
    options: ReadOptions,
    window: float,
    stride: float | None,
    kind: TimeKind,
    test_fraction: float,
) -> Data:
    """One long series in windows, in two parts."""
    idle = ("data_dir", "size", "skip_unreadable", "stream", "patch", *OF_SOUNDS)
    refuse_idle(str(source), "one long series", options, *idle)
    steps = {"window": window, "stride": 1 if stride is None else stride}
    for name, value in steps.items():
        if isinstance(value, float):
            raise InputError(
                f"{name}={value!r} is in seconds, but {str(source)!r} is no sound: give steps, a"
                " whole number from 1 up."
            )
    length, every = int(steps["window"]), int(steps["stride"])
    path, label = existing(source), options.label
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
    require_flags(skip_unreadable=skip_unreadable, mono=mono)
    options = ReadOptions(
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
        return read_path(source, options)


def read_series_of(source: Location, *, label: str | None = None) -> Any:
    """One long series of a path, a step in each row: a frame of a table, an array of ``.npy``.

    The first column of a table is the time, and becomes the index, where it has no name, holds
    dates or text, or numbers that only rise, and is not alone. Cells without a value are NaN.

    Args:
        source: a ``.csv``, ``.parquet`` or ``.npy`` file.
        label: a column that is left out.
    """
    path = existing(source)
    with entering(path):
        return read_series(path, label)


def known_names() -> dict[str, str]:
    """The data sets that are known by name, each with a line that says what it is."""
    return {name: first_paragraph(DATA[name].__doc__) for name in DATA}


def _known(name: str, options: ReadOptions) -> Data:
    idle = ("label", "size", "skip_unreadable", *OF_SOUNDS)
    refuse_idle(name, "a known data set", options, *idle)
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
