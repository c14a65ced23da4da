"""Long series cut into windows, and what is known of windows folded back to steps."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from isthmus.core.counts import require_count
from isthmus.core.memory import require
from isthmus.core.wording import listed
from isthmus.data.datasets import Data, Part
from isthmus.data.frames import is_frame, numbers_of
from isthmus.data.rows import with_columns
from isthmus.errors import DataWarning, InputError

_BYTES = 8  # of a cell

TimeKind = Literal["signal", "sequence"]


@dataclass(frozen=True, kw_only=True, repr=False)
class Cut(Part):
    """Examples that were cut from something longer; members know their kind and their steps.

    Attributes:
        x: ``(n, channels, length)`` of ``kind="signal"``, ``(n, length, channels)`` of
            ``"sequence"``.
        kind: what an example is.
        stride: steps from one window to the next.
        starts: the step at which each window begins, ``(n,)``.
        places: what each window was cut from, ``(n,)``, counted from 0.
    """

    kind: TimeKind
    stride: int
    starts: np.ndarray
    places: np.ndarray

    @property
    def length(self) -> int:
        """How many steps a window has."""
        return int(self.x.shape[2 if self.kind == "signal" else 1])

    @property
    def channels(self) -> int:
        """How many values a step has."""
        return int(self.x.shape[1 if self.kind == "signal" else 2])

    @property
    def channel_names(self) -> tuple[str, ...] | None:
        """What the values of a step are called; None where they have no names."""
        return None

    def _steps_of(self, values: Any) -> tuple[np.ndarray, bool]:
        """What is known of windows as ``(n, length, channels)``, of which channels may be one; and
        whether it is known of each channel.
        """
        found, shape = np.asarray(values), self.x.shape
        n, length = len(self), self.length
        if found.shape not in ((n,), (n, length), shape) or n == 0:
            raise InputError(
                f"values have the shape {found.shape}, but there are {n} windows: give {(n,)},"
                f" {(n, length)} or {shape}."
            )
        is_whole = found.ndim == 3
        if is_whole and self.kind == "signal":
            found = np.moveaxis(found, 1, 2)  # (n, length, channels)
        steps = found.reshape(n, -1, self.channels if is_whole else 1)
        return np.broadcast_to(steps, (n, length, steps.shape[2])), is_whole

    def _folded(
        self, steps: np.ndarray, place: int, time: int, weights: np.ndarray | None = None
    ) -> np.ndarray:
        """The weighted means of one series, ``(time, channels)``, of ``(n, length, channels)``.

        ``weights`` are those of the steps of a window, ``(length,)``; all count alike without.
        """
        own = self.places == place
        at = (self.starts[own, None] + np.arange(self.length)).ravel()
        each = None if weights is None else np.tile(weights, int(own.sum()))
        counts = np.bincount(at, weights=each, minlength=time)
        values = steps[own].reshape(-1, steps.shape[2]).T  # (channels, windows * length)
        sums = [
            np.bincount(at, weights=channel if each is None else channel * each, minlength=time)
            for channel in values
        ]
        with np.errstate(invalid="ignore"):  # 0 / 0 where nothing covers a step
            means: np.ndarray = (np.stack(sums, axis=1) / counts[:, None])[:time]
        return means.astype(np.result_type(steps.dtype, np.float32), copy=False)


@dataclass(frozen=True, kw_only=True, repr=False)
class Windows(Cut):
    """Windows of long series, as the examples of a data set; made by :func:`windows`.

    Members take it as they take any part of a data set, and know its kind.

    Attributes:
        x: ``(n, channels, length)`` of ``kind="signal"``, ``(n, length, channels)`` of
            ``"sequence"``.
        kind: what an example is.
        stride: steps from one window to the next.
        starts: the step at which each window begins, ``(n,)``.
        places: which of the series each window was cut from, ``(n,)``, counted from 0.
        series: the series, as they were given.
        is_list: whether a list of series was given.
    """

    x: np.ndarray
    series: tuple[Any, ...]
    is_list: bool = False

    def __repr__(self) -> str:
        return f"Windows({len(self)} of {self.length} steps, stride={self.stride}, {self.kind!r})"

    @property
    def channel_names(self) -> tuple[str, ...] | None:
        """What the values of a step are called; None where the series had no names."""
        return _names(self.series[0])

    def take(self, rows: np.ndarray | slice) -> Windows:
        """Some of the windows; they fold to the steps that they cover."""
        return replace(self, x=self.x[rows], starts=self.starts[rows], places=self.places[rows])

    def fold(self, values: Any) -> Any:
        r"""What is known of windows, at the steps of the series: its mean over the windows of each.

        .. math:: v_t = \frac{1}{|W_t|} \sum_{w \in W_t} v_w[t - s_w], \quad
                  W_t = \{ w : s_w \le t < s_w + \text{length} \}

        Args:
            values: one number a window, ``(n,)``, such as a score; one a step of each,
                ``(n, length)``; or the shape of ``x``, such as reconstructions.

        Returns:
            ``(time,)`` for numbers and steps, ``(time, channels)`` for reconstructions, as a
            series or frame with the index of what was cut, where that had one; a list of them
            where a list was cut. Steps that no window covers are NaN.

        Raises:
            InputError: for values of another shape.

        Example:
            >>> import numpy as np
            >>> from isthmus.data import windows
            >>> cut = windows(np.arange(5.0), length=3, stride=2)
            >>> cut.fold([1.0, 5.0])  # the middle step lies in both windows
            array([1., 1., 3., 5., 5.])
        """
        steps, is_whole = self._steps_of(values)
        folded = [
            _like(one, self._folded(steps, place, len(one)), is_whole)
            for place, one in enumerate(self.series)
        ]
        return folded if self.is_list else folded[0]


def windows(series: Any, length: int, stride: int = 1, *, kind: TimeKind = "signal") -> Windows:
    """Cut a long series into windows of one length, from which a member can learn.

    Window i starts at step i · stride. The last one ends with the series, so that no step is left
    out: it may overlap the one before it by more. Windows that hold NaN are left out, which a
    :class:`~isthmus.DataWarning` says. Scores and reconstructions of windows come back to the steps
    of the series by :meth:`Windows.fold`.

    Args:
        series: an array ``(time,)`` or ``(time, channels)``, a pandas Series or DataFrame with a
            step in each row, or a list of such series, of any lengths.
        length: steps of a window.
        stride: steps from one window to the next; as long as a window, they do not overlap.
        kind: ``"signal"`` gives examples ``(n, channels, length)``, ``"sequence"``, for recurrent
            networks, ``(n, length, channels)``.

    Raises:
        InputError: for a series that is shorter than a window, holds infinity or no numbers, or has
            other channels than the first; where every window holds NaN.

    Example:
        >>> import numpy as np
        >>> from isthmus.data import windows
        >>> cut = windows(np.arange(10.0), length=4, stride=3)
        >>> cut.x[:, 0].tolist()
        [[0.0, 1.0, 2.0, 3.0], [3.0, 4.0, 5.0, 6.0], [6.0, 7.0, 8.0, 9.0]]
    """
    for name, value in {"length": length, "stride": stride}.items():
        require_count(name, value)
    if kind not in ("signal", "sequence"):
        raise InputError(f"kind={kind!r} is not usable: give 'signal' or 'sequence'.")
    is_list = isinstance(series, list | tuple) and any(np.ndim(one) > 0 for one in series)
    given = tuple(series) if is_list else (series,)
    tables = _tables_of(given, length, is_list)
    cells = sum((len(table) - length) // stride * length * table.shape[1] for table in tables)
    remedy = f"give a larger stride than {stride}, or shorter windows"
    require(cells * _BYTES, f"windows of length={length}", remedy)
    cut = [_cut(table, int(length), int(stride)) for table in tables]
    x = np.concatenate([part for part, _ in cut])  # (n, channels, length)
    starts = np.concatenate([begins for _, begins in cut])
    places = np.repeat(np.arange(len(cut)), [len(begins) for _, begins in cut])
    whole = ~np.isnan(x).any(axis=(1, 2))
    if not whole.all():
        _say_missing(int((~whole).sum()), len(whole))
        x, starts, places = x[whole], starts[whole], places[whole]
    if kind == "sequence":
        x = np.ascontiguousarray(np.moveaxis(x, 1, 2))
    return Windows(
        x=x,
        kind=kind,
        stride=int(stride),
        starts=starts,
        places=places,
        series=given,
        is_list=is_list,
    )


def _tables_of(given: Sequence[Any], length: int, is_list: bool) -> list[np.ndarray]:
    """The numbers of each series, ``(time, channels)``: of the same channels, and long enough."""
    names = [
        f"series {place} (counted from 0)" if is_list else "series" for place in range(len(given))
    ]
    tables = [series_values(one, name) for one, name in zip(given, names, strict=True)]
    for one, table, name in zip(given, tables, names, strict=True):
        if table.shape[1] != tables[0].shape[1]:
            raise InputError(
                f"{name} has {table.shape[1]} channels, but the first one has {tables[0].shape[1]}:"
                " give every series the same channels."
            )
        first, own = _names(given[0]), _names(one)
        if first and own and own != first:
            raise InputError(
                f"{name} has the columns {listed(own)}, but the first one {listed(first)}: give"
                " every series the same, in one order."
            )
        if len(table) < length:
            raise InputError(
                f"{name} has {len(table)} steps, fewer than a window of length={length}: leave it"
                " out, or take a shorter length (steps lie along the first axis)."
            )
    return tables


def _names(series: Any) -> tuple[str, ...] | None:
    """The names of the columns of a frame."""
    return tuple(map(str, series.columns)) if is_frame(series) else None


def load_windows(
    name: str,
    series: Any,
    length: int,
    stride: int = 1,
    *,
    kind: TimeKind = "signal",
    test_fraction: float = 0.2,
) -> Data:
    """One series as a data set of windows: its end is the test part, of at least one window.

    The two parts share no step, however much windows overlap. The arguments are those of
    :func:`windows` and :func:`isthmus.data.load`.

    Raises:
        InputError: for a series that is too short for both parts.
    """
    time, count = len(series), 0
    if test_fraction:
        count = max(round(time * test_fraction), length)
    if time - count < length:
        raise InputError(
            f"{name} has {time} steps, too few for a training and a test part with windows of"
            f" {length}: take a shorter window, or test_fraction=0."
        )
    rows = series.iloc if hasattr(series, "iloc") else series
    train = windows(rows[: time - count], length, stride, kind=kind)
    if count == 0:
        return Data(name, train, train.take(slice(0)))
    return Data(name, train, windows(rows[time - count :], length, stride, kind=kind))


def examples_of(part: Part, columns: Sequence[str] | None) -> Any:
    """A part as a member is fitted on it: windows as they are, all else with its columns' names."""
    return part if isinstance(part, Cut) else with_columns(part.x, columns)


