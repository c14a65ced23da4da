"""Sounds as the bytes of a file, in the format of its ending."""

from __future__ import annotations

import io
import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from isthmus.core.counts import require_count
from isthmus.core.files import write_bytes
from isthmus.core.paths import as_path
from isthmus.data._sources.folders import SOUNDS
from isthmus.data.sounds import full_scale
from isthmus.errors import InputError, missing_extra

_BLOCK = 1 << 15  # steps that are handed over at once; the encoder of Vorbis dies of too many
_FORMATS = {
    ".flac": ("FLAC", "PCM_16"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
    ".oga": ("OGG", "VORBIS"),
    ".ogg": ("OGG", "VORBIS"),
    ".opus": ("OGG", "OPUS"),
    ".wav": ("WAV", "PCM_16"),
}

_REMEDIES = {
    "FLAC": "write .wav, or fewer channels at a lower rate",
    "WAV": "write fewer channels, or at a lower rate",
}


def write_sound(path: str | os.PathLike[str], x: Any, sample_rate: int) -> float:
    """Write a sound; one that goes beyond [-1, 1] is made quieter as a whole, and does not clip.

    Args:
        path: a name that ends in .wav, .flac, .ogg, .opus or .mp3.
        x: ``(time,)``, or ``(time, channels)``, in [-1, 1]; whole numbers, such as int16, count as
            shares of their full scale.
        sample_rate: steps a second.

    Returns:
        what x was multiplied by: 1, or less where it had to be made quieter.

    Raises:
        InputError: for another ending, shape or rate, and values that are not finite.
    """
    target = as_path(path, "path")
    if target.is_dir():
        raise InputError(f"{target} is a folder: give the name of a sound in it, such as a.wav.")
    content, factor = sound_bytes(target.suffix, x, sample_rate)
    write_bytes(target, content)
    return factor


def sound_bytes(
    ending: str, x: Any, sample_rate: int, stored: tuple[str, str] | None = None
) -> tuple[bytes, float]:
    """A sound ``(time, …)`` as the bytes of a file, and what it was multiplied by so that no value
    leaves [-1, 1]; ``stored`` is a format and its subtype, that of the ending if not given.
    """
    try:
        import soundfile
    except ImportError as error:
        raise missing_extra("soundfile", "sound", "writing sounds") from error
    require_count("sample_rate", sample_rate)
    values = _checked(x)
    form, subtype = stored or format_of(ending)
    peak = float(np.abs(values).max())
    factor = 1.0 if peak <= 1 else 1 / peak
    values = (values * factor).astype(np.float32)
    buffer = io.BytesIO()
    try:
        with soundfile.SoundFile(
            buffer, "w", sample_rate, values.shape[1], format=form, subtype=subtype
        ) as file:
            for start in range(0, len(values), _BLOCK):
                file.write(values[start : start + _BLOCK])
    except (soundfile.SoundFileError, ValueError, TypeError) as error:
        said = str(getattr(error, "error_string", error)).strip().rstrip(".")
        raise InputError(
            f"sample_rate={sample_rate!r} with {values.shape[1]} channels cannot be written as"
            f" {form} ({subtype}: {said}): {_REMEDIES.get(form, 'write .wav or .flac')}."
        ) from error
    return buffer.getvalue(), factor


def format_of(ending: str) -> tuple[str, str]:
    """The format and the subtype that an ending stands for."""
    found = _FORMATS.get(ending.lower())
    if found is None:
        raise InputError(
            f"a sound cannot be written as {ending!r}: give a name that ends in"
            f" {', '.join(SOUNDS)}."
        )
    return found


def quieter(factor: float) -> float:
    """By how many dB a factor below 1 makes a sound quieter."""
    return -20 * math.log10(factor)


def is_sound(path: Path) -> bool:
    """Whether a file has the ending of a sound."""
    return path.suffix.lower() in _FORMATS


def _checked(x: Any) -> np.ndarray:
    """Steps as ``(time, channels)``, float64."""
    values = np.asarray(x)
    if values.ndim not in (1, 2) or values.size == 0 or values.dtype.kind not in "iuf":
        raise InputError(
            f"x is {values.dtype} of shape {values.shape}, which is no sound: give (time,) or"
            " (time, channels)."
        )
    if not np.isfinite(values).all():
        step = int((~np.isfinite(values.reshape(len(values), -1))).any(1).argmax())
        raise InputError(f"x holds NaN or inf at step {step} (counted from 0): fill it in.")
    return full_scale(values.reshape(len(values), -1)).astype(np.float64)
