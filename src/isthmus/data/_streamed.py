"""Examples of a stream as a store: read a batch at a time, and looked at as they come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isthmus.core.example import Kind, Shape
from isthmus.data._ahead import Ahead
from isthmus.data._layout import Layout
from isthmus.data._scaling import Scaling
from isthmus.data._sequences import steps
from isthmus.data.stores import Store
from isthmus.data.streams import Stream

Check = Callable[[np.ndarray], object]


class StreamStore(Store):
    """Examples that are read when a batch needs them.

    Args:
        stream: the examples as they lie there.
        layout: how each becomes what it is inside.
        scaling: what is still to be done to a batch.
        check: refuses examples ``(rows, *outer)`` that the model does not take.
        has_gaps: whether NaN may stand for values that were not observed.
    """

    def __init__(
        self,
        stream: Stream,
        layout: Layout,
        scaling: Scaling,
        check: Check,
        *,
        has_gaps: bool = False,
    ) -> None:
        self.stream, self.has_gaps = stream, has_gaps
        self.scaling = scaling if scaling.is_straight else None
        self._layout, self._check, self._settled = layout, check, scaling
        self._ahead = Ahead(stream)

    def __len__(self) -> int:
        return len(self.stream)

    @property
    def shape(self) -> Shape:
        return self._layout.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.stream.dtype if self.scaling is not None else np.dtype(np.float32)

    @property
    def is_on_disk(self) -> bool:
        return self.stream.is_grouped

    def take(self, rows: np.ndarray | slice) -> StreamStore:
        return StreamStore(
            self.stream.take(rows),
            self._layout,
            self._settled,
            self._check,
            has_gaps=self.has_gaps,
        )

    def gather(self, rows: Tensor) -> Tensor:
        examples = self._ahead.read(rows.cpu().numpy())
        self._check(examples)
        inside = self._layout.transform(examples)
        if self.scaling is None:  # a curve is drawn through at once
            inside = self._settled.transform(inside)
        return torch.from_numpy(np.ascontiguousarray(inside))

    def slice(self, start: int, stop: int) -> Tensor:
        return self.gather(torch.arange(start, min(stop, len(self))))

    def expect(self, batches: Sequence[Tensor]) -> None:
        self._ahead.expect([rows.cpu().numpy() for rows in batches])

    def order(self, seed: int, epoch: int) -> Tensor | None:
        order = self.stream.order(seed, epoch)
        return None if order is None else torch.from_numpy(order)

    def spread(self, count: int) -> Tensor:
        return torch.from_numpy(self.stream.spread(count))

    def fingerprint(self) -> str:
        return self.stream.fingerprint()


def seen(stream: Stream, kind: Kind, layout: Layout, scaling: str) -> np.ndarray | LaidOut:
    """What the scaling of a stream is settled by: of pixels, and where values must be sorted, some
    examples that are spread over it; else all, a block at a time.
    """
    if kind == "sequence" or (kind == "signal" and stream.dtype.kind == "f"):

        def table(block: np.ndarray) -> np.ndarray:  # what is padded has no values there
            return steps(layout.transform(block), kind)

        if kind == "signal" and scaling in ("robust", "quantile"):
            return table(stream.sample())
        channels = layout.shape[0 if kind == "signal" else 1]
        return LaidOut(stream, table, (channels,), layout.shape)
    if stream.dtype in (np.uint8, np.uint16) or scaling in ("robust", "quantile"):
        return layout.transform(stream.sample())
    return LaidOut(stream, layout.transform, layout.shape, layout.shape)


class LaidOut:
    """The examples of a stream as they are inside, to be looked at a block at a time.

    Args:
        stream: the examples as they lie there.
        transform: what a block of them becomes.
        example: the shape of a row afterwards.
        stored: the shape of an example of the stream, which says how many are looked at in one go.
    """

    def __init__(
        self,
        stream: Stream,
        transform: Callable[[np.ndarray], np.ndarray],
        example: Shape,
        stored: Shape,
    ) -> None:
        self._stream, self._transform, self.stored = stream, transform, stored
        self.shape, self.dtype = (len(stream), *example), stream.dtype
        self.ndim = len(self.shape)

    def __getitem__(self, rows: slice) -> np.ndarray:
        return self._transform(self._stream[rows])
