"""Results of many chunks, written into arrays that are there from the first of them on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from torch import Tensor


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
