"""Words for what changes along a direction of the codes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from isthmus.explorer._directions import measured, words_of


def stroke(slope: float, width: int = 2) -> np.ndarray:
    """A line on black, 24 × 24, that goes ``slope`` to the right for a step upwards."""
    picture = np.zeros((1, 24, 24), np.float32)
    for row in range(4, 20):
        start = round(11 + slope * (12 - row))
        picture[0, row, start : start + width] = 1
    return picture


def test_measures_of_strokes() -> None:
    found = measured(np.stack([stroke(0), stroke(0.5), stroke(-0.5), stroke(0, width=4)]))
    thickness, lean, width = (one.values for one in found)
    assert thickness[0] == pytest.approx(2 * 32 / 36, rel=1e-6)  # 16 rows, edges of 32 and 4
    assert thickness[3] > 1.5 * thickness[0]
    np.testing.assert_allclose(lean, [0, 0.5, -0.5, 0], atol=0.02)
    assert width[1] > width[0]


def test_a_photograph_has_a_brightness_and_no_strokes() -> None:
    (only,) = measured(np.stack([np.full((3, 8, 8), 0.4), np.full((3, 8, 8), 0.7)]))
    assert (only.less, only.more) == ("darker", "brighter")
    np.testing.assert_allclose(only.values, [0.4, 0.7])


class Slanted:
    """A member whose first number is a slant, and whose second does nothing."""

    conditions = None

    def codes(self) -> np.ndarray:
        rng = np.random.default_rng(0)
        return np.stack([rng.uniform(-0.5, 0.5, 80), rng.normal(size=80)], axis=1)

    def decoded(self, codes: np.ndarray, conditions: torch.Tensor | None) -> np.ndarray:
        return np.stack([stroke(float(slope)) for slope, _ in codes])


def test_only_what_changes_is_said() -> None:
    first, second = words_of(Slanted(), np.eye(2), np.array([0.3, 1.0]), None)  # type: ignore[arg-type]
    assert (first.low, first.high) == (["leans left"], ["leans right"])
    assert (second.low, second.high, second.change) == ([], [], 0)


def test_the_class_at_home_at_an_end_is_named_first() -> None:
    member = Slanted()
    y = (member.codes()[:, 0] > 0).astype(int)
    found = words_of(member, np.eye(2), np.array([0.3, 1.0]), y)[0]  # type: ignore[arg-type]
    assert (found.low[0], found.high[0]) == ("class 0", "class 1")
