"""What a data set is: a training part and a test part, each with examples and perhaps labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from isthmus.data.frames import Values, numbers_of, rows_of


@dataclass(frozen=True)
class Part:
    """Examples and their labels.

    Attributes:
        x: ``(n, *shape)``, stored as it was read (uint8 pixels stay uint8; a memory map stays on
            the disk); a table that was read from a file is a data frame with its own types.
        y: ``(n,)`` whole numbers that index ``Data.classes``, or None where there are no labels.
        classes: the names of the classes, or None.
    """

    x: Values
    y: np.ndarray | None = None
    classes: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.x)

    def take(self, rows: np.ndarray | slice) -> Part:
        """The part made of some rows."""
        return Part(rows_of(self.x, rows), None if self.y is None else self.y[rows], self.classes)

    @property
    def labels(self) -> np.ndarray | None:
        """The class of each example, by its name where classes have names."""
        if self.y is None or self.classes is None:
            return self.y
        return np.asarray(self.classes)[self.y]


@dataclass(frozen=True)
class Data:
    """A named data set, split into a training part and a test part.

    Attributes:
        name: what it is called in reports.
        train, test: the two parts.
        classes: the names that the labels index, or None.
        columns: the names of the columns of a table, or None.
        source: the arguments with which :func:`isthmus.data.load` gives it again, where it came
            from there; no folder that only this machine has.
    """

    name: str
    train: Part
    test: Part
    classes: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None
    source: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        for name in ("train", "test"):  # a part that stands alone still knows its classes
            part = replace(getattr(self, name), classes=self.classes)
            object.__setattr__(self, name, part)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an example: (channels, height, width) of an image, (columns,) of a table."""
        return tuple(self.train.x.shape[1:])

    @property
    def range(self) -> tuple[float, float]:
        """The least and greatest stored value of the training part; uint8 counts as [0, 255].

        Missing cells of a table do not count.
        """
        x = numbers_of(self.train.x, self.name)
        return (0.0, 255.0) if x.dtype == np.uint8 else (float(np.nanmin(x)), float(np.nanmax(x)))

    def __repr__(self) -> str:
        labels = f", {len(self.classes)} classes" if self.classes else ""
        return (
            f"Data({self.name!r}, train={len(self.train)}, test={len(self.test)},"
            f" shape={self.shape}{labels})"
        )


def known_of(model: Any, part: Part) -> dict[str, Any]:
    """What a conditional model must be told of a part, as an argument; nothing for any other."""
    return {"condition": part.labels} if condition_of(model) is not None else {}


def named_for(model: Any, x: Values) -> Values:
    """Examples as a model takes them: a frame without its names where it was trained without."""
    return x if hasattr(model, "feature_names_in_") else numbers_of(x)


def typical_of(model: Any) -> dict[str, Any]:
    """What a conditional model is told where a picture shows a single condition."""
    known = condition_of(model)
    return {} if known is None else {"condition": known.typical}


def condition_of(model: Any) -> Any:
    """A conditional model's :class:`isthmus.data.conditions.Condition`; None of any other.

    It makes numbers of what is known beside an example.
    """
    return getattr(getattr(model, "preprocessor_", None), "condition", None)
