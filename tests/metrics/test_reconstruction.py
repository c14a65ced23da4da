"""Reconstruction measures against their formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest

from isthmus.metrics import reconstruction

ERRORS = np.array([1.0, 2.0, 3.0, 6.0])


def test_squared_error_is_the_mean_with_its_standard_error() -> None:
    measure = reconstruction.sse(ERRORS)
    assert measure.value == 3.0
    assert measure.error == pytest.approx(np.std(ERRORS, ddof=1) / 2)
    assert (measure.unit, measure.better) == ("squared units per example", "lower")


def test_mse_is_the_same_per_dimension() -> None:
    whole, each = reconstruction.sse(ERRORS), reconstruction.mse(ERRORS, 10)
    assert each.value == pytest.approx(whole.value / 10)
    assert whole.error is not None
    assert each.error == pytest.approx(whole.error / 10)


def test_psnr_is_minus_ten_log_ten_of_each_image() -> None:
    measure = reconstruction.mean_psnr(np.array([0.1, 0.001]), 10)
    assert measure.value == pytest.approx((20 + 40) / 2)
    assert measure.error == pytest.approx(math.sqrt(200) / math.sqrt(2))


def test_a_perfect_reconstruction_counts_a_hundred_decibels() -> None:
    assert reconstruction.mean_psnr(np.zeros(3), 10).value == pytest.approx(100)


def test_a_single_example_has_no_standard_error() -> None:
    assert reconstruction.sse(ERRORS[:1]).error is None
