"""Many image files as one array: what all are brought to, and which are left out."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from isthmus.core.memory import require, say_if_large
from isthmus.data._sources.folders import (
    IMAGE_FILES,
    FileKind,
    LabelledFile,
    Listing,
    labels_of_files,
    list_folder,
)
from isthmus.data._sources.pixels import Form, Head, Size, decoded, inspected, pixel_type
from isthmus.data._sources.progress import track
from isthmus.data.rows import Rows
from isthmus.errors import DataWarning, InputError

_LISTED = 100  # as many unreadable files are named in one warning


@dataclass(frozen=True)
class Wanted:
    """What was asked for; None where the files decide.

    Attributes:
        size: (height, width).
        channels: 1 for grey, 3 for colours.
    """

    size: Size | None = None
    channels: int | None = None


@dataclass(frozen=True)
class Images:
    """Image files that were looked at, and what they will be brought to.

    Attributes:
        files: those whose heads can be read.
        heads: what each head says.
        form: what they are brought to.
        train: how many at the front are the training part, where the folder has parts.
        unread: the names of those that were left out because they cannot be read.
    """

    files: tuple[LabelledFile, ...]
    heads: tuple[Head, ...]
    form: Form
    train: int | None = None
    unread: tuple[str, ...] = ()


def read_images(
    path: Path, wanted: Wanted, *, skip_unreadable: bool = False, strict: bool = True
) -> Rows:
    """Read one image, or all of a folder, as uint8 or uint16 ``(n, channels, height, width)``.

    Images are grey (1 channel) if all are, else RGB (3); transparency is dropped, an animation
    gives its first frame. All must have one size, unless ``wanted`` has one. Grey images with 16
    bits are uint16. ``skip_unreadable`` leaves out what cannot be read, with a
    :class:`~isthmus.errors.DataWarning`; ``strict`` is that of
    :func:`isthmus.data._sources.folders.list_folder`.
    """
    rows = decoded_rows(looked_at(path, wanted, skip_unreadable, strict), skip_unreadable)
    if not len(rows):
        raise _none(path)
    if rows.unread:
        say_unread(rows.unread)
    return rows


def looked_at(
    path: Path, wanted: Wanted, skip_unreadable: bool = False, strict: bool = True
) -> Images:
    """List one image or a folder, read all heads, and settle what the images are brought to."""
    is_folder = path.is_dir()
    listing = (
        list_folder(path, strict=strict) if is_folder else Listing((LabelledFile(path, path.name),))
    )
    kept: list[LabelledFile] = []
    heads: list[Head] = []
    unread, train = [], 0
    for place, file in enumerate(track(listing.files, "looking at images")):
        try:
            heads.append(inspected(file.path))
        except InputError:
            if not skip_unreadable:
                raise
            unread.append(file.name)
        else:
            kept.append(file)
            train += listing.train is not None and place < listing.train
    if not kept:
        raise _none(path)
    form = _form(path, kept, heads, wanted)
    parts = None if listing.train is None else train
    return Images(tuple(kept), tuple(heads), form, parts, tuple(unread))


def decoded_rows(images: Images, skip_unreadable: bool = False) -> Rows:
    """The pixels of all images, read straight into their place in one array.

    What cannot be read is refused, or else in ``unread``.
    """
    form, unread, train = images.form, list(images.unread), 0
    kept: list[LabelledFile] = []
    shape = (len(images.files), form.channels, *form.size)
    size = math.prod(shape) * np.dtype(pixel_type(form)).itemsize
    height, width = form.size
    what = f"an array of {len(images.files):,} images of {height:,}x{width:,}"
    require(size, what, "give a smaller size, or read them with stream=True")
    x = np.empty(shape, pixel_type(form))
    say_if_large(x.nbytes, f"the array of {len(x)} images")
    for place, file in enumerate(track(images.files, "reading images")):
        try:
            x[len(kept)] = decoded(file.path, form)
        except InputError:
            if not skip_unreadable:
                raise
            unread.append(file.name)
        else:
            kept.append(file)
            train += images.train is not None and place < images.train
    y, classes = labels_of_files(kept)
    return Rows(
        x[: len(kept)],
        y,
        classes,
        files=tuple(file.name for file in kept),
        train_rows=None if images.train is None else train,
        unread=tuple(unread),
    )


def say_unread(names: Sequence[str], kind: FileKind = IMAGE_FILES) -> None:
    """Say which files were left out because they cannot be read."""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    count = "1 file that cannot" if len(names) == 1 else f"{len(names)} files that cannot"
    warnings.warn(
        f"left out {count} be read as {kind.many}: {', '.join(sorted(names)[:_LISTED])}{more};"
        " replace them if they are needed.",
        DataWarning,
        stacklevel=2,
    )


def wanted_for(like: Any = None, size: object = None) -> Wanted:
    """What is asked for by a trained member, whose images have a form already, or by a size."""
    given = None if size is None else _checked_size(size)
    spec = None if like is None else like.preprocessor_.spec
    if spec is None or spec.kind != "image":
        return Wanted(given)
    channels, height, width = spec.shape
    if channels not in (1, 3):
        raise InputError(
            f"like={type(like).__name__} was trained on images of {channels} channels, but image"
            " files give 1 or 3: hand in arrays."
        )
    if given not in (None, (height, width)):
        raise InputError(
            f"size={size!r} does not fit this {type(like).__name__}, which was trained on images of"
            f" {height}x{width}: leave it out."
        )
    return Wanted((height, width), channels)


def _checked_size(size: object) -> Size:
    """A number, or height and width, as a pair."""
    pair = tuple(size) if isinstance(size, list | tuple) else (size, size)
    if len(pair) != 2 or not all(type(side) is int and side > 0 for side in pair):
        raise InputError(
            f"size={size!r} must be a whole number above 0, or two of them: (height, width)."
        )
    return pair[0], pair[1]


def _none(path: Path) -> InputError:
    return InputError(f"{path} holds no image that can be read: name another.")


def _form(path: Path, files: Sequence[LabelledFile], heads: Sequence[Head], wanted: Wanted) -> Form:
    channels = wanted.channels or (1 if all(head.is_grey for head in heads) else 3)
    size = wanted.size or _common_size(files, heads)
    deep = sum(head.is_deep for head in heads)
    if 0 < deep < len(heads):
        becomes = "16, in which white is 65535" if channels == 1 else "8, as colours are"
        warnings.warn(
            f"{path}: {deep} of {len(heads)} images have 16 bits a pixel and the others 8: all are"
            f" read as {becomes}; separate them if their greys do not mean the same.",
            DataWarning,
            stacklevel=2,
        )
    elif deep and channels == 3:
        warnings.warn(
            f"{path}: images with 16 bits of grey are read as colours with 8: train on grey images"
            " to keep all 16.",
            DataWarning,
            stacklevel=2,
        )
    if cut := [file.name for file, head in zip(files, heads, strict=True) if head.is_cut]:
        warnings.warn(
            f"{path}: of 16 bits a colour, 8 are read ({len(cut)} files, such as {cut[0]}): save"
            " them in grey, or as an .npy array, to keep all 16.",
            DataWarning,
            stacklevel=2,
        )
    return Form(channels, size, bool(deep) and channels == 1)


def _common_size(files: Sequence[LabelledFile], heads: Sequence[Head]) -> Size:
    first = heads[0].size
    for file, head in zip(files, heads, strict=True):
        if head.size != first:
            raise InputError(
                f"the images differ in size (height x width): {files[0].path} is {_text(first)},"
                f" {file.path} is {_text(head.size)}: pass size, such as size={min(first)}, to"
                " resize them all."
            )
    return first


def _text(size: Size) -> str:
    return f"{size[0]}x{size[1]}"
