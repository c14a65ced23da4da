"""A training part and a test part from the rows of one source."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isthmus.data.datasets import Data, Part
from isthmus.data.rows import Rows
from isthmus.data.streams import Stream
from isthmus.errors import InputError

if TYPE_CHECKING:  # torch is heavy, and reading data does without it
    from isthmus.data.stores import Store

# fixed: the same source must give the same parts in every run, whatever the seed of the training is
_SEED = 0


def split(name: str, rows: Rows, test_fraction: float = 0.2) -> Data:
    """Split rows into a training part and a test part.

    A split that the source has of its own is kept. Otherwise the rows are shuffled with a fixed
    seed, and each class keeps its share in both parts where every class has at least two rows; a
    memory map is cut at its tail, so that it stays on the disk, and so is a stream that is read in
    groups. ``test_fraction=0`` leaves the test
    part empty.
    """
    check_fraction(test_fraction)
    if len(rows) < 2:
        raise InputError(f"{name}: {len(rows)} row to train and test on: at least 2 are needed.")
    train, test = selections(rows, test_fraction)
    whole = Part(rows.x, rows.y)
    return Data(
        name,
        whole.take(train),
        whole.take(test),
        rows.classes,
        rows.columns,
        unread=rows.unread,
        notes=rows.notes,
    )


def check_fraction(test_fraction: object) -> None:
    """Refuse a share of test rows that is not a number in [0, 1)."""
    if (
        not isinstance(test_fraction, int | float)
        or isinstance(test_fraction, bool)
        or not 0 <= test_fraction < 1
    ):
        raise InputError(
            f"test_fraction={test_fraction!r} must be a number from 0 to below 1, such as 0.2."
        )


def selections(rows: Rows, test_fraction: float) -> tuple[np.ndarray | slice, np.ndarray | slice]:
    """Which rows are the training part, and which the test part."""
    if rows.train_rows is not None:
        return slice(rows.train_rows), slice(rows.train_rows, None)
    count = _test_count(len(rows), test_fraction)
    is_cut = isinstance(rows.x, np.memmap) or (isinstance(rows.x, Stream) and rows.x.is_grouped)
    if count == 0 or is_cut:
        return slice(len(rows) - count), slice(len(rows) - count, None)
    return _shuffled(_groups(rows), count)


def _test_count(n: int, test_fraction: float) -> int:
    """How many rows to test on; both parts get at least one unless no test part is wanted."""
    return min(max(round(n * test_fraction), 1), n - 1) if test_fraction else 0


def _groups(rows: Rows) -> np.ndarray:
    """The class of each row, or one for all where a class is too small to stand in both parts."""
    if rows.y is None or np.bincount(rows.y).min() < 2:
        return np.zeros(len(rows), np.int64)
    return rows.y


def _shuffled(groups: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Take ``count`` of the shuffled rows so that each group gives its share.

    They are evenly spaced over the rows sorted by group.
    """
    random = np.random.default_rng(_SEED)
    order = random.permutation(len(groups))
    order = order[np.argsort(groups[order], kind="stable")]
    steps = np.arange(len(groups) + 1) * count // len(groups)
    chosen = steps[1:] > steps[:-1]
    return random.permutation(order[~chosen]), random.permutation(order[chosen])


def held_out_rows(
    x: Store, share: float, seed: int
) -> tuple[np.ndarray | slice, np.ndarray | slice]:
    """The rows of examples to train on, and those of a share that is set aside, by chance.

    What is on the disk gives its tail, so that it stays there.
    """
    count = round(share * len(x))
    if count < 1 or len(x) - count < 2:
        raise InputError(
            f"validation={share:g} of {len(x)} examples leaves too few to train on or to measure:"
            " give more examples."
        )
    if x.is_on_disk:
        return slice(len(x) - count), slice(len(x) - count, None)
    order = np.random.default_rng(seed).permutation(len(x))
    return np.sort(order[count:]), np.sort(order[:count])
