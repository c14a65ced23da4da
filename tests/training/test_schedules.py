"""Schedules have the values that their equations say."""

from __future__ import annotations

import math

import numpy as np

from isthmus.training.schedules import Linear


def test_linear_stays_and_then_falls_on_a_line() -> None:
    schedule = Linear(start=0.5, final=0.1)
    found = [schedule.factor(share) for share in (0.0, 0.5, 0.75, 1.0)]
    np.testing.assert_allclose(found, [1.0, 1.0, 0.55, 0.1])
    assert math.isclose(Linear().factor(5 / 6), 0.5)
