"""What a data set is: a training part and a test part, each with examples and perhaps labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from isthmus.data._scaling import PIXELS
from isthmus.data.frames import Values, numbers_of, rows_of
from isthmus.data.rows import narrowed, number_labels, read_labels, with_columns
from isthmus.data.streams import Stream
from isthmus.errors import InputError, unknown


@dataclass(frozen=True, repr=False)
class Part:
    """Examples and their labels.

    Attributes:
        x: ``(n, *shape)``, stored as it was read (uint8 pixels stay uint8; a memory map stays on
            the disk); a table that was read from a file is a data frame with its own types.
        y: ``(n,)`` whole numbers that index ``Data.classes``, or None where there are no labels.
        classes: the names of the classes, or None.
        factors: what examples were made by, where that is known: the values of each factor by its
            name, ``(n,)`` whole numbers.
    """

    x: Values
    y: np.ndarray | None = None
    classes: tuple[str, ...] | None = None
    factors: Mapping[str, np.ndarray] | None = None

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        from isthmus.data._glance import part_words  # it loads torch and Pillow

        return f"Part({part_words(self)})"

    def take(self, rows: np.ndarray | slice) -> Part:
        """The part made of some rows."""
        factors = self.factors and {name: values[rows] for name, values in self.factors.items()}
        y = None if self.y is None else self.y[rows]
        return Part(rows_of(self.x, rows), y, self.classes, factors)

    @property
    def labels(self) -> np.ndarray | None:
        """The class of each example, by its name where classes have names; −1 has no class."""
        if self.y is None or self.classes is None:
            return self.y
        return np.where(self.y < 0, "-1", np.asarray(self.classes)[self.y])


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
        unread: the files of a folder that were left out because they cannot be read.
        notes: what was recognised or decided while reading that nobody asked for, a sentence each.
    """

    name: str
    train: Part
    test: Part
    classes: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None
    source: Mapping[str, Any] | None = None
    unread: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        parts, classes = _numbered([self.train, self.test], self.classes)
        object.__setattr__(self, "classes", classes)
        for name, part in zip(("train", "test"), parts, strict=True):
            # a part that stands alone still knows its classes
            object.__setattr__(self, name, replace(part, classes=classes))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an example: (channels, height, width) of an image, (columns,) of a table."""
        return tuple(self.train.x.shape[1:])

    @property
    def range(self) -> tuple[float, float]:
        """The least and greatest stored value of the training part; pixels count as all
        that their type holds, [0, 255] for uint8.

        Missing cells of a table do not count; of a stream, some examples are looked at.
        """
        if isinstance(self.train.x, Stream):
            x = self.train.x.sample()
            return (
                (0.0, 255.0) if x.dtype == np.uint8 else (float(np.nanmin(x)), float(np.nanmax(x)))
            )
        x = numbers_of(self.train.x, self.name)
        if x.dtype in PIXELS:
            return 0.0, PIXELS[x.dtype]
        return float(np.nanmin(x)), float(np.nanmax(x))

    def __repr__(self) -> str:
        labels = f", {len(self.classes)} classes" if self.classes else ""
        return (
            f"Data({self.name!r}, train={len(self.train)}, test={len(self.test)},"
            f" shape={self.shape}{labels})"
        )

    def _repr_html_(self) -> str:
        from isthmus.data._glance import data_page  # it loads torch and Pillow

        return data_page(self)


def _numbered(
    parts: Sequence[Part], classes: tuple[str, ...] | None
) -> tuple[Sequence[Part], tuple[str, ...] | None]:
    """The parts of a data set with labels that index its classes, whatever they are handed in as;
    and those classes.
    """
    given = [None if part.y is None else read_labels(part.y) for part in parts]
    known = [y for y in given if y is not None]
    if any(y.dtype.kind not in "iuf" and len(y) for y in known):  # floats are covariates
        numbers, names = number_labels(narrowed(np.concatenate(known)), "y")
        if classes is not None and (foreign := sorted(set(names) - set(map(str, classes)))):
            raise unknown("class", foreign[0], map(str, classes))
        places = names if classes is None else [str(name) for name in classes]
        numbers = np.array([places.index(name) for name in names])[numbers]
        ends = np.cumsum([0 if y is None else len(y) for y in given])[:-1]
        given = [
            None if y is None else found
            for y, found in zip(given, np.split(numbers, ends), strict=True)
        ]
        classes = tuple(places)
    return [replace(part, y=y) for part, y in zip(parts, given, strict=True)], classes


def require_data(data: Any) -> None:
    """Refuse anything but a whole data set where both of its parts are needed."""
    if not isinstance(data, Data):
        raise InputError(
            f"data is a {type(data).__name__}, but a data set with its parts is needed: give what"
            " isthmus.data.load gives, or Data(name, Part(x, y), Part(x_test, y_test))."
        )


def known_of(model: Any, part: Part) -> dict[str, Any]:
    """What a conditional model must be told of a part, as an argument; nothing for any other."""
    return {"condition": part.labels} if condition_of(model) is not None else {}


def named_for(model: Any, x: Values, data: Data | None = None) -> Values:
    """Examples of a data set as a model takes them: with the names of its columns where it was
    trained with names, and without them where it was trained without.
    """
    if isinstance(x, Stream):
        return x
    if not hasattr(model, "feature_names_in_"):
        is_table = getattr(getattr(model, "preprocessor_", None), "table", None) is not None
        return x if is_table else numbers_of(x)
    return x if data is None or data.columns is None else with_columns(x, data.columns)


def typical_of(model: Any) -> dict[str, Any]:
    """What a conditional model is told where a picture shows a single condition."""
    known = condition_of(model)
    return {} if known is None else {"condition": known.typical}


def condition_of(model: Any) -> Any:
    """A conditional model's :class:`isthmus.data.conditions.Condition`; None of any other.

    It makes numbers of what is known beside an example.
    """
    return getattr(getattr(model, "preprocessor_", None), "condition", None)
