"""What ends training before its last epoch: early stopping, and pruning by Optuna."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from isthmus.errors import InputError, missing_extra, unknown
from isthmus.training.callbacks.base import Callback

if TYPE_CHECKING:
    from isthmus.training.loop import Trainer


class EarlyStopping(Callback):
    """Ends training after ``patience`` epochs without a better validation objective.

    The weights of the best epoch are brought back.

    Epochs of a warm-up and of pretraining do not count: the objective has its final form from
    ``trainer.warm_end`` on.
    """

    def __init__(self, patience: int) -> None:
        self.patience = patience

    def on_epoch_end(self, trainer: Trainer, row: Mapping[str, float]) -> None:
        state, warm = trainer.state, trainer.warm_end
        if state.epoch < warm or state.stage < len(trainer.stages) - 1:
            return
        if row["val_objective"] < state.best:
            state.best, state.best_epoch = row["val_objective"], state.epoch
            with trainer.evaluating() as module:
                state.best_weights = {k: value.clone() for k, value in module.state_dict().items()}
        if state.epoch - max(state.best_epoch, math.ceil(warm)) >= self.patience:
            trainer.stop(f"no better val_objective in {self.patience} epochs")

    def on_fit_end(self, trainer: Trainer) -> None:
        if trainer.is_complete and trainer.state.best_weights is not None:
            trainer.module.load_state_dict(trainer.state.best_weights)


class OptunaPruning(Callback):
    """Reports every epoch to a trial of Optuna, and stops it when its pruner says so.

    Args:
        trial: the ``optuna.Trial`` that the objective function was called with.
        monitor: the column of the history that is reported.

    Raises:
        MissingExtraError: where Optuna is not installed.
        InputError: in training, for a column that the history does not have.
    """

    def __init__(self, trial: Any, monitor: str = "val_objective") -> None:
        try:
            import optuna
        except ImportError as error:
            raise missing_extra("optuna", "optuna", "OptunaPruning") from error
        self.trial, self.monitor, self._pruned = trial, monitor, optuna.TrialPruned

    def on_epoch_end(self, trainer: Trainer, row: Mapping[str, float]) -> None:
        if self.monitor not in row:
            if self.monitor.startswith("val_") and trainer.validation is None:
                raise InputError(
                    f"monitor={self.monitor!r} is measured on validation examples, and there are"
                    " none: pass validation=0.1, or monitor='objective'."
                )
            raise unknown("monitor", self.monitor, row)
        self.trial.report(row[self.monitor], int(row["epoch"]))
        if self.trial.should_prune():
            raise self._pruned(f"pruned after epoch {row['epoch']:.0f}")
