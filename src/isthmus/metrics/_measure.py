"""What a metric gives: a number that says what it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from isthmus.core.notebook import html_table

Better = Literal["lower", "higher"]


@dataclass(frozen=True)
class Measure:
    """One measured number.

    Attributes:
        title: what it is called where people read it.
        value: the number.
        unit: what the number counts.
        error: the standard error of the value over the test examples, or None where it is no mean
            over examples.
        better: which direction is better, or None where neither is.
        help: one sentence that says what it means.
    """

    title: str
    value: float
    unit: str
    error: float | None
    better: Better | None
    help: str

    @property
    def value_text(self) -> str:
        """The value with about three digits that count, and its standard error."""
        error = "" if self.error is None else f" ± {self.error:.2g}"
        return f"{self.value:,.4g}{error}".replace("-", "−")

    def __str__(self) -> str:
        return f"{self.value_text} {self.unit}".rstrip()


class Measures(dict[str, Measure]):
    """Measures by their names, which a notebook shows as a table."""

    def __str__(self) -> str:
        return "\n".join(f"{name}: {measure}" for name, measure in self.items())

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))

    def _repr_html_(self) -> str:
        rows = [
            (measure.title, measure.value_text, measure.unit, f"{measure.better or ''}")
            for measure in self.values()
        ]
        return html_table("Measures", rows, ("", "value", "unit", "better"))


def average(title: str, values: np.ndarray, unit: str, better: Better | None, help: str) -> Measure:
    """The mean over test examples ``(n,)``, with its standard error (None for a single example)."""
    values = np.asarray(values, dtype=np.float64)
    error = float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else None
    return Measure(title, float(values.mean()), unit, error, better, help)
