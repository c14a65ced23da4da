"""What running a trained module needs beside the module: the floating type of an answer, and noise
for a bound.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isthmus.core.autoencoder import Bottleneck
from isthmus.data.datasets import Part

DRAWS = 16


def dtype_of(X: Any) -> Any:
    """The type of an array, or of a table's first column; None for anything else."""
    x: Any = X.x if isinstance(X, Part) else X
    return x.dtypes.iloc[0] if hasattr(x, "iloc") and len(x.columns) else getattr(x, "dtype", None)


def precision_for(X: Any, device: torch.device) -> torch.dtype:
    """float64 is answered in float64, so that a row's result is the same alone and among others;
    float32 is faster.
    """
    return torch.float64 if dtype_of(X) == np.float64 and device.type != "mps" else torch.float32


def like(values: np.ndarray, X: Any) -> np.ndarray:
    """The values in the floating type that was handed in: float64 where X is float64, else float32.
    Indices stay whole.
    """
    if values.dtype.kind != "f":
        return values
    return values.astype(np.float64 if dtype_of(X) == np.float64 else np.float32, copy=False)


def shared_noise(bottleneck: Bottleneck, like: Tensor) -> list[Tensor | None]:
    """Noise for a bound, ``(1, *code_shape)`` a draw, or a single None where nothing is drawn.

    Every example gets the same draws, so that its score does not depend on the others. They come in
    pairs ε, −ε and have unit variance (and, while there are enough of them, no correlation), so
    that the mean of anything quadratic
    in ε is exact: draws that are shared do not average out by numbers.
    """
    if not bottleneck.is_random:
        return [None]
    half = torch.randn(
        DRAWS // 2, math.prod(bottleneck.code_shape), generator=torch.Generator().manual_seed(0)
    )
    half = torch.linalg.qr(half)[0] if half.shape[1] <= len(half) else half / half.norm(dim=0)
    draws = torch.cat([half, -half]) * math.sqrt(DRAWS // 2)
    return list(draws.reshape(DRAWS, 1, *bottleneck.code_shape).to(like))
