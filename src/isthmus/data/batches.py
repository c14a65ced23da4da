"""Examples as they are stored, handed out in batches, in the model's units, on the device."""

from __future__ import annotations

import math
import warnings
import zlib
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from isthmus.data._scaling import Scaling


class ArrayBatches:
    """Examples ``(n, *shape)`` that stay as stored (uint8, float32, a memory map) until a batch
    needs them.

    A batch is gathered in one operation and only then becomes floating; no Python runs per example.

    Args:
        x: the examples, ``(n, *shape)``.
        scaling: from their units to the model's.
        device: where batches go; the examples follow, unless they are on the disk.
        dtype: the floating type of the batches.
        binarize: whether values, then probabilities in [0, 1], become draws of 0 or 1, by torch's
            random state.
    """

    def __init__(
        self,
        x: np.ndarray,
        scaling: Scaling,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        *,
        binarize: bool = False,
    ) -> None:
        with warnings.catch_warnings():  # a read-only memory map: nothing here writes to it
            warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
            stored = torch.from_numpy(x)
        self._stored = stored.to(device) if _fits(x, device) else stored
        self._device, self._dtype, self._binarize = device, dtype, binarize
        self._shift = self._constant(scaling.offset)
        self._factor = self._constant(1 / scaling.scale)
        self._scales = bool((scaling.offset != 0).any() or (scaling.scale != 1).any())
        self._shifts = bool((scaling.offset != 0).any())

    def __len__(self) -> int:
        return len(self._stored)

    def batch(self, rows: Tensor) -> Tensor:
        """The examples of some rows, ``(len(rows), *shape)``, in the model's units."""
        return self.ready(self.stored(rows))

    def stored(self, rows: Tensor) -> Tensor:
        """The examples of some rows as they are kept."""
        return self._stored.index_select(0, rows.to(self._stored.device))

    def spread(self) -> Tensor:
        """As many examples as inference takes at once, spread over all of them."""
        count = min(len(self), self.rows)
        return self.batch(torch.linspace(0, len(self) - 1, count, dtype=torch.float64).long())

    @property
    def rows(self) -> int:
        """How many examples to take at once where nothing is trained."""
        return inference_rows(self._stored.shape[1:])

    def chunks(self, size: int | None = None) -> Iterator[Tensor]:
        """All examples in their order, in chunks that are ready for the model."""
        for chunk in self._stored.split(size or self.rows):
            yield self.ready(chunk)

    def ready(self, stored: Tensor) -> Tensor:
        """What is kept, on the device and in the model's units; binarised where that was asked for."""
        x = stored.to(self._device, self._dtype, copy=self._scales)
        if self._shifts:
            x.sub_(self._shift)
        x = x.mul_(self._factor) if self._scales else x
        return torch.rand_like(x).lt_(x) if self._binarize else x

    def _constant(self, value: np.ndarray) -> Tensor:
        """A number, or one per column: shaped so that it meets ``(n, *shape)``."""
        tensor = torch.from_numpy(np.atleast_1d(value).astype(np.float32)).to(
            self._device, self._dtype
        )
        return tensor if tensor.numel() > 1 else tensor.reshape(())


class LabelledBatches:
    """Examples with their labels: a batch is the pair (x, y).

    Args:
        examples: n examples.
        labels: ``(n,)``, on the device.
    """

    def __init__(self, examples: ArrayBatches, labels: Tensor) -> None:
        self._examples, self._labels = examples, labels

    def __len__(self) -> int:
        return len(self._examples)

    def batch(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The examples and the labels of some rows."""
        return self.ready(self.stored(rows))

    def stored(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The examples of some rows as they are kept, and their labels."""
        return self._examples.stored(rows), self._labels[rows.to(self._labels.device)]

    def ready(self, stored: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """The same, with the examples in the model's units."""
        return self._examples.ready(stored[0]), stored[1]

    def chunks(self, size: int | None = None) -> Iterator[tuple[Tensor, Tensor]]:
        """All examples with their labels, in their order."""
        start = 0
        for x in self._examples.chunks(size):
            yield x, self._labels[start : start + len(x)]
            start += len(x)


class TensorBatches:
    """Tensors that belong together row by row, such as codes and their classes; a batch is a tuple
    of their rows.

    Args:
        tensors: each ``(n, *shape)``.
        device: where they are kept.
    """

    def __init__(self, tensors: Sequence[Tensor], device: torch.device) -> None:
        self._tensors = tuple(tensor.to(device) for tensor in tensors)

    def __len__(self) -> int:
        return len(self._tensors[0])

    def batch(self, rows: Tensor) -> tuple[Tensor, ...]:
        """Some rows of every tensor."""
        return tuple(tensor.index_select(0, rows.to(tensor.device)) for tensor in self._tensors)

    def stored(self, rows: Tensor) -> tuple[Tensor, ...]:
        """Some rows of every tensor: they are kept as they are handed out."""
        return self.batch(rows)

    def ready(self, stored: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """The same."""
        return stored

    def chunks(self, size: int | None = None) -> Iterator[tuple[Tensor, ...]]:
        """All rows in their order."""
        size = size or inference_rows(self._tensors[0].shape[1:])
        yield from zip(*(tensor.split(size) for tensor in self._tensors), strict=True)


def inference_rows(shape: Sequence[int]) -> int:
    """How many examples of a shape to take at once where nothing is trained: about two million
    values.
    """
    return max(16, min(4096, (1 << 21) // max(1, math.prod(shape))))


def _fits(x: np.ndarray, device: torch.device) -> bool:
    """Whether the examples can live on the device: half of what is free there is left to the model."""
    if device.type != "cuda":
        return device.type != "cpu" and not isinstance(x, np.memmap)
    return x.nbytes < torch.cuda.mem_get_info(device)[0] // 2


def fingerprint(x: np.ndarray) -> str:
    """A short text that changes when the examples do: shape, type and up to 1,024 rows spread over
    all.
    """
    rows = np.linspace(0, len(x) - 1, num=min(len(x), 1024)).astype(np.int64)
    checksum = zlib.crc32(np.ascontiguousarray(x[rows]).tobytes())
    return f"{tuple(x.shape)} {x.dtype} {checksum:08x}"
