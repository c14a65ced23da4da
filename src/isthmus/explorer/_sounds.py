"""Sounds in the explorer: small spectrograms for its pictures, and what is heard of an example."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from isthmus.core.players import wav_bytes
from isthmus.data.datasets import Data, Part, known_of, named_for
from isthmus.data.spectra import decibels, mel_spectrogram

_BANDS, _FRAMES = 48, 64  # pixels of a picture, at the most
_DEPTH = 70.0  # dB from black to white
_BYTES = 2_000_000  # of all sounds of a page, of two bytes a step
_HEARD = 60  # examples that can be heard, at the most


def spectrogram_pictures(x: Any, model: Any, loudest: float | None = None) -> np.ndarray:
    """Sounds ``(n, …)`` as pictures in [0, 1], ``(n, 1, bands, frames)``, low tones below."""
    spec = model.preprocessor_.spec
    sounds = np.nan_to_num(np.asarray(x)).reshape(len(x), *spec.shape).mean(axis=1)
    power = mel_spectrogram(sounds, spec.sample_rate, _BANDS)
    step = -(-power.shape[2] // _FRAMES)
    shown = decibels(power[:, ::-1, ::step] / (loudest or loudest_of(x, model)))
    return np.clip(1 + shown[:, None] / _DEPTH, 0, 1).astype(np.float32)


def loudest_of(x: Any, model: Any) -> float:
    """The power of the loudest place of the spectrograms of sounds."""
    spec = model.preprocessor_.spec
    sounds = np.nan_to_num(np.asarray(x)).reshape(len(x), *spec.shape).mean(axis=1)
    return max(float(mel_spectrogram(sounds, spec.sample_rate, _BANDS).max()), 1e-12)


def count_heard(part: Part, models: int) -> int:
    """How many examples can be heard, with what each of some models makes of them."""
    each = 2 * int(np.prod(part.x.shape[1:])) * (models + 1)
    return min(len(part), _HEARD, max(1, _BYTES // each))


def playable(x: Any, model: Any) -> list[str]:
    """Sounds ``(n, …)`` as addresses of data, which a page can play."""
    spec = model.preprocessor_.spec
    sounds = np.asarray(x).reshape(len(x), *spec.shape)
    contents = (wav_bytes(sound, spec.sample_rate) for sound in sounds)
    return [f"data:audio/wav;base64,{base64.b64encode(one).decode()}" for one in contents]


def heard_again(model: Any, part: Part, data: Data) -> list[str]:
    """What a model makes of sounds, as :func:`playable`."""
    made = model.reconstruct(named_for(model, part.x, data), **known_of(model, part))
    return playable(made, model)
