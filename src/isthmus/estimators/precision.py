"""Floating types: in which a member computes, and in which it answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from isthmus.data.datasets import Part
from isthmus.data.frames import is_frame, numeric_type


def dtype_of(X: Any) -> np.dtype[Any]:
    """The type of an array, or that for all columns of a table; that of objects for anything else.

    A frame is slow to say it, so a call asks once and hands it on.
    """
    x: Any = X.x if isinstance(X, Part) else X
    if not is_frame(x):
        dtype = getattr(x, "dtype", None)
        return dtype if isinstance(dtype, np.dtype) else np.dtype(object)
    dtypes = [numeric_type(dtype) for dtype in set(x.dtypes)]
    numeric = [dtype for dtype in dtypes if dtype is not None]
    is_numeric = 0 < len(numeric) == len(dtypes)
    return np.result_type(*numeric) if is_numeric else np.dtype(object)


def precision_for(
    dtype: np.dtype[Any], device: torch.device, *, is_wide: bool = False
) -> torch.dtype:
    """float64 is answered in float64, so that a row's result is the same alone and among others;
    float32 is faster. ``is_wide`` asks for float64 whatever the type of the examples is.
    """
    wanted = is_wide or dtype == np.float64
    return torch.float64 if wanted and device.type != "mps" else torch.float32


def like(values: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """The values in the floating type of what was handed in: float64 for float64, else float32.
    Indices stay whole.
    """
    if values.dtype.kind != "f":
        return values
    return values.astype(np.float64 if dtype == np.float64 else np.float32, copy=False)


def outside(values: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """Decoded values in the floating type in which those of ``dtype`` can be told apart: whole
    numbers of more than 24 bits need float64.
    """
    is_wide = dtype.kind in "iu" and dtype.itemsize > 2
    return values.astype(np.float64) if is_wide else like(values, dtype)
