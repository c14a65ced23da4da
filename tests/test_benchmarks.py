"""What the measured pages rest on, on values that are known by hand."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest

from benchmarks import course
from isthmus.data import Data, Part


@dataclass
class Itself:
    """A model whose codes are the examples."""

    def transform(self, x: np.ndarray) -> np.ndarray:
        return x

    inverse_transform = transform


def test_far_codes_are_those_beyond_what_test_codes_do() -> None:
    line = np.arange(1000.0)[:, None]
    data = Data("line", Part(line), Part(line[:200] + np.linspace(0, 0.2, 200)[:, None]))
    drawn = np.array([[3.0], [3.1], [3.4], [5000.0]])
    assert course._far(Itself(), data, drawn) == 0.5


def test_draws_are_named_by_the_training_codes_around_them() -> None:
    x = np.repeat([0.0, 10.0, 20.0], 5)[:, None]
    data = Data("groups", Part(x, np.repeat([1, 2, 3], 5)), Part(x))
    assert course._twos(Itself(), data, np.array([[9.0], [11.0], [2.0], [19.0], [4.0]])) == 0.4


def test_the_fitted_normal_has_the_moments_of_the_codes() -> None:
    z = np.random.default_rng(0).normal([3.0, -1.0], [2.0, 0.5], (5000, 2))
    drawn = course.Fitted(Itself(), z).sample(20_000, 0)
    assert drawn.mean(axis=0) == pytest.approx(z.mean(axis=0), abs=0.05)
    assert drawn.std(axis=0) == pytest.approx(z.std(axis=0), rel=0.03)


def test_the_floor_of_the_cross_entropy_is_the_entropy_of_the_greys() -> None:
    x = np.array([0, 255, 51, 204], np.uint8).reshape(1, 1, 2, 2)
    expected = -2 * (0.2 * math.log(0.2) + 0.8 * math.log(0.8))
    assert course._entropy(Data("greys", Part(x), Part(x))) == pytest.approx(expected)
