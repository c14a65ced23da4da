"""Likelihood measures against their formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest

from isthmus.metrics import likelihood

DISTORTION, RATE = np.array([10.0, 14.0]), np.array([3.0, 1.0])


def test_the_bound_is_distortion_plus_rate() -> None:
    bound = likelihood.neg_elbo(DISTORTION, RATE)
    assert (
        bound.value == likelihood.distortion(DISTORTION).value + likelihood.rate(RATE).value == 14.0
    )
    assert bound.error == pytest.approx(1.0)  # of 13 and 15, not of the two terms by themselves
    assert bound.unit == "nats per example"


def test_bits_per_dimension_divide_by_ln_two_and_dimensions() -> None:
    assert likelihood.bits_per_dim(DISTORTION, RATE, 8).value == pytest.approx(14 / 8 / math.log(2))


def test_a_distortion_without_density_is_not_in_nats() -> None:
    assert likelihood.distortion(DISTORTION, normalised=False).unit == "squared units per example"


def test_no_rate_is_better_than_another() -> None:
    assert likelihood.rate(RATE).better is None
