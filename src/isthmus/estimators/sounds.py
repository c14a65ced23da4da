"""A whole sound through a member that was trained on windows, at another rate and of any length."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from isthmus.data._sources.sounds import require_rate, resampled
from isthmus.data.series import series_values, window_starts
from isthmus.data.sounds import Sounds, full_scale
from isthmus.errors import InputError
from isthmus.estimators.base import Estimator

_OVERLAP = 4  # a quarter of a window fades into the next
_FEW = 8  # an eighth, where steps that are coded twice cost bytes


def restore_sound(
    member: Estimator,
    x: Any,
    sample_rate: int,
    *,
    label: Any = None,
    condition: Any = None,
    restore: Callable[[Sounds], Any] | None = None,
) -> np.ndarray:
    """What a member makes of a whole sound, at its own rate and of its own length.

    The sound is brought to the rate of training, cut into windows of which a quarter overlaps the
    next, reconstructed, and put together again: where windows overlap, one fades into the next
    (:meth:`isthmus.data.Sounds.fold`), so that nothing clicks. A member of one channel restores
    each channel of the sound by itself.

    Args:
        member: a trained member of sounds.
        x: ``(time,)`` or ``(time, channels)``, in [-1, 1]; whole numbers, such as int16, count as
            shares of their full scale.
        sample_rate: steps a second of x.
        label: what a conditional member is told of the sound.
        condition: what it is told while it decodes; ``label`` if not given.
        restore: what is made of windows, ``member.reconstruct`` if not given, such as
            ``member.denoise``.

    Returns:
        the sound, in the shape of x; it may go a little beyond [-1, 1], for which
        :func:`isthmus.data.write_sound` makes it quieter.

    Raises:
        InputError: for a member that was not trained on sounds, for other channels, and for a rate
            more than 100 times as high or as low as that of training.

    Example:
        >>> import numpy as np
        >>> import isthmus as ist
        >>> from isthmus.data import Sounds, windows
        >>> wave = 0.5 * np.sin(np.arange(4000) / 5).astype(np.float32)
        >>> cut = windows(wave, 256, 256)
        >>> parts = Sounds(x=cut.x, kind="signal", stride=256, starts=cut.starts, places=cut.places,
        ...                files=("a.wav",), steps=np.array([4000]), sample_rate=8000)
        >>> member = ist.AE(latent_dim=4, network="mlp", epochs=2, random_state=0).fit(parts)
        >>> ist.restore_sound(member, np.stack([wave, wave], 1), sample_rate=16000).shape
        (4000, 2)
    """
    spec = _spec_of(member)
    require_rate(sample_rate, spec.sample_rate)
    values = series_values(_scaled(x), "x")  # (time, channels)
    channels, length = spec.shape
    if channels not in (1, values.shape[1]):
        raise InputError(
            f"x has {values.shape[1]} channel{'s' * (values.shape[1] != 1)}, but"
            f" {type(member).__name__} was trained on {channels}: give as many."
        )
    parts = values.T.reshape(-1, channels, len(values))  # (parts, channels, time)
    parts = resampled(parts, sample_rate, spec.sample_rate)
    cut = _cut(parts, length, spec.sample_rate, label)
    told = {} if condition is None else {"condition": condition}
    made = restore(cut) if restore is not None else member.reconstruct(cut, **told)
    whole = np.stack([one.T for one in cut.fold(np.nan_to_num(np.asarray(made)))])
    back = resampled(whole, spec.sample_rate, sample_rate)[..., : len(values)]
    found = back.reshape(-1, back.shape[-1]).T.astype(np.float32)  # (time, channels)
    return found.reshape(np.shape(x))


def compress_sound(member: Estimator, x: Any, sample_rate: int, **told: Any) -> bytes:
    """A whole sound as few bytes, at the rate of training, cut into windows.

    Args:
        member: a trained member of sounds that compresses.
        x: ``(time,)`` or ``(time, channels)``, in [-1, 1], with the channels of training;
            whole numbers, such as int16, count as shares of their full scale.
        sample_rate: steps a second of x.
        told: what else :meth:`~isthmus.Estimator.compress` is told.

    Raises:
        InputError: for a member that was not trained on sounds, for other channels, and for a rate
            more than 100 times as high or as low as that of training.
    """
    spec = _spec_of(member)
    require_rate(sample_rate, spec.sample_rate)
    values = series_values(_scaled(x), "x")  # (time, channels)
    channels, length = spec.shape
    if channels != values.shape[1]:
        raise InputError(
            f"x has {values.shape[1]} channel{'s' * (values.shape[1] != 1)}, but"
            f" {type(member).__name__} was trained on {channels}: give as many."
        )
    whole = resampled(values.T, sample_rate, spec.sample_rate)  # (channels, time)
    stride = length - length // _FEW
    starts = range(0, max(1, whole.shape[1] - length // _FEW), stride)
    cut = np.full((len(starts), channels, length), np.nan, np.float32)
    for window, start in zip(cut, starts, strict=True):
        part = whole[:, start : start + length]
        window[:, : part.shape[1]] = part
    return member.compress(cut, **told)


def decompress_sound(member: Estimator, data: bytes) -> np.ndarray:
    """The sound ``(time, channels)`` of what :func:`compress_sound` gave, at the training's rate.

    One window fades into the next where they overlap.

    Raises:
        InputError: as :meth:`~isthmus.Estimator.decompress` does.
    """
    spec = _spec_of(member)
    made = np.asarray(member.decompress(data))  # (windows, channels, length)
    length = spec.shape[1]
    stride = length - length // _FEW
    last = int((~np.isnan(made[-1]).all(0)).sum())
    cut = Sounds(
        x=made,
        kind="signal",
        stride=stride,
        starts=stride * np.arange(len(made)),
        places=np.zeros(len(made), np.int64),
        files=("sound",),
        steps=np.array([stride * (len(made) - 1) + last]),
        sample_rate=spec.sample_rate,
    )
    return cut.fold(np.nan_to_num(made))[0].astype(np.float32)


def _spec_of(member: Estimator) -> Any:
    """What a member of sounds was trained on; any other member is refused."""
    spec = member._settled.spec if isinstance(member, Estimator) else None
    if spec is None or spec.sample_rate is None:
        trained = "no trained member" if spec is None else f"was trained on {spec}, not on sounds"
        raise InputError(
            f"{type(member).__name__} {'is ' * (spec is None)}{trained}: train on what"
            " ist.data.load makes of a folder of sounds."
        )
    return spec


def _scaled(x: Any) -> Any:
    """A sound as floats in [-1, 1]; what holds no numbers is left to be refused."""
    values = np.asarray(x)
    return full_scale(values) if values.dtype.kind in "iuf" else x


def _cut(parts: np.ndarray, length: int, sample_rate: int, label: Any) -> Sounds:
    """Windows of sounds ``(parts, channels, time)``, of which a quarter overlaps the next."""
    count, channels, time = parts.shape
    stride = max(1, length - length // _OVERLAP)
    starts = window_starts(time, length, stride)
    padded = np.full((count, channels, max(time, length)), np.nan, np.float32)
    padded[:, :, :time] = parts
    views = np.lib.stride_tricks.sliding_window_view(padded, length, axis=2)[:, :, starts]
    x = np.moveaxis(views, 2, 1).reshape(-1, channels, length)  # (parts * windows, …)
    known = label is not None
    return Sounds(
        x=np.ascontiguousarray(x),
        y=np.zeros(len(x), np.int64) if known else None,
        classes=(str(label),) if known else None,
        kind="signal",
        stride=stride,
        starts=np.tile(starts, count),
        places=np.repeat(np.arange(count), len(starts)),
        files=tuple(f"channel {place}" for place in range(count)),
        steps=np.full(count, time),
        sample_rate=sample_rate,
    )
