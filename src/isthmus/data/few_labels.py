"""Labels of which many are missing: which examples have one, as what, and a few of them drawn."""

from __future__ import annotations

import reprlib
import warnings
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d
from torch import Tensor
from torch.nn.functional import one_hot

from isthmus.core.records import Record
from isthmus.data.datasets import Part
from isthmus.data.rows import is_missing, narrowed, read_labels
from isthmus.errors import DataWarning, InputError

UNLABELLED = -1


@dataclass(frozen=True)
class Labelled:
    """The labels of those examples that have one.

    Attributes:
        rows: the places of these examples, ``(m,)``, among ``n``.
        labels: their labels, ``(m,)``, of the type that they have.
        n: how many examples there are.
    """

    rows: np.ndarray
    labels: np.ndarray
    n: int

    @classmethod
    def of(cls, y: Any, owner: str) -> Self:
        """What y ``(n,)`` says of examples: a label each, or −1 for none.

        Args:
            y: the labels.
            owner: who is given them, for messages.

        Raises:
            InputError: for no labels at all, for amounts that are no classes, and for fewer than
                two classes.
        """
        known, labels, gaps = _read(y, owner)
        if (count := len(np.unique(labels))) < 2:
            meant = "" if known.all() else f" ({UNLABELLED} means no label)"
            raise InputError(
                f"y names {count} class(es), but a classifier needs at least 2{meant}: label more"
                " examples."
            )
        if gaps:
            warnings.warn(
                f"y has no label for {gaps} of {len(known)} examples (None or NaN), which are used"
                f" as unlabelled ones: write {UNLABELLED} to say that this is meant.",
                DataWarning,
                stacklevel=4,
            )
        return cls(np.flatnonzero(known), labels, len(known))

    def require(self, n: int) -> None:
        """Refuse labels of another number of examples than n."""
        if self.n != n:
            raise InputError(
                f"y holds {self.n} labels, X {n} examples: give each example a label, −1 for none."
            )

    def few(self, count: int | None, seed: int) -> Self:
        """``count`` of the labels, drawn, as many of each class as can be; all for None.

        Raises:
            InputError: for fewer than one of each class, and for more than there are.
        """
        if count is None:
            return self
        names, classes = np.unique(self.labels, return_inverse=True)
        if not len(names) <= count <= len(self.rows):
            raise InputError(
                f"n_labels={count} is not usable: y holds {len(self.rows)} labels of {len(names)}"
                f" classes, so give a number from {len(names)} to {len(self.rows)}."
            )
        order = np.random.default_rng(seed).permutation(len(classes))
        place = np.empty(len(classes), dtype=np.int64)  # the how-manieth of its class in this order
        for index in range(len(names)):
            own = order[classes[order] == index]
            place[own] = np.arange(len(own))
        chosen = np.sort(order[np.argsort(place[order], kind="stable")[:count]])
        return type(self)(self.rows[chosen], self.labels[chosen], self.n)


def accuracy(
    told: np.ndarray, y: Any, known: np.ndarray, owner: str, weight: Tensor | None = None
) -> float:
    """The share of the examples with a label that are told rightly, under their weights ``(n,)``
    if there are any; otherwise as :func:`told_rightly`.
    """
    rows, right = told_rightly(told, y, known, owner)
    counted = np.ones(len(rows)) if weight is None else weight.numpy()[rows]
    if counted.sum() == 0:
        raise InputError("every example with a label has a weight of 0: give one that counts.")
    return float(np.average(right, weights=counted))


class Rightly(NamedTuple):
    """Which classes are told rightly.

    Attributes:
        rows: the places of the examples that have a label, ``(m,)``.
        right: whether that is the class that is told, ``(m,)``.
    """

    rows: np.ndarray
    right: np.ndarray


def told_rightly(told: np.ndarray, y: Any, known: np.ndarray, owner: str) -> Rightly:
    """Which of the examples with a label are told rightly; 3, 3.0 and "3" are the same.

    Args:
        told: the class that is told of each example, ``(n,)``.
        y: its label, ``(n,)``; −1, None or NaN for none.
        known: all classes that can be told.
        owner: who tells them, for messages.

    Raises:
        InputError: where no example has a label, and where none of the labels is a class.
    """
    is_labelled, labels, _ = _read(y, owner)
    if len(is_labelled) != len(told):
        raise InputError(
            f"y holds {len(is_labelled)} labels, X {len(told)} examples: give each its label."
        )
    if len(labels) == 0:
        raise InputError("y has no label, so there is nothing to compare with: give some.")
    right, classes = labels, known
    if not all(part.dtype.kind in "biuf" for part in (labels, known)):
        right, classes, told = (_whole(part).astype(str) for part in (labels, known, told))
    if not np.isin(right, classes).any():
        raise InputError(
            f"no label of y is among the classes that this {owner} tells apart"
            f" ({reprlib.repr(known.tolist())}): name them as in its training."
        )
    return Rightly(np.flatnonzero(is_labelled), told[is_labelled] == right)


