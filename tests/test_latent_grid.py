"""The grid of codes over which a decoder is pictured."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

import isthmus as ist
from isthmus.core.latent_grid import latent_grid, plane_box, plane_space


def test_codes_that_are_all_the_same_have_a_grid_around_them_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        grid = latent_grid("data", np.ones((20, 5), dtype=np.float32), side=3)
    np.testing.assert_allclose(grid.codes[4], 1.0)
    assert grid.box == (-1, 1, -1, 1)
    assert grid.codes.shape == (9, 5)


def test_tiles_cover_the_box_without_a_gap() -> None:
    codes = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    for space in ("unit", "normal", "data"):
        grid = latent_grid(space, codes, side=4)
        left, right, bottom, top = grid.box
        x, y = grid.codes[:, 0].reshape(4, 4), grid.codes[:, 1].reshape(4, 4)
        wide, high = (right - left) / 4, (top - bottom) / 4
        np.testing.assert_allclose(x[0], left + wide * (np.arange(4) + 0.5), rtol=1e-5)
        np.testing.assert_allclose(y[:, 0], top - high * (np.arange(4) + 0.5), rtol=1e-5)


def test_snapshots_keep_the_box_of_their_grid(few: np.ndarray, tmp_path: Path) -> None:
    model = ist.VAE(latent_dim=2, epochs=1, snapshots=2, random_state=0).fit(few)
    first = model.snapshots_[0]
    assert first.box == (-3, 3, -3, 3)
    model.save(tmp_path / "run")
    assert ist.load(tmp_path / "run").snapshots_[0].box == first.box
    shown = model.decode(latent_grid("normal", model.snapshots_[-1].codes).codes)
    np.testing.assert_allclose(model.snapshots_[-1].grid, shown, atol=1e-5)


def test_snapshots_of_a_member_that_says_nothing_are_silent(few: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ist.LearningWarning)
        model = ist.AE(latent_dim=5, epochs=1, snapshots=2, learning_rate=1e-30, random_state=0)
        model.set_params(encoder=lambda shape: Silent()).fit(few)
    assert len(model.snapshots_) == 2


class Silent(torch.nn.Flatten):
    """An encoder that gives the same for everything."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) * 0


def test_codes_that_are_never_below_0_are_shown_from_0() -> None:
    points = np.array([[0.0, 0.0], [2.0, 0.0], [1.0, 0.0]])
    assert plane_box("positive", points) == pytest.approx(np.array([[0, 0], [2.1, 1]]))
    assert plane_space("positive", 2) == "positive"
    assert plane_space("positive", 3) == "data"  # principal components may be negative
