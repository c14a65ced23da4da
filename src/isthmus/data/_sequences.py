"""Sequences and signals of unequal length as one array: NaN stands behind the end of each.

A sequence is ``(time, features)`` and a signal ``(channels, time)``; either may be ``(time,)``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from isthmus.core.example import Kind
from isthmus.errors import InputError


def is_ragged(X: Any) -> bool:
    """Whether X is a list of sequences or signals, arrays or lists, and no list of table rows."""
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


def padded(
    sequences: Any, longest: int | None = None, kind: Kind | None = "sequence"
) -> np.ndarray:
    """Sequences or signals as one array, with an axis of examples in front.

    Args:
        sequences: at least one; all with the same features, or channels.
        longest: the length to pad to; that of the longest if none is given.
        kind: ``"signal"`` where the time is the last axis.
    """
    if kind == "signal":
        turned = [
            np.moveaxis(_numbers(signal, place), -1, 0) for place, signal in enumerate(sequences)
        ]
        return np.moveaxis(padded(turned, longest), 1, -1)
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


def lacks_steps(x: np.ndarray, kind: Kind) -> bool:
    """Whether some of the examples ``(n, *shape)`` may be shorter than others: X holds NaN."""
    return kind in ("signal", "sequence") and x.dtype.kind == "f" and bool(np.isnan(x).any())


def steps(x: np.ndarray, kind: Kind = "sequence") -> np.ndarray:
    """All steps of padded sequences or signals as a table ``(steps, features)``.

    The padding is left out.

    NaN that something follows, and steps of which a part is NaN, are refused: they are no padding.
    """
    table = _time_second(x, kind)
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
            f"X holds NaN in {kind} {row}, step {step} (counted from 0), which is no padding"
            " behind its end: fill it in."
        )
    return table[~gone]


def as_list(x: np.ndarray, kind: Kind = "sequence") -> list[np.ndarray]:
    """Padded sequences or signals as a list, each of its own length."""
    lengths = (~np.isnan(_time_second(x, kind)).all(2)).sum(1)
    if kind == "signal":
        return [signal[..., :length] for signal, length in zip(x, lengths, strict=True)]
    return [sequence[:length] for sequence, length in zip(x, lengths, strict=True)]


def _time_second(x: np.ndarray, kind: Kind) -> np.ndarray:
    """Examples of either kind as ``(n, time, features)``."""
    turned = np.moveaxis(x, -1, 1) if kind == "signal" else x
    return turned.reshape(*turned.shape[:2], -1)
