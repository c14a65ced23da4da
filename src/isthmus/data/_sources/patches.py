"""Patches cut out of photographs, which may differ in size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from isthmus.core.memory import require, say_if_large
from isthmus.data._sources.folders import LabelledFile
from isthmus.data._sources.images import Images, Wanted, looked_at, say_unread
from isthmus.data._sources.pixels import Head, decoded, pixel_type
from isthmus.data._sources.progress import track
from isthmus.data.rows import Rows
from isthmus.errors import InputError

_COVER = 4  # how often a pixel is seen, on the average
_SEED = 0  # fixed: the same folder must give the same patches in every run


def read_patches(
    path: Path, side: object, test_fraction: float, *, skip_unreadable: bool = False
) -> Rows:
    """Square patches of ``side`` pixels, at random places of all images of a folder.

    An image gives patches by its area, so that every pixel is in four of them on the average. The
    patches of training images come first: no image gives patches to both parts. ``(n, channels,
    side, side)``, uint8 or uint16.

    Raises:
        InputError: for a side that is no whole number above 0, and an image that is smaller.
    """
    size = _checked(side)
    images = looked_at(path, Wanted((size, size)), skip_unreadable)
    _require_large(images.files, images.heads, size)
    if images.unread:
        say_unread(images.unread)
    train, test = _parts(images, test_fraction)
    counts = [_count(head, size) for head in images.heads]
    shape = (sum(counts), images.form.channels, size, size)
    nbytes = math.prod(shape) * np.dtype(pixel_type(images.form)).itemsize
    require(nbytes, f"an array of {shape[0]:,} patches of {size}x{size}", "give a smaller patch")
    say_if_large(nbytes, f"the array of {shape[0]} patches")
    random = np.random.default_rng(_SEED)
    x, filled = np.empty(shape, pixel_type(images.form)), 0
    for place in track([*train, *test], "cutting patches"):
        pixels = decoded(
            images.files[place].path, replace(images.form, size=images.heads[place].size)
        )
        _, height, width = pixels.shape
        for _ in range(counts[place]):
            top, left = random.integers(height - size + 1), random.integers(width - size + 1)
            x[filled] = pixels[:, top : top + size, left : left + size]
            filled += 1
    return Rows(x, train_rows=sum(counts[place] for place in train), unread=images.unread)


def _checked(side: object) -> int:
    if type(side) is not int or side < 1:
        raise InputError(
            f"patch={side!r} is not usable: give the side of a patch in pixels, such as 128."
        )
    return side


def _require_large(files: Sequence[LabelledFile], heads: Sequence[Head], size: int) -> None:
    for file, head in zip(files, heads, strict=True):
        if min(head.size) < size:
            height, width = head.size
            raise InputError(
                f"{file.path} is {height}x{width}, smaller than patch={size}: give a smaller patch,"
                " or take the image out."
            )


def _parts(images: Images, test_fraction: float) -> tuple[list[int], list[int]]:
    """The places of the images of both parts: those of the folder, or by chance."""
    n = len(images.files)
    if images.train is not None:
        return list(range(images.train)), list(range(images.train, n))
    order = np.random.default_rng(_SEED).permutation(n).tolist()
    count = min(max(round(n * test_fraction), 1), n - 1) if test_fraction else 0
    return sorted(order[count:]), sorted(order[:count])


def _count(head: Head, size: int) -> int:
    return math.ceil(_COVER * math.prod(head.size) / size**2)
