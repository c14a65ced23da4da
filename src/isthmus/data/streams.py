"""Streams: examples that stay where they lie, and are read when they are needed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from isthmus.core.digests import Digest, of_values
from isthmus.errors import InputError

_WINDOW = 64 * 2**20  # bytes of examples that are shuffled among each other
_SAMPLE = 1024  # examples that stand for all where reading all would teach nothing more
_SAMPLED = 16  # groups from which such examples are taken


class Source(ABC):
    """Where the examples of a stream lie.

    Attributes:
        shape: ``(n, *shape)`` of all examples.
        dtype: the type of their values.
        groups: which rows are read together; None where a row costs the same wherever it lies.
        is_costly: whether a row takes long enough to be read by other processes, ahead of its use.
        columns: the names of the columns of a table, or None.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    groups: Groups | None = None
    is_costly: bool = False
    columns: tuple[str, ...] | None = None

    @abstractmethod
    def read(self, rows: np.ndarray) -> np.ndarray:
        """The examples of some rows, ``(rows, *shape)``."""

    @abstractmethod
    def fingerprint(self) -> str:
        """A short text that changes when the examples do: all bytes that they are made of count."""


@dataclass(frozen=True)
class Groups:
    """Rows that lie together, so that it is cheap to read them together.

    Attributes:
        starts: the first row of each group, and the number of all rows, ``(groups + 1,)``.
        window: how many rows are shuffled among each other.
        in_order: whether the groups can be read one after another only.
    """

    starts: np.ndarray
    window: int
    in_order: bool = False

    def of(self, rows: np.ndarray) -> np.ndarray:
        """The group of each row."""
        found: np.ndarray = np.searchsorted(self.starts, rows, side="right") - 1
        return found

    def order(self, rows: np.ndarray, seed: int, epoch: int) -> np.ndarray:
        """Places of ``rows`` in the order of an epoch, a function of seed and epoch alone.

        The groups are shuffled, then the rows within windows of some groups.
        """
        random = np.random.default_rng([seed, epoch])
        count = len(self.starts) - 1
        rank = np.arange(count) if self.in_order else random.permutation(count)
        ranked = rank[self.of(rows)]
        order = np.argsort(ranked, kind="stable")
        ends = np.flatnonzero(np.diff(ranked[order], append=count)) + 1  # of the groups
        start = 0
        for end in ends:
            if end - start >= self.window or end == len(rows):
                order[start:end] = random.permutation(order[start:end])
                start = int(end)
        return order


