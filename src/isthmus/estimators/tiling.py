"""Photographs of any size, by a member that was trained on small images: overlapping tiles."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import torch

from isthmus.core.batch import Batch
from isthmus.core.counts import require_count
from isthmus.core.tiles import Window, in_cells, inside, ramp, tile_starts, tile_windows
from isthmus.data.datasets import Part
from isthmus.data.incoming import incoming
from isthmus.errors import InputError, InputTypeError
from isthmus.estimators._sizes import for_shape
from isthmus.estimators.base import Estimator

_SIDE = 512  # of a tile, where tiles may be larger than the images of the training
_MARGINS = 4  # a tile is so many margins wide at the least, so that not all of it is margin
_CELLS = 32  # of the code along a side, where it is tried how far a value reaches
_TOGETHER = 64  # tiles that are blended at once

Made = Callable[[Any, np.ndarray], Any]
"""From a member and images ``(n, *outer)`` to what it makes of them."""


class Reach(NamedTuple):
    """How far a value of an image is seen: the pixels of a cell of the code, and a margin that is
    a multiple of them.
    """

    cell: int
    margin: int


@dataclass(frozen=True)
class Tiled:
    r"""A trained member for images of any height and width, in overlapping tiles without seams.

    Where the member only convolves (its code is a map, or a grid of indices), tiles are larger than
    what it was trained on, and only that part of each is kept which no border of a tile can reach:
    the result is that of the whole image at once, but for rounding, in memory that does not grow
    with the image. How far a border reaches is measured. Any other member works on tiles of the
    size that it was trained on, and what overlaps is blended,

    .. math:: \hat x_p = \frac{\sum_t w(p - t) \, \hat x^{(t)}_{p - t}}{\sum_t w(p - t)}, \quad
              w(i, j) = r(i) \, r(j)

    where r rises from 0 to 1 over ``overlap`` pixels as a squared sine, and falls alike.

    Images are ``(n, *outer)`` in the layout of the training examples with another height and width,
    one of them without the first axis, or a list of images of several sizes; what comes back has
    the same form.

    Args:
        model: a member that was trained on images.
        overlap: pixels that neighbouring tiles share where they are blended; half a side if None.
        side: the height and width of a tile where the member only convolves.

    Raises:
        InputError: for a member of other data, for an overlap that leaves nothing of a tile, and
            at ``encode`` for codes that have no places.

    Example:
        >>> import isthmus as ist
        >>> data = ist.data.load("digits")
        >>> model = ist.AE(code="map", hidden=(8, 16), epochs=1, random_state=0).fit(data.train)
        >>> photograph = np.tile(data.test.x[0], (1, 5, 7))
        >>> tiled = ist.Tiled(model)
        >>> photograph.shape, tiled.reconstruct(photograph).shape, tiled.encode(photograph).shape
        ((1, 40, 56), (1, 40, 56), (4, 10, 14))
    """

    model: Any
    overlap: int | None = None
    side: int = _SIDE

    def __post_init__(self) -> None:
        """Refuse what cannot be tiled."""
        if not isinstance(self.model, Estimator):
            raise InputTypeError(
                f"model={reprlib.repr(self.model)} is no trained member: give one that was fitted,"
                " or that ist.load reads from a folder."
            )
        spec, layout = self.model._settled.spec, self.model._settled.layout
        if spec.kind != "image" or layout.channels == "flat":
            raise InputError(
                f"tiles are cut from images, but this {type(self.model).__name__} was trained on"
                f" {spec}, an example of shape {layout.outer}: train it on (n, height, width) or"
                " that with channels."
            )
        require_count("side", self.side)
        shortest = min(spec.shape[1:])
        if self.overlap is not None and not _is_up_to(self.overlap, shortest // 2):
            raise InputError(
                f"overlap={self.overlap!r} is not usable for tiles of {shortest} pixels: give a"
                f" whole number from 0 to {shortest // 2}."
            )

    def reconstruct(self, X: Any, *, condition: Any = None) -> Any:
        """What comes back of images of any size, in the layout and units of the data."""
        return self._each(X, lambda member, x: member.reconstruct(x, **_told(condition)))

    def denoise(self, X: Any) -> Any:
        """Clean images of any size, by a denoising member."""
        if not hasattr(self.model, "denoise"):
            raise InputError(
                f"{type(self.model).__name__} does not clean examples: train a DenoisingAE."
            )
        return self._each(X, lambda member, x: member.denoise(x))

    def encode(self, X: Any, *, condition: Any = None) -> Any:
        """The map of each image of any size, ``(n, channels, h, w)``, or its grid of indices, as
        ``model.encode`` gives it.
        """
        if self.reach is None or len(self.model.module_.bottleneck.code_shape) < 3:
            raise InputError(
                f"the code of this {type(self.model).__name__} is no map, so those of tiles make"
                " none of the whole image: train it with code='map', or take a VQVAE."
            )
        images, give_back = self._images(X)
        found = [self._encoded(image, condition) for image in images]
        parts = [give_back([codes[i] for codes in found]) for i in range(len(found[0]))]
        return self._posterior(*parts) if len(parts) > 1 else parts[0]

    @cached_property
    def reach(self) -> Reach | None:
        """How far a value of an image is seen where the member only convolves; None elsewhere."""
        coarse = _coarsest(self.model)
        if coarse is None:
            return None
        cell = 2 ** math.ceil(math.log2(self.model._settled.spec.shape[1] / coarse))
        sides = cell * _CELLS
        try:
            member = for_shape(self.model, self.model._settled.layout.sized(sides, sides).outer)
        except InputError:
            return None
        if _coarsest(member) != _CELLS:  # its cells are no powers of two
            return None
        middle = slice(sides // 2, sides // 2 + cell)
        with member._inference() as module:
            x = torch.zeros(1, *member.preprocessor_.spec.shape, device=member._device)
            x[..., middle, middle] = torch.nan  # whatever sees it becomes NaN
            seen = module(Batch(x)).isnan()[0].any(0).cpu()
        rows, columns = (seen.any(axis).nonzero() for axis in (1, 0))
        low = min(int(rows.min()), int(columns.min()))
        high = max(int(rows.max()), int(columns.max()))
        if low == 0 or high == sides - 1:  # everything sees everything
            return None
        margin = max(middle.start - low, high + 1 - middle.stop)
        return Reach(cell, math.ceil(margin / cell) * cell)

    def _each(self, X: Any, make: Made) -> Any:
        images, give_back = self._images(X)
        return give_back([self._made(image, make) for image in images])

    def _made(self, image: np.ndarray, make: Made) -> np.ndarray:
        """What is made of one image ``(*outer)`` of any size."""
        if self.reach is None:
            return self._blended(image, make)
        found: np.ndarray | None = None
        for rows, columns, member, tile in self._tiles(image, self.reach):
            made = np.asarray(make(member, tile[None]))[0]
            if found is None:
                found = np.empty(image.shape, made.dtype)
            kept = self._at(inside(rows), inside(columns))
            found[self._at(slice(*rows[2:]), slice(*columns[2:]))] = made[kept]
        assert found is not None
        return found

    def _encoded(self, image: np.ndarray, condition: Any) -> list[np.ndarray]:
        """The parts of the posterior of one image, or its code alone."""
        assert self.reach is not None
        cell, found = self.reach.cell, list[np.ndarray]()
        height, width = (math.ceil(side / cell) for side in self._size(image))
        for rows, columns, member, tile in self._tiles(image, self.reach):
            posterior = member.encode(tile[None], **_told(condition))
            parts = posterior if isinstance(posterior, tuple) else (posterior,)
            place = tuple(in_cells(slice(*window[2:]), cell) for window in (rows, columns))
            kept = tuple(in_cells(inside(window), cell) for window in (rows, columns))
            before = self._before(parts[0])
            for i, part in enumerate(parts):
                if len(found) == i:
                    shape = part.shape[1:][: len(before)], part.shape[1:][len(before) + 2 :]
                    found.append(np.empty((*shape[0], height, width, *shape[1]), part.dtype))
                found[i][(*before, *place)] = part[0][(*before, *kept)]
        return found

    def _before(self, part: np.ndarray) -> tuple[slice, ...]:
        """The axes of one code before its grid: the channels of a map, none of indices."""
        return () if part.dtype.kind in "iu" else (slice(None),)

    def _posterior(self, *parts: Any) -> Any:
        small = self.model.encode(np.zeros((1, *self.model._settled.layout.outer), np.float32))
        return type(small)(*parts)

    def _tiles(
        self, image: np.ndarray, reach: Reach
    ) -> Iterator[tuple[Window, Window, Estimator, np.ndarray]]:
        """Overlapping tiles of an image, each with the member for its size."""
        side = max(self.side // reach.cell * reach.cell, _MARGINS * reach.margin)
        members: dict[tuple[int, ...], Estimator] = {}
        sides = (tile_windows(size, side, reach.margin) for size in self._size(image))
        for rows, columns in product(*sides):
            tile = image[self._at(slice(*rows[:2]), slice(*columns[:2]))]
            if tile.shape not in members:
                members[tile.shape] = for_shape(self.model, tile.shape)
            yield rows, columns, members[tile.shape], tile

    def _blended(self, image: np.ndarray, make: Made) -> np.ndarray:
        """Tiles of the training size, and the weighted mean where they overlap."""
        sides = self._size(np.empty(self.model._settled.layout.outer, bool))
        height, width = self._size(image)
        lacking = [max(0, side - size) for side, size in zip(sides, (height, width), strict=True)]
        pads = [(0, 0)] * image.ndim
        for axis, lack in zip(self._axes, lacking, strict=True):
            pads[axis] = (0, lack)
        padded = np.pad(image, pads, mode="symmetric")
        places, ramps = [], []
        for side, size in zip(sides, self._size(padded), strict=True):
            overlap = side // 2 if self.overlap is None else self.overlap
            places.append(tile_starts(size, side, overlap))
            ramps.append(ramp(side, overlap))
        weight = np.expand_dims(np.outer(*ramps), self._beside)  # of a tile, in the layout
        total = np.zeros(padded.shape, np.float64)
        weights = np.zeros([n if axis in self._axes else 1 for axis, n in enumerate(padded.shape)])
        corners = list(product(*places))
        for some in (corners[i : i + _TOGETHER] for i in range(0, len(corners), _TOGETHER)):
            at = [
                self._at(slice(row, row + sides[0]), slice(column, column + sides[1]))
                for row, column in some
            ]
            made = np.asarray(make(self.model, np.stack([padded[place] for place in at])))
            for place, tile in zip(at, made, strict=True):
                total[place] += weight * tile
                weights[place] += weight
        found = (total / weights).astype(made.dtype)
        return found[self._at(slice(height), slice(width))]

    @property
    def _axes(self) -> tuple[int, int]:
        """The axes of height and width of one image as it is handed in."""
        return (1, 2) if self.model._settled.layout.channels == "first" else (0, 1)

    @property
    def _beside(self) -> tuple[int, ...]:
        """The other axis, if there is one."""
        layout = self.model._settled.layout
        return {"first": (0,), "last": (2,)}.get(layout.channels, ())

    def _size(self, image: np.ndarray) -> tuple[int, int]:
        rows, columns = self._axes
        return image.shape[rows], image.shape[columns]

    def _at(self, rows: slice, columns: slice) -> tuple[slice, ...]:
        """The place of a tile in one image, as an index."""
        before = (slice(None),) if self._axes == (1, 2) else ()
        return (*before, rows, columns)

    def _images(self, X: Any) -> tuple[list[np.ndarray], Callable[[list[Any]], Any]]:
        """The images that were handed in, one by one, and how results go back into their form."""
        outer = self.model._settled.layout.outer
        give_back: Callable[[list[Any]], Any] = list
        if isinstance(X, list | tuple):
            images = [_pixels(image) for image in X]
        elif np.ndim(x := _pixels(X)) == len(outer):
            images, give_back = [x], _first
        else:
            images, give_back = list(x), np.stack
        kept = [axis for axis in range(len(outer)) if axis not in self._axes]
        for image in images:
            fits = image.ndim == len(outer) and all(image.shape[a] == outer[a] for a in kept)
            if not fits or image.size == 0:
                raise InputError(
                    f"X has an image of shape {image.shape}, but the model was trained on {outer}:"
                    " bring it into that layout, of any height and width."
                )
        if not images:
            raise InputError("X holds no images: give at least one.")
        return images, give_back


def _coarsest(member: Any) -> int | None:
    """The height of the coarsest grid of a code; None where it has none."""
    code = member.module_.bottleneck
    grids = [level.grid for level in code.levels] or [code.code_shape[1:]]
    return min(grid[0] for grid in grids) if len(grids[0]) == 2 else None


def _is_up_to(value: Any, most: int) -> bool:
    """Whether a value is a whole number from 0 to another."""
    is_whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return is_whole and 0 <= value <= most


def _pixels(X: Any) -> np.ndarray:
    """One image or several, as an array."""
    x = incoming(X)
    x = x.x if isinstance(x, Part) else x
    if not isinstance(x, np.ndarray) or x.ndim == 0:
        raise InputTypeError(
            f"X is a {type(X).__name__}, no images: give an array of them, or a list of arrays."
        )
    return x


def _told(condition: Any) -> dict[str, Any]:
    return {} if condition is None else {"condition": condition}


def _first(found: list[Any]) -> Any:
    return found[0]
