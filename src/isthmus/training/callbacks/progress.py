"""What one sees while it trains: a bar with time left, or, in a log file, a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from isthmus.core.notebook import LiveOutput, as_html, in_notebook
from isthmus.training.callbacks.base import Callback

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from isthmus.training.loop import Trainer

_INTERVAL = 0.1  # seconds between two states of a bar; every one costs a message in a notebook
_MESSAGES = 0.25
_SHORT, _SELDOM, _LONGEST = 2.0, 10.0, 600.0  # seconds; see Log
_TENTH = 0.1


class Pace:
    """How far a training has come since it was started here, and how long the rest will take.

    Args:
        trainer: what trains.
    """

    def __init__(self, trainer: Trainer) -> None:
        self.total = trainer.ends[-1] * trainer.steps
        self.done = trainer.finished_steps
        self.start = self.shown = time.monotonic()

    def seconds(self) -> float:
        """The time since the start."""
        return time.monotonic() - self.start

    def left(self, trainer: Trainer) -> float:
        """How many seconds the rest will take at this pace."""
        gone = trainer.finished_steps - self.done
        return self.seconds() / max(gone, 1) * (self.total - trainer.finished_steps)

    def speed(self, trainer: Trainer) -> float:
        """Examples in a second."""
        examples = (trainer.finished_steps - self.done) * trainer.settings.batch_size
        return examples / max(self.seconds(), 1e-9)

    def is_due(self, interval: float) -> bool:
        """Whether so many seconds have passed since this last said yes."""
        now = time.monotonic()
        if now - self.shown < interval:
            return False
        self.shown = now
        return True


class Lines(Callback):
    """One line an epoch, for log files."""

    def on_epoch_end(self, trainer: Trainer, row: Mapping[str, float]) -> None:
        _write(f"{trainer.title} epoch {row['epoch']:.0f}/{trainer.ends[-1]}: {_words(row)}")
        if trainer.stop_reason is not None:
            _write(f"{trainer.title} stopped: {trainer.stop_reason}")


class Log(Callback):
    """A line now and then, where there is no terminal.

    The first epoch has one, with the time that is left; then every tenth of the training, ten
    seconds after the line before at the earliest, ten minutes at the latest; and the end. A
    training of less than two seconds says nothing.
    """

    def on_fit_start(self, trainer: Trainer) -> None:
        self._pace, self._lines, self._share = Pace(trainer), 0, 0.0
        self._row: Mapping[str, float] = {}

    def on_step(self, trainer: Trainer) -> None:
        since = time.monotonic() - self._pace.shown
        if since < _SELDOM or trainer.state.position == trainer.steps:  # the epoch says it better
            return
        if self._share + _TENTH <= self._done(trainer) or since >= _LONGEST:
            self._say(trainer, trainer.terms())

    def on_epoch_end(self, trainer: Trainer, row: Mapping[str, float]) -> None:
        self._row = row
        whole = self._pace.seconds() + self._pace.left(trainer)
        is_first = not self._lines and whole >= _SHORT
        since = time.monotonic() - self._pace.shown
        if is_first or (
            since >= _SELDOM and (self._share + _TENTH <= self._done(trainer) or since >= _LONGEST)
        ):
            self._say(trainer, row)

    def on_fit_end(self, trainer: Trainer) -> None:
        if self._lines:
            _write(_ending(trainer, self._pace, self._row))

    def _done(self, trainer: Trainer) -> float:
        return trainer.finished_steps / self._pace.total

    def _say(self, trainer: Trainer, terms: Mapping[str, float]) -> None:
        if trainer.finished_steps == self._pace.total:
            return  # the end is said when it has come
        self._lines += 1
        self._share, self._pace.shown = self._done(trainer), time.monotonic()
        _write(
            f"{trainer.title} epoch {_epoch(trainer)}/{trainer.ends[-1]}: {_words(terms)} ·"
            f" {_time(self._pace.left(trainer))} left"
        )


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
        self._pace = Pace(trainer)
        self._task = self._bar.add_task(
            trainer.title,
            total=self._pace.total,
            completed=self._pace.done,
            epoch=f"of {trainer.ends[-1]}",
            terms="",
        )

    def on_step(self, trainer: Trainer) -> None:
        if self._bar is None or not self._pace.is_due(_INTERVAL):
            return
        words = _words({**trainer.terms(), **self._last_epoch})
        self._bar.update(
            self._task,
            completed=trainer.finished_steps,
            terms=f"{words} · {self._pace.speed(trainer):,.0f} examples/s",
        )

    def on_epoch_end(self, trainer: Trainer, row: Mapping[str, float]) -> None:
        self._last_epoch = _beside_steps(trainer, row)
        if self._bar is not None:
            self._bar.update(self._task, epoch=f"epoch {row['epoch']:.0f}")

    def on_fit_end(self, trainer: Trainer) -> None:
        if self._bar is not None:
            self._bar.stop()


class NotebookBar(Callback):
    """A bar in a notebook: one output, which ends as one line."""

    def on_fit_start(self, trainer: Trainer) -> None:
        self._pace = Pace(trainer)
        self._row: Mapping[str, float] = {}
        self._last_epoch: dict[str, float] = {}
        self._output = LiveOutput(*self._state(trainer, f"of {trainer.ends[-1]} epochs"))

    def on_step(self, trainer: Trainer) -> None:
        if self._pace.is_due(_MESSAGES):
            terms = _words({**trainer.terms(), **self._last_epoch})
            words = (
                f"epoch {_epoch(trainer)}/{trainer.ends[-1]} · {_time(self._pace.left(trainer))}"
                f" left · {terms} · {self._pace.speed(trainer):,.0f} examples/s"
            )
            self._output.update(*self._state(trainer, words))

    def on_epoch_end(self, trainer: Trainer, row: Mapping[str, float]) -> None:
        self._row, self._last_epoch = row, _beside_steps(trainer, row)

    def on_fit_end(self, trainer: Trainer) -> None:
        words = _ending(trainer, self._pace, self._row)
        self._output.update(f"<div>{as_html(words)}</div>", words)

    def _state(self, trainer: Trainer, words: str) -> tuple[str, str]:
        """The bar in HTML, and as text."""
        text = f"{trainer.title} {words}"
        bar = (
            f'<progress value="{trainer.finished_steps}" max="{self._pace.total}"'
            ' style="width:12em;vertical-align:middle"></progress>'
        )
        return f"<div>{bar} {as_html(text)}</div>", text


def progress(verbose: int) -> list[Callback]:
    """The progress that fits: where ``verbose`` is 1, a bar in a notebook or on a terminal, and a
    line now and then elsewhere; where it is 2, a line an epoch; else nothing.
    """
    if verbose == 1:
        is_seen = sys.stderr is not None and sys.stderr.isatty()
        return [NotebookBar() if in_notebook() else Bar() if is_seen else Log()]
    return [Lines()] if verbose == 2 else []


def _ending(trainer: Trainer, pace: Pace, row: Mapping[str, float]) -> str:
    """What is said at the end, also where training ended before its last epoch."""
    done, asked = trainer.state.epoch, trainer.ends[-1]
    epochs = f"{done} epoch{'s' * (done != 1)}" if done == asked else f"{done} of {asked} epochs"
    terms = f" · {_words(row)}" if row else ""
    why = f" · stopped: {trainer.stop_reason}" if trainer.stop_reason is not None else ""
    return f"{trainer.title}: {epochs} in {_time(pace.seconds())}{terms}{why}"


def _beside_steps(trainer: Trainer, row: Mapping[str, float]) -> dict[str, float]:
    """What of a row only an epoch knows."""
    shown_by_steps = set(trainer.state.terms)
    return {name: value for name, value in row.items() if name not in shown_by_steps}


def _epoch(trainer: Trainer) -> int:
    """The epoch under way, or the one that is over."""
    return trainer.state.epoch + (trainer.state.position > 0)


def _time(seconds: float) -> str:
    """A time in words: 0.4 s, 12 s, 3 min 20 s, 2 h 5 min."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _write(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _words(terms: Mapping[str, float]) -> str:
    hidden = {"epoch", "stage", "learning_rate", "seconds"}
    return " · ".join(f"{name} {value:.4g}" for name, value in terms.items() if name not in hidden)
