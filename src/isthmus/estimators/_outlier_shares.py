"""What each value adds to an outlier's score, in the layout of the examples."""

from __future__ import annotations

from typing import Any

import numpy as np

from isthmus.data.frames import is_frame
from isthmus.data.tables import Table


def by_column(inside: np.ndarray, known: Table) -> np.ndarray:
    """Shares of the values that a row has inside, as shares of its columns, ``(n, columns)``.

    A category has a value for each of its kinds; a column that is not seen has no share.
    """
    shares, start = np.zeros((len(inside), len(known.names))), 0
    for code in known.codes:
        stop = start + code.size
        shares[:, known.names.index(code.column.name)] = inside[:, start:stop].sum(1)
        start = stop
    return shares


def missing(x: Any) -> Any:
    """Where an array or a frame holds no value."""
    if is_frame(x):
        return x.isna().to_numpy()
    return np.isnan(x) if x.dtype.kind == "f" else False
