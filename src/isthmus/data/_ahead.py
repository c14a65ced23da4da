"""Examples of a stream read ahead of their use, by other processes."""

from __future__ import annotations

import math
import os
import signal
import sys
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from isthmus.data.streams import Stream
from isthmus.errors import InputError

_MOST = 8  # processes
_WORTH = 2048  # examples, from which on processes are worth their start
_AHEAD = 128 * 2**20  # bytes that lie ready at most, and
_BATCHES_AHEAD = 4  # batches of each process


class Ahead:
    """Reads the batches of a plan in their order, some ahead of the one that is asked for.

    Each process decodes whole batches. What they give does not depend on how many they are.

    Args:
        stream: the examples.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._plan = _Plan()
        self._due: deque[np.ndarray] = deque()
        self._loader: DataLoader[Any] | None = None
        self._batches: Iterator[Any] = iter(())

    def expect(self, plan: Sequence[np.ndarray]) -> None:
        """Say which batches will be asked for next; none ends all processes."""
        self._due = deque()
        workers = _workers(self._stream, plan)
        if workers == 0:
            self._loader, self._batches = None, iter(())
            return
        self._due.extend(plan)
        self._plan.batches = plan
        if self._loader is None:
            self._loader = DataLoader(
                _Reader(self._stream),
                batch_size=None,
                sampler=self._plan,
                num_workers=workers,
                collate_fn=_as_is,
                worker_init_fn=_begin,
                prefetch_factor=_batches_ahead(self._stream, plan, workers),
                persistent_workers=True,
                multiprocessing_context="fork",
                # torch's own generator must not move: training draws from it
                generator=torch.Generator(),
            )
        with warnings.catch_warnings():  # the processes read files, and call nothing of torch
            warnings.filterwarnings("ignore", message=".*fork", category=DeprecationWarning)
            warnings.filterwarnings("ignore", message="This DataLoader will create")
            self._batches = iter(self._loader)

    def read(self, rows: np.ndarray) -> np.ndarray:
        """The examples of some rows: the next of the plan, or others, which are read at once."""
        if not self._due or not np.array_equal(self._due[0], rows):
            return self._stream.read(rows)
        self._due.popleft()
        found: np.ndarray | InputError = next(self._batches)
        if isinstance(found, InputError):
            raise found
        return found


class _Plan(Sampler[np.ndarray]):
    """The rows of each batch, of one pass after another."""

    def __init__(self) -> None:
        self.batches: Sequence[np.ndarray] = ()

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


class _Reader(Dataset[Any]):
    """Batches by their rows; an error of ours crosses the processes as it is."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def __getitem__(self, rows: np.ndarray) -> np.ndarray | InputError:
        try:
            return self._stream.read(rows)
        except InputError as error:
            return error


def _workers(stream: Stream, plan: Sequence[np.ndarray]) -> int:
    """How many processes read: none elsewhere than on Linux, where a process cannot be split."""
    if sys.platform != "linux" or len(plan) < 2:
        return 0
    if stream.workers is not None:
        return min(stream.workers, len(plan))
    if not stream.source.is_costly or sum(map(len, plan)) < _WORTH:
        return 0
    return min(_MOST, len(os.sched_getaffinity(0)), len(plan))


def _batches_ahead(stream: Stream, plan: Sequence[np.ndarray], workers: int) -> int:
    """How many batches each process reads ahead."""
    example = math.prod(stream.shape[1:]) * stream.dtype.itemsize
    held = _AHEAD // (workers * max(map(len, plan)) * example)
    return max(1, min(_BATCHES_AHEAD, held))


def _begin(worker: int) -> None:
    """Leave interruptions to the process that trains, which ends this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _as_is(batch: Any) -> Any:
    return batch