def series_values(series: Any, name: str = "series") -> np.ndarray:
    """The numbers of one series, ``(time, channels)``; NaN stays, infinity is refused.

    Args:
        series: an array ``(time,)`` or ``(time, channels)``, or a pandas Series or DataFrame.
        name: what it is called in messages.
    """
    is_column = hasattr(series, "to_frame")
    table = np.asarray(numbers_of(series.to_frame() if is_column else series, name))
    if table.dtype.kind not in "biuf" or table.ndim not in (1, 2) or table.size == 0:
        raise InputError(
            f"{name} is {table.dtype} of shape {table.shape}: give numbers (time,) or (time,"
            " channels)."
        )
    table = table.reshape(len(table), -1).astype(
        np.result_type(table.dtype, np.float32), copy=False
    )
    if np.isinf(table).any():
        step = int(np.isinf(table).any(axis=1).argmax())
        raise InputError(f"{name} holds inf at step {step} (counted from 0): fill it in.")
    return table


def _cut(table: np.ndarray, length: int, stride: int) -> tuple[np.ndarray, np.ndarray]:
    """The windows of one series, ``(n, channels, length)``, and where each starts, ``(n,)``."""
    starts = window_starts(len(table), length, stride)
    return np.lib.stride_tricks.sliding_window_view(table, length, axis=0)[starts], starts


