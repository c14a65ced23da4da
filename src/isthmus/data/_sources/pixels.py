"""The pixels of one image file, brought to a given form."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from isthmus.core.memory import require
from isthmus.core.paths import require_regular
from isthmus.data._sources.door import entering, told
from isthmus.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

WHITE_8, WHITE_16 = 255, 65535
_STEP = 257  # of 16 bits in one of 8: 255 * 257 = 65535, so that grey values stay the same
_COPIES = 3  # of the pixels while they are decoded and brought to their form
_GREY = frozenset({"1", "L", "LA"})
_MAY_TURN = (b"eXIf", b"exif", b"Orientation")
_ORIENTATION = 0x0112  # the EXIF tag; its values from 5 on turn the image by a quarter

# what Pillow says of a bad file before it raises would go to the terminal
logging.getLogger("PIL").addHandler(logging.NullHandler())

Size = tuple[int, int]  # height, width


@dataclass(frozen=True)
class Form:
    """What every image is brought to.

    Attributes:
        channels: 1 for grey, 3 for colours.
        size: (height, width).
        is_deep: whether pixels are kept with 16 bits (uint16, white is 65535), not 8.
    """

    channels: int
    size: Size
    is_deep: bool = False


@dataclass(frozen=True)
class Head:
    """What the head of an image file says.

    Attributes:
        size: (height, width), once it is turned upright.
        is_grey: whether it has no colours.
        is_deep: whether it is grey with 16 bits.
        is_cut: whether it has 16 bits a colour, of which the decoder gives 8.
    """

    size: Size
    is_grey: bool
    is_deep: bool
    is_cut: bool


def pixel_type(form: Form) -> type[np.uint8 | np.uint16]:
    """The type in which pixels are kept."""
    return np.uint16 if form.is_deep else np.uint8


def inspected(path: Path) -> Head:
    """What the head of an image file says; the pixels are not read."""
    with _opened(path) as image:
        width, height = image.size
        is_deep = _is_deep(image)
        is_cut = not is_deep and any(";16" in str(tile) for tile in image.tile)
        size = (width, height) if _is_turned(path, image) else (height, width)
        return Head(size, is_deep or image.mode in _GREY, is_deep, is_cut)


def _is_turned(path: Path, image: ImageFile) -> bool:
    """Whether the image is stored with its sides exchanged."""
    # Pillow decodes a PNG in search of what may stand behind its pixels
    if image.format == "PNG" and not any(word in path.read_bytes() for word in _MAY_TURN):
        return False
    return int(image.getexif().get(_ORIENTATION, 1)) >= 5


def decoded(path: Path, form: Form) -> np.ndarray:
    """The pixels ``(channels, height, width)`` of one image, the right way up."""
    from PIL import Image, ImageOps

    height, width = form.size
    with _opened(path) as image:
        was_deep = _is_deep(image)
        mode = "F" if was_deep else "L" if form.channels == 1 else "RGB"
        upright = _plain(ImageOps.exif_transpose(image), mode)
        if was_deep:
            _check_range(path, upright)
        if upright.size != (width, height):
            upright = upright.resize((width, height), Image.Resampling.BICUBIC)
        pixels = np.asarray(upright).reshape(height, width, -1).transpose(2, 0, 1)  # (c, h, w)
    if was_deep:  # a bicubic curve may pass the ends
        pixels = np.rint(pixels if form.is_deep else pixels / _STEP)
        return pixels.clip(0, WHITE_16 if form.is_deep else WHITE_8).astype(pixel_type(form))
    return pixels * np.uint16(_STEP) if form.is_deep else pixels


def _is_deep(image: Image) -> bool:
    return image.mode[0] == "I"


def _check_range(path: Path, image: Image) -> None:
    """Refuse 32-bit whole numbers that no image with 16 bits can hold."""
    low, high = np.asarray(image.getextrema()).ravel()[[0, -1]]
    if float(low) < 0 or float(high) > WHITE_16:
        raise InputError(
            f"{path} holds values from {low:g} to {high:g}, beyond 16 bits: save it as an .npy"
            " array."
        )


def _plain(image: Image, mode: str) -> Image:
    # Pillow warns where a palette with transparency is converted in one step
    if "transparency" in image.info and mode != "F":
        image = image.convert("RGBA")
    return image.convert(mode)


@contextmanager
def _opened(path: Path) -> Iterator[ImageFile]:
    """The opened image; whatever Pillow says of a bad one becomes an error that names the file."""
    from PIL import Image

    with entering(path, _no_image):
        require_regular(path)
        with Image.open(path) as image:
            width, height = image.size
            size = _COPIES * width * height * len(image.getbands())
            require(size, f"{path}, an image of {height:,}x{width:,},", "take it out")
            if image.mode[0] == "F":
                raise InputError(
                    f"{path} holds floating-point values ({image.mode}): save it with 8 or 16 bits,"
                    " or as an .npy array."
                )
            yield image


def _no_image(path: Path, error: Exception) -> InputError:
    return InputError(
        f"{path} cannot be read as an image ({told(error)}): replace it, or take it out, or pass"
        " skip_unreadable=True (--skip-unreadable)."
    )
