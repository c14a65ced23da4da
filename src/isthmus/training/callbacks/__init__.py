"""What watches training: progress, checkpoints, early stopping, averages, loggers, and your own."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.training.callbacks.average import MovingAverage
from isthmus.training.callbacks.base import Callback, resolve
from isthmus.training.callbacks.progress import progress
from isthmus.training.runtimes import Runtime
from isthmus.training.settings import TrainingSettings

__all__ = ["Callback", "assembled"]


def assembled(
    settings: TrainingSettings,
    runtime: Runtime,
    *,
    first: Sequence[Callback] = (),
    last: Sequence[Callback] = (),
) -> list[Callback]:
    """All that watches a training, in the order in which it is called.

    The average of the weights comes before what judges them (``first``: early stopping), then the
    callbacks of the settings, and behind the progress what keeps all of that (``last``:
    checkpoints).
    """
    average = [] if settings.ema_decay is None else [MovingAverage(settings.ema_decay)]
    shown = progress(settings.verbose if runtime.is_main else 0)
    return [*average, *first, *resolve(settings.callbacks), *shown, *last]
