"""Rows of a frame that are steps of one series, and not sequences."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from isthmus.data.frames import is_frame
from isthmus.errors import DataWarning, InputError


def check_rows(X: Any, kind: str | None) -> None:
    """Say where a frame whose rows are to be sequences looks like one series, a row a step.

    Raises:
        InputError: where it says so itself: its index or a column holds times.
    """
    if kind not in ("signal", "sequence") or not is_frame(X):
        return
    what = f"X is a frame of {len(X)} rows and {X.shape[1]} columns, read as {len(X)} {kind}s"
    remedy = f"cut it by ist.data.windows(X, length, kind={kind!r}) (--window on the command line)"
    types = {"index": X.index.dtype, **{f"column {name!r}": X[name].dtype for name in X.columns}}
    timed = next((place for place, dtype in types.items() if _holds_times(dtype)), None)
    if timed is not None:
        raise InputError(
            f"{what} of {X.shape[1]} steps, but its {timed} holds times, so each row is one step:"
            f" {remedy}."
        )
    if not _counts([str(name) for name in X.columns]):
        warnings.warn(
            f"{what} of {X.shape[1]} steps: if each row is a step of one series, {remedy}; if the"
            " columns are steps, pass X.to_numpy().",
            DataWarning,
            stacklevel=2,
        )


def _holds_times(dtype: Any) -> bool:
    return dtype.kind in "mM" or str(dtype).startswith("period")


def _counts(names: Sequence[str]) -> bool:
    """Whether names are one text, or none, with numbers behind it that count on: t0, t1, …"""
    text = names[0].rstrip("0123456789")
    numbers = [name.removeprefix(text) for name in names]
    if not all(name.startswith(text) for name in names) or not all(map(str.isdecimal, numbers)):
        return False
    first = int(numbers[0])
    return [int(number) for number in numbers] == list(range(first, first + len(names)))