def window_starts(time: int, length: int, stride: int) -> np.ndarray:
    """Where windows of so many steps begin, of which the last ends with the series; one that is
    shorter than a window has a single one.

    Example:
        >>> window_starts(11, length=4, stride=3).tolist()
        [0, 3, 6, 7]
    """
    last = max(time - length, 0)
    starts = np.arange(0, last + 1, stride)
    return starts if starts[-1] == last else np.append(starts, last)


def _say_missing(lost: int, n: int) -> None:
    if lost == n:
        raise InputError(
            f"every one of the {n} windows holds NaN: fill it in, such as by series.interpolate(),"
            " or take a shorter length."
        )
    warnings.warn(
        f"{lost} of {n} windows hold NaN and are left out: fill it in, such as by"
        " series.interpolate(), to keep them.",
        DataWarning,
        stacklevel=3,
    )


def _like(series: Any, folded: np.ndarray, is_whole: bool) -> Any:
    """Folded values ``(time, channels)`` in the form of the series that was cut."""
    flat = folded[:, 0] if not is_whole or np.ndim(series) == 1 else folded
    if not hasattr(series, "iloc"):
        return flat
    import pandas as pd

    if flat.ndim == 1:
        return pd.Series(flat, index=series.index, name=getattr(series, "name", None))
    return pd.DataFrame(flat, index=series.index, columns=series.columns)
