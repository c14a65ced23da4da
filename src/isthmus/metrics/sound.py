"""How alike two sounds are: to the eye that reads a spectrogram, to the ear, and step by step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from isthmus.core.counts import require_count
from isthmus.core.forward import Level
from isthmus.core.memory import require
from isthmus.data.spectra import decibels, hop_steps, mel_spectrogram, spectrogram, window_steps
from isthmus.errors import InputError
from isthmus.metrics._measure import Measure, average

_SILENT = 1e-4  # what no step of silence reaches
_DEPTH = 1e-8  # 80 dB below its loudest band is as good as silent
_BYTES = 16  # of a value of a window: itself, and its part of a complex spectrum
_LEAST = 1e-12  # what keeps a ratio finite


def spectral_convergence(sounds: np.ndarray, targets: np.ndarray, sample_rate: int) -> np.ndarray:
    r"""How much of each spectrogram's magnitudes is wrong, ``(n,)``; 0 is right, 1 is silence.

    .. math:: \frac{\lVert S - \hat S \rVert_F}{\lVert S \rVert_F}

    Phases do not count. Channels are parts of one spectrogram.

    Args:
        sounds, targets: ``(n, channels, time)``, of one shape and finite.
        sample_rate: steps a second.

    Raises:
        InputError: for sounds and targets that cannot be compared.

    Reference:
        S. Ö. Arık, H. Jun and G. Diamos, Fast spectrogram inversion using multi-head convolutional
        neural networks, IEEE Signal Processing Letters 2019.
    """
    pair = _compared(sounds, targets, sample_rate)
    found, wanted = (spectrogram(x, sample_rate) for x in pair)
    apart = np.sqrt(np.square(found - wanted).sum(axis=(1, 2, 3)))
    return np.asarray(apart / np.maximum(np.sqrt(np.square(wanted).sum(axis=(1, 2, 3))), _LEAST))


def log_mel_distance(sounds: np.ndarray, targets: np.ndarray, sample_rate: int) -> np.ndarray:
    r"""The mean distance of log mel spectrograms in dB, ``(n,)``: what the ear hears of an error.

    .. math:: \frac{1}{B F} \sum_{b, f} \left| 10 \log_{10} \frac{M_{bf}}{\hat M_{bf}} \right|

    over 80 bands of the mel scale; what lies 80 dB or more below the loudest place of the target
    counts as that.

    Args:
        sounds, targets: ``(n, channels, time)``, of one shape and finite.
        sample_rate: steps a second.

    Raises:
        InputError: for sounds and targets that cannot be compared.
    """
    pair = _compared(sounds, targets, sample_rate)
    found, wanted = (mel_spectrogram(x, sample_rate) for x in pair)
    loudest = wanted.max(axis=(1, 2, 3), keepdims=True)
    floor = np.maximum(loudest * _DEPTH, _LEAST**2)
    apart = np.abs(decibels(found, floor) - decibels(wanted, floor))
    return np.asarray(apart.mean(axis=(1, 2, 3)))


def si_sdr(sounds: np.ndarray, targets: np.ndarray) -> np.ndarray:
    r"""The scale-invariant ratio of signal to distortion in dB, ``(n,)``: how alike the waves are.

    .. math:: 10 \log_{10} \frac{\lVert \alpha x \rVert^2}{\lVert \alpha x - \hat x \rVert^2},
              \quad \alpha = \frac{\hat x^\top x}{\lVert x \rVert^2}

    How loud a sound is does not count, phases do: the same spectrogram with other phases can have a
    ratio below 0 dB. Channels are parts of one wave.

    Args:
        sounds, targets: ``(n, channels, time)``, of one shape and finite.

    Raises:
        InputError: for sounds and targets that cannot be compared.

    Reference:
        J. Le Roux, S. Wisdom, H. Erdogan and J. R. Hershey, SDR: half-baked or well done?, ICASSP
        2019.
    """
    found, wanted = (x.reshape(len(x), -1) for x in _compared(sounds, targets))
    power = np.maximum(np.square(wanted).sum(1), _LEAST)
    aligned = ((found * wanted).sum(1) / power)[:, None] * wanted
    signal, distortion = np.square(aligned).sum(1), np.square(aligned - found).sum(1)
    return np.asarray(10 * np.log10((signal + _LEAST) / (distortion + _LEAST)))


def bits_a_second(levels: Sequence[Level], steps: int, sample_rate: int) -> float:
    """The bits of integer codes of sounds of so many steps, log2 K an index, for each second.

    Example:
        >>> bits_a_second([Level((256,), 1024)], steps=8192, sample_rate=8000)
        2500.0
    """
    bits = sum(math.prod(level.grid) * math.log2(level.size) for level in levels)
    return bits * sample_rate / steps


def of_reconstructions(
    sounds: np.ndarray, targets: np.ndarray, sample_rate: int
) -> dict[str, Measure]:
    """How close reconstructions come to sounds; those that are silent have no ratios, and do not
    count.

    Args:
        sounds, targets: ``(n, channels, time)``; NaN behind the end of a sound is silence.
        sample_rate: steps a second.
    """
    wanted = np.nan_to_num(targets)
    found = np.where(np.isnan(targets), 0.0, sounds)
    heard = np.abs(wanted).max(axis=(1, 2)) >= _SILENT
    if not heard.any():
        return {}
    found, wanted = found[heard], wanted[heard]
    return {
        "spectral_convergence": average(
            "Spectral convergence",
            spectral_convergence(found, wanted, sample_rate),
            "share of the magnitudes",
            "lower",
            "How much of a spectrogram's magnitudes is wrong: 0 is right, 1 is what silence has.",
        ),
        "log_mel_distance": average(
            "Log-mel distance",
            log_mel_distance(found, wanted, sample_rate),
            "dB",
            "lower",
            "How far the loudness in 80 bands of the ear is off, on the average over bands and"
            " time.",
        ),
        "si_sdr": average(
            "SI-SDR",
            si_sdr(found, wanted),
            "dB",
            "higher",
            "How far the wave of a sound stands above the error of its reconstruction, however loud"
            " both are; wrong phases count.",
        ),
    }


def size_of_codes(model: Any) -> dict[str, Measure]:
    """How many bits a second the integer codes of a member take; nothing of other members."""
    spec = model.preprocessor_.spec
    levels = model.module_.bottleneck.levels
    if not levels or spec.sample_rate is None:
        return {}
    value = bits_a_second(levels, spec.shape[-1], spec.sample_rate)
    help = "What the indices of a second take, log2 K bits each; a fitted prior takes less."
    return {"bits_a_second": Measure("Bits a second", value, "bit/s", None, "lower", help)}


def _compared(
    sounds: np.ndarray, targets: np.ndarray, sample_rate: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Sounds and targets as float64, which are refused where no measure can compare them."""
    if sample_rate is not None:
        require_count("sample_rate", sample_rate)
    found, wanted = np.asarray(sounds), np.asarray(targets)
    if found.shape != wanted.shape or found.ndim != 3 or found.size == 0:
        raise InputError(
            f"sounds of shape {found.shape} cannot be compared with targets of shape"
            f" {wanted.shape}: give both as (n, channels, time), of one shape."
        )
    for name, x in {"sounds": found, "targets": wanted}.items():
        if x.dtype.kind not in "iuf" or not np.isfinite(x).all():
            raise InputError(f"{name} hold NaN, inf or no numbers ({x.dtype}): give finite values.")
    if sample_rate is not None:
        size = window_steps(sample_rate)
        frames = found.shape[0] * found.shape[1] * (found.shape[2] // hop_steps(sample_rate) + 1)
        remedy = "give fewer sounds at a time, or the steps a second that they have"
        require(frames * size * _BYTES, f"spectrograms at sample_rate={sample_rate}", remedy)
    return found.astype(np.float64), wanted.astype(np.float64)
