"""Floating-point numbers as whole ones, of which encoder and decoder are sure to find the same.

A network answers a little differently on another machine, with another number of threads or beside
other examples: in float64 by some 1e-13. Rounding hides that, but where a number lies next to the
middle between two whole ones. The encoder writes down which way it rounded those.
"""

from __future__ import annotations

import numpy as np

from isthmus.compression.varints import damaged_data, read_varint, varint
from isthmus.errors import InputError

MARGIN = 2.0**-20
"""Up to which distance from the middle, in steps of the grid, a choice is written down."""

_GREATEST = 2.0**53


def rounded(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest whole numbers, int64 as ``values``, and where they are not sure, ``(k,)``.

    Those are places in the flat array, in order.

    Raises:
        InputError: for numbers that are not finite, or too large to have neighbours in float64.
    """
    if not np.isfinite(values).all() or np.abs(values).max(initial=0) > _GREATEST:
        raise InputError(
            "the model gives numbers that are not finite for these examples, so that they cannot be"
            " coded: look at the data, or train the member again."
        )
    whole = np.rint(values)
    doubtful = np.abs(np.abs(values - whole) - 0.5) < MARGIN
    return whole.astype(np.int64), np.flatnonzero(doubtful)


def notes_of(places: np.ndarray, whole: np.ndarray) -> bytes:
    """Which way numbers at ``places``, in order, were rounded to the ``whole`` ones, ``(k,)``."""
    gaps = np.diff(places, prepend=0)
    return b"".join(
        varint(2 * gap + number % 2)
        for gap, number in zip(gaps.tolist(), whole.tolist(), strict=True)
    )


def choices_of(notes: bytes) -> tuple[np.ndarray, np.ndarray]:
    """What :func:`notes_of` wrote: places, and whether the number there is odd, each ``(k,)``."""
    found, start = [], 0
    while start < len(notes):
        value, start = read_varint(notes, start)
        found.append(value)
    given = np.array(found, dtype=np.int64)
    return np.cumsum(given >> 1), given & 1


def rounded_as(values: np.ndarray, places: np.ndarray, odd: np.ndarray) -> np.ndarray:
    """The whole numbers next to values, int64; at some places the odd one, or the even.

    ``places`` are of the flat array.
    """
    whole, _ = rounded(values)
    flat, given = whole.reshape(-1), values.reshape(-1)
    if places.size and (places[0] < 0 or places[-1] >= flat.size):
        raise damaged_data()
    near = flat[places]
    away = near + np.where(given[places] > near, 1, -1)
    flat[places] = np.where(near % 2 == odd, near, away)
    return whole
