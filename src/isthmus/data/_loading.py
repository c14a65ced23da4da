"""The preprocessor for data: a name or a path goes in, examples come out."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from isthmus.core.declarations import first_paragraph
from isthmus.data._sources.arrays import read_npy, read_npz
from isthmus.data._sources.images import read_folder
from isthmus.data._sources.series import read_series
from isthmus.data._sources.tables import read_csv, read_parquet
from isthmus.data._splitting import check_fraction, split
from isthmus.data.datasets import Data
from isthmus.data.frames import joined
from isthmus.data.rows import Rows
from isthmus.data.series import TimeKind, load_windows
from isthmus.errors import InputError, unknown
from isthmus.registry import DATA

Location: TypeAlias = str | os.PathLike[str]
Size: TypeAlias = int | Sequence[int]

_ARRAYS: dict[str, Callable[[Path], Rows]] = {".npy": read_npy, ".npz": read_npz}
_TABLES: dict[str, Callable[[Path, str | None], Rows]] = {
    ".csv": read_csv,
    ".parquet": read_parquet,
}


def load_data(
    source: Location,
    *,
    data_dir: Location | None = None,
    label: str | None = None,
    size: Size | None = None,
    test_fraction: float = 0.2,
    window: int | None = None,
    stride: int = 1,
    kind: TimeKind = "signal",
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
        test_fraction: the share of your rows to test on; 0 trains on all of them and leaves the
            test part empty.
        window: reads a path as one long series, a step in each row, and cuts it into windows of so
            many steps (:func:`isthmus.data.windows`). Its end is the test part.
        stride: steps from one window to the next.
        kind: what windows are, ``"signal"`` or ``"sequence"``.

    Raises:
        InputError: what cannot be used, with the place and the remedy.
    """
    check_fraction(test_fraction)
    if window is not None:
        _refuse_idle(str(source), "one long series", data_dir=data_dir, size=size)
        cut: dict[str, Any] = {"stride": stride, "kind": kind, "test_fraction": test_fraction}
        path = _existing(source)
        loaded = load_windows(path.resolve().name, read_series(path, label), window, **cut)
        said = {"source": os.fspath(source), "label": label, "window": window, **cut}
        return replace(loaded, source={k: value for k, value in said.items() if value is not None})
    if isinstance(source, str) and source in DATA:
        return replace(_known(source, data_dir, label, size), source={"source": source})
    data = split(
        Path(source).resolve().name, _read_path(source, data_dir, label, size), test_fraction
    )
    given = {
        "source": os.fspath(source),
        "label": label,
        "size": size,
        "test_fraction": test_fraction,
    }
    return replace(data, source={name: value for name, value in given.items() if value is not None})


def read_rows(
    source: Location,
    *,
    data_dir: Location | None = None,
    label: str | None = None,
    size: Size | None = None,
) -> Rows:
    """Read all rows of a source in its own order, without splitting them.

    A path may be an ``.npy`` array, an ``.npz`` file (``x`` and perhaps ``y``; or ``x_train``,
    ``x_test`` and perhaps their labels; or one array), a folder of images whose sub-folders are
    classes, or a ``.csv`` or ``.parquet`` table of numbers. Where the source has a split of its
    own, the training rows come first. The arguments are those of :func:`isthmus.data.load`.
    """
    if isinstance(source, str) and source in DATA:
        return _together(_known(source, data_dir, label, size))
    return _read_path(source, data_dir, label, size)


def read_series_of(source: Location, *, label: str | None = None) -> Any:
    """One long series of a path, a step in each row: a frame of a table, an array of ``.npy``.

    The first column of a table is the time, and becomes the index, where it has no name, holds
    dates or text, or numbers that only rise, and is not alone. Cells without a value are NaN.

    Args:
        source: a ``.csv``, ``.parquet`` or ``.npy`` file.
        label: a column that is left out.
    """
    return read_series(_existing(source), label)


def known_names() -> dict[str, str]:
    """The data sets that are known by name, each with a line that says what it is."""
    return {name: first_paragraph(DATA[name].__doc__) for name in DATA}


def _known(name: str, data_dir: Location | None, label: str | None, size: Size | None) -> Data:
    _refuse_idle(name, "a known data set", label=label, size=size)
    data: Data = DATA[name](None if data_dir is None else Path(data_dir))
    return data


def _together(data: Data) -> Rows:
    x = joined([data.train.x, data.test.x])
    y = (
        None
        if data.train.y is None or data.test.y is None
        else np.concatenate([data.train.y, data.test.y])
    )
    return Rows(x, y, data.classes, data.columns, train_rows=len(data.train))


def _read_path(
    source: Location, data_dir: Location | None, label: str | None, size: Size | None
) -> Rows:
    path = _existing(source)
    _refuse_idle(str(source), "a path", data_dir=data_dir)
    reader = _reader(path, label, size)
    try:
        return reader()
    except InputError:
        raise
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror or error}): check that it is yours to read."
        ) from error


def _reader(path: Path, label: str | None, size: Size | None) -> Callable[[], Rows]:
    suffix = path.suffix.lower()
    if path.is_dir():
        _refuse_idle(str(path), "a folder of images", label=label)
        return partial(read_folder, path, size)
    if suffix in _TABLES:
        _refuse_idle(str(path), "a table", size=size)
        return partial(_TABLES[suffix], path, label)
    if suffix in _ARRAYS:
        _refuse_idle(str(path), "a file of arrays", label=label, size=size)
        return partial(_ARRAYS[suffix], path)
    raise InputError(
        f"{path} cannot be read: give {', '.join((*_ARRAYS, *_TABLES))} or a folder of images."
    )


def _existing(source: Location) -> Path:
    path = Path(source).expanduser()
    if not path.exists():
        raise _missing(str(source), path)
    return path


def _missing(source: str, path: Path) -> InputError:
    if path.suffix or len(path.parts) > 1:
        return InputError(
            f"{source!r} does not exist (looked for {path.absolute()}): check the path."
        )
    return unknown("data set or path", source, DATA)


def _refuse_idle(source: str, kind: str, **arguments: object) -> None:
    """An argument that would change nothing is a mistake, not a wish to be ignored."""
    for name, value in arguments.items():
        if value is not None:
            raise InputError(
                f"{name}={value!r} means nothing for {source!r}, which is {kind}: leave it out."
            )
