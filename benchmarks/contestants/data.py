"""The data of the tasks, as files that every contestant reads."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits, load_sample_images

import isthmus as ist
from benchmarks.contestants import isthmus, work
from benchmarks.papers.data import cifar10
from benchmarks.papers.record import ROOT

KEPT = Path(os.environ.get("ISTHMUS_DATA", ROOT.parent / "shared" / "data"))


def write(folder: Path) -> str:
    """Write train.npy, test.npy and colour.npy; says what they are."""
    digits, what = _digits()
    np.save(folder / "train.npy", digits[:60_000])
    np.save(folder / "test.npy", digits[60_000:])
    colour, photographs = _colour()
    np.save(folder / "colour.npy", colour)
    np.savez(folder / "vqvae.npz", *_start(colour[: work.VQ_EXAMPLES]))
    return f"{what}; {photographs}"


def _start(x: np.ndarray) -> list[np.ndarray]:
    """Weights, biases and codebook of a VQ-VAE from which everybody starts.

    From random codebooks errors differ.
    """
    state = isthmus.vq_member(device="cpu", learning_rate=1e-12).fit(x).module_.state_dict()
    weights = [value.numpy() for name, value in state.items() if ".quantizers." not in name]
    return [*weights, state["bottleneck.quantizers.0.vectors"].numpy()]


def _digits() -> tuple[np.ndarray, str]:
    """70,000 rows of 784 pixels."""
    if not (KEPT / "mnist").is_dir():
        return _enlarged(70_000), "scikit-learn's digits, enlarged and shifted"
    data = ist.data.load("mnist", data_dir=KEPT)
    return np.concatenate([part.x.reshape(-1, 784) for part in (data.train, data.test)]), "MNIST"


def _enlarged(count: int) -> np.ndarray:
    """Small digits, three times as large, each elsewhere on 28×28 pixels, of various strengths."""
    rng = np.random.default_rng(0)
    small = load_digits().images
    images = np.zeros((count, 28, 28), np.float32)
    chosen = np.kron(small[rng.integers(len(small), size=count)], np.ones((3, 3))) / 16
    for place, (image, (row, column)) in enumerate(
        zip(chosen, rng.integers(0, 5, (count, 2)), strict=True)
    ):
        images[place, row : row + 24, column : column + 24] = image
    return np.asarray(255 * images * rng.uniform(0.7, 1, (count, 1, 1)), np.uint8).reshape(
        count, -1
    )


def _colour() -> tuple[np.ndarray, str]:
    """10,000 colour images ``(3, 32, 32)``."""
    if not (KEPT / "cifar10").is_dir():
        return _cut(10_000), "cuttings of two photographs"
    return cifar10()[0], "CIFAR-10"


def _cut(count: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    photographs = load_sample_images().images
    found = np.empty((count, 3, 32, 32), np.uint8)
    for place in range(count):
        image = photographs[place % len(photographs)]
        row, column = (rng.integers(size - 32) for size in image.shape[:2])
        found[place] = image[row : row + 32, column : column + 32].transpose(2, 0, 1)
    return found
