"""The split: complete, the same every time, and fair to every class."""

from __future__ import annotations

import numpy as np
import pytest

from isthmus.data import Rows
from isthmus.data._splitting import split
from isthmus.errors import InputError


def rows(n: int, y: np.ndarray | None = None) -> Rows:
    return Rows(
        np.arange(n)[:, None], y, None if y is None else tuple(str(i) for i in range(y.max() + 1))
    )


@pytest.mark.parametrize("n", [2, 3, 10, 101])
@pytest.mark.parametrize("fraction", [0.01, 0.2, 0.5, 0.99])
def test_every_row_stands_in_one_part_and_no_part_is_empty(n, fraction):
    data = split("x", rows(n), fraction)
    assert sorted(np.concatenate([data.train.x, data.test.x]).ravel()) == list(range(n))
    assert len(data.test) == min(max(round(n * fraction), 1), n - 1)


def test_the_split_is_the_same_every_time():
    first, second = split("x", rows(100)), split("x", rows(100))
    np.testing.assert_array_equal(first.train.x, second.train.x)
    np.testing.assert_array_equal(first.test.x, second.test.x)


def test_both_parts_are_shuffled():
    y = np.repeat([0, 1, 2], 100)
    data = split("x", rows(300, y))
    for part in (data.train, data.test):
        assert len(set(part.y[:10].tolist())) > 1
        np.testing.assert_array_equal(y[part.x.ravel()], part.y)


@pytest.mark.parametrize("sizes", [(50, 30, 20), (97, 3, 2), (2, 2)])
def test_each_class_keeps_its_share(sizes):
    y = np.random.default_rng(1).permutation(np.repeat(np.arange(len(sizes)), sizes))
    test = np.bincount(split("x", rows(len(y), y), 0.2).test.y, minlength=len(sizes))
    assert (np.abs(test - 0.2 * np.array(sizes)) < 1).all()


def test_a_class_of_one_is_no_obstacle():
    data = split("x", rows(10, np.array([0] * 9 + [1])))
    assert (len(data.train), len(data.test)) == (8, 2)


def test_no_test_part_is_wanted():
    data = split("x", rows(5), 0)
    assert data.train.x.ravel().tolist() == [0, 1, 2, 3, 4]
    assert len(data.test) == 0


@pytest.mark.parametrize("fraction", [-0.1, 1, 1.5, float("nan"), "0.2", True, None])
def test_a_bad_fraction_is_refused(fraction):
    with pytest.raises(
        InputError, match=r"test_fraction=.* must be a number from 0 to below 1, such as 0.2"
    ):
        split("x", rows(5), fraction)
