"""What one sees while data are read or downloaded: a bar on the terminal, nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

T = TypeVar("T")

_WORTH_A_BAR = 2000  # fewer files than this are read in a moment


def track(items: Sequence[T], text: str, least: int = _WORTH_A_BAR) -> Iterable[T]:
    """The items one by one, with a bar where there are at least so many and somebody watches."""
    if len(items) < least or not sys.stderr.isatty():
        return items
    from rich.console import Console
    from rich.progress import track as bar

    return bar(items, text, console=Console(stderr=True), transient=True)


class DownloadBar:
    """Bytes that have come in: what ``pooch`` asks of a bar, drawn by ``rich``."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    @property
    def total(self) -> float | None:
        """How many bytes there will be; None while the server has not said so."""
        return self._progress.tasks[self._task].total

    @total.setter
    def total(self, size: int) -> None:
        self._progress.update(self._task, total=size or None)

    def update(self, size: int) -> None:
        """Some more bytes have come."""
        self._progress.advance(self._task, size)

    def reset(self) -> None:
        """Start from nothing again."""
        self._progress.update(self._task, completed=0)

    def close(self) -> None:
        """Nothing is left to do: the bar goes away with its context."""


@contextmanager
def download_bar(text: str) -> Iterator[DownloadBar]:
    """A bar that is drawn on the terminal as long as the context lasts."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    columns = ("{task.description}", BarColumn(), DownloadColumn(), TimeRemainingColumn())
    silent = not sys.stderr.isatty()
    # quiet: before version 15, rich ends even a disabled bar with an empty line
    console = Console(stderr=True, quiet=silent)
    with Progress(*columns, console=console, transient=True, disable=silent) as progress:
        yield DownloadBar(progress, progress.add_task(text, total=None))
