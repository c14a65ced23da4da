"""What is kept of examples inside a member: arrays, memory maps and sparse rows."""

from __future__ import annotations

import copy
import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from isthmus.core.digests import of_array, of_values
from isthmus.core.example import Shape
from isthmus.data._layout import Layout
from isthmus.data._scaling import Scaling
from isthmus.data._statistics import is_sparse

_COARSE = (np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.float32))


class Store(ABC):
    """Examples ``(n, *shape)`` as they are kept, and what is still to be done to a batch of them.

    Attributes:
        scaling: from what is kept to the model's units; None where it is in them already.
        has_gaps: whether NaN stands for values that were not observed.
    """

    scaling: Scaling | None
    has_gaps: bool = False

    @abstractmethod
    def __len__(self) -> int:
        """How many examples there are."""

    @property
    @abstractmethod
    def shape(self) -> Shape:
        """The shape of one example."""

    @property
    @abstractmethod
    def dtype(self) -> np.dtype[Any]:
        """The type in which values are kept."""

    @property
    def is_on_disk(self) -> bool:
        """Whether some of the examples should be cut off at the end, and not picked from all."""
        return False

    @abstractmethod
    def take(self, rows: np.ndarray | slice) -> Store:
        """Some of them."""

    @abstractmethod
    def gather(self, rows: Tensor) -> Tensor:
        """The examples of some rows, dense, as they are kept: ``(rows, *shape)``."""

    @abstractmethod
    def slice(self, start: int, stop: int) -> Tensor:
        """Examples that follow each other, as :meth:`gather` gives them."""

    def on(self, device: torch.device) -> Store:
        """The same on a device, where they fit; else they stay where they are."""
        return self

    def expect(self, batches: Sequence[Tensor]) -> None:
        """Learn which rows will be gathered next, so that slow ones can be read ahead."""
        return

    def order(self, seed: int, epoch: int) -> Tensor | None:
        """The rows of an epoch in an order of their own, ``(n,)``; None where any will do."""
        return None

    def spread(self, count: int) -> Tensor:
        """Some rows that stand for all."""
        return torch.linspace(0, len(self) - 1, count, dtype=torch.float64).long()

    @abstractmethod
    def fingerprint(self) -> str:
        """A short text that changes when any of the examples does; all are looked at."""


class ArrayStore(Store):
    """An array or a memory map.

    Args:
        array: the examples, ``(n, *shape)``.
        scaling: what is still to be done to a batch.
        has_gaps: whether NaN stands for values that were not observed.
    """

    def __init__(
        self, array: np.ndarray, scaling: Scaling | None = None, *, has_gaps: bool = False
    ) -> None:
        self.array, self.scaling, self.has_gaps = array, scaling, has_gaps
        self._kept = _as_tensor(array)

    def __len__(self) -> int:
        return len(self.array)

    @property
    def shape(self) -> Shape:
        return tuple(self.array.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.array.dtype

    @property
    def is_on_disk(self) -> bool:
        return isinstance(self.array, np.memmap)

    def take(self, rows: np.ndarray | slice) -> ArrayStore:
        return ArrayStore(self.array[rows], self.scaling, has_gaps=self.has_gaps)

    def gather(self, rows: Tensor) -> Tensor:
        return self._kept.index_select(0, rows.to(self._kept.device))

    def slice(self, start: int, stop: int) -> Tensor:
        return self._kept[start:stop]

    def on(self, device: torch.device) -> Self:
        if device.type == "cpu" or not self._fits(device):
            return self
        other = copy.copy(self)
        other._kept = self._kept.to(device)
        return other

    def fingerprint(self) -> str:
        return of_array(self.array)

    def _fits(self, device: torch.device) -> bool:
        """Whether the examples can live on the device; half of its free memory is the model's."""
        if device.type != "cuda":
            return not self.is_on_disk
        return self.array.nbytes < torch.cuda.mem_get_info(device)[0] // 2


class SparseStore(Store):
    """Rows of which most values are 0: they become dense a batch at a time.

    Args:
        rows: ``(n, values)``.
        shape: of one example, which has as many values.
        scaling: what is still to be done to a batch.
    """

    def __init__(self, rows: sparse.csr_array, shape: Shape, scaling: Scaling | None) -> None:
        self.rows, self.scaling = rows, scaling
        self._shape = shape

    def __len__(self) -> int:
        return int(self.rows.shape[0])

    @property
    def shape(self) -> Shape:
        return self._shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self.rows.dtype)

    def take(self, rows: np.ndarray | slice) -> SparseStore:
        return SparseStore(self.rows[rows], self._shape, self.scaling)

    def gather(self, rows: Tensor) -> Tensor:
        return self._dense(self.rows[rows.cpu().numpy()])

    def slice(self, start: int, stop: int) -> Tensor:
        return self._dense(self.rows[start:stop])

    def fingerprint(self) -> str:
        parts = (self.rows.indptr, self.rows.indices, self.rows.data)
        return f"sparse {self.rows.shape} {self.dtype} {of_values(parts)}"

    def _dense(self, rows: sparse.csr_array) -> Tensor:
        return torch.from_numpy(rows.toarray()).reshape(-1, *self._shape)  # (rows, *shape)


def kept(x: Any, layout: Layout, scaling: Scaling, *, has_gaps: bool = False) -> Store:
    """Examples ``(n, *outer)`` as they will be kept.

    uint8, uint16 and float32 stay as they are and are scaled a batch at a time, so are memory maps
    and sparse rows. All other arrays are scaled at once, in float64, and kept as float32: values
    that lie far from 0, such as Unix seconds, keep their differences. So is everything whose
    scaling is no straight line.
    """
    if is_sparse(x):
        return SparseStore(x, layout.shape, scaling)
    inside = layout.transform(x)
    if scaling.is_straight and (x.dtype in _COARSE or isinstance(x, np.memmap)):
        return ArrayStore(inside, scaling, has_gaps=has_gaps)
    return ArrayStore(scaling.transform(inside), has_gaps=has_gaps)


def inference_rows(shape: Shape) -> int:
    """How many examples to take at once where nothing is trained: about two million values."""
    return max(16, min(4096, (1 << 21) // max(1, math.prod(shape))))


def _as_tensor(x: np.ndarray) -> Tensor:
    with warnings.catch_warnings():  # a read-only memory map: nothing here writes to it
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(x)
