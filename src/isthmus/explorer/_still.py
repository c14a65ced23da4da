"""A trained model that does not answer in the page: its codes over time, and finished pictures."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from isthmus.data.datasets import Data, Part, known_of, named_for
from isthmus.data.frames import Values
from isthmus.errors import InputError
from isthmus.explorer import _sounds as sounds
from isthmus.explorer._plane import Moment, axes_of, view_of
from isthmus.figures._codes import codes_of, decoded_by
from isthmus.figures._images import as_images
from isthmus.figures._sounds import rate_of
from isthmus.figures._tiles import Pictures, tiles_for

SIDE = 15
"""Tiles along a side of the map."""
_LOOKED_AT = 500  # sounds that say how loud the loudest is


class Still:
    """A model and the examples that it is shown with.

    Args:
        label: what it is called.
        model: an estimator, or what has the face of one.
        part: the examples.
        data: what they are of.
        why: why it does not answer in the page.
    """

    def __init__(self, label: str, model: Any, part: Part, data: Data, why: str) -> None:
        self.label, self.model, self.part, self.data, self.why = label, model, part, data, why
        self.space = str(model.code_space)
        self.last = codes_of(model, part, data)

    @cached_property
    def moments(self) -> list[Moment]:
        """The codes at the snapshots, where these are of the same examples; else at the end."""
        end = self.model.history_[-1]["epoch"] if self.model.history_ else 0
        flat = [Moment(shot.epoch, _flat(shot.codes)) for shot in self.model.snapshots_]
        last = _flat(self.last)
        if not flat or flat[-1].codes.shape[1] != last.shape[1] or len(flat[-1].codes) > len(last):
            return [Moment(int(end), last)]
        same = np.allclose(flat[-1].codes, last[: len(flat[-1].codes)], rtol=0.01, atol=0.01)
        return flat if same else [Moment(int(end), last)]

    def pictures(self) -> np.ndarray | None:
        """The examples as ``(n, c, h, w)`` in [0, 1]; None where they are no images."""
        return images_of(self.part.x, self.model, self.data)

    def rebuilt(self, count: int) -> np.ndarray | None:
        """Reconstructions of the first examples, as :meth:`pictures`."""
        part = self.part.take(slice(count))
        made = self.model.reconstruct(
            named_for(self.model, part.x, self.data), **known_of(self.model, part)
        )
        return images_of(made, self.model, self.data)

    def heard(self, count: int) -> list[str]:
        """What is made of the first sounds, to be played."""
        return sounds.heard_again(self.model, self.part.take(slice(count)), self.data)

    def tiles(self) -> np.ndarray | None:
        """What the decoder makes of the middles of ``SIDE`` × ``SIDE`` squares of the plane that is
        shown, row by row from the top left; None where it makes no images, or nothing of them.
        """
        flat = _flat(self.last)
        axes = axes_of(flat)
        strips = 1 if self.part.y is None else int(self.part.y.max(initial=0)) + 1
        points = np.stack([axes.coordinates(moment.codes) for moment in self.moments])
        view = view_of(points, self.space if flat.shape[1] <= 2 else "data", strips)
        places = lattice_of(view)[:, : flat.shape[1]]
        codes = axes.centre + places @ axes.directions[:2]
        codes = codes.astype(self.last.dtype).reshape(-1, *self.last.shape[1:])
        try:
            return images_of(decoded_by(self.model, codes), self.model, self.data)
        except InputError:  # of codes that lie between those that it knows
            return None


def lattice_of(view: Sequence[float]) -> np.ndarray:
    """The middles of ``SIDE`` × ``SIDE`` equal parts of a view (left, right, bottom, top), row by
    row from the top left, ``(SIDE², 2)``.
    """
    left, right, bottom, top = view
    share = (np.arange(SIDE) + 0.5) / SIDE
    across, down = np.meshgrid(left + share * (right - left), top - share * (top - bottom))
    return np.stack([across.ravel(), down.ravel()], axis=1)


def images_of(x: Values, model: Any, data: Data) -> np.ndarray | None:
    """Examples as images ``(n, c, h, w)`` in [0, 1], sounds as spectrograms beside the loudest of
    the test part; None for what is none.
    """
    if rate_of(model) is not None:
        loudest = sounds.loudest_of(data.test.take(slice(_LOOKED_AT)).x, model)
        return sounds.spectrogram_pictures(x, model, loudest)
    tiles = tiles_for(model, data)
    if not isinstance(tiles, Pictures):
        return None
    # pixels come back in [0, 1], unless another scaling was asked for
    span = (
        (0.0, tiles.white)
        if tiles.white is not None and model.preprocessor_.scaling.kind != "pixels"
        else tiles.span
    )
    found = as_images(x, channels=tiles.channels, image_shape=tiles.image_shape, span=span)
    return found[:, None] if found.ndim == 3 else np.moveaxis(found, -1, 1)


def _flat(codes: np.ndarray) -> np.ndarray:
    return codes.reshape(len(codes), -1).astype(np.float64)
