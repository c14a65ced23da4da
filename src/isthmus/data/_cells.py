"""Cells of a table: their types as text and back, and their values as JSON holds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def typed(cells: Any, dtype: str) -> Any:
    """Cells in the type that is written so, which is that of a column in training."""
    from pandas import ArrowDtype

    if dtype == "string[pyarrow]":  # which pandas writes of Arrow's type, and reads as its own
        import pyarrow as pa

        return cells.astype(ArrowDtype(pa.string()))
    return cells.astype(dtype)


def native(value: Any) -> Any:
    """A value as python has it: numbers of numpy as numbers."""
    return value.item() if isinstance(value, np.generic) else value


def to_json(value: Any) -> Any:
    """A category as JSON holds it; intervals and points in time are taken apart."""
    from pandas import Interval, Timestamp

    if isinstance(value, Interval):
        ends = [to_json(value.left), to_json(value.right)]
        return {"interval": ends, "closed": value.closed}
    return {"time": value.isoformat()} if isinstance(value, Timestamp) else value


def from_json(value: Any) -> Any:
    """The inverse of :func:`to_json`."""
    if not isinstance(value, Mapping):
        return value
    from pandas import Interval, Timestamp

    if "time" in value:
        return Timestamp(value["time"])
    left, right = map(from_json, value["interval"])
    return Interval(left, right, closed=value["closed"])
