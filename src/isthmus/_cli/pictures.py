"""Photographs in, photographs out: a folder, or a single file, through a trained member."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from isthmus._cli.exports import ARRAY, TABLES
from isthmus.core.files import read_json, write_bytes, write_json
from isthmus.errors import InputError

if TYPE_CHECKING:
    from isthmus.data import Rows
    from isthmus.data._sources.images import Images

Target: TypeAlias = Literal["folder", "picture", "file"]

MARK = ".isthmus.json"  # in a folder of ours; hidden, so that it is no part of the data
_WHITE_8, _WHITE_16 = 255, 65535
_FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    ".bmp": ("BMP", {}),
    ".gif": ("GIF", {}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".png": ("PNG", {}),
    ".tif": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    ".tiff": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    ".webp": ("WEBP", {"lossless": True}),
}
_DEEP = (".png", ".tif", ".tiff")  # what can hold 16 bits of grey


def target_of(source: str, out: Path) -> Target:
    """Whether images are to be written one by one into a folder, one photograph as another, or a
    single file for all examples.
    """
    from isthmus.data._loading import holds_images

    ending = out.suffix.lower()
    if not holds_images(source) or (ending in (ARRAY, *TABLES) and not out.is_dir()):
        return "file"
    if ending in _FORMATS and not out.is_dir():
        return "picture" if Path(source).expanduser().is_file() else "file"
    return "folder"


def restore_images(
    model: Any,
    source: str,
    out: Path,
    restore: Callable[[Rows], np.ndarray],
    *,
    command: str,
    overwrite: bool,
    **options: Any,
) -> dict[str, Any]:
    """Write what is made of every image: under its own name into a folder, or as one picture.

    ``restore`` is asked about as many at once as inference takes, so that memory stays bounded.
    Gives how many were written, and the names of what could not be read.
    """
    from isthmus.data._loading import open_images
    from isthmus.data._sources.images import say_unread

    _require_pixels(model)
    is_folder = target_of(source, out) == "folder"
    if is_folder:
        _require_target(source, out, command, overwrite)
    images = open_images(source, like=model, **options)
    layout = model.preprocessor_.layout
    if is_folder:
        out.mkdir(parents=True, exist_ok=True)
        given = str(Path(source).expanduser().resolve())
        write_json(out / MARK, {"command": command, "data": given})
    count, unread = 0, list(images.unread)
    for some, rows in _chunks(images, layout.shape, options.get("skip_unreadable", False)):
        unread += rows.unread
        if not len(rows):
            continue
        deep = {file.name: head.is_deep for file, head in zip(some.files, some.heads, strict=True)}
        # a member of 0 and 1 reads images of 0 and 1 as they are, and writes them so
        are_marks = model.preprocessor_.spec.support == "binary" and np.max(rows.x) <= 1
        restored = restore(replace(rows, x=layout.inverse_transform(rows.x)))
        for name, pixels in zip(rows.files or (), layout.transform(restored), strict=True):
            path = out / name if is_folder else out
            write_image(path, pixels, 1 if are_marks else white_of(path, pixels, deep[name]))
        count += len(rows)
    if unread:
        say_unread(unread)
    if not count:
        raise InputError(f"{source} holds no image that can be read: name another.")
    found = {"out": out, "images": count, "shape": layout.shape}
    return found | ({"unread": unread} if unread else {})


def white_of(path: Path, pixels: np.ndarray, is_deep: bool) -> int:
    """What white is in a file: 65535 for grey of 16 bits, where the format can hold it."""
    holds_16 = len(pixels) == 1 and path.suffix.lower() in _DEEP
    return _WHITE_16 if is_deep and holds_16 else _WHITE_8


def write_image(path: Path, pixels: np.ndarray, white: int = _WHITE_8) -> None:
    """Write an image ``(channels, height, width)`` in [0, 1] in the format that its name says."""
    from PIL import Image

    form, options = _FORMATS[path.suffix.lower()]
    values = np.rint(pixels.astype(np.float64).clip(0, 1) * white)
    stored = values.astype(np.uint16 if white > _WHITE_8 else np.uint8)
    buffer = io.BytesIO()
    # (h, w), or (h, w, c)
    image = Image.fromarray(stored[0] if len(stored) == 1 else stored.transpose(1, 2, 0))
    image.save(buffer, format=form, **options)
    write_bytes(path, buffer.getvalue(), synced=False)


def _chunks(
    images: Images, shape: tuple[int, ...], skip_unreadable: bool
) -> Iterator[tuple[Images, Rows]]:
    """Some images after the other, as many as inference takes at once."""
    from isthmus.data._sources.images import decoded_rows
    from isthmus.data.stores import inference_rows

    size = inference_rows(shape)
    for start in range(0, len(images.files), size):
        part = slice(start, start + size)
        files, heads = images.files[part], images.heads[part]
        some = replace(images, files=files, heads=heads, train=None, unread=())
        yield some, decoded_rows(some, skip_unreadable)


def _require_pixels(model: Any) -> None:
    """Refuse a member whose values are no pixels, so that nothing says which of them is white."""
    preprocessor = model.preprocessor_
    is_unit = preprocessor.scaling.kind in ("none", "pixels") and preprocessor.scaling.unit_range
    if preprocessor.spec.kind != "image" or not is_unit:
        raise InputError(
            f"this {type(model).__name__} was trained on {preprocessor.spec} with"
            f" scaling={preprocessor.scaling.kind!r}, which say nothing of black and white: give a"
            " name that ends in .npy, or train on images with --scaling auto."
        )


def _require_target(source: str, out: Path, command: str, overwrite: bool) -> None:
    """Refuse a folder that holds the originals, and one that was not made by the same command of
    the same data.
    """
    given, target = Path(source).expanduser().resolve(), out.expanduser().resolve()
    folder = given if given.is_dir() else given.parent
    lies_within = given.is_dir() and (folder in target.parents or target in folder.parents)
    if target == folder or lies_within:
        raise InputError(
            f"{out} and {source} lie in each other, so that originals could be written over: choose"
            " another folder."
        )
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file: choose a folder that is new or empty.")
    if overwrite or not out.is_dir() or not any(out.iterdir()):
        return
    if not (out / MARK).is_file():
        raise InputError(
            f"{out} is not empty and was not written by isthmus {command}: choose another folder,"
            " or pass --overwrite to write among what is there."
        )
    mark = read_json(out / MARK)
    if mark != {"command": command, "data": str(given)}:
        raise InputError(
            f"{out} holds what isthmus made of other data: choose another folder, or pass"
            " --overwrite to write among what is there."
        )
