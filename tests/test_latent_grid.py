"""The grid of codes over which a decoder is pictured."""

from __future__ import annotations

import warnings

import numpy as np
import torch

import isthmus as ist
from isthmus.core.latent_grid import latent_grid


def test_codes_that_are_all_the_same_give_a_point_without_a_warning(few: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        grid = latent_grid("data", np.ones((20, 5), dtype=np.float32), side=3)
    np.testing.assert_allclose(grid.codes, 1.0)
    assert grid.codes.shape == (9, 5)


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
