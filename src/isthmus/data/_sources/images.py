"""A folder of images; its sub-folders are the classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from isthmus.data._sources.progress import track
from isthmus.data.rows import Rows, number_labels
from isthmus.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"})
_SPLIT = ("train", "test")
_GREY = frozenset({"1", "L", "LA"})
_ORIENTATION = 0x0112  # the EXIF tag; its values from 5 on turn the image by a quarter

_Size = tuple[int, int]  # height, width


@dataclass(frozen=True)
class _Found:
    """An image file and the class that its sub-folder names, if it lies in one."""

    path: Path
    label: str | None = None


@dataclass(frozen=True)
class _Seen:
    """What the head of an image file says."""

    size: _Size
    grey: bool


def read_folder(folder: Path, size: int | Sequence[int] | None = None) -> Rows:
    """Read the images of a folder, sorted by name, as uint8 ``(n, channels, height, width)``.

    Sub-folders are classes; if they are exactly ``train`` and ``test``, they are the two parts, and
    the classes lie below them. Images are grey (1 channel) if all are, else RGB (3); transparency
    is dropped, an animation gives its first frame. All must have one size, unless ``size`` (one
    number, or height and width) resizes them.
    """
    wanted = None if size is None else _checked_size(size)
    parts = [_listed(part) for part in _part_folders(folder)]
    found = [item for part in parts for item in part]
    y, classes = _labels(folder, found)
    x = _pixels([item.path for item in found], wanted)
    files = tuple(item.path.relative_to(folder).as_posix() for item in found)
    return Rows(x, y, classes, files=files, train_rows=len(parts[0]) if len(parts) == 2 else None)


def _checked_size(size: int | Sequence[int]) -> _Size:
    pair = tuple(size) if isinstance(size, list | tuple) else (size, size)
    if len(pair) != 2 or not all(type(side) is int and side > 0 for side in pair):
        raise InputError(
            f"size={size!r} must be a whole number above 0, or two of them: (height, width)."
        )
    return pair[0], pair[1]


def _part_folders(folder: Path) -> list[Path]:
    return (
        [folder / name for name in _SPLIT]
        if {sub.name for sub in _subfolders(folder)} == set(_SPLIT)
        else [folder]
    )


def _listed(folder: Path) -> list[_Found]:
    found = [_Found(path) for path in sorted(folder.iterdir()) if _is_image(path)]
    for sub in _subfolders(folder):
        inside = [_Found(path, sub.name) for path in sorted(sub.rglob("*")) if _is_image(path)]
        if not inside:
            raise InputError(
                f"{sub} holds no images, but every sub-folder is a class: move it out of {folder}."
            )
        found += inside
    if not found:
        raise InputError(
            f"{folder} holds no images ({', '.join(sorted(_SUFFIXES))}): name another folder."
        )
    return found


def _subfolders(folder: Path) -> list[Path]:
    return sorted(
        sub for sub in folder.iterdir() if sub.is_dir() and not sub.name.startswith((".", "__"))
    )


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in _SUFFIXES and not path.name.startswith(".") and path.is_file()


def _labels(
    folder: Path, found: Sequence[_Found]
) -> tuple[np.ndarray | None, tuple[str, ...] | None]:
    labels = [item.label for item in found if item.label is not None]
    if not labels:
        return None, None
    if len(labels) < len(found):
        loose = next(item.path for item in found if item.label is None)
        raise InputError(
            f"{folder} holds images in sub-folders and beside them ({loose.name}): put every image"
            " into the sub-folder of its class, or all into one folder without classes."
        )
    return number_labels(np.array(labels), str(folder))


def _pixels(paths: Sequence[Path], wanted: _Size | None) -> np.ndarray:
    """Two passes, so that the pixels are read straight into their place in one array."""
    seen = [_inspect(path) for path in track(paths, "looking at images")]
    height, width = wanted or _common_size(paths, seen)
    channels = 1 if all(item.grey for item in seen) else 3
    x = np.empty((len(paths), channels, height, width), np.uint8)
    for place, path in zip(x, track(paths, "reading images"), strict=True):
        place[:] = _decoded(path, channels, (height, width))
    return x


def _common_size(paths: Sequence[Path], seen: Sequence[_Seen]) -> _Size:
    first = seen[0].size
    for path, item in zip(paths, seen, strict=True):
        if item.size != first:
            raise InputError(
                f"the images differ in size (height x width): {paths[0]} is {_text(first)}, {path}"
                f" is {_text(item.size)}: pass size, such as size={min(first)}, to resize them all."
            )
    return first


def _text(size: _Size) -> str:
    return f"{size[0]}x{size[1]}"


def _inspect(path: Path) -> _Seen:
    with _opened(path) as image:
        if image.mode[0] in "IF":
            raise InputError(
                f"{path} has more than 8 bits a channel ({image.mode}): save it with 8, or as an"
                " .npy array."
            )
        width, height = image.size
        turned = image.getexif().get(_ORIENTATION, 1) >= 5
        return _Seen((width, height) if turned else (height, width), image.mode in _GREY)


def _decoded(path: Path, channels: int, size: _Size) -> np.ndarray:
    """The pixels ``(channels, height, width)`` of one image, the right way up."""
    from PIL import Image, ImageOps

    with _opened(path) as image:
        upright = _plain(ImageOps.exif_transpose(image), "L" if channels == 1 else "RGB")
        if upright.size != (size[1], size[0]):
            upright = upright.resize((size[1], size[0]), Image.Resampling.BICUBIC)
        return np.asarray(upright).reshape(*size, channels).transpose(2, 0, 1)  # (c, h, w)


def _plain(image: Image, mode: str) -> Image:
    # Pillow warns where a palette with transparency is converted in one step
    if "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert(mode)


@contextmanager
def _opened(path: Path) -> Iterator[Image]:
    """The opened image; whatever Pillow says of a bad one becomes an error that names the file."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            yield image
    except InputError:
        raise
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise InputError(
            f"{path} cannot be read as an image ({error}): replace it, or take it out."
        ) from error
