"""Data that a row needs beside MNIST."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np

import isthmus as ist
from benchmarks.papers.record import ROOT
from isthmus.errors import InputError

_ROW = 3073  # a label and 3 × 32 × 32 values
_DEBIAN = Path("/usr/share/datasets")


def cifar10() -> tuple[np.ndarray, np.ndarray]:
    """The first training batch of CIFAR-10 and 1,000 test images, each ``(n, 3, 32, 32)``.

    A part of the data set is enough here, in its binary format, packed or not.
    """
    part = cifar10_part()
    return np.asarray(part.train.x), np.asarray(part.test.x)


def cifar10_part() -> ist.data.Data:
    """The images of :func:`cifar10` with their labels."""
    folder = Path(os.environ.get("ISTHMUS_DATA", ROOT.parent / "shared" / "data"))
    train = _part(_records(folder, "data_batch_1.bin*"))
    return ist.data.Data("cifar10", train, _part(_records(folder, "test_batch*.bin*")[:1000]))


def _records(folder: Path, pattern: str) -> np.ndarray:
    """The rows of a file, each a label and an image."""
    file = next(iter(sorted(folder.rglob(pattern))), None)
    if file is None:
        raise InputError(
            f"{folder} holds no {pattern} of CIFAR-10's binary version: set ISTHMUS_DATA to a"
            " folder that does."
        )
    content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    return np.frombuffer(content, np.uint8).reshape(-1, _ROW)


def _part(records: np.ndarray) -> ist.data.Part:
    return ist.data.Part(records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0].astype(np.int64))


def fashion_mnist() -> ist.data.Data:
    """Fashion-MNIST from a folder of that name: in ISTHMUS_DATA, or as Debian's package
    dataset-fashion-mnist lays it down; else it is downloaded.
    """
    places = (Path(os.environ.get("ISTHMUS_DATA", ROOT.parent / "shared" / "data")), _DEBIAN)
    found = (place / "fashion-mnist" for place in places)
    return ist.data.load(
        "fashion-mnist", data_dir=next((folder for folder in found if folder.is_dir()), None)
    )
