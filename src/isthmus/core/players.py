"""Sounds in a page: a player that carries its own sound, which keys and readers of screens know."""

from __future__ import annotations

import base64
import io
import wave

import numpy as np

from isthmus.core.notebook import as_html

_FULL = 32767  # of 16 bits


def player(x: np.ndarray, sample_rate: int, name: str, longest: int | None = None) -> str:
    """A sound as an ``<audio>`` element of HTML, with the browser's own button and its keys.

    Args:
        x: ``(channels, time)`` in [-1, 1]; NaN behind the end is left out. One that goes beyond is
            made quieter as a whole.
        sample_rate: steps a second.
        name: what it is, for those who do not see where it stands.
        longest: steps after which it is cut.
    """
    source = base64.b64encode(wav_bytes(x[:, :longest], sample_rate)).decode()
    return (
        f'<audio controls preload="none" aria-label="{as_html(name)}" title="{as_html(name)}"'
        f' src="data:audio/wav;base64,{source}"></audio>'
    )


def wav_bytes(x: np.ndarray, sample_rate: int) -> bytes:
    """Steps ``(channels, time)`` as a WAV file of 16 bits."""
    known = x[:, ~np.isnan(x).all(axis=0)]
    peak = max(1.0, float(np.abs(known).max(initial=0.0)))
    steps = np.rint(known.T / peak * _FULL).astype("<i2")  # (time, channels)
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(len(x))
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(steps.tobytes())
    return buffer.getvalue()
