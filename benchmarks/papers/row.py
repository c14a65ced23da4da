"""What a row is: a published number, the function that measures it again, and what we want of it.

A new row is a function in a file of ``benchmarks/papers/rows``, under :func:`row` with its
declaration:

    @row("my-row", what=…, setting="… {epochs} epochs.", metric=…, unit=…,
         published={"AE": 3.0}, source=…, wanted=at_most(3.5), epochs=(20, 200))
    def my_row(bench: Bench) -> Mapping[str, Measure]:
        model = bench.train("AE", ist.AE(random_state=0))
        return {"AE": squared_error(model.squared_error(bench.data.test))}

The command, the kept line and the page pick it up from there.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from isthmus.core.parts import plain_values
from isthmus.errors import InputError
from isthmus.metrics._measure import Better, Measure

if TYPE_CHECKING:
    import isthmus as ist

Values = Mapping[str, float]
Member = TypeVar("Member", bound="ist.Estimator")

_KEPT_ELSEWHERE = {"checkpoint_dir", "verbose", "device"}


@dataclass(frozen=True)
class Wanted:
    """A bound on the measured values: in words, and as a test of the values by their names."""

    words: str
    holds: Callable[[Values], bool]


def at_most(bound: float) -> Wanted:
    """Every value is at most the bound."""
    return Wanted(f"at most {bound:g}", lambda values: max(values.values()) <= bound)


def within(middle: float, reach: float) -> Wanted:
    """Every value lies that near to the middle."""
    return Wanted(
        f"{middle:g} ± {reach:g}",
        lambda values: all(abs(value - middle) <= reach for value in values.values()),
    )


def rising(*names: str) -> Wanted:
    """The values of the names, in this order, rise."""

    def holds(values: Values) -> bool:
        return all(values[a] < values[b] for a, b in pairwise(names))

    return Wanted(" < ".join(names), holds)


def above(name: str, gain: float, unit: str) -> Wanted:
    """Every other value is greater than the named one by the gain."""

    def holds(values: Values) -> bool:
        return all(value - values[name] >= gain for other, value in values.items() if other != name)

    return Wanted(f"at least {gain:g} {unit} above {name}", holds)


@dataclass
class Bench:
    """What a row measures with: data, a length that suits the device, a place for checkpoints.

    Attributes:
        data: MNIST, as it is stored.
        epochs: how long the row trains here.
        has_accelerator: whether the published length is meant.
        folder: where checkpoints lie until the row is measured.
        settings: what was trained, by name: the member and all its fields.
        seconds: what training took.
    """

    data: ist.data.Data
    epochs: int
    has_accelerator: bool
    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    def train(self, name: str, model: Member, x: Any = None, epochs: int | None = None) -> Member:
        """Fit a member on MNIST's training part, or x, under a name; goes on if interrupted."""
        model.set_params(
            epochs=epochs or self.epochs,
            checkpoint_dir=str(self.folder / re.sub(r"\W+", "-", name)),
            compile=self.has_accelerator,  # small steps wait for Python otherwise
        )
        try:
            model.fit(self.data.train if x is None else x)
        except InputError:
            if not model.compile:
                raise
            model.set_params(compile=False).fit(self.data.train if x is None else x)
        fields = {
            key: value for key, value in plain_values(model).items() if key not in _KEPT_ELSEWHERE
        }
        self.settings[name] = {"member": type(model).__name__, **fields}
        self.seconds += sum(row["seconds"] for row in model.history_)
        return model

    @contextmanager
    def clock(self) -> Iterator[None]:
        """Count what is trained inside, other than by :meth:`train`."""
        start = time.perf_counter()
        yield
        self.seconds += time.perf_counter() - start

    def length(self, name: str, short: int, published: int) -> int:
        """A number that is shortened on a CPU (examples, draws), recorded under its name."""
        self.settings[name] = published if self.has_accelerator else short
        return int(self.settings[name])


@dataclass(frozen=True)
class Row:
    """One published result and how it is measured here.

    Attributes:
        name: what the command calls it.
        what: the result, in a few words.
        setting: how it is measured here, in words; ``{epochs}`` and the names given to
            :meth:`Bench.length` are filled in.
        metric, unit: what is measured, and what the numbers count.
        error: what stands behind ± in the measured values.
        data: what it is measured on.
        published: the published numbers, by the names of the measured values; empty where nothing
            is published.
        source: where they were published.
        wanted: the bound that we want to hold.
        epochs: how long to train on a CPU, and the published length, for an accelerator.
        note: what the measurement showed, and why a bound was missed; written after measuring.
        measure: gives the measured values by their names.
    """

    name: str
    what: str
    setting: str
    metric: str
    unit: str
    published: Values
    source: str
    wanted: Wanted
    measure: Callable[[Bench], Mapping[str, Measure]]
    epochs: tuple[int, int] = (0, 0)
    error: str = "standard error over test images"
    data: str = "mnist"
    note: str = ""


ROWS: dict[str, Row] = {}
"""Every row by its name, in the order of the page."""


def row(name: str, **declared: Any) -> Callable[[Callable[[Bench], Mapping[str, Measure]]], Row]:
    """Declare the function below as a row's measurement; the fields are those of :class:`Row`."""

    def add(measure: Callable[[Bench], Mapping[str, Measure]]) -> Row:
        if name in ROWS:
            raise ValueError(f"the row {name!r} is declared twice: choose another name.")
        ROWS[name] = Row(name=name, measure=measure, **declared)
        return ROWS[name]

    return add


def over_seeds(title: str, values: Sequence[float], unit: str, better: Better) -> Measure:
    """The mean over seeds, with their standard deviation in place of an error; one has none."""
    return Measure(
        title,
        float(np.mean(values)),
        unit,
        float(np.std(values, ddof=1)) if len(values) > 1 else None,
        better,
        "The mean over seeds.",
    )
