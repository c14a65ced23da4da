"""Whether examples hold nothing but the values that a likelihood knows: a grid, or counts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from isthmus.data._scaling import Scaling, is_count
from isthmus.data.stores import Store, inference_rows

_SLACK = 0.01  # of a step of a grid: what float32 may be off


def off_grid(store: Store, settled: Scaling, bins: int) -> float | None:
    """The first value that is no step 0, 1/(bins - 1), ..., 1 in the model's units, or None.

    It is given in the units of the data, from which ``settled`` leads to the model's. NaN does not
    count.
    """
    remaining = store.scaling
    if remaining is not None and remaining.kind == "pixels" and (bins - 1) % 255 == 0:
        return None
    for block in _blocks(store):
        is_off = _is_off(block, remaining, bins)
        if is_off.any():
            outside = settled.inverse_transform(block) if remaining is None else block
            return float(outside[is_off][0])
    return None


def no_count(store: Store) -> float | None:
    """The first value that is no whole number from 0 on, or None; NaN does not count."""
    for block in _blocks(store):
        is_off = ~(is_count(block) | np.isnan(block))
        if is_off.any():
            return float(block[is_off][0])
    return None


def grid_of(store: Store) -> int | None:
    """The fewest values 0, 1/(bins - 1), ..., 1 that examples fit, of up to 1024.

    The first examples are judged; None where no values fit.
    """
    first = store.slice(0, inference_rows(store.shape)).cpu().numpy()
    candidates = (n for n in range(2, 1025) if not _is_off(first, store.scaling, n).any())
    return next(candidates, None)


def _blocks(store: Store) -> Iterator[np.ndarray]:
    """The examples as they are kept, as many as inference takes at once."""
    size = inference_rows(store.shape)
    for start in range(0, len(store), size):
        yield store.slice(start, start + size).cpu().numpy()


def _is_off(block: np.ndarray, remaining: Scaling | None, bins: int) -> np.ndarray:
    inside = block if remaining is None else (block - remaining.offset) / remaining.scale
    steps = inside * (bins - 1)
    off: np.ndarray = np.abs(steps - np.clip(np.rint(steps), 0, bins - 1)) > _SLACK
    return off
