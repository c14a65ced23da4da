"""What a metric gives: a number that says what it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

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


def average(title: str, values: np.ndarray, unit: str, better: Better | None, help: str) -> Measure:
    """The mean over test examples ``(n,)``, with its standard error (None for a single example)."""
    values = np.asarray(values, dtype=np.float64)
    error = float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else None
    return Measure(title, float(values.mean()), unit, error, better, help)
