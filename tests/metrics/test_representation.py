"""What codes are good for, on codes whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.distributions import MultivariateNormal, kl_divergence

from isthmus.metrics import representation
from isthmus.metrics.representation import LabelledCodes


@pytest.fixture
def separable() -> tuple[LabelledCodes, LabelledCodes]:
    """Three far groups in the plane, twice."""
    random, y = np.random.default_rng(0), np.arange(90) % 3
    centres = np.array([[0.0, 0.0], [100.0, 0.0], [0.0, 100.0]])
    train, test = (LabelledCodes(centres[y] + random.normal(size=(90, 2)), y) for _ in range(2))
    return train, test


def test_separable_codes_are_read_without_mistake(
    separable: tuple[LabelledCodes, LabelledCodes],
) -> None:
    for measure in (representation.linear_probe, representation.knn5, representation.kmeans_nmi):
        found = measure(*separable)
        assert (found.value, found.better) == (pytest.approx(1.0), "higher")
        assert found.error == pytest.approx(0.0, abs=1e-12)


def test_an_accuracy_has_the_standard_error_of_a_share(
    separable: tuple[LabelledCodes, LabelledCodes],
) -> None:
    train, test = separable
    y = test.y.copy()
    y[:30] = 3  # a class that no classifier has seen: a third is wrong
    measure = representation.knn5(train, LabelledCodes(test.z, y))
    assert measure.value == pytest.approx(2 / 3)
    assert measure.error == pytest.approx(np.sqrt(2 / 9 / 89))


def test_codes_that_are_all_the_same_tell_nothing_and_warn_of_nothing() -> None:
    same = LabelledCodes(np.zeros((40, 2)), np.arange(40) % 4)
    assert representation.linear_probe(same, same).value == 0.25
    assert representation.kmeans_nmi(same, same).value == 0.0


def test_a_probe_that_cannot_settle_does_not_warn() -> None:
    random = np.random.default_rng(0)
    z = random.normal(size=(200, 60)) * 10.0 ** random.uniform(-8, 8, 60)
    assert (
        0
        <= representation.linear_probe(
            LabelledCodes(z, np.arange(200) % 10), LabelledCodes(z, np.arange(200) % 10)
        ).value
        <= 1
    )


def test_a_copy_of_the_data_is_trusted_and_noise_is_not() -> None:
    x = np.random.default_rng(0).normal(size=(200, 3))
    assert representation.trustworthiness(x, 5 * x).value == 1.0
    noise = representation.trustworthiness(x, np.random.default_rng(1).normal(size=(200, 2)))
    assert noise.value < 0.7
    assert noise.error is not None
    assert 0 < noise.error < 0.1


def test_too_few_points_for_parts_have_no_standard_error() -> None:
    x = np.random.default_rng(0).normal(size=(15, 3))
    assert representation.trustworthiness(x, x).error is None


def test_the_gap_is_the_divergence_of_the_moments_from_the_prior() -> None:
    random = np.random.default_rng(0)
    mu, var = random.normal(1.0, 0.5, (500, 3)), random.uniform(0.1, 0.2, (500, 3))
    spread = np.cov(mu, rowvar=False, bias=True) + np.diag(var.mean(0))
    aggregate = MultivariateNormal(torch.tensor(mu.mean(0)), torch.tensor(spread))
    prior = MultivariateNormal(torch.zeros(3).double(), torch.eye(3).double())
    assert representation.prior_gap(mu, var).value == pytest.approx(
        kl_divergence(aggregate, prior).item()
    )


def test_posteriors_that_add_up_to_the_prior_leave_no_gap() -> None:
    mu = np.array([[-0.6], [0.6]])
    assert representation.prior_gap(mu, np.full((2, 1), 1 - 0.36)).value == pytest.approx(
        0, abs=1e-12
    )


def test_active_units_vary_by_more_than_a_hundredth() -> None:
    mu = np.stack([np.linspace(-1, 1, 50), np.full(50, 3.0), np.linspace(-0.1, 0.1, 50)], axis=1)
    assert representation.active_units(mu).value == 1.0


def test_the_gap_to_the_prior_is_zero_at_the_prior_and_has_no_value_for_empty_directions() -> None:
    z = np.random.default_rng(0).normal(size=(500, 3))
    root = np.linalg.cholesky(np.cov(z, rowvar=False, bias=True))
    white = (z - z.mean(0)) @ np.linalg.inv(root).T  # exactly N(0, I)
    none = np.zeros_like(white)
    assert 0 <= representation.prior_gap(white, none).value < 1e-14
    # of N(0, diag(s²)): the sum of (s² − 1)/2 − log s
    scales = np.array([2.0, 1e-4, 0.5])
    expected = (0.5 * (scales**2 - 1) - np.log(scales)).sum()
    assert representation.prior_gap(white * scales, none).value == pytest.approx(expected, rel=1e-9)
    assert representation.prior_gap(white * [1, 0, 1], none).value == math.inf
