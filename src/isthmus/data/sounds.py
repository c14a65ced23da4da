"""Sounds as the examples of a data set: windows of files, and how they come back together."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from isthmus.data.series import Cut
from isthmus.data.streams import Stream
from isthmus.errors import DataWarning, InputError

_LOUD = 16.0  # no sound goes so far beyond 1; whole numbers that were read as floats do
_WHOLE = 4  # bytes of the longest whole numbers that sounds are stored as


@dataclass(frozen=True, kw_only=True, repr=False)
class Sounds(Cut):
    """Windows of sound files; what :func:`isthmus.data.load` makes of a folder of them.

    Members take them as any part of a data set, and learn the sample rate with them.

    Attributes:
        x: ``(n, channels, length)``, float32 in [-1, 1]; NaN behind the end of a file that is
            shorter than a window. A stream where files are read when they are needed.
        stride: steps from one window to the next.
        starts: the step of its file at which each window begins, ``(n,)``.
        places: the file of each window, ``(n,)``, which indexes ``files``.
        files: the names of the files.
        steps: how many steps each file has, ``(files,)``.
        sample_rate: steps a second.
    """

    x: np.ndarray | Stream
    files: tuple[str, ...]
    steps: np.ndarray
    sample_rate: int

    def __repr__(self) -> str:
        seconds = self.length / self.sample_rate
        return (
            f"Sounds({len(self)} of {self.length} steps ({seconds:.3g} s at {self.sample_rate} Hz),"
            f" of {len(self.files)} file{'s' * (len(self.files) != 1)})"
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each window: that of its file, with its second where the file is longer."""
        return tuple(
            self.files[place]
            if self.steps[place] <= self.length
            else f"{self.files[place]} at {start / self.sample_rate:.3f} s"
            for place, start in zip(self.places, self.starts, strict=True)
        )

    def take(self, rows: np.ndarray | slice) -> Sounds:
        """Some of the windows; they fold to the steps that they cover."""
        return replace(
            self,
            x=self.x.take(rows) if isinstance(self.x, Stream) else self.x[rows],
            y=None if self.y is None else self.y[rows],
            starts=self.starts[rows],
            places=self.places[rows],
        )

    def fold(self, values: Any) -> list[np.ndarray]:
        r"""What is known of windows, at the steps of each file: where windows overlap, one fades
        into the next, so that nothing clicks.

        .. math:: v_t = \frac{\sum_w h_{t - s_w} v_w[t - s_w]}{\sum_w h_{t - s_w}}, \quad
                  h_j = \sin^2 \frac{\pi (j + 1/2)}{\text{length}}

        over the windows w that cover step t, of which each starts at :math:`s_w`.

        Args:
            values: one number a window, ``(n,)``; one a step of each, ``(n, length)``; or the shape
                of ``x``, such as reconstructions.

        Returns:
            of each file ``(time,)`` for numbers and steps, ``(time, channels)`` for
            reconstructions. Steps that no window covers are NaN.

        Raises:
            InputError: for values of another shape.
        """
        steps, is_whole = self._steps_of(values)
        fade = np.square(np.sin(np.pi * (np.arange(self.length) + 0.5) / self.length))
        folded = [
            self._folded(steps, place, int(time), fade) for place, time in enumerate(self.steps)
        ]
        return folded if is_whole else [one[:, 0] for one in folded]


def full_scale(x: np.ndarray, name: str = "x") -> np.ndarray:
    """Steps in [-1, 1]: floats as they are, whole numbers as shares of the greatest of their type.

    Args:
        x: steps of any shape; float, int8, int16, int32, or uint8, in which 128 is silence.
        name: what they are called in messages.

    Raises:
        InputError: for other types, of which nobody knows what 1 is.

    Warns:
        DataWarning: for floats so far beyond 1 that they look like whole numbers.

    Example:
        >>> full_scale(np.array([-32768, 0, 16384], np.int16)).tolist()
        [-1.0, 0.0, 0.5]
    """
    if x.dtype == np.uint8:
        return (np.asarray(x, np.float64) - 128) / 128
    if x.dtype.kind == "i" and x.dtype.itemsize <= _WHOLE:
        return np.asarray(x, np.float64) / -float(np.iinfo(x.dtype).min)
    if x.dtype.kind != "f":
        raise InputError(
            f"{name} is {x.dtype}, whose full scale nobody knows as sound: give floats in [-1, 1],"
            " or int16."
        )
    if x.size and (peak := float(np.nanmax(np.abs(x), initial=0))) > _LOUD:
        warnings.warn(
            f"{name} reaches {peak:.4g}, but sound lies in [-1, 1]: divide by full scale, 32768 for"
            " values of 16 bits.",
            DataWarning,
            stacklevel=3,
        )
    return x
