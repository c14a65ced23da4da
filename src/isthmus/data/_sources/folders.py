"""A folder of images or of sounds: which files it holds, and the classes its sub-folders name."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from isthmus.core.wording import printable
from isthmus.data.rows import number_labels
from isthmus.errors import DataWarning, InputError

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
SOUNDS = (".flac", ".mp3", ".oga", ".ogg", ".opus", ".wav")
_SPLIT = ("train", "test")
_LITTER = frozenset({"thumbs.db", "desktop.ini"})  # what a file browser leaves behind
_ABOUT = frozenset({"readme", "license", "licence"})  # what no one takes for an image

_Places = tuple[str, ...]  # the folders on the way to a file, and its name


@dataclass(frozen=True)
class FileKind:
    """What a folder is read for.

    Attributes:
        one, many: what messages call a file, and several.
        suffixes: how the names of such files end.
        like: the format that can be read for certain.
    """

    one: str
    many: str
    suffixes: tuple[str, ...]
    like: str

    def has(self, name: str) -> bool:
        """Whether a file is called like one of these."""
        return name.lower().endswith(self.suffixes)


IMAGE_FILES = FileKind("image", "images", SUFFIXES, "PNG")
SOUND_FILES = FileKind("sound", "sounds", SOUNDS, "WAV")


@dataclass(frozen=True)
class LabelledFile:
    """A file that is an example, or several.

    Attributes:
        path: where it lies.
        name: its path below the folder that was asked for, with ``/`` between.
        label: the class that its sub-folder names, if it lies in one.
    """

    path: Path
    name: str
    label: str | None = None


@dataclass(frozen=True)
class Listing:
    """The files of a folder that are examples, in the order in which they are read.

    Attributes:
        files: sorted by name; those of the training part first, where the folder has two parts.
        train: how many of them are the training part, None where the folder has no parts.
    """

    files: tuple[LabelledFile, ...]
    train: int | None = None


def is_image(name: str) -> bool:
    """Whether a file is called like an image."""
    return IMAGE_FILES.has(name)


def list_folder(folder: Path, kind: FileKind = IMAGE_FILES, *, strict: bool = True) -> Listing:
    """List the files of a kind in a folder and in its sub-folders; what is hidden is left out.

    Sub-folders are classes; if they are exactly ``train`` and ``test``, they are the two parts, and
    the classes lie below them. Where not every file lies in the folder of a class, this is
    refused; or, unless ``strict``, there are no classes. Files of other kinds are left out, with a
    :class:`~isthmus.errors.DataWarning` that says so.
    """
    has_parts = set(_subfolders(folder)) == set(_SPLIT)
    starts = [(name,) for name in _SPLIT] if has_parts else [()]
    files = [sorted(_walk(folder, start)) for start in starts]
    found = [[places for places in part if kind.has(places[-1])] for part in files]
    complaints = [
        _complaint(folder.joinpath(*start), kind, [places[len(start) :] for places in part])
        for start, part in zip(starts, found, strict=True)
    ]
    for complaint in complaints:
        if complaint is not None and (strict or not any(found)):
            raise InputError(complaint)
    names = [places[-1] for part in files for places in part]
    others = [
        name for name in names if not kind.has(name) and Path(name).stem.lower() not in _ABOUT
    ]
    if others:
        _say_left_out(folder, kind, others)
    depth, has_classes = len(starts[0]), not any(complaints)
    listing = tuple(
        LabelledFile(
            folder.joinpath(*places),
            "/".join(places),
            places[depth] if has_classes and len(places) > depth + 1 else None,
        )
        for part in found
        for places in part
    )
    return Listing(listing, len(found[0]) if has_parts else None)


def labels_of_files(
    files: Sequence[LabelledFile],
) -> tuple[np.ndarray | None, tuple[str, ...] | None]:
    """The classes of files ``(n,)``, as indices into their names; None where there are none."""
    labels = [printable(file.label) for file in files if file.label is not None]
    return number_labels(np.array(labels), "the folder") if labels else (None, None)


def first_file(folder: Path, suffixes: Sequence[str]) -> Path | None:
    """One file below a folder whose name ends in one of these; None where there is none."""
    names = (places for places in _walk(folder) if places[-1].lower().endswith(tuple(suffixes)))
    return next((folder.joinpath(*places) for places in names), None)


def all_files(folder: Path, suffixes: Sequence[str]) -> list[str]:
    """The files below a folder whose names end in one of these, with ``/`` between, sorted."""
    names = [places for places in _walk(folder) if places[-1].lower().endswith(tuple(suffixes))]
    return ["/".join(places) for places in sorted(names)]


def _walk(folder: Path, start: _Places = ()) -> Iterator[_Places]:
    """The files below a folder, or below a place in it, each by its places.

    Links are followed, but never into a folder that was seen.
    """
    seen = set()
    for root, subfolders, names in os.walk(folder.joinpath(*start), followlinks=True):
        subfolders[:] = [name for name in subfolders if not _is_hidden(name)]
        place = Path(root)
        if (real := place.resolve()) in seen:
            subfolders.clear()
            continue
        seen.add(real)
        places = place.relative_to(folder).parts
        for name in names:
            if not _is_hidden(name) and name.lower() not in _LITTER:
                yield (*places, name)


def _subfolders(folder: Path) -> list[str]:
    return sorted(sub.name for sub in folder.iterdir() if sub.is_dir() and not _is_hidden(sub.name))


def _is_hidden(name: str) -> bool:
    return name.startswith((".", "__"))


def _complaint(folder: Path, kind: FileKind, files: Sequence[_Places]) -> str | None:
    """What is wrong with the classes of a folder: none at all, an empty one, or loose files."""
    if not files:
        return f"{folder} holds no {kind.many} ({', '.join(kind.suffixes)}): name another folder."
    filled = {places[0] for places in files if len(places) > 1}
    for name in _subfolders(folder):
        if name not in filled:
            return (
                f"{folder / name} holds no {kind.many}, but every sub-folder is a class: move it"
                f" out of {folder}."
            )
    loose = next((places[0] for places in files if len(places) == 1), None)
    if loose is not None and filled:
        return (
            f"{folder} holds {kind.many} in sub-folders and beside them ({loose}): put every"
            f" {kind.one} into the sub-folder of its class, or all into one folder without classes."
        )
    return None


def _say_left_out(folder: Path, kind: FileKind, others: Sequence[str]) -> None:
    endings = Counter(Path(name).suffix.lower() or name for name in others)
    shown = ", ".join(ending for ending, _ in endings.most_common(5))
    more = f" and {len(endings) - 5} other kinds" if len(endings) > 5 else ""
    are_many = f"{len(others)} files that are no {kind.many}"
    files = f"1 file that is no {kind.one}" if len(others) == 1 else are_many
    warnings.warn(
        f"{folder}: left out {files} of a known format ({shown}{more}): save as {kind.like} what"
        " shall be read too.",
        DataWarning,
        stacklevel=2,
    )
