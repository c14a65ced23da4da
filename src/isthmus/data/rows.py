"""What one source holds, in its own order, before it is split; and labels as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.data.frames import Values, is_frame, numbers_of, rows_of
from isthmus.data.streams import Stream
from isthmus.errors import InputError

if TYPE_CHECKING:
    from isthmus.data.sounds import Sounds


@dataclass(frozen=True)
class Rows:
    """Everything that a source holds, in the order of the source.

    Attributes:
        x: ``(n, *shape)``, stored as it was read; a table is a data frame with its own types.
        y: ``(n,)`` whole numbers that index ``classes``, or None where there are no labels.
        classes: the names that the labels index, or None.
        columns: the names of the columns of a table, or None.
        files: the file of each row, of a folder of images, or None.
        train_rows: where the source has a split of its own, how many rows at the front are its
            training part.
        unread: the files that were left out because they cannot be read.
        notes: what was recognised or decided while reading that nobody asked for, a sentence each.
        sounds: the windows of sound that the rows are, or None.
    """

    x: Values
    y: np.ndarray | None = None
    classes: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None
    files: tuple[str, ...] | None = None
    train_rows: int | None = None
    unread: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    sounds: Sounds | None = None

    def __len__(self) -> int:
        return len(self.x)

    def first(self, count: int) -> Rows:
        """The rows at the front."""
        front = slice(count)
        return replace(
            self,
            x=rows_of(self.x, front),
            y=None if self.y is None else self.y[front],
            files=None if self.files is None else self.files[front],
            train_rows=None if self.train_rows is None else min(count, self.train_rows),
            sounds=None if self.sounds is None else self.sounds.take(front),
        )


def with_columns(x: Values, columns: Sequence[str] | None) -> Any:
    """Rows of a table with the names of its columns, so that a model knows its own table.

    Without names, they are a bare array.
    """
    if isinstance(x, Stream):  # which knows them
        return x
    if columns is None:
        return numbers_of(x)
    if is_frame(x):
        return x
    import pandas as pd

    return pd.DataFrame(x, columns=list(columns))


def read_labels(labels: Any) -> np.ndarray:
    """Labels as an array in which each keeps its type: ``["cat", -1]`` holds a text and a number.

    Lists, tensors, and series of pandas of any type (text, categories, booleans, whole numbers with
    missing ones) come in. What is of one type becomes an array of it; what is not, and what has
    missing labels, an array of objects.
    """
    if hasattr(labels, "detach"):  # a tensor; torch is not imported for whoever has none
        return np.asarray(labels.detach().cpu().numpy())
    if isinstance(labels, list | tuple):
        given = np.array(labels, dtype=object)
    else:
        given = np.asarray(labels)
    return narrowed(given) if given.dtype.kind == "O" else given


def narrowed(labels: np.ndarray) -> np.ndarray:
    """Objects as an array of their type, where it is one for all of them."""
    kinds = {type(value) for value in labels.flat}
    if not kinds or any(map(is_missing, labels.flat)):
        return labels
    for base, dtype in (
        (str, np.str_),
        ((bool, np.bool), np.bool),
        ((int, np.integer), np.int64),
        ((int, float, np.integer, np.floating), np.float64),
    ):
        if all(issubclass(kind, base) for kind in kinds) and (
            dtype is np.bool or bool not in kinds
        ):
            try:
                return labels.astype(dtype)
            except OverflowError:  # whole numbers of more than 64 bits stay objects
                return labels
    return labels


def number_labels(labels: np.ndarray, where: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Labels ``(n,)``, whole numbers or text, as indices into the sorted names of the classes."""
    if labels.dtype.kind == "O":
        labels = np.array([_name(value, row, where) for row, value in enumerate(labels)])
    if labels.dtype.kind == "f":
        labels = _whole(labels, where)
    if labels.dtype.kind not in "biuU":
        raise InputError(
            f"{where}: labels of type {labels.dtype} cannot be used: give whole numbers or text."
        )
    values, indices = np.unique(labels, return_inverse=True)
    return indices.astype(np.int64), tuple(str(value) for value in values)


def is_missing(value: object) -> bool:
    """Whether one of many labels is none: None, NaN, or the NA and NaT of pandas."""
    return value is None or (str(value) in ("nan", "<NA>", "NaT") and not isinstance(value, str))


def _name(value: Any, row: int, where: str) -> str:
    """The name of the class that one of many labels of mixed types says."""
    if is_missing(value):
        raise InputError(
            f"{where}: row {row + 1} has no label ({value}): fill it in, or take the row out."
        )
    if isinstance(value, float | np.floating):
        value = _whole(np.array([value]), where)[0]
    if not isinstance(value, str | int | np.integer | np.bool):
        raise InputError(
            f"{where}: labels of type {type(value).__name__} cannot be used: give whole numbers or"
            " text."
        )
    return str(value)


def _whole(labels: np.ndarray, where: str) -> np.ndarray:
    odd = ~((np.abs(labels) < 2.0**63) & (labels == np.round(labels)))
    if odd.any():
        row = int(odd.argmax())
        raise InputError(
            f"{where}: the label of row {row + 1} is {labels[row]}: labels must be whole numbers or"
            " text."
        )
    return labels.astype(np.int64)
