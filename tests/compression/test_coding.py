"""Entropy coding: distributions as whole numbers, rounding that others repeat, and coders."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from isthmus.compression.coder import Reader, Writer
from isthmus.compression.frequencies import (
    SCALES,
    TOTAL,
    frequencies,
    gaussian,
    gaussian_reach,
    proportional,
)
from isthmus.compression.rounding import MARGIN, choices_of, notes_of, rounded, rounded_as
from isthmus.compression.varints import read_varint, varint
from isthmus.errors import InputError


def test_frequencies_are_the_softmax_of_the_grid() -> None:
    below = np.array([[0, 64, 128, 640], [5, 0, 2000, 0]])
    found = frequencies(below)
    wanted = np.exp(-below / 64)
    wanted /= wanted.sum(-1, keepdims=True)
    assert (found.sum(-1) == TOTAL).all()
    np.testing.assert_allclose(found / TOTAL, wanted, atol=4 / TOTAL)
    assert found[1, 2] == 1  # what is next to impossible can still be coded


def test_frequencies_are_these_numbers_on_every_machine() -> None:
    """Files outlive versions: another result would make them unreadable."""
    assert frequencies(np.array([0, 1, 100, 1400])).tolist() == [7646487, 7527937, 1602791, 1]
    assert proportional((0.25, 0.75)).tolist() == [4194304, 12582912]


@pytest.mark.parametrize("index", [0, 8, 26, 43, SCALES - 1])
def test_a_gaussian_has_the_masses_of_whole_numbers(index: int) -> None:
    scale, end = 2 ** ((index - 26) / 8), gaussian_reach(index)
    values = np.arange(-end, end + 1)
    wanted = norm.cdf((values + 0.5) / scale) - norm.cdf((values - 0.5) / scale)
    found = gaussian(index)
    assert found.sum() == TOTAL
    assert np.abs(found / TOTAL - wanted).max() < len(found) / TOTAL + 1e-7
    assert (found == found[::-1]).all()


def test_gaussians_take_as_many_bits_as_they_should() -> None:
    draw = np.random.default_rng(0)
    scales = draw.integers(0, SCALES, 20000)
    values = np.rint(draw.normal(size=20000) * 2 ** ((scales - 26) / 8)).astype(np.int64)
    writer = Writer()
    writer.write_gaussian(values, scales)
    content = writer.content()
    assert (Reader(content).read_gaussian(scales) == values).all()
    masses = [
        gaussian(int(i))[v + gaussian_reach(int(i))] for i, v in zip(scales, values, strict=True)
    ]
    ideal = -np.log2(np.array(masses) / TOTAL).sum() / 8
    assert len(content) == pytest.approx(ideal, rel=1e-3)


def test_values_beyond_the_reach_come_back_too() -> None:
    scales = np.array([26, 26, 26, 0, 90])
    values = np.array([3, 11, -70000, 2**40, -(2**40)])
    writer = Writer()
    writer.write_gaussian(values, scales)
    assert Reader(writer.content()).read_gaussian(scales).tolist() == values.tolist()


def test_a_coder_reaches_the_entropy() -> None:
    draw = np.random.default_rng(1)
    below = draw.integers(0, 400, (5000, 32))
    weights = frequencies(below)
    symbols = np.array([draw.choice(32, p=row / TOTAL) for row in weights])
    writer = Writer()
    writer.write(symbols, weights)
    writer.write(symbols[:10], weights[0])
    writer.write_uniform(np.array([0, 261999]), 262000)
    content = writer.content()
    ideal = -np.log2(weights[np.arange(5000), symbols] / TOTAL).sum() / 8
    assert len(content) == pytest.approx(ideal, rel=5e-3, abs=24)
    reader = Reader(content)
    # a row at a time and many at once give the same
    found = [reader.read(weights[:1]), reader.read(weights[1:7]), reader.read(weights[7:])]
    assert np.concatenate(found).tolist() == symbols.tolist()
    assert reader.read(weights[0], 10).tolist() == symbols[:10].tolist()
    assert reader.read_uniform(2, 262000).tolist() == [0, 261999]


def test_numbers_near_the_middle_are_rounded_as_they_were() -> None:
    """Another machine sees numbers that are off by less than the margin."""
    draw = np.random.default_rng(2)
    values = draw.normal(size=(50, 40)) * 30
    flat = values.reshape(-1)
    flat[::7] = np.floor(flat[::7]) + 0.5 + draw.uniform(-MARGIN, MARGIN, flat[::7].shape) / 2
    whole, places = rounded(values)
    assert set(range(0, 2000, 7)) <= set(places.tolist())
    at, odd = choices_of(notes_of(places, whole.reshape(-1)[places]))
    elsewhere = values + draw.uniform(-MARGIN, MARGIN, values.shape) / 2
    assert (np.rint(elsewhere) != whole).any()
    assert (rounded_as(elsewhere, at, odd) == whole).all()


def test_what_is_not_finite_is_refused() -> None:
    with pytest.raises(InputError, match="not finite for these examples"):
        rounded(np.array([1.0, math.nan]))


@pytest.mark.parametrize("value", [0, 127, 128, 300, 2**62])
def test_a_number_takes_a_byte_for_seven_bits(value: int) -> None:
    found = varint(value)
    assert len(found) == max(1, -(-value.bit_length() // 7))
    assert read_varint(b"x" + found, 1) == (value, 1 + len(found))


@pytest.mark.parametrize("content", [b"", b"\x80", b"\xff" * 12])
def test_a_number_that_does_not_end_is_damage(content: bytes) -> None:
    with pytest.raises(InputError, match="are damaged: restore them from a copy"):
        read_varint(content, 0)
