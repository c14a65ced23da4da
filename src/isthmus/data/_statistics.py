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
    """Examples ``(n, *shape)``, some million values at a time, dense, after their first row."""
    rows = max(1, _VALUES // max(1, math.prod(x.shape[1:])))
    for start in range(0, x.shape[0], rows):
        block = x[start : start + rows]
        yield start, block.toarray() if is_sparse(x) else block


def moments(x: Any, axis: Axis) -> Pair:
    """Mean and standard deviation over some axes of examples, in float64.

    Of one and the same value throughout, the deviation is exactly 0: values are counted from the
    least of them.
    """
    mean, variance = _sparse_moments(x, axis) if is_sparse(x) else _moments(x, axis)
    return mean, np.sqrt(variance)


def reach(x: Any, axis: Axis) -> Pair:
    """The least and the greatest value over some axes of examples, in float64."""
    if is_sparse(x):
        return _exact(x.min(axis=axis)), _exact(x.max(axis=axis))
    found = [(block.min(axis=axis), block.max(axis=axis)) for _, block in blocks(x)]
    lows, highs = (np.stack(values) for values in zip(*found, strict=True))
    return _exact(lows.min(axis=0)), _exact(highs.max(axis=0))


def _moments(x: np.ndarray, axis: Axis) -> Pair:
    """The blocks are put together after T. F. Chan, G. H. Golub and R. J. LeVeque, 1979."""
    count, mean, squares = 0, np.zeros(()), np.zeros(())
    for _, block in blocks(x):
        values = block.astype(np.float64, copy=False)
        least = values.min(axis=axis, keepdims=True)
        above = values - least
        own = above.mean(axis=axis, keepdims=True)
        new = values.size // own.size
        own_squares = np.square(above - own).sum(axis=axis)
        gap = (least + own).reshape(own_squares.shape) - mean
        total = count + new
        squares = squares + own_squares + np.square(gap) * (count * new / total)
        mean, count = mean + gap * (new / total), total
    return mean, squares / count


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
