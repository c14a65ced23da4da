"""Snapshots in the smaller form, in which trained models come with the package."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import isthmus as ist
from isthmus.core.latent_grid import latent_grid
from isthmus.training.callbacks.snapshots import completed, from_tensors, packed, to_tensors


def moments(few: np.ndarray) -> ist.VAE:
    model = ist.VAE(latent_dim=2, hidden=(16,), epochs=3, snapshots=3, random_state=0, verbose=0)
    return model.fit(few, probes=few[:20])


def test_packed_snapshots_are_small_and_as_good(few: np.ndarray) -> None:
    model = moments(few)
    whole = model.snapshots_
    small, large = packed(whole), to_tensors(whole)
    sizes = [sum(value.nbytes for value in kept.values()) for kept in (small, large)]
    assert sizes[0] < 0.6 * (sizes[1] - sum(shot.grid.nbytes for shot in whole))
    again = from_tensors(small)
    assert [shot.epoch for shot in again] == [shot.epoch for shot in whole]
    for before, after in zip(whole, again, strict=True):
        np.testing.assert_allclose(after.codes, before.codes, rtol=1e-3, atol=1e-6)
        assert len(after.grid) == 0
        for name, weights in before.weights.items():
            assert after.weights[name].dtype == np.float16
            steps = np.abs(weights).max(-1, keepdims=True) / 127  # of each row
            wrong = np.abs(after.weights[name].astype(np.float32) - weights) / (steps + 1e-7)
            assert wrong.max() < 0.6


def test_grids_that_were_left_out_are_decoded_again(few: np.ndarray) -> None:
    model = moments(few)
    for before, after in zip(
        model.snapshots_,
        completed(
            from_tensors(packed(model.snapshots_)),
            model.module_,
            lambda codes: latent_grid(model.code_space, codes),
            model.preprocessor_.inverse_transform,
        ),
        strict=True,
    ):
        assert after.grid.shape == before.grid.shape
        assert after.box == pytest.approx(before.box, rel=1e-3)
        assert np.abs(after.grid - before.grid).max() < 0.02


def test_a_weight_of_one_number_or_of_zeros_is_packed(few: np.ndarray) -> None:
    shot = moments(few).snapshots_[0]
    odd = {"one": np.float16([0.25])[0:1].reshape(()), "none": np.zeros((2, 3), np.float16)}
    again = from_tensors(packed([type(shot)(0, shot.codes, shot.grid, odd)]))[0]
    assert abs(float(again.weights["one"]) - 0.25) < 2e-3
    assert not again.weights["none"].any()
    assert torch.from_numpy(again.weights["none"]).shape == (2, 3)
