"""Examples as they are stored, handed out in batches, in the model's units, on the device."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from operator import itemgetter

import numpy as np
import torch
from torch import Tensor

from isthmus.core import sharding
from isthmus.core.batch import Batch
from isthmus.data._scaling import Scaling


class ArrayBatches:
    """Examples ``(n, *shape)`` that stay as stored until a batch needs them.

    They may be uint8, float32 or a memory map.

    A batch is gathered in one operation and only then becomes floating; no Python runs per example.

    Args:
        x: the examples, ``(n, *shape)``.
        scaling: from their units to the model's; None hands them out as they are, such as codes.
        device: where batches go; the examples follow, unless they are on the disk.
        dtype: the floating type of the batches.
        condition: what is known beside each example, ``(n, c)``.
        weight: how much each counts, ``(n,)``.
        masked: whether NaN marks what was not observed; batches then carry a mask.
        binarize: whether values, then probabilities in [0, 1], become draws of 0 or 1, by torch's
            random state.
    """

    def __init__(
        self,
        x: np.ndarray | Tensor,
        scaling: Scaling | None,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        *,
        condition: Tensor | None = None,
        weight: Tensor | None = None,
        masked: bool = False,
        binarize: bool = False,
    ) -> None:
        stored = x if isinstance(x, Tensor) else _as_tensor(x)
        stays = isinstance(x, np.ndarray) and not _fits(x, device)
        self._stored = Batch(
            stored if stays else stored.to(device),
            None if condition is None else condition.to(device, dtype),
            None,
            None if weight is None else weight.to(device, dtype),
        )
        self._device, self._dtype = device, dtype
        self._masked, self._binarize = masked, binarize
        self._scaling = None if scaling is None else _Affine(scaling, device, dtype)

    def __len__(self) -> int:
        return self._stored.size

    def batch(self, rows: Tensor) -> Batch:
        """The examples of some rows, in the model's units."""
        return self.ready(self.stored(rows))

    def stored(self, rows: Tensor) -> Batch:
        """The examples of some rows as they are kept."""
        return self._stored.each(lambda kept: kept.index_select(0, rows.to(kept.device)))

    def spread(self) -> Batch:
        """As many examples as inference takes at once, spread over all of them."""
        count = min(len(self), self.rows)
        return self.batch(torch.linspace(0, len(self) - 1, count, dtype=torch.float64).long())

    @property
    def rows(self) -> int:
        """How many examples to take at once where nothing is trained."""
        return inference_rows(self._stored.x.shape[1:])

    def chunks(self, size: int | None = None) -> Iterator[Batch]:
        """All examples in their order, in chunks that are ready for the model."""
        size = size or self.rows
        for start in range(0, len(self), size):
            yield self.ready(self._stored.each(itemgetter(slice(start, start + size))))

    def ready(self, stored: Batch) -> Batch:
        """What is kept, on the device, in the model's units; masked and binarised if asked."""
        if self._scaling is None:
            return stored
        x, mask = self._scaling(stored.x), None
        if self._masked:
            mask = ~x.isnan()
            x = x.nan_to_num()
        return stored._replace(x=sharding.rand_like(x).lt_(x) if self._binarize else x, mask=mask)


class _Affine:
    """From the units of the data to the model's, on the device."""

    def __init__(self, scaling: Scaling, device: torch.device, dtype: torch.dtype) -> None:
        self._device, self._dtype = device, dtype
        self._shift = self._constant(scaling.offset)
        self._factor = self._constant(1 / scaling.scale)
        self._shifts = bool((scaling.offset != 0).any())
        self._scales = self._shifts or bool((scaling.scale != 1).any())

    def __call__(self, stored: Tensor) -> Tensor:
        x = stored.to(self._device, self._dtype, copy=self._scales)
        if self._shifts:
            x.sub_(self._shift)
        return x.mul_(self._factor) if self._scales else x

    def _constant(self, value: np.ndarray) -> Tensor:
        """A number, or one per column: shaped so that it meets ``(n, *shape)``."""
        numbers = torch.from_numpy(np.atleast_1d(value).astype(np.float32))
        tensor = numbers.to(self._device, self._dtype)
        return tensor if tensor.numel() > 1 else tensor.reshape(())


def _as_tensor(x: np.ndarray) -> Tensor:
    with warnings.catch_warnings():  # a read-only memory map: nothing here writes to it
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(x)


def inference_rows(shape: Sequence[int]) -> int:
    """How many examples to take at once where nothing is trained: about two million values."""
    return max(16, min(4096, (1 << 21) // max(1, math.prod(shape))))


def _fits(x: np.ndarray, device: torch.device) -> bool:
    """Whether the examples can live on the device; half of its free memory is the model's."""
    if device.type != "cuda":
        return device.type != "cpu" and not isinstance(x, np.memmap)
    return x.nbytes < torch.cuda.mem_get_info(device)[0] // 2
