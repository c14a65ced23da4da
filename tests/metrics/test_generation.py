"""The Fréchet distance against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from isthmus.metrics.generation import frechet_distance


def test_frechet_distance_of_gaussians_that_are_known() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=(4000, 3))
    root = np.linalg.cholesky(np.cov(a, rowvar=False))
    a = (a - a.mean(0)) @ np.linalg.inv(root).T  # exactly N(0, I)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(a, a + np.array([1.0, 2.0, 0.0])) == pytest.approx(5)
    assert frechet_distance(a, a * np.array([2.0, 3.0, 1.0])) == pytest.approx(1 + 4)
    assert frechet_distance(a[:, :1], 3 * a[:, :1]) == pytest.approx(4)
