"""What there is to do, the same for all: sizes, data and first weights. NumPy only."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

DEVICE = os.environ.get("BENCH_DEVICE", "cpu")
"""Where everybody computes; isthmus, floor, tutorial, Lightning and Pythae can do so elsewhere than
on the CPU.
"""
PIXELS, CODE = 784, 32
LEARNING_RATE = 1e-3
AE = (PIXELS, 256, CODE)
AE_BATCH, AE_EXAMPLES = 128, 20_000
DEEP = (PIXELS, 256, 128, 64, CODE)
DEEP_BATCH, DEEP_EXAMPLES = 256, 15_000
CONV_CHANNELS, CONV_CODE, CONV_BATCH, CONV_EXAMPLES = (32, 64), 16, 128, 6_000
VQ_CHANNELS, VQ_CODES, VQ_DIM, VQ_BATCH, VQ_EXAMPLES, VQ_COMMITMENT = 128, 512, 64, 64, 640, 0.25
LIKELIHOOD = (PIXELS, 512, 512)
LIKELIHOOD_CODE, LIKELIHOOD_EXAMPLES, LIKELIHOOD_SAMPLES = 50, 10_000, 200
LIKELIHOOD_PART = 10
"""The likelihood is measured on one example in so many, and scaled to all."""
MEASURED, VQ_MEASURED = 2_000, 500
"""Test examples on which the error is measured."""


class Round(NamedTuple):
    """One round: how long the work took, and the mean squared test error per value, if any."""

    seconds: float
    error: float | None = None


Rounds = Callable[[], Round]


def timed(run: Callable[[], object]) -> Rounds:
    """Rounds that do nothing but run something, once before they count."""

    def rounds() -> Round:
        start = time.perf_counter()
        run()
        return Round(time.perf_counter() - start)

    rounds()
    return rounds


def warmed(run: Callable[[int], Round], examples: int, batch: int) -> Rounds:
    """Rounds on the first so many examples: all of them, after ten batches that do not count."""
    run(10 * batch)
    return lambda: run(examples)


class Data:
    """The examples in a folder: uint8 rows of 784 pixels, and colour images."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def train(self) -> np.ndarray:
        """60,000 rows of 784 pixels."""
        return np.load(self.folder / "train.npy")

    @property
    def test(self) -> np.ndarray:
        """10,000 rows of 784 pixels."""
        return np.load(self.folder / "test.npy")

    @property
    def colour(self) -> np.ndarray:
        """Images ``(n, 3, 32, 32)``, of which the last :data:`VQ_MEASURED` are for testing."""
        return np.load(self.folder / "colour.npy")

    @property
    def vq_start(self) -> list[np.ndarray]:
        """Weights and biases of the VQ-VAE from the first layer to the last, then the codebook."""
        with np.load(self.folder / "vqvae.npz") as kept:
            return list(kept.values())


def peak() -> int:
    """The greatest memory of this process in bytes.

    getrusage would also count what its parent had when it was started.
    """
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"))
    assert found is not None
    return 1024 * int(found[1])


def unit(x: np.ndarray) -> np.ndarray:
    """Pixels as float32 in [0, 1]."""
    return np.divide(x, 255, dtype=np.float32)


def mirrored(sizes: tuple[int, ...]) -> list[tuple[int, int]]:
    """Inputs and outputs of every layer of an autoencoder whose encoder has these sizes."""
    both = [*sizes, *sizes[-2::-1]]
    return list(pairwise(both))


def is_active(layer: int, layers: int) -> bool:
    """Whether a rectifier follows a layer: after every one but the code and the output."""
    return layer not in (layers // 2 - 1, layers - 1)


def start(sizes: tuple[int, ...], x: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Weights ``(inputs, outputs)`` by Glorot's uniform start; biases end with the mean example."""
    rng = np.random.default_rng(0)
    layers = [
        (rng.uniform(-limit, limit, shape).astype(np.float32), np.zeros(shape[1], np.float32))
        for shape in mirrored(sizes)
        for limit in [np.sqrt(6 / sum(shape))]
    ]
    mean = np.clip(x[:2000].mean(0) / 255, 1e-3, 1 - 1e-3)
    layers[-1][1][:] = np.log(mean / (1 - mean))
    return layers


def mean_square(reconstructed: np.ndarray, x: np.ndarray) -> float:
    """The squared error of a value, on the average."""
    return float(np.square(np.asarray(reconstructed, np.float64).reshape(x.shape) - x).mean())
