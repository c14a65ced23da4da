"""Data that need neither a file nor a network."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from isthmus.data._splitting import split
from isthmus.data.datasets import Data
from isthmus.data.rows import Rows


def digits(data_dir: Path | None = None) -> Data:
    """1,797 handwritten digits of 8x8 grey pixels; comes with scikit-learn, nothing to download."""
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    x = (pixels / 16).astype(np.float32).reshape(-1, 1, 8, 8)  # (n, 64) -> (n, 1, 8, 8)
    return split("digits", Rows(x, labels.astype(np.int64), tuple("0123456789")))