def labels_of(part: Part) -> np.ndarray | None:
    """The label of each example of a part, ``(n,)``: names where classes have some, and whole
    numbers where these are their names.
    """
    if part.classes == tuple(map(str, range(len(part.classes or ())))):
        return part.y
    return part.labels


@dataclass(frozen=True)
class Classes:
    """The classes that some labels name, in their order.

    Attributes:
        values: the labels themselves, of the type that was given.
    """

    values: tuple[Any, ...]

    @classmethod
    def of(cls, labels: Any) -> Self:
        """The classes that labels ``(m,)`` name."""
        return cls(tuple(np.unique(_whole(read_labels(labels))).tolist()))

    def array(self) -> np.ndarray:
        """The labels as an array, ``(classes,)``."""
        return np.asarray(self.values)

    def one_hot(self, given: Labelled) -> Tensor:
        """The class of each example as numbers, ``(n, classes)``; zeros for one without a label.

        Raises:
            InputError: for a label that is none of the classes.
        """
        known = {value: place for place, value in enumerate(self.values)}
        for label in np.unique(given.labels).tolist():
            if label not in known:
                raise InputError(
                    f"y holds the label {label!r}, but training began with the classes"
                    f" {reprlib.repr(list(self.values))}: pass all of them at first"
                    " (partial_fit has classes=...), or train anew."
                )
        places = torch.tensor([known[label] for label in given.labels.tolist()], dtype=torch.long)
        found = torch.zeros(given.n, len(self.values))
        found[torch.from_numpy(given.rows)] = one_hot(places, len(self.values)).float()
        return found

    def to_json(self) -> list[Any]:
        """Plain values for ``config.json``."""
        return list(self.values)

    @classmethod
    def from_json(cls, given: Record, key: str) -> Self:
        """The inverse of :meth:`to_json`."""
        values = given.raw(key)
        if not isinstance(values, list) or not values:
            raise InputError(f"{key}={values!r} names no classes: train again.")
        return cls(tuple(values))


def _read(y: Any, owner: str) -> tuple[np.ndarray, np.ndarray, int]:
    """Which examples have a label, ``(n,)``; the labels of those; and how many have none without
    being marked by −1.
    """
    if y is None:
        raise InputError(
            f"{owner} requires y to be passed, but the target y is None: give a label, or −1, each."
        )
    given = read_labels(y)
    try:
        labels: np.ndarray = column_or_1d(given, warn=True)
    except ValueError as error:
        raise InputError(
            f"y has the shape {given.shape}, and y should be a 1d array: give one label for each"
            " example."
        ) from error
    if labels.dtype.kind == "f" and np.isinf(labels).any():
        raise InputError("y holds inf: give −1 to an example without a label.")
    is_gap = np.zeros(len(labels), dtype=bool)
    if labels.dtype.kind in "fO":
        is_gap = np.array([is_missing(value) for value in labels], dtype=bool)
    # in a list of text, the mark may have become text too
    if labels.dtype.kind in "OU":
        is_marked = np.array([str(value) in ("-1", "-1.0") for value in labels], dtype=bool)
    else:
        is_marked = labels == UNLABELLED
    known = ~(is_marked | is_gap)
    found = _whole(narrowed(labels[known]))
    _require_classes(found)
    return known, found, int(is_gap.sum())


def _whole(labels: np.ndarray) -> np.ndarray:
    """Whole numbers as such, which gaps among them make floats of."""
    if labels.dtype.kind != "f" or not (labels == np.round(labels)).all():
        return labels
    return labels.astype(np.int64) if (np.abs(labels) < 2.0**63).all() else labels


def _require_classes(found: np.ndarray) -> None:
    """Refuse labels of several types, and amounts."""
    if found.dtype.kind == "O" and len(found):
        kinds = {type(value).__name__: value for value in found}
        raise InputError(
            f"y mixes labels of several types, such as {', '.join(map(repr, kinds.values()))}: give"
            f" all of them as text or all as whole numbers, and {UNLABELLED} for none."
        )
    try:
        check_classification_targets(found)
    except ValueError as error:
        raise InputError(
            f"Unknown label type: y holds {reprlib.repr(found.tolist()[0])} and the like, which are"
            " amounts and no classes: give text or whole numbers."
        ) from error
