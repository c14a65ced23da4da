"""Sounds longer than those of training: the same weights on longer grids, codes that go on."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
import torch

import isthmus as ist
from isthmus.core.forward import Level
from isthmus.estimators._continuing import continued_codes

RATE = 2000


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> ist.data.Data:
    """Low and high tones of a quarter of a second, in windows of 256 steps."""
    folder, t = tmp_path_factory.mktemp("tones"), np.arange(RATE // 4) / RATE
    for name, frequency in (("low", 125.0), ("high", 500.0)):
        (folder / name).mkdir()
        for i in range(8):
            wave = 0.5 * np.sin(2 * np.pi * frequency * t + i)
            soundfile.write(folder / name / f"{i}.wav", wave, RATE)
    return ist.data.load(folder, window=256, stride=122)


@pytest.fixture(scope="module")
def model(tones: ist.data.Data) -> ist.VQVAE:
    member = ist.VQVAE(
        network=ist.networks.Dilated(widths=(8, 8, 8), blocks=1),
        likelihood=ist.likelihoods.Spectral(windows=(64, 16), log_weight=0.0),
        quantizer=ist.quantizers.ResidualVQ(codebook_size=8, depth=2),
        latent_dim=8,
        epochs=40,
        batch_size=8,
        learning_rate=1e-2,
        random_state=0,
        verbose=0,
    ).fit(tones.train)
    prior = ist.priors.PixelCNN(
        channels=16, layers=2, epochs=40, batch_size=8, random_state=0, verbose=0
    )
    return member.fit_prior(tones.train, prior=prior)


def test_indices_go_on_from_window_to_window() -> None:
    # rows that count: at every place the next index is one more
    codes = (torch.arange(64)[:, None] + torch.arange(8)) % 8
    both = torch.cat([codes, codes.repeat_interleave(2, 1)], dim=1)
    levels = (Level((8,), 8), Level((16,), 8))
    prior = ist.priors.PixelCNN(
        channels=16, layers=2, epochs=30, batch_size=8, random_state=0, verbose=0
    )
    prior.fit(both, levels=levels)
    torch.manual_seed(0)
    found = continued_codes(prior, (Level((21,), 8), Level((42,), 8)), 5, None, 0.0)
    coarse, fine = found.split([21, 42], dim=1)
    assert torch.equal(coarse, (coarse[:, :1] + torch.arange(21)) % 8)
    assert torch.equal(fine, coarse.repeat_interleave(2, 1))
    known = torch.cat([both[:3, :4], torch.full((3, 4), -1), torch.full((3, 16), -1)], dim=1)
    assert torch.equal(prior.complete(known, temperature=0.0), both[:3])


def test_weights_serve_any_length(model: ist.VQVAE, tones: ist.data.Data) -> None:
    t = np.arange(2048) / RATE
    wave = (0.5 * np.sin(2 * np.pi * 125 * t)).astype(np.float32)[None, None]
    longer = model.for_length(2048)
    assert longer.encode(wave).shape == (1, 256, 2) and model.for_length(256) is model
    assert longer.module_.decoder[0].weight.data_ptr() == model.module_.decoder[0].weight.data_ptr()
    back = longer.reconstruct(wave)
    error = np.square(back - wave)[..., 64:-64].mean() / np.square(wave).mean()
    assert error < 0.1
    # away from its ends a window has the codes that it has in the whole
    inner = model.encode(wave[..., 512:768])
    np.testing.assert_array_equal(longer.encode(wave)[:, 72:88], inner[:, 8:24])


def test_sounds_of_any_length_are_drawn_by_label(model: ist.VQVAE) -> None:
    for seconds, steps in ((1.0, 2000), (0.05, 100), (0.128, 256)):
        drawn = model.sample(3, label="high", seconds=seconds, random_state=0)
        assert drawn.shape == (3, 1, steps)
    assert model.prior_ is not None and model.prior_.classes_.names == ("high", "low")
    with pytest.raises(ist.InputError, match=r"unknown label '0'.*high, low"):
        model.sample(1, label=0)
    low, high = (
        model.sample(4, label=name, seconds=1.0, random_state=0)[:, 0] for name in ("low", "high")
    )

    def pitch(x: np.ndarray) -> np.ndarray:
        return np.abs(np.fft.rfft(x)).argmax(1) * RATE / x.shape[1]

    np.testing.assert_allclose(pitch(low), 125, atol=10)
    np.testing.assert_allclose(pitch(high), 500, atol=10)
    again = model.sample(4, label="low", seconds=1.0, random_state=0)[:, 0]
    np.testing.assert_array_equal(low, again)


def test_what_cannot_be_longer_says_so(model: ist.VQVAE, tones: ist.data.Data) -> None:
    settings = {"epochs": 1, "verbose": 0, "random_state": 0}
    vector = ist.VAE(**settings).fit(tones.train)
    with pytest.raises(ist.InputError, match=r"weights of this VAE are for \(1, 256\) alone"):
        vector.sample(2, seconds=1.0)
    with pytest.raises(ist.InputError, match=r"seconds=0 is not usable: give a number above 0"):
        model.sample(2, seconds=0)
    for seconds, message in (
        (np.nan, r"seconds=nan is not usable: give a number above 0"),
        (True, r"seconds=True is not usable"),
        (1e-9, r"seconds=1e-09 is shorter than one step at 2000 Hz: give at least 0\.0005\."),
        (1e12, r"seconds=1000000000000\.0 is too long at 2000 Hz: give less than 1\.07e\+06\."),
    ):
        with pytest.raises(ist.InputError, match=message):
            model.sample(2, seconds=seconds)
    for steps in (0, 1.5, True):
        with pytest.raises(ist.InputError, match=rf"steps={steps} is not usable: give a whole"):
            model.for_length(steps)
    rows = ist.VAE(**settings).fit(np.random.default_rng(0).random((20, 6)))
    with pytest.raises(ist.InputError, match=r"seconds=1.0 is for members of sound, but this VAE"):
        rows.sample(2, seconds=1.0)
    maps = ist.VAE(code="map", channels=2, hidden=(4,), **settings).fit(tones.train)
    assert maps.sample(2, seconds=0.5, random_state=0).shape == (2, 1, 1000)
    maps.fit_prior(tones.train)
    with pytest.raises(
        ist.InputError,
        match=r"from those before, which Mixture does not: fit prior='pixelcnn' or 'trans",
    ):
        maps.sample(2, seconds=0.5)
