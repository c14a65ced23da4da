"""Spectrograms against scipy's, and the mel scale at values that are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import ShortTimeFFT
from scipy.signal.windows import hann

from isthmus.data import spectra


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_magnitudes_are_those_of_scipy(rate: int) -> None:
    x = np.random.default_rng(0).standard_normal((2, 5000))
    size, hop = spectra.window_steps(rate), spectra.hop_steps(rate)
    window = hann(size, sym=False)
    other = ShortTimeFFT(window * 2 / window.sum(), hop, rate)
    found = spectra.spectrogram(x, rate)
    # scipy's slice p is centred at step p * hop, and its slices begin before the first step
    expected = np.abs(other.stft(x, p0=0, p1=found.shape[-1]))
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_windows_are_about_46_milliseconds() -> None:
    assert [spectra.window_steps(rate) for rate in (8000, 16000, 22050, 44100, 48000)] == [
        512,
        1024,
        1024,
        2048,
        2048,
    ]
    assert spectra.hop_steps(44100) == 512


def test_the_mel_scale_has_its_known_values() -> None:
    # 2595 log10(1 + f / 700), as HTK's book tabulates it
    np.testing.assert_allclose(
        spectra.mels_of(np.array([0.0, 700.0, 6300.0])), [0, 2595 * np.log10(2), 2595], rtol=1e-12
    )
    np.testing.assert_allclose(spectra.mels_of(1000.0), 1000, atol=0.02)
    hertz = np.linspace(0, 22050, 50)
    np.testing.assert_allclose(spectra.hertz_of(spectra.mels_of(hertz)), hertz, atol=1e-8)


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100])
def test_bands_share_every_frequency_between_two_neighbours(rate: int) -> None:
    filters, edges = spectra.mel_filters(rate), spectra.mel_edges(rate)
    assert filters.shape == (80, spectra.window_steps(rate) // 2 + 1)
    assert (filters.max(1) > 0).all(), "a band sees nothing"
    hertz = np.arange(filters.shape[1]) * rate / spectra.window_steps(rate)
    within = (hertz >= edges[1]) & (hertz <= edges[-2])
    np.testing.assert_allclose(filters.sum(0)[within], 1, atol=1e-12)
    band = 40
    at = np.interp(edges[band + 1], hertz, filters[band])  # 1 in its middle, but for the grid
    assert at > 0.8
    np.testing.assert_allclose(np.diff(spectra.mels_of(edges)), spectra.mels_of(edges)[1])


def test_a_tone_is_loudest_in_its_band() -> None:
    rate, edges = 16000, spectra.mel_edges(16000)
    tone = np.sin(2 * np.pi * 3000 * np.arange(rate) / rate)
    loud = spectra.decibels(spectra.mel_spectrogram(tone, rate))[:, 30]
    band = int(loud.argmax())
    assert edges[band] < 3000 < edges[band + 2]
    assert loud[band] - loud[band + 20] > 60


def test_decibels_have_a_floor() -> None:
    found = spectra.decibels(np.array([1.0, 0.1, 0.0]), 1e-8)
    np.testing.assert_allclose(found, [0, -10, -80])
