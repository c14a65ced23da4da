"""Results of examples: one array of many chunks, finite, in float64 where they leave float32."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from torch import Tensor

from isthmus.errors import InputError


def collected(chunks: Iterable[Sequence[Tensor]], n: int) -> list[np.ndarray]:
    """The results of n examples, each ``(n, ...)``, of chunks of them that follow each other.

    A chunk is forgotten once it is written. The only chunk is handed on as it is.
    """
    results: list[np.ndarray] = []
    start = 0
    for chunk in chunks:
        parts = [part.detach().cpu().numpy() for part in chunk]
        stop = start + len(parts[0])
        if not results:
            if stop == n:
                return parts
            results = [np.empty((n, *part.shape[1:]), part.dtype) for part in parts]
        for result, part in zip(results, parts, strict=True):
            result[start:stop] = part
        start = stop
    return results


def require_finite(values: np.ndarray, what: str, name: str = "X") -> np.ndarray:
    """What was computed of examples, ``(n, …)``, as it is.

    Raises:
        InputError: where it is not finite; examples themselves are, once they were let in.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(np.add.reduce(values, axis=None)):
            return values
    is_bad = ~np.isfinite(values).reshape(len(values), -1).all(1)
    if not is_bad.any():  # the sum alone left the numbers
        return values
    raise InputError(
        f"the {what} of row {int(is_bad.argmax())} of {name} (counted from 0) is not finite,"
        " because the row lies too far outside the training data: leave it out, or bring its values"
        " into the range of the others."
    )


def scores_of(compute: Callable[[bool], Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Scores of examples, each ``(n,)``, under their names: in float64 where some leave float32.

    A row far outside costs much, and not what cannot be said.

    Args:
        compute: gives them, in float64 where it is called with True.

    Raises:
        InputError: where a score is not finite in float64 either.
    """
    found = compute(False)
    if not all(np.isfinite(values).all() for values in found.values()):
        found = compute(True)
    return {name: require_finite(values, name) for name, values in found.items()}
