"""Sequences of unequal length as one array: each is followed by steps of NaN, up to the longest."""

from __future__ import annotations

from typing import Any

import numpy as np

from isthmus.errors import InputError


def is_ragged(X: Any) -> bool:
    """Whether X is a list of sequences, arrays or lists of steps, and no list of table rows."""
    if not isinstance(X, list | tuple):
        return False
    sized = [row for row in X if _is_sized(row)]
    if not sized:
        return False
    return (
        len({len(row) for row in sized}) > 1
        or len(sized) < len(X)
        or (len(sized[0]) > 0 and _is_sized(sized[0][0]))
    )


def padded(sequences: Any, longest: int | None = None) -> np.ndarray:
    """Sequences ``(time_i, features)`` or ``(time_i,)`` as one array, with an axis of examples.

    ``(n, time, features)`` or ``(n, time)``.

    Args:
        sequences: at least one; all with the same features.
        longest: the length to pad to; that of the longest if none is given.
    """
    arrays = [_numbers(sequence, place) for place, sequence in enumerate(sequences)]
    kinds = {array.shape[1:] for array in arrays}
    if len(kinds) > 1:
        raise InputError(
            f"sequences have steps of the shapes {sorted(kinds)}: give every step the same"
            " features."
        )
    empty = next((row for row, array in enumerate(arrays) if len(array) == 0), None)
    if empty is not None:
        raise InputError(f"sequence {empty} (counted from 0) has no steps: leave it out.")
    length = max(map(len, arrays)) if longest is None else longest
    row = int(np.argmax([len(array) for array in arrays]))
    if len(arrays[row]) > length:
        raise InputError(
            f"sequence {row} (counted from 0) has {len(arrays[row])} steps, but the model was"
            f" trained on at most {length}: cut it."
        )
    for place, array in enumerate(arrays):
        check_finite(array, f"sequence {place}")
    x = np.full((len(arrays), length, *arrays[0].shape[1:]), np.nan, dtype=np.result_type(*arrays))
    for sequence, array in zip(x, arrays, strict=True):
        sequence[: len(array)] = array
    return x


def _is_sized(row: Any) -> bool:
    return hasattr(row, "__len__") and getattr(row, "ndim", 1) > 0


def _numbers(sequence: Any, place: int) -> np.ndarray:
    try:
        array = np.asarray(sequence)
        if array.dtype.kind not in "biuf":
            raise ValueError(f"it holds {array.dtype}")
        if array.ndim == 0:
            raise ValueError("it is a single number")
    except ValueError as error:
        raise InputError(
            f"sequence {place} (counted from 0) cannot be read as numbers ({error}): give an array."
        ) from error
    return array.astype(np.result_type(array.dtype, np.float32), copy=False)


def check_finite(sequence: np.ndarray, name: str) -> None:
    """Refuse NaN and infinity in a sequence that has no padding."""
    if not np.isfinite(sequence).all():
        step = int((~np.isfinite(sequence)).reshape(len(sequence), -1).any(1).argmax())
        raise InputError(
            f"{name} holds NaN or inf at step {step} (counted from 0): fill it in, or cut the"
            " sequence before it."
        )


def steps(x: np.ndarray) -> np.ndarray:
    """All steps of padded sequences ``(n, time, *features)`` as a table ``(steps, features)``.

    The padding is left out.

    NaN that something follows, and steps of which a part is NaN, are refused: they are no padding.
    """
    table = x.reshape(*x.shape[:2], -1)  # (n, time, features)
    missing: np.ndarray = (
        np.isnan(table) if x.dtype.kind == "f" else np.zeros(table.shape, dtype=bool)
    )
    gone = np.asarray(missing.all(axis=2))
    # whether something follows
    later = np.asarray(np.logical_or.accumulate(~gone[:, ::-1], axis=1))[:, ::-1]
    wrong = (missing.any(2) & ~gone) | (gone & later) | gone[:, :1]
    if wrong.any():
        row, step = (int(place) for place in np.argwhere(wrong)[0])
        raise InputError(
            f"X holds NaN in sequence {row}, step {step} (counted from 0), which is no padding"
            " behind its end: fill it in."
        )
    return table[~gone]


def as_list(x: np.ndarray) -> list[np.ndarray]:
    """Padded sequences as a list of sequences of their own lengths."""
    known = ~np.isnan(x.reshape(*x.shape[:2], -1)).all(2)
    return [sequence[: int(present.sum())] for sequence, present in zip(x, known, strict=True)]
