"""A comparison that is trained once for all tests of the report."""

from __future__ import annotations

from dataclasses import replace

import pytest

from isthmus.data import Data
from isthmus.report import Comparison, compare


@pytest.fixture(scope="session")
def few_digits(digits: Data) -> Data:
    return replace(digits, train=digits.train.take(slice(300)), test=digits.test.take(slice(80)))


@pytest.fixture(scope="session")
def comparison(few_digits: Data, tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """AE and VAE, trained for three epochs, with four snapshots."""
    out = tmp_path_factory.mktemp("comparison") / "ae-vae"
    return compare(
        ["ae", "vae"], few_digits, out, snapshots=4, overrides={"epochs": 3, "beta": 0.5}
    )