class Stream:
    """Examples ``(n, *shape)`` that are read when they are needed, in the place of an array.

    Indexed, it reads: ``stream[:8]`` is an array. Members train on it batch by batch.

    Args:
        source: where the examples lie.
        rows: which of them these are, and in which order; all if none are given.
        workers: how many processes read ahead of training; chosen by the machine if not given.
    """

    def __init__(
        self, source: Source, rows: np.ndarray | None = None, workers: int | None = None
    ) -> None:
        self.source, self.workers = source, workers
        self._rows = rows

    def __len__(self) -> int:
        return self.source.shape[0] if self._rows is None else len(self._rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """``(n, *shape)``."""
        return (len(self), *self.source.shape[1:])

    @property
    def ndim(self) -> int:
        """How many axes there are, that of the examples included."""
        return len(self.source.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the values."""
        return self.source.dtype

    @property
    def columns(self) -> tuple[str, ...] | None:
        """The names of the columns of a table, or None."""
        return self.source.columns

    @property
    def is_grouped(self) -> bool:
        """Whether rows are read in groups, so that a part is best cut off at the end."""
        return self.source.groups is not None

    def __getitem__(self, rows: Any) -> np.ndarray:
        """The examples of a slice, of places ``(rows,)``, or of those marked true, as an array."""
        if isinstance(rows, int | np.integer):
            example: np.ndarray = self.read(np.array([range(len(self))[int(rows)]]))[0]
            return example
        return self.read(np.arange(len(self))[rows])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype=dtype)

    def __repr__(self) -> str:
        return f"Stream(shape={self.shape}, dtype={self.dtype})"

    def read(self, rows: np.ndarray) -> np.ndarray:
        """The examples of some places, ``(rows, *shape)``."""
        return self.source.read(rows if self._rows is None else self._rows[rows])

    def take(self, rows: np.ndarray | slice) -> Stream:
        """Some of them, still unread."""
        return Stream(self.source, self._all()[rows], self.workers)

    def order(self, seed: int, epoch: int) -> np.ndarray | None:
        """The places of an epoch in which little is read twice; None where any order is as good."""
        groups = self.source.groups
        return None if groups is None else groups.order(self._all(), seed, epoch)

    def spread(self, count: int) -> np.ndarray:
        """Places of some examples, spread over all; where rows are read in groups, over some."""
        groups = self.source.groups
        places = np.arange(len(self))
        if groups is not None:
            owner = groups.of(self._all())
            known = np.unique(owner)
            few = min(len(known), _SAMPLED)
            spread = known[:few] if groups.in_order else known[_even(len(known), few)]
            places = places[np.isin(owner, spread)]
        return places[_even(len(places), count)]

    def sample(self) -> np.ndarray:
        """Up to 1,024 examples that are spread over all."""
        return self.read(self.spread(_SAMPLE))

    def fingerprint(self) -> str:
        """A short text that changes when the examples, or which of them are chosen, do."""
        chosen = "all" if self._rows is None else of_values([self._rows])
        return f"{self.shape} {self.dtype} {chosen} {self.source.fingerprint()}"

    def _all(self) -> np.ndarray:
        return np.arange(self.source.shape[0]) if self._rows is None else self._rows


class GroupedSource(Source):
    """A source that is read a group at a time; the last ones are remembered.

    Args:
        starts: the first row of each group, and the number of all rows.
        example: the shape of one example.
        dtype: the type of the values.
        in_order: whether the groups can be read one after another only.
    """

    groups: Groups

    def __init__(
        self,
        starts: np.ndarray,
        example: tuple[int, ...],
        dtype: np.dtype[Any],
        *,
        in_order: bool = False,
    ) -> None:
        self.shape, self.dtype = (int(starts[-1]), *example), dtype
        row_bytes = max(1, int(np.prod(example, dtype=np.int64)) * dtype.itemsize)
        self.groups = Groups(starts, max(1, _WINDOW // row_bytes), in_order)
        # a batch may lie in two windows, each of which may end in the midst of a group
        self._capacity = 2 * (self.groups.window + int(np.diff(starts).max()))
        self._known: dict[int, np.ndarray] = {}

    @abstractmethod
    def read_group(self, place: int) -> np.ndarray:
        """All rows of one group."""

    def fingerprint(self) -> str:
        digest = Digest()
        for place in range(len(self.groups.starts) - 1):
            digest.add_array(self._group(place))
        return str(digest)

    def read(self, rows: np.ndarray) -> np.ndarray:
        owner = self.groups.of(rows)
        examples = np.empty((len(rows), *self.shape[1:]), self.dtype)
        for place in np.unique(owner):
            mine = owner == place
            examples[mine] = self._group(int(place))[rows[mine] - self.groups.starts[place]]
        return examples

    def _group(self, place: int) -> np.ndarray:
        if place not in self._known:
            self._remember(place, self.read_group(place))
        else:
            self._known[place] = self._known.pop(place)  # the last to be forgotten
        return self._known[place]

    def _remember(self, place: int, group: np.ndarray) -> None:
        wanted = int(np.diff(self.groups.starts)[place])
        if group.shape != (wanted, *self.shape[1:]):
            raise InputError(
                f"examples {self.groups.starts[place]} and on (from 0) have the shape"
                f" {group.shape}, where {(wanted, *self.shape[1:])} was expected: let every pass"
                " over the data give the same."
            )
        self._known[place] = group
        while sum(map(len, self._known.values())) > self._capacity:
            del self._known[next(iter(self._known))]


def _even(n: int, count: int) -> np.ndarray:
    return np.linspace(0, n - 1, num=min(n, count)).astype(np.int64)
