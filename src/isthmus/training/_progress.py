"""What one sees while it trains: a bar with time left, speed, and the terms of the loss."""

from __future__ import annotations

import sys
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

_INTERVAL = 0.1


class Progress(Protocol):
    """What the loop tells about its progress."""

    def step(self, finished: int, terms: Any) -> None:
        """``finished`` steps in all are done; ``terms`` is called for the last values when they are
        shown.
        """

    def epoch(self, row: Mapping[str, float], seen: Collection[str]) -> None:
        """An epoch is done, with this row of the history; ``seen`` are the terms that every step
        shows by itself.
        """


class Silent:
    """Shows nothing."""

    def step(self, finished: int, terms: Any) -> None:
        pass

    def epoch(self, row: Mapping[str, float], seen: Collection[str]) -> None:
        pass


class Lines(Silent):
    """One line an epoch, for log files."""

    def __init__(self, title: str, epochs: int) -> None:
        self._title, self._epochs = title, epochs

    def epoch(self, row: Mapping[str, float], seen: Collection[str]) -> None:
        print(
            f"{self._title} epoch {row['epoch']:.0f}/{self._epochs}: {_words(row)}",
            file=sys.stderr,
            flush=True,
        )


class Bar(Silent):
    """A bar on the terminal, drawn ten times a second at the most."""

    def __init__(self, bar: Any, task: Any, batch_size: int, done: int) -> None:
        self._bar, self._task, self._batch_size = bar, task, batch_size
        self._shown, self._start, self._done = 0.0, time.monotonic(), done
        self._last_epoch: dict[str, float] = {}

    def step(self, finished: int, terms: Any) -> None:
        now = time.monotonic()
        if now - self._shown < _INTERVAL:
            return
        self._shown = now
        speed = (finished - self._done) * self._batch_size / max(now - self._start, 1e-9)
        words = _words({**terms(), **self._last_epoch})
        self._bar.update(self._task, completed=finished, terms=f"{words} · {speed:,.0f} examples/s")

    def epoch(self, row: Mapping[str, float], seen: Collection[str]) -> None:
        self._last_epoch = {name: value for name, value in row.items() if name not in seen}
        self._bar.update(self._task, epoch=f"epoch {row['epoch']:.0f}")


@contextmanager
def showing(
    title: str, epochs: int, steps: int, done: int, batch_size: int, verbose: int
) -> Iterator[Progress]:
    """The progress that fits: a bar on a terminal, lines where ``verbose`` is 2, else nothing."""
    if verbose == 1 and sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        columns = ("[bold]{task.description}", "{task.fields[epoch]}")
        with RichProgress(
            *(TextColumn(column) for column in columns),
            BarColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[terms]}"),
            console=Console(stderr=True),
            transient=True,
        ) as bar:
            task = bar.add_task(
                title, total=epochs * steps, completed=done, epoch=f"of {epochs}", terms=""
            )
            yield Bar(bar, task, batch_size, done)
    elif verbose == 2:
        yield Lines(title, epochs)
    else:
        yield Silent()


def _words(terms: Mapping[str, float]) -> str:
    hidden = {"epoch", "stage", "learning_rate", "seconds"}
    return " · ".join(f"{name} {value:.4g}" for name, value in terms.items() if name not in hidden)
