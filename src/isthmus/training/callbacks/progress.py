"""What one sees while it trains: a bar with time left, speed, and the terms of the loss."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from isthmus.training.callbacks.base import Callback

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from isthmus.training.loop import Trainer

_INTERVAL = 0.1


class Lines(Callback):
    """One line an epoch, for log files."""

    def on_epoch_end(self, trainer: Trainer, row: Mapping[str, float]) -> None:
        _write(f"{trainer.title} epoch {row['epoch']:.0f}/{trainer.ends[-1]}: {_words(row)}")
        if trainer.stop_reason is not None:
            _write(f"{trainer.title} stopped: {trainer.stop_reason}")


class Bar(Callback):
    """A bar on the terminal, drawn ten times a second at the most."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._task: TaskID
        self._last_epoch: dict[str, float] = {}

    def on_fit_start(self, trainer: Trainer) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = ("[bold]{task.description}", "{task.fields[epoch]}")
        self._bar = Progress(
            *(TextColumn(column) for column in columns),
            BarColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[terms]}"),
            console=Console(stderr=True),
            transient=True,
        )
        self._bar.start()
        epochs, self._done = trainer.ends[-1], trainer.finished_steps
        self._shown, self._start = 0.0, time.monotonic()
        self._task = self._bar.add_task(
            trainer.title,
            total=epochs * trainer.steps,
            completed=self._done,
            epoch=f"of {epochs}",
            terms="",
        )

    def on_step(self, trainer: Trainer) -> None:
        now = time.monotonic()
        if self._bar is None or now - self._shown < _INTERVAL:
            return
        self._shown = now
        examples = (trainer.finished_steps - self._done) * trainer.settings.batch_size
        speed = examples / max(now - self._start, 1e-9)
        words = _words({**trainer.terms(), **self._last_epoch})
        self._bar.update(
            self._task,
            completed=trainer.finished_steps,
            terms=f"{words} · {speed:,.0f} examples/s",
        )

    def on_epoch_end(self, trainer: Trainer, row: Mapping[str, float]) -> None:
        shown_by_steps = set(trainer.state.terms)
        self._last_epoch = {k: value for k, value in row.items() if k not in shown_by_steps}
        if self._bar is not None:
            self._bar.update(self._task, epoch=f"epoch {row['epoch']:.0f}")

    def on_fit_end(self, trainer: Trainer) -> None:
        if self._bar is not None:
            self._bar.stop()


def progress(verbose: int) -> list[Callback]:
    """The progress that fits: a bar on a terminal, lines where ``verbose`` is 2, else nothing."""
    if verbose == 1 and sys.stderr.isatty():
        return [Bar()]
    return [Lines()] if verbose == 2 else []


def _write(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _words(terms: Mapping[str, float]) -> str:
    hidden = {"epoch", "stage", "learning_rate", "seconds"}
    return " · ".join(f"{name} {value:.4g}" for name, value in terms.items() if name not in hidden)
