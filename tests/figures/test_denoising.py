"""The way from noise to an example: which code stands where, and what has no way."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

import isthmus as ist
from isthmus.data import Data
from isthmus.figures import denoising_path

from .conftest import titles


@pytest.fixture(scope="module")
def vae(digits: Data) -> ist.Estimator:
    model = ist.VAE(latent_dim=3, epochs=2, random_state=0, verbose=0).fit(digits.train)
    prior = ist.priors.Diffusion(epochs=2, width=16, blocks=1, steps=8, verbose=0)
    return model.fit_prior(digits.train, prior=prior)


def tiles(figure: Figure, rows: int, columns: int) -> np.ndarray:
    """The tiles of the one picture, ``(rows, columns, 8, 8)``."""
    (image,) = figure.axes[0].images
    padded = np.pad(np.asarray(image.get_array()), ((0, 1), (0, 1)))
    return padded.reshape(rows, 9, columns, 9).transpose(0, 2, 1, 3)[..., :8, :8]


def test_rows_lead_from_noise_to_what_is_sampled(vae: ist.Estimator, digits: Data) -> None:
    figure = denoising_path(vae, digits, rows=4, columns=5, random_state=3)
    found = tiles(figure, 4, 5)
    drawn = vae.sample(4, label=[0, 1, 2, 3], random_state=3)[:, 0]
    np.testing.assert_allclose(found[:, -1], drawn, atol=1e-6)
    assert not np.allclose(found[:, 0], drawn, atol=1e-3)
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["1", "0.75", "0.5", "0.25", "0"]
    assert [text.get_text() for text in axes.get_yticklabels()] == list("0123")
    assert titles(figure) == ["VAE on digits: from noise to a code"]
    guessed = tiles(
        denoising_path(vae, digits, rows=4, columns=5, guesses=True, random_state=3), 4, 5
    )
    np.testing.assert_allclose(guessed[:, -1], drawn, atol=1e-6)
    assert not np.allclose(guessed[:, 0], found[:, 0], atol=1e-3)


def test_there_are_no_more_columns_than_stops(vae: ist.Estimator, digits: Data) -> None:
    axes = denoising_path(vae, digits, rows=2, columns=30).axes[0]
    assert len(axes.get_xticklabels()) == 9


def test_a_prior_without_a_way_is_refused(digits: Data) -> None:
    model = ist.AE(latent_dim=2, epochs=1, verbose=0).fit(digits.train)
    with pytest.raises(ist.InputError, match=r"AE has no fitted prior, and only diffusion draws"):
        denoising_path(model, digits)
    model.fit_prior(digits.train)
    with pytest.raises(ist.InputError, match=r"AE has the prior Mixture, and .*='diffusion'\)"):
        denoising_path(model, digits)
