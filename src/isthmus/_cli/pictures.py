"""Photographs in, photographs out: a folder, or a single file, through a trained member."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from isthmus._cli.exports import ARRAY, TABLES
from isthmus.core.claims import claimed, is_ours, may_be_replaced
from isthmus.core.editions import Edition, edition, file_changes, settle
from isthmus.core.files import read_json, write_bytes
from isthmus.errors import InputError
from isthmus.version import __version__

if TYPE_CHECKING:
    from isthmus.data import Rows
    from isthmus.data._sources.images import Images
    from isthmus.estimators.tiling import Tiled

Target: TypeAlias = Literal["folder", "picture", "file"]

FORMAT = 1
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
    from isthmus.data._reading import holds_images

    ending = out.suffix.lower()
    if not holds_images(source) or (ending in (ARRAY, *TABLES) and not out.is_dir()):
        return "file"
    if ending in _FORMATS and not out.is_dir():
        return "picture" if Path(source).expanduser().is_file() else "file"
    return "folder"


def tiled(model: Any, source: str, out: Path, *, tiles: bool, overlap: int | None) -> Tiled | None:
    """The member in tiles, where they are asked for."""
    from isthmus.data._reading import holds_images
    from isthmus.estimators.tiling import Tiled

    if overlap is not None and not tiles:
        raise InputError(f"--overlap {overlap} is that of --tiles: pass both, or leave it out.")
    if tiles and target_of(source, out) == "file" and holds_images(source):
        raise InputError(
            f"--tiles keeps the size of each photograph, but {out} would hold all of them in one:"
            " name a folder, or for one photograph a picture."
        )
    return Tiled(model, overlap) if tiles else None


def restore_images(
    model: Any,
    source: str,
    out: Path,
    restore: Callable[[Rows], np.ndarray],
    *,
    command: str,
    overwrite: bool,
    tiled: bool = False,
    **options: Any,
) -> dict[str, Any]:
    """Write what is made of every image: under its own name into a folder, or as one picture.

    A folder is written as a whole: what was there stays until every image has been made.
    ``restore`` is asked about as many at once as inference takes, so that memory stays bounded;
    where photographs are ``tiled``, about one at a time, which keeps its own size.
    Gives how many were written, and the names of what could not be read.
    """
    from isthmus.data._reading import open_images

    _require_pixels(model)
    is_folder = target_of(source, out) == "folder"
    if is_folder:
        require_target(source, out, command, overwrite)
    images = open_images(source, like=model, **options)
    made = Restoration(model, source, restore, options.get("skip_unreadable", False), tiled)
    if not is_folder:
        for _, content in made.of(images, out.suffix):
            write_bytes(out, content)
        return made.found(out)
    names = [file.name for file in images.files]
    with filling(out, source, names, command=command, overwrite=overwrite) as new:
        for name, content in made.of(images):
            new.write(name, content)
        return made.found(out)


@contextmanager
def filling(
    out: Path, source: str, names: Sequence[str], *, command: str, overwrite: bool
) -> Iterator[Edition]:
    """A folder that is written as a whole: what was there stays until every file has been made."""
    _refuse_changed(out, names, overwrite)
    with claimed(out, wait=0), edition(out, (), MARK, synced=False) as new:
        yield new
        new.publish(_mark(source, command) | {"format": FORMAT, "isthmus": __version__})


class Restoration:
    """What a member makes of images, one after the other, and a count of them.

    Args:
        model: the member.
        source: where the images come from, for messages.
        restore: what is asked of the member.
        skip_unreadable: whether images that cannot be read are left out.
        tiled: whether each image keeps its own size.
    """

    def __init__(
        self,
        model: Any,
        source: str,
        restore: Callable[[Rows], np.ndarray],
        skip_unreadable: bool,
        tiled: bool = False,
    ) -> None:
        self.spec, self.layout = model.preprocessor_.spec, model.preprocessor_.layout
        self.source = source
        self.restore = restore
        self.skip_unreadable, self.tiled = skip_unreadable, tiled
        self.count = 0
        self.unread: list[str] = []

    def of(self, images: Images, ending: str | None = None) -> Iterator[tuple[str, bytes]]:
        """The name and the file of each image, in its own format or that of an ``ending``."""
        from isthmus.data._sources.images import decoded_rows

        self.unread += images.unread
        parts = _one_by_one(images) if self.tiled else _chunks(images, self.layout.shape)
        for some in parts:
            rows = decoded_rows(some, self.skip_unreadable)
            layout = self.layout.sized(*some.form.size) if self.tiled else self.layout
            self.unread += rows.unread
            if not len(rows):
                continue
            deep = {
                file.name: head.is_deep for file, head in zip(some.files, some.heads, strict=True)
            }
            # a member of 0 and 1 reads images of 0 and 1 as they are, and writes them so
            are_marks = self.spec.support == "binary" and np.max(rows.x) <= 1
            restored = self.restore(replace(rows, x=layout.inverse_transform(rows.x)))
            for name, pixels in zip(rows.files or (), layout.transform(restored), strict=True):
                form = ending or Path(name).suffix
                white = 1 if are_marks else white_of(form, pixels, deep[name])
                self.count += 1
                yield name, image_bytes(form, pixels, white)

    def found(self, out: Path) -> dict[str, Any]:
        """What was made; refused where that is nothing."""
        from isthmus.data._sources.images import say_unread

        if self.unread:
            say_unread(self.unread)
        if not self.count:
            raise InputError(f"{self.source} holds no image that can be read: name another.")
        size = {} if self.tiled else {"shape": self.layout.shape}
        found = {"out": out, "images": self.count, **size}
        return found | ({"unread": self.unread} if self.unread else {})


def white_of(ending: str, pixels: np.ndarray, is_deep: bool) -> int:
    """What white is in a file: 65535 for grey of 16 bits, where the format can hold it."""
    holds_16 = len(pixels) == 1 and ending.lower() in _DEEP
    return _WHITE_16 if is_deep and holds_16 else _WHITE_8


def image_bytes(ending: str, pixels: np.ndarray, white: int = _WHITE_8) -> bytes:
    """An image ``(channels, height, width)`` in [0, 1], in the format of an ending."""
    from PIL import Image

    form, options = _FORMATS[ending.lower()]
    values = np.rint(pixels.astype(np.float64).clip(0, 1) * white)
    stored = values.astype(np.uint16 if white > _WHITE_8 else np.uint8)
    buffer = io.BytesIO()
    # (h, w), or (h, w, c)
    image = Image.fromarray(stored[0] if len(stored) == 1 else stored.transpose(1, 2, 0))
    image.save(buffer, format=form, **options)
    return buffer.getvalue()


def _chunks(images: Images, shape: tuple[int, ...]) -> Iterator[Images]:
    """Some images after the other, as many as inference takes at once."""
    from isthmus.data.stores import inference_rows

    size = inference_rows(shape)
    for start in range(0, len(images.files), size):
        yield _some(images, slice(start, start + size))


def _one_by_one(images: Images) -> Iterator[Images]:
    """One image after the other, each in its own size."""
    for place, head in enumerate(images.heads):
        one = _some(images, slice(place, place + 1))
        yield replace(one, form=replace(images.form, size=head.size))


def _some(images: Images, part: slice) -> Images:
    files, heads = images.files[part], images.heads[part]
    return replace(images, files=files, heads=heads, train=None, unread=())


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


def require_target(source: str, out: Path, command: str, overwrite: bool) -> None:
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
    if overwrite or not out.is_dir() or may_be_replaced(out, ()):
        return
    if not is_ours(out / MARK):
        raise InputError(
            f"{out} is not empty and was not written by isthmus {command}: choose another folder,"
            " or pass --overwrite to write among what is there."
        )
    if not _mark(source, command).items() <= read_json(out / MARK).items():
        raise InputError(
            f"{out} holds what isthmus made of other data: choose another folder, or pass"
            " --overwrite to write among what is there."
        )


def _mark(source: str, command: str) -> dict[str, Any]:
    """What a folder of ours says of where it comes from."""
    return {"command": command, "data": str(Path(source).expanduser().resolve())}


def _refuse_changed(out: Path, names: Sequence[str], overwrite: bool) -> None:
    """Refuse to replace an image that isthmus did not write as it is."""
    if overwrite or not out.is_dir():
        return
    settle(out, (), MARK)
    mark = read_json(out / MARK) if is_ours(out / MARK) else {"files": {}}
    written = set(mark["files"]) - set(file_changes(out, mark))
    for name in names:
        if os.path.lexists(out / name) and name not in written:
            raise InputError(
                f"{out / name} was not written by isthmus, or was changed since: choose another"
                " folder, or pass --overwrite to replace it; nothing was written."
            )
