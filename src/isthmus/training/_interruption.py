"""Ctrl-C and SIGTERM: finish the step, write a checkpoint, say how to go on; status 130 or 143."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn


class Terminated(SystemExit):
    """Training was ended by SIGTERM after a checkpoint was written; the exit status is 143."""

    def __init__(self, message: str) -> None:
        super().__init__(143)
        self.message = message

    def __str__(self) -> str:
        return self.message


class Interruption:
    """Whether the process has been asked to stop."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def leave(self, message: str) -> NoReturn:
        """Raise what the signal stands for: KeyboardInterrupt (130) or :class:`Terminated` (143).

        It is the latter where the signal came to another process.
        """
        if self.signal == signal.SIGINT:
            raise KeyboardInterrupt(message)
        raise Terminated(message)


@contextmanager
def listening() -> Iterator[Interruption]:
    """Note SIGINT and SIGTERM in place of acting on them; a second one acts at once.

    Does nothing outside the main thread: Python hands signals to that one alone.
    """
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return

    previous: dict[int, Callable[[int, FrameType | None], Any] | int | None] = {}

    def note(number: int, frame: FrameType | None) -> None:
        if interruption.signal is not None:
            _restore(previous)
            signal.raise_signal(number)
        interruption.signal = number

    for number in (signal.SIGINT, signal.SIGTERM):
        previous[number] = signal.signal(number, note)
    try:
        yield interruption
    finally:
        _restore(previous)


def _restore(handlers: dict[int, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler if handler is not None else signal.SIG_DFL)
