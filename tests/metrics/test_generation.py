"""The Fréchet distance against closed forms."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest

import isthmus as ist
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


def test_frechet_distance_is_never_below_zero_where_covariances_are_singular() -> None:
    rng = np.random.default_rng(0)
    for x in (rng.normal(size=(5, 20)), rng.normal(size=(50, 4)) * [1, 1e-9, 0, 1e3]):
        assert 0 <= frechet_distance(x, x) < 1e-24 * np.square(x).sum() + 1e-15
    # all of b in one point: the trace of the covariance of a, and the shift
    a = rng.normal(size=(30, 3))
    spread = np.cov(a, rowvar=False).trace()
    assert frechet_distance(a, np.ones((2, 3))) == pytest.approx(
        spread + np.square(a.mean(0) - 1).sum(), rel=1e-12
    )


@pytest.mark.parametrize("scales", [[1, 1, 1, 1], [1, 1e-6, 1e3, 1e-3]])
@pytest.mark.parametrize("n", [3, 20])
def test_frechet_distance_against_sixty_digits(scales: list[float], n: int) -> None:
    rng = np.random.default_rng(1)
    a = rng.normal(size=(n, 4)) * scales
    for b in ((rng.normal(size=(n + 2, 4)) @ rng.normal(size=(4, 4))) * scales, a + 1e-9 * a[::-1]):
        assert frechet_distance(a, b) == pytest.approx(float(in_sixty_digits(a, b)), rel=1e-6)


def in_sixty_digits(a: np.ndarray, b: np.ndarray) -> Any:
    """The first form, by the eigenvalues of the root of S_a times S_b times that root."""
    with mpmath.workdps(60):
        moments = [moments_of(mpmath.matrix(x.tolist())) for x in (a, b)]
        (mean_a, cov_a), (mean_b, cov_b) = moments
        values, vectors = mpmath.eigsy(cov_a)
        root = vectors * mpmath.diag([mpmath.sqrt(max(v, 0)) for v in values]) * vectors.T
        inner = mpmath.eigsy(root * cov_b * root, eigvals_only=True)
        trace = sum(cov_a[i, i] + cov_b[i, i] for i in range(cov_a.rows))
        shift = sum((p - q) ** 2 for p, q in zip(mean_a, mean_b, strict=True))
        return shift + trace - 2 * sum(mpmath.sqrt(max(v, 0)) for v in inner)


def moments_of(x: Any) -> tuple[list[Any], Any]:
    n, d = x.rows, x.cols
    mean = [sum(x[i, j] for i in range(n)) / n for j in range(d)]
    deviations = mpmath.matrix(n, d)
    for i in range(n):
        for j in range(d):
            deviations[i, j] = x[i, j] - mean[j]
    return mean, deviations.T * deviations / (n - 1)


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (
            np.ones((1, 2)),
            np.ones((3, 2)),
            r"^a has the shape \(1, 2\), of which no covaria",
        ),
        (np.ones((3, 2)), np.ones((3, 1)), r"^a has 2 features, b 1: give features of one kind"),
        (np.ones((3, 2)), np.full((3, 2), np.nan), r"^b holds NaN or inf: leave those rows out"),
    ],
)
def test_what_has_no_distance_is_refused(a: np.ndarray, b: np.ndarray, message: str) -> None:
    with pytest.raises(ist.InputError, match=message):
        frechet_distance(a, b)
