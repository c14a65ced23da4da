"""What is known of the steps of a long series: scores, outliers, a table of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from isthmus.data.series import series_values


@dataclass(frozen=True, repr=False)
class StepScores:
    """How typical each step of a long series is; made by :func:`isthmus.score_steps`.

    Attributes:
        scores: higher is more typical, ``(time,)``; a Series where the series was pandas', a list
            where several were cut. NaN where no window covers a step.
        threshold: the score below which a step is an outlier.
        series: the series, as it was given, or a list of them.
        member: the name of the class of the member.
    """

    scores: Any
    threshold: float
    series: Any
    member: str

    def __repr__(self) -> str:
        several = self.scores if isinstance(self.scores, list) else [self.scores]
        steps = sum(len(scores) for scores in several)
        marked = sum(int(np.sum(scores < self.threshold)) for scores in several)
        return (
            f"StepScores({self.member}, {steps:,} steps, {marked:,} below the threshold"
            f" {self.threshold:.4g})"
        )

    @property
    def outliers(self) -> Any:
        """Whether each step is an outlier, in the form of ``scores``."""
        if isinstance(self.scores, list):
            return [scores < self.threshold for scores in self.scores]
        return self.scores < self.threshold


def step_table(found: StepScores) -> dict[str, Any]:
    """What is known of each step of one series, as named columns: time, values, score, outlier."""
    return {
        **series_table(found.series, series_values(found.series)),
        "score": np.asarray(found.scores),
        "outlier": np.asarray(found.outliers),
    }


def series_table(series: Any, values: np.ndarray) -> dict[str, Any]:
    """Values ``(time, channels)`` of a series as named columns, its time in front.

    That is the index of a frame under its name, else ``step``, counted from 0.
    """
    index, count = getattr(series, "index", None), values.shape[1]
    named = [str(name) for name in getattr(series, "columns", [])]
    names = named or (["value"] if count == 1 else [f"x{i}" for i in range(count)])
    time = "step" if index is None or index.name is None else str(index.name)
    return {
        time: np.arange(len(values)) if index is None else np.asarray(index),
        **dict(zip(names, values.T, strict=True)),
    }


def stretches(outliers: np.ndarray) -> np.ndarray:
    """Steps one after another that are outliers, as ``(stretches, 2)``: the first, one past the
    last.
    """
    edges = np.diff(np.pad(np.asarray(outliers, dtype=np.int8), 1))
    return np.stack([np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)], axis=1)
