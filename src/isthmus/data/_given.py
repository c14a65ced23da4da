"""What is handed in and read lazily: torch's data sets and loaders, batches, arrays on disk."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    default_collate,
)

from isthmus.core.own_code import identity
from isthmus.data._sources.chunked import ChunkedArray, is_chunked
from isthmus.data.streams import GroupedSource, Source, Stream
from isthmus.errors import InputError


def as_stream(X: Any) -> Stream | None:
    """What is handed in as a stream; None where it is an array, a frame, a list or nothing of ours.

    A torch ``Dataset`` is read example by example, and so is a ``DataLoader`` that goes through one
    in order or shuffled; any other object that has a length and can be iterated again and again
    gives batches. Examples may be the first of a tuple.
    """
    if isinstance(X, Stream):
        return X
    if isinstance(X, np.ndarray | torch.Tensor | list | tuple) or hasattr(X, "iloc"):
        return None
    if is_chunked(X):
        return Stream(ChunkedArray(X))
    if isinstance(X, DataLoader):
        return _of_loader(X)
    if isinstance(X, IterableDataset) and not hasattr(X, "__len__"):
        raise _endless(X)
    if isinstance(X, Dataset) and not isinstance(X, IterableDataset):
        return Stream(DatasetRows(X))
    if hasattr(X, "__array__") or hasattr(X, "tocsr") or isinstance(X, str | bytes | dict | set):
        return None
    if isinstance(X, Iterator):
        raise _endless(X)
    return Stream(BatchRows(X)) if isinstance(X, Iterable) and hasattr(X, "__len__") else None


class DatasetRows(Source):
    """A map-style data set of torch, read example by example.

    Args:
        dataset: what has a length and gives an example, or a tuple that begins with one.
        collate: makes a batch of some; None puts them on top of each other.
    """

    is_costly = True

    def __init__(self, dataset: Any, collate: Callable[[Any], Any] | None = None) -> None:
        self._dataset, self._collate = dataset, collate
        if not hasattr(dataset, "__len__"):
            raise _endless(dataset)
        if len(dataset) == 0:
            raise InputError("X holds 0 examples: give at least one.")
        first = self._batch([0])
        self.shape, self.dtype = (len(dataset), *first.shape[1:]), first.dtype

    def read(self, rows: np.ndarray) -> np.ndarray:
        examples = self._batch(rows.tolist())
        if examples.shape != (len(rows), *self.shape[1:]):
            raise _uneven(self._dataset, examples.shape[1:], self.shape[1:])
        return examples.astype(self.dtype, copy=False)

    def fingerprint(self) -> str:
        """By what the data set holds: arrays, tensors, settings, code. Reading all of it would give
        others every time where it draws (augmentations), and files that it opens are not seen.
        """
        return f"{type(self._dataset).__name__} {identity(self._dataset, self._collate)}"

    def _batch(self, rows: Sequence[int]) -> np.ndarray:
        items = [self._dataset[row] for row in rows]
        if self._collate is not None:
            return _array_of(self._collate(items), self._dataset)
        arrays = [_array_of(item, self._dataset) for item in items]
        shapes = {array.shape for array in arrays}
        if len(shapes) > 1:
            raise _uneven(self._dataset, *sorted(shapes)[:2])
        return np.stack(arrays)


class BatchRows(GroupedSource):
    """Batches of any object that gives the same ones whenever it is iterated.

    They are counted once, in a pass over all.

    Args:
        batches: arrays or tensors ``(n_i, *shape)``, or tuples that begin with one.
    """

    def __init__(self, batches: Iterable[Any]) -> None:
        self._batches = batches
        sizes: list[int] = []
        first: np.ndarray | None = None
        for batch in batches:
            examples = _array_of(batch, batches)
            first = examples if first is None else first
            sizes.append(len(examples))
        if first is None or sum(sizes) == 0:
            raise InputError("X holds 0 examples: give at least one.")
        starts = np.cumsum([0, *sizes])
        super().__init__(starts, first.shape[1:], first.dtype, in_order=True)
        self._pass: Iterator[Any] = iter(())  # of batches that have places from _next on
        self._next = len(sizes)

    def read_group(self, place: int) -> np.ndarray:
        if place < self._next:  # the pass is beyond it
            self._known.clear()
            self._pass, self._next = iter(self._batches), 0
        for batch in itertools.islice(self._pass, place - self._next):
            # what lies on the way is of the same window, and will be asked for
            self._remember(self._next, self._read(batch))
            self._next += 1
        self._next += 1
        return self._read(next(self._pass, ()))

    def _read(self, batch: Any) -> np.ndarray:
        return _array_of(batch, self._batches).astype(self.dtype, copy=False)


def _of_loader(loader: DataLoader[Any]) -> Stream:
    plain = type(loader.sampler) in (SequentialSampler, RandomSampler)
    if isinstance(loader.dataset, IterableDataset) or loader.batch_size is None or not plain:
        if not hasattr(loader, "__len__") or _length(loader) is None:
            raise _endless(loader)
        return Stream(BatchRows(loader))
    collate = None if loader.collate_fn is default_collate else loader.collate_fn
    return Stream(DatasetRows(loader.dataset, collate), workers=loader.num_workers or None)


def _length(loader: DataLoader[Any]) -> int | None:
    try:
        return len(loader)
    except TypeError:  # of a data set that has none
        return None


def _array_of(item: Any, given: Any) -> np.ndarray:
    x = item[0] if isinstance(item, tuple | list) and len(item) else item
    if isinstance(x, dict) or x is None:
        raise InputError(
            f"{type(given).__name__} gives a {type(x).__name__} where examples are expected: let it"
            " give arrays, or tuples that begin with one."
        )
    array: np.ndarray = x.detach().cpu().numpy() if isinstance(x, torch.Tensor) else np.asarray(x)
    if array.dtype.kind not in "biuf":
        raise InputError(
            f"{type(given).__name__} gives values of type {array.dtype}, which are no numbers: let"
            " it give arrays, or tuples that begin with one."
        )
    if array.ndim == 0:
        raise InputError(
            f"{type(given).__name__} gives single numbers where examples are expected: give an"
            " array of shape (n, columns)."
        )
    return array


def _uneven(given: Any, shape: tuple[int, ...], wanted: tuple[int, ...]) -> InputError:
    return InputError(
        f"{type(given).__name__} gives examples of shape {shape} and of {wanted}: bring all to one"
        " shape."
    )


def _endless(X: Any) -> InputError:
    return InputError(
        f"X is a {type(X).__name__}, which has no length or can be gone through only once: give an"
        " object with __len__ and __iter__ that starts anew each time, or a map-style Dataset."
    )
