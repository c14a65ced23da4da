"""Models whose codes and decoded examples are known, so that pictures can be checked by points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from isthmus.data import Data, Part
from isthmus.training.callbacks.snapshots import Snapshot


@dataclass
class Known:
    """A model that is what its functions say."""

    encode: Callable[[np.ndarray], np.ndarray]
    decode: Callable[[np.ndarray], np.ndarray]
    code_space: str = "data"
    snapshots_: list[Snapshot] = field(default_factory=list)

    def transform(self, x: np.ndarray) -> np.ndarray:
        return self.encode(np.asarray(x))

    def inverse_transform(self, z: np.ndarray) -> np.ndarray:
        return self.decode(np.asarray(z))

    def reconstruct(self, x: np.ndarray) -> np.ndarray:
        return self.decode(self.transform(x))


def corner(x: np.ndarray) -> np.ndarray:
    """The first two values of an example."""
    return x.reshape(len(x), -1)[:, :2]


def halves(z: np.ndarray) -> np.ndarray:
    """6 x 6 images whose left half shows the first code and whose right half the second."""
    return np.repeat(np.repeat(z[:, None, None, :2], 6, axis=2), 3, axis=3)  # (n, 1, 6, 6)


def images(n: int, seed: int = 0, classes: int | None = 3) -> Part:
    generator = np.random.default_rng(seed)
    y = None if classes is None else np.arange(n) % classes
    return Part(generator.random((n, 1, 6, 6)).astype(np.float32), y)


@pytest.fixture
def data() -> Data:
    return Data("squares", images(60), images(30, seed=1), ("a", "b", "c"))


@pytest.fixture
def model() -> Known:
    return Known(corner, halves)


def filmed(data: Data, part: Part, moments: int = 3) -> Known:
    """A model with snapshots, in which the codes of a part grow to their size."""
    known = Known(corner, halves)
    grid = np.linspace(0, 1, 225, dtype=np.float32)[:, None].repeat(2, axis=1)
    for i in range(moments):
        share = (i + 1) / moments
        known.snapshots_.append(Snapshot(5 * i, share * corner(part.x), halves(share * grid)))
    return known


def cloud(figure: Figure, panel: int = 0) -> PathCollection:
    (points,) = (
        artist for artist in figure.axes[panel].collections if isinstance(artist, PathCollection)
    )
    return points


def colours(figure: Figure, panel: int = 0) -> list[str]:
    return [to_hex(colour) for colour in cloud(figure, panel).get_facecolor()]


def titles(figure: Figure) -> list[str]:
    return [axes.get_title(loc="left") for axes in figure.axes]
