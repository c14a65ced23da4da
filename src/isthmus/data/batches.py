"""Examples as they are kept, handed out in batches, in the model's units, on the device."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from isthmus.core import sharding
from isthmus.core.batch import Batch
from isthmus.data._mixing import Mixed, Mixing
from isthmus.data._scaling import Scaling
from isthmus.data.stores import Store, inference_rows

_COARSE = {torch.uint8, torch.uint16, torch.float16, torch.float32}
_FAR = 1 << 10  # standard deviations from 0 from which on float32 would lose some of the bits


class StoreBatches:
    """The examples of a store, which stay as they are kept until a batch needs them.

    A batch is gathered in one operation and only then becomes floating; no Python runs per example.

    Args:
        store: the examples; values that have no scaling left are handed out as they are, such as
            codes.
        device: where batches go; the examples follow where they fit.
        dtype: the floating type of the batches.
        condition: what is known beside each example, ``(n, c)``.
        weight: how much each counts, ``(n,)``.
        label: the class of each, ``(n, classes)``; zeros for an example without one.
        mixing: how labelled examples stand in every batch; None where each is one of them all.
        masked: whether NaN marks what was not observed; batches then carry a mask.
        blank: what x holds in place of it, in the model's units; 0 where it is None.
        binarize: whether values, then probabilities in [0, 1], become draws of 0 or 1, by torch's
            random state.
    """

    def __init__(
        self,
        store: Store,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        *,
        condition: Tensor | None = None,
        weight: Tensor | None = None,
        label: Tensor | None = None,
        mixing: Mixing | None = None,
        masked: bool = False,
        blank: np.ndarray | None = None,
        binarize: bool = False,
    ) -> None:
        self._store = store.on(device)
        self._condition = None if condition is None else condition.to(device, dtype)
        self._weight = None if weight is None else weight.to(device, dtype)
        self._label = None if label is None else label.to(device, dtype)
        self._mixed = None if mixing is None else Mixed(label, len(store), mixing)
        self._device, self._dtype = device, dtype
        self._masked, self._binarize = masked, binarize
        self._blank = torch.zeros(()) if blank is None else torch.from_numpy(blank)
        self._blank = self._blank.to(device, dtype)
        self._scaling = None if store.scaling is None else _Affine(store.scaling, device, dtype)

    def __len__(self) -> int:
        return len(self._store) if self._mixed is None else len(self._mixed)

    @property
    def masked(self) -> bool:
        """Whether batches carry a mask, because some values may be missing."""
        return self._masked

    @property
    def values(self) -> int:
        """How many values an example has."""
        return math.prod(self._store.shape)

    def batch(self, rows: Tensor) -> Batch:
        """The examples of some rows, in the model's units."""
        return self.ready(self.stored(rows))

    def stored(self, rows: Tensor) -> Batch:
        """The examples of some rows as they are kept."""
        examples = rows if self._mixed is None else self._mixed.examples(rows)
        condition, weight, label = (
            None if part is None else part.index_select(0, examples.to(part.device))
            for part in (self._condition, self._weight, self._label)
        )
        if label is not None and self._mixed is not None:
            label = label * self._mixed.are_beside(rows).to(label)[:, None]
        return Batch(self._store.gather(examples), condition, None, weight, label=label)

    def spread(self) -> Batch:
        """As many examples as inference takes at once, spread over all of them."""
        count = min(len(self._store), self.rows)
        return self.batch(self._store.spread(count))

    def expect(self, batches: Sequence[Tensor]) -> None:
        """Learn which rows will be asked for next; none where it is over."""
        mixed = self._mixed
        self._store.expect(batches if mixed is None else [mixed.examples(b) for b in batches])

    def order(self, seed: int, epoch: int) -> Tensor | None:
        """The rows of an epoch in an order of their own, ``(n,)``; None where any will do."""
        own = self._store.order(seed, epoch)
        return own if self._mixed is None else self._mixed.order(seed, epoch, own)

    @property
    def dtype(self) -> torch.dtype:
        """The floating type of the batches."""
        return self._dtype

    @property
    def rows(self) -> int:
        """How many examples to take at once where nothing is trained."""
        return inference_rows(self._store.shape)

    def chunks(self, size: int | None = None) -> Iterator[Batch]:
        """All examples in their order, in chunks that are ready for the model.

        A single last example joins the chunk before it, because some terms compare examples.
        """
        size, last = size or self.rows, len(self._store) - 1
        starts = range(0, max(last, 1), size)
        ends = [*starts[1:], len(self._store)]
        for place, (start, stop) in enumerate(zip(starts, ends, strict=True)):
            if place == 1:  # who stops at the first chunk needs no more
                coming = zip(starts[1:], ends[1:], strict=True)
                self._store.expect([torch.arange(first, end) for first, end in coming])
            some = slice(start, stop)
            condition, weight, label = (
                None if part is None else part[some]
                for part in (self._condition, self._weight, self._label)
            )
            x = self._store.slice(start, stop)
            if place == len(ends) - 1:
                self._store.expect(())
            yield self.ready(Batch(x, condition, None, weight, label=label))

    def ready(self, stored: Batch) -> Batch:
        """What is kept, on the device, in the model's units; masked and binarised if asked."""
        x, mask = stored.x, None
        if self._scaling is not None:
            x = self._scaling(x)
        else:
            x = x.to(self._device, self._dtype if x.is_floating_point() else None)
        if self._masked:
            mask = ~x.isnan()
            x = x.where(mask, self._blank)
        return stored._replace(x=sharding.rand_like(x).lt_(x) if self._binarize else x, mask=mask)


class _Affine:
    """From the units of the data to the model's, on the device.

    What is kept in more bits than float32 has, or lies far from 0, is brought nearer in float64.
    """

    def __init__(self, scaling: Scaling, device: torch.device, dtype: torch.dtype) -> None:
        self._device, self._dtype = device, dtype
        self._home = torch.device("cpu") if device.type == "mps" else device  # it has no float64
        self._shift, self._factor = _constants(scaling, device, dtype)
        self._exact = _constants(scaling, self._home, torch.float64)
        self._shifts = bool((scaling.offset != 0).any())
        self._scales = self._shifts or bool((scaling.scale != 1).any())
        self._is_far = bool((np.abs(scaling.offset) > _FAR * scaling.scale).any())

    def __call__(self, stored: Tensor) -> Tensor:
        if self._scales and (self._is_far or stored.dtype not in _COARSE):
            shift, factor = self._exact
            x = stored.to(self._home, torch.float64, copy=True)
            return x.sub_(shift).mul_(factor).to(self._device, self._dtype)
        x = stored.to(self._device, self._dtype, copy=self._scales)
        if self._shifts:
            x.sub_(self._shift)
        return x.mul_(self._factor) if self._scales else x


def _constants(scaling: Scaling, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """What is subtracted and what is multiplied by, shaped so that both meet ``(n, *shape)``."""
    exact = (scaling.offset, 1 / scaling.scale)
    shift, factor = (torch.from_numpy(value).to(dtype).to(device) for value in exact)
    return (shift, factor) if shift.numel() > 1 else (shift.reshape(()), factor.reshape(()))
