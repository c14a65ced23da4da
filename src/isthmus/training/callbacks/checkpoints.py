"""Writing checkpoints while it trains, and on Ctrl-C and SIGTERM."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING

from isthmus.training._interruption import Interruption, listening
from isthmus.training.callbacks.base import Callback
from isthmus.training.checkpoint import Checkpoint

if TYPE_CHECKING:
    from isthmus.training.loop import Trainer


class CheckpointWriter(Callback):
    """Writes a checkpoint whenever one is due, at the end, and where a signal asks to stop.

    Then training is left with a message that says how to go on.

    It must be the last callback, so that what the others keep in the trainer's state is in it.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self._signals = ExitStack()
        self._interruption = Interruption()

    def on_fit_start(self, trainer: Trainer) -> None:
        self._interruption = self._signals.enter_context(listening())

    def on_step(self, trainer: Trainer) -> None:
        if trainer.runtime.wants_to_stop(self._interruption.signal is not None):
            trainer.check()
            self._write(trainer)
            self._interruption.leave(
                f"stopped in epoch {trainer.state.epoch + 1}; everything is kept in"
                f" {self.checkpoint.path}: start the same training again and it goes on from there."
            )
        if trainer.runtime.is_main and self.checkpoint.is_due:
            trainer.check()
            self._write(trainer)

    def on_epoch_end(self, trainer: Trainer, row: Mapping[str, float]) -> None:
        if trainer.is_over:
            self._write(trainer)

    def on_fit_end(self, trainer: Trainer) -> None:
        self._signals.close()
        # one that came behind the last step; what ended training by itself is said instead
        if self._interruption.signal is not None and trainer.is_complete:
            self._interruption.leave(
                f"stopped after the last epoch; everything is kept in {self.checkpoint.path}: start"
                " the same training again and it ends at once."
            )

    def _write(self, trainer: Trainer) -> None:
        if trainer.runtime.is_main:
            self.checkpoint.write(trainer.state, trainer.module, trainer.optimizers)
