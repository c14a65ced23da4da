"""What tests share: small data, and real MNIST where it lies."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import isthmus as ist

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def digits() -> ist.data.Data:
    return ist.data.load("digits")


@pytest.fixture(scope="session")
def few(digits: ist.data.Data) -> np.ndarray:
    """129 digits: with batches of 64, one is left over."""
    return digits.train.x[:129]


@pytest.fixture(scope="session")
def mnist() -> ist.data.Data:
    """Real MNIST from ISTHMUS_DATA, or from the folder shared/data beside the checkout."""
    folder = Path(os.environ.get("ISTHMUS_DATA", ROOT.parent / "shared" / "data"))
    if not any(folder.rglob("train-images-idx3-ubyte*")):
        pytest.skip(
            f"MNIST's files are not in {folder}: set ISTHMUS_DATA to a folder that holds them"
        )
    return ist.data.load("mnist", data_dir=folder)
