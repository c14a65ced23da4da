"""Spectrograms of sound: short-time Fourier transforms, the mel scale, decibels."""

from __future__ import annotations

import math

import numpy as np

BANDS = 80
"""Bands of a mel spectrogram."""
_SECONDS = 0.046  # of a window: two periods of the lowest voice, and less than a syllable
_OVERLAP = 4  # windows that see each step


def window_steps(sample_rate: int) -> int:
    """Steps of a window: the power of two next to 46 ms, 512 at 8 kHz and 2,048 at 44.1 kHz."""
    return 2 ** max(2, round(math.log2(_SECONDS * sample_rate)))


def hop_steps(sample_rate: int) -> int:
    """Steps from one window to the next: a quarter of one."""
    return window_steps(sample_rate) // _OVERLAP


def spectrogram(x: np.ndarray, sample_rate: int) -> np.ndarray:
    r"""Magnitudes of the short-time Fourier transform, ``(…, size / 2 + 1, frames)``.

    .. math:: S_{kf} = \frac{4}{N} \left| \sum_{j=0}^{N-1} \sin^2 \frac{\pi j}{N}\;
              x_{f N / 4 + j - N / 2}\, e^{-2 \pi i j k / N} \right|

    with N steps a window (:func:`window_steps`), so scaled that a sine of amplitude a in the middle
    of a band has a magnitude of a there. Frame f is centred at step f N / 4; beyond the ends there
    is silence.

    Args:
        x: steps ``(…, time)``.
        sample_rate: steps a second.

    Example:
        >>> import numpy as np
        >>> tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(8000) / 8000)
        >>> found = spectrogram(tone, 8000)
        >>> found.shape, int(found[:, 30].argmax()) * 8000 / 512, float(found[:, 30].max().round(3))
        ((257, 63), 1000.0, 0.5)
    """
    size, hop = window_steps(sample_rate), hop_steps(sample_rate)
    hann = np.square(np.sin(np.pi * np.arange(size) / size))  # periodic
    around = [(0, 0)] * (x.ndim - 1) + [(size // 2, size // 2)]
    padded = np.pad(np.asarray(x, dtype=np.float64), around)
    frames = np.lib.stride_tricks.sliding_window_view(padded, size, axis=-1)[..., ::hop, :]
    found = np.abs(np.fft.rfft(frames * (hann * 2 / hann.sum()), axis=-1))
    return np.moveaxis(found, -1, -2)


def mel_spectrogram(x: np.ndarray, sample_rate: int, bands: int = BANDS) -> np.ndarray:
    """The power in each band of the mel scale, ``(…, bands, frames)``.

    Args:
        x: steps ``(…, time)``.
        sample_rate: steps a second.
        bands: how many bands there are from 0 to half the rate.
    """
    return mel_filters(sample_rate, bands) @ np.square(spectrogram(x, sample_rate))


def mel_filters(sample_rate: int, bands: int = BANDS) -> np.ndarray:
    """Triangles that share frequencies among bands of the mel scale, ``(bands, size / 2 + 1)``.

    Each rises from the middle of the band below to 1 at its own, and falls to the middle of the
    next; the middles lie at equal distances on the mel scale.
    """
    size = window_steps(sample_rate)
    hertz = np.arange(size // 2 + 1) * sample_rate / size
    edges = mel_edges(sample_rate, bands)
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (hertz - low) / (middle - low), (high - hertz) / (high - middle)
    return np.maximum(np.minimum(rising, falling), 0.0)


def mel_edges(sample_rate: int, bands: int = BANDS) -> np.ndarray:
    """Where bands begin, have their middle and end, in Hz, ``(bands + 2,)``."""
    return hertz_of(np.linspace(0.0, mels_of(sample_rate / 2), bands + 2))


def mels_of(hertz: float | np.ndarray) -> np.ndarray:
    r"""Frequencies on the mel scale, :math:`2595 \log_{10}(1 + f / 700)`, on which equal distances
    sound equal; 1,000 Hz are 1,000 mel.

    Example:
        >>> float(mels_of(1000.0).round(2))
        999.99

    Reference:
        D. O'Shaughnessy, Speech communication: human and machine, 1987.
    """
    return np.asarray(2595.0 * np.log10(1.0 + np.asarray(hertz, dtype=np.float64) / 700.0))


def hertz_of(mels: float | np.ndarray) -> np.ndarray:
    """The inverse of :func:`mels_of`."""
    return np.asarray(700.0 * (10.0 ** (np.asarray(mels, dtype=np.float64) / 2595.0) - 1.0))


def decibels(power: np.ndarray, floor: float | np.ndarray = 1e-10) -> np.ndarray:
    """Power in dB: 10 of them are a factor of ten; what is less than ``floor`` counts as that."""
    return np.asarray(10.0 * np.log10(np.maximum(power, floor)))
