"""What is known of many values: found a block at a time, and of sparse ones without their zeros."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np

Axis: TypeAlias = int | tuple[int, ...] | None
Pair: TypeAlias = tuple[np.ndarray, np.ndarray]

_VALUES = 1 << 22  # looked at in one go, so that a memory map is never read whole


def is_sparse(x: Any) -> bool:
    """Whether x is a sparse matrix or array of scipy, which takes half a second to import."""
    return hasattr(x, "tocsr")


def blocks(x: Any) -> Iterator[tuple[int, np.ndarray]]:
    """The examples ``(n, *shape)`` a few million values at a time, dense, with their first rows."""
    example = getattr(x, "stored", x.shape[1:])  # of a stream: a row of it may be a step
    rows = max(1, _VALUES // max(1, math.prod(example)))
    for start in range(0, x.shape[0], rows):
        block = x[start : start + rows]
        yield start, block.toarray() if is_sparse(x) else block


def moments(x: Any, axis: Axis) -> Pair:
    """Mean and standard deviation over some axes of examples, in float64; NaN does not count.

    Of one and the same value throughout, the deviation is exactly 0: values are counted from the
    least of them. Where there is no value at all, both are 0.
    """
    mean, variance = _sparse_moments(x, axis) if is_sparse(x) else _moments(x, axis)
    return mean, np.sqrt(variance)


def reach(x: Any, axis: Axis) -> Pair:
    """The least and the greatest value over some axes, in float64; NaN does not count.

    Where there is no value at all, both are 0.
    """
    if is_sparse(x):
        return _exact(x.min(axis=axis)), _exact(x.max(axis=axis))
    found = [
        (np.fmin.reduce(block, axis=axis), np.fmax.reduce(block, axis=axis))
        for _, block in blocks(x)
    ]
    lows, highs = (np.stack(values) for values in zip(*found, strict=True))
    low, high = np.fmin.reduce(lows, axis=0), np.fmax.reduce(highs, axis=0)
    return np.nan_to_num(_exact(low)), np.nan_to_num(_exact(high))


def _moments(x: np.ndarray, axis: Axis) -> Pair:
    """The blocks are put together after T. F. Chan, G. H. Golub and R. J. LeVeque, 1979."""
    count, mean, squares = np.zeros(()), np.zeros(()), np.zeros(())
    for _, block in blocks(x):
        values = block.astype(np.float64, copy=False)
        least = np.fmin.reduce(values, axis=axis, keepdims=True)
        above = values - least
        known = ~np.isnan(above)
        if known.all():
            new: Any = above.size // least.size
            own = above.mean(axis=axis, keepdims=True)
        else:
            above[~known] = 0
            new = known.sum(axis=axis)
            own = above.sum(axis=axis, keepdims=True) / np.maximum(new.reshape(least.shape), 1)
        gaps = np.where(known, above - own, 0.0)
        own_squares = np.square(gaps).sum(axis=axis)
        gap = np.nan_to_num(least + own).reshape(own_squares.shape) - mean
        total = count + new
        share = new / np.maximum(total, 1)
        squares = squares + own_squares + np.square(gap) * (count * share)
        mean, count = mean + gap * share, total
    return mean, squares / np.maximum(count, 1)


def _sparse_moments(x: Any, axis: Axis) -> Pair:
    """Of sparse rows ``(n, values)``: by column, or of all values as a whole."""
    columns = x.indices if axis == 0 else np.zeros_like(x.indices)
    groups = x.shape[1] if axis == 0 else 1
    count = math.prod(x.shape) // groups
    zeros = count - np.bincount(columns, minlength=groups)
    least = _exact(x.min(axis=axis)).reshape(groups)
    above = x.data.astype(np.float64, copy=False) - least[columns]
    mean = (np.bincount(columns, above, minlength=groups) - zeros * least) / count
    gaps = np.square(above - mean[columns])
    squares = np.bincount(columns, gaps, minlength=groups) + zeros * np.square(mean + least)
    return mean + least, squares / count


def _exact(values: Any) -> np.ndarray:
    dense = values.toarray() if is_sparse(values) else values
    return np.asarray(dense, dtype=np.float64)
