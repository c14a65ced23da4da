"""The code of a scale hyperprior as bytes, and back: exact on any machine."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from isthmus.compression.coder import Reader, Writer
from isthmus.compression.frequencies import SCALES, STEPS, frequencies
from isthmus.compression.indices import CHECKSUM, checksum, require_same_codes
from isthmus.compression.rounding import choices_of, notes_of, rounded, rounded_as
from isthmus.compression.varints import damaged_data, read_varint, varint
from isthmus.errors import InputError
from isthmus.models._hyperprior import HyperpriorBottleneck

_MOST = 2**20  # of a number of z: nothing that trains comes near


class Written(NamedTuple):
    """What a file holds of codes.

    Attributes:
        head: which quality, a checksum of y, and how far z reaches.
        notes_z, notes_y: how the encoder rounded what lay between two entries of a table.
        content: z and then y, by the entropy coder.
    """

    head: bytes
    notes_z: bytes
    notes_y: bytes
    content: bytes


def written(bottleneck: HyperpriorBottleneck, y: np.ndarray, z: np.ndarray) -> Written:
    """Whole numbers y ``(n, channels, h, w)`` and z as bytes.

    Both are written channel by channel: z under frequencies of its density, y under those of the
    scales that z says. What the networks say is computed in float64 and rounded onto grids, as
    :mod:`isthmus.compression.rounding` describes.

    Args:
        bottleneck: in float64, as is needed on both sides.
        y: the code.
        z: that of its scales.
    """
    low = int(z.min())
    high = max(int(z.max()), low + 1)  # a coder takes at least two values
    if max(-low, high, high - low) > _MOST // 2:
        raise InputError(
            f"the codes of these images run from {low} to {high}, as no trained model's do: train"
            " it longer, or look at the images."
        )
    steps, notes_z = _noted(_steps(bottleneck, low, high))
    places, notes_y = _noted(_places(bottleneck, z))
    writer = Writer()
    for numbers, table in zip(_by_channel(z - low), frequencies(_below(steps)), strict=True):
        writer.write(numbers, table)
    writer.write_gaussian(y.ravel().astype(np.int64), _indices(places))
    head = (bytes([bottleneck.quality]), checksum(y), varint(_unsigned(low)), varint(high - low))
    return Written(b"".join(head), notes_z, notes_y, writer.content())


def read_back(bottleneck: HyperpriorBottleneck, file: Written, n: int) -> np.ndarray:
    """The inverse of :func:`written`: y ``(n, channels, h, w)``, int64.

    ``bottleneck`` has the quality that :func:`quality_of` reads, and the size of the examples.
    """
    low, reach = _bounds(file.head)
    steps = rounded_as(_steps(bottleneck, low, low + reach), *choices_of(file.notes_z))
    reader = Reader(file.content)
    shape = bottleneck.hyper_shape(n)
    count = n * shape[2] * shape[3]
    channels = [reader.read(table, count) for table in frequencies(_below(steps))]
    z = np.stack(channels).reshape(shape[1], n, *shape[2:]).swapaxes(0, 1) + low
    places = rounded_as(_places(bottleneck, z), *choices_of(file.notes_y))
    y = reader.read_gaussian(_indices(places)).reshape(places.shape)
    require_same_codes(y, file.head[1 : 1 + CHECKSUM])
    return y


def quality_of(head: bytes, count: int) -> int:
    """Which of ``count`` weights codes were made for."""
    if len(head) < 1 + CHECKSUM or head[0] >= count:
        raise damaged_data()
    return head[0]


def _steps(bottleneck: HyperpriorBottleneck, low: int, high: int) -> np.ndarray:
    """How far log P of each number from ``low`` to ``high`` lies below the greatest, a row a
    channel, in steps of the coder's grid; not yet rounded.
    """
    numbers = torch.arange(low, high + 1, dtype=torch.float64)
    z = numbers.expand(bottleneck.density.channels, -1)[None]  # (1, channels, values)
    with torch.inference_mode():
        logs = bottleneck.density.mass(z.to(bottleneck.project.weight.device))[0].log()
    return STEPS * (logs.amax(1, keepdim=True) - logs).cpu().numpy()


def _places(bottleneck: HyperpriorBottleneck, z: np.ndarray) -> np.ndarray:
    """Where the scales of y lie on the table, not yet rounded, ``(n, channels, h, w)``."""
    given: Tensor = torch.from_numpy(np.ascontiguousarray(z)).double()
    with torch.inference_mode():
        places = bottleneck.table_places(given.to(bottleneck.project.weight.device))
    return places.cpu().numpy()


def _noted(values: np.ndarray) -> tuple[np.ndarray, bytes]:
    """The nearest whole numbers, and how those were rounded that lie in the middle of two."""
    whole, places = rounded(values)
    return whole, notes_of(places, whole.reshape(-1)[places])


def _below(steps: np.ndarray) -> np.ndarray:
    """Steps below the greatest, counted from it."""
    found: np.ndarray = steps - steps.min(1, keepdims=True)
    return found


def _indices(places: np.ndarray) -> np.ndarray:
    """Entries of the table of scales, flat."""
    found: np.ndarray = places.ravel().clip(0, SCALES - 1)
    return found


def _by_channel(z: np.ndarray) -> np.ndarray:
    """``(n, channels, h, w)`` as the numbers of each channel, ``(channels, n * h * w)``."""
    return z.swapaxes(0, 1).reshape(z.shape[1], -1)


def _unsigned(number: int) -> int:
    """A number of either sign as one that has none: 0, −1, 1, −2, …"""
    return 2 * number if number >= 0 else -2 * number - 1


def _bounds(head: bytes) -> tuple[int, int]:
    """The least number of z, and how far the greatest lies above it."""
    low, place = read_varint(head, 1 + CHECKSUM)
    reach, end = read_varint(head, place)
    if end != len(head) or max(low, reach) > _MOST or reach < 1:
        raise damaged_data()
    return (low >> 1) if low % 2 == 0 else -((low + 1) >> 1), reach
