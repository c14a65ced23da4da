"""The batches: what a batch holds, and black and white drawn from grey values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import isthmus as ist
from isthmus.data._layout import extent
from isthmus.data._scaling import fit_scaling
from isthmus.data.batches import StoreBatches
from isthmus.data.stores import ArrayStore


def stored(x: np.ndarray, **values: Any) -> StoreBatches:
    scaling = fit_scaling("pixels" if x.dtype == np.uint8 else "none", x, extent(x))
    return StoreBatches(ArrayStore(x, scaling), torch.device("cpu"), **values)


def test_grey_values_are_drawn_black_or_white_with_their_own_probability() -> None:
    grey = np.tile(np.array([0, 51, 128, 255], dtype=np.uint8), (20_000, 1))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        batches = stored(grey, binarize=True)
        first, second = (batches.batch(torch.arange(len(grey))).x for _ in range(2))
    assert set(first.unique().tolist()) == {0.0, 1.0}
    assert not torch.equal(first, second)
    np.testing.assert_allclose(
        first.mean(0), [0, 51 / 255, 128 / 255, 1], atol=3 * 0.5 / 20_000**0.5
    )
    assert first[:, 0].max() == 0
    assert first[:, 3].min() == 1
    torch.testing.assert_close(
        stored(grey).batch(torch.arange(2)).x[0], torch.tensor([0, 51, 128, 255]) / 255
    )


@pytest.mark.parametrize("kind", ["float", "uint8"])
def test_training_sees_draws_and_everything_else_the_grey_values(
    kind: str, few: np.ndarray
) -> None:
    seen: dict[bool, set[float]] = {True: set(), False: set()}

    class Spy(torch.nn.Flatten):
        def __deepcopy__(self, memo: Any) -> Spy:
            return self

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen[self.training] |= set(x.unique().tolist())
            return super().forward(x)

    x = few if kind == "float" else (few * 255).astype(np.uint8)
    before = torch.get_rng_state()
    model = ist.VAE(
        binarize="dynamic", encoder=Spy(), epochs=2, validation=0.2, random_state=0
    ).fit(x)
    assert torch.equal(before, torch.get_rng_state())
    assert seen[True] == {0.0, 1.0}
    assert seen[False] == {0.0, 1.0}  # validation, by the same units
    model.transform(x)
    np.testing.assert_allclose(
        sorted(seen[False]), np.unique(x) / (255 if kind == "uint8" else 1), rtol=1e-6
    )


def test_draws_are_made_again_from_the_seed(few: np.ndarray) -> None:
    first, second = (
        ist.VAE(binarize="dynamic", epochs=2, random_state=3).fit(few) for _ in range(2)
    )
    assert np.array_equal(first.transform(few), second.transform(few))
    plain = ist.VAE(epochs=2, random_state=3).fit(few)
    assert not np.array_equal(first.transform(few), plain.transform(few))


def test_values_that_are_no_probabilities_are_refused(few: np.ndarray) -> None:
    with pytest.raises(
        ist.InputError,
        match=r"binarize='dynamic' reads values as probabilities, but X is not in \[0, 1\]",
    ):
        ist.AE(binarize="dynamic", epochs=1).fit(few * 3)
    ist.AE(binarize="dynamic", scaling="minmax", epochs=1, likelihood="bernoulli").fit(
        few.reshape(len(few), -1) * 3
    )


def test_a_spread_of_few_takes_all_and_of_many_reaches_both_ends() -> None:
    few, many = np.arange(6, dtype=np.uint8)[:, None], np.arange(10_000) % 256
    many = np.sort(many).astype(np.uint8)[:, None]
    assert (255 * stored(few).spread().x).round().tolist() == few.tolist()
    spread = (255 * stored(many).spread().x[:, 0]).round()
    assert (len(spread), float(spread[0]), float(spread[-1])) == (4096, 0, 255)
    assert len(spread.unique()) == 256
