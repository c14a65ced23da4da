"""The training loop, the only one: members, priors and classifiers are all trained by it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isthmus.core.autoencoder import Autoencoder
from isthmus.core.objectives import Batches, Loss, Stage, TrainableModule
from isthmus.errors import DivergenceError
from isthmus.training._interruption import Interruption, listening
from isthmus.training._progress import Progress, showing
from isthmus.training._steps import Step, steps_per_epoch
from isthmus.training.checkpoint import Checkpoint, State
from isthmus.training.optimizers import Optimizer, make_optimizer
from isthmus.training.runtimes import Runtime
from isthmus.training.settings import TrainingSettings
from isthmus.training.snapshots import Snapshots

_CHECK_EVERY = 100


class Trainer:
    """Trains one module on one batches.

    Args:
        module: what is trained; it must already be on the runtime's device.
        stages: the parts of training, in their order; early stopping looks at the last one alone.
        batches: the training examples.
        settings: batch size, optimiser and the like.
        runtime: where it runs.
        seed: the order of the examples is made from it, epoch by epoch.
        validation: examples that are measured after every epoch; needed for early stopping.
        patience: epochs without a better validation objective before training stops.
        checkpoint: where the run is kept, if anywhere.
        snapshots: what is recorded while it moves.
        warm_epoch: before this epoch of the last stage the objective still changes (a warm-up), so
            that none counts as best.
        title: what the progress bar calls it; the name of the settings' class if nothing is given.
    """

    def __init__(
        self,
        module: TrainableModule,
        stages: Sequence[Stage],
        batches: Batches,
        settings: TrainingSettings,
        runtime: Runtime,
        seed: int,
        *,
        validation: Batches | None = None,
        patience: int | None = None,
        checkpoint: Checkpoint | None = None,
        snapshots: Snapshots | None = None,
        warm_epoch: float = 0.0,
        title: str | None = None,
    ) -> None:
        self.module, self.batches, self.settings, self.runtime = module, batches, settings, runtime
        self.stages = [stage for stage in stages if stage.epochs > 0]
        self.ends = list(accumulate(stage.epochs for stage in self.stages))
        self.validation, self.patience, self.checkpoint, self.snapshots = (
            validation,
            patience,
            checkpoint,
            snapshots,
        )
        self.warm_epoch = warm_epoch
        self.title = title or type(settings).__name__
        self.optimizers: list[Optimizer] = []
        self.step: Step  # made where a stage is entered or taken up
        self.steps = steps_per_epoch(len(batches), settings.batch_size)
        self.state = State(seed=seed)

    def run(self) -> State:
        """Train to the end, or to where it is interrupted; the module then holds the result."""
        self._take_up()
        if self.state.epoch == 0 and self.state.position == 0:
            self._snapshot()
        done = self.state.epoch * self.steps + self.state.position
        with (
            listening(self.checkpoint is not None) as interruption,
            showing(
                self.title,
                self.ends[-1],
                self.steps,
                done,
                self.settings.batch_size,
                self.settings.verbose if self.runtime.is_main else 0,
            ) as progress,
        ):
            while self.state.epoch < self.ends[-1] and not self.state.stopped:
                if self.state.stage < 0 or self.state.epoch >= self.ends[self.state.stage]:
                    self._enter_stage()
                self._epoch(progress, interruption)
            self._write_checkpoint()
        if self.state.best_weights is not None:
            self.module.load_state_dict(self.state.best_weights)
        self.module.eval()
        return self.state

    def _take_up(self) -> None:
        """Go on with the run that the checkpoint keeps, if there is one."""
        kept = None if self.checkpoint is None else self.checkpoint.read(self.module)
        if kept is None:
            return
        self.state, moments = kept
        self.state.log = None if self.state.log is None else self.state.log.to(self.runtime.device)
        if self.state.stage >= 0:
            self._make_step()
            for optimizer, state in zip(self.optimizers, moments, strict=True):
                optimizer.restore(state)

    def _enter_stage(self) -> None:
        self.state.stage += 1
        self._make_step()
        self._look(self._stage.prepare)

    def _look(self, look: Callable[[Batches], None] | None) -> None:
        """Let the module see the training examples as a whole, where the stage asks for it."""
        if look is not None:
            self.module.eval()
            with torch.no_grad():
                look(self.batches)

    @property
    def _stage(self) -> Stage:
        return self.stages[self.state.stage]

    @property
    def _stage_epoch(self) -> int:
        """Finished epochs of the stage under way."""
        return self.state.epoch - (self.ends[self.state.stage] - self._stage.epochs)

    def _make_step(self) -> None:
        self.optimizers = [
            make_optimizer(objective, self.settings) for objective in self._stage.objectives
        ]
        self.step = Step(
            self.module, self._stage, self.optimizers, self.batches, self.settings, self.runtime
        )

    def _epoch(self, progress: Progress, interruption: Interruption) -> None:
        if self.state.position == 0:
            self._look(self._stage.refresh)
        good = {name: value.clone() for name, value in self.module.state_dict().items()}
        start = time.monotonic() - self.state.seconds
        order = self._order()
        self.module.train()
        for position in range(self.state.position, self.steps):
            terms = self.step(order[position], self._stage_epoch + position / self.steps)
            log = self.state.log
            if log is None:
                log = self.state.log = torch.zeros(self.steps, len(terms), device=terms.device)
                self.state.terms = self.step.terms
            log[position] = terms
            self.state.position = position + 1
            progress.step(
                self.state.epoch * self.steps + position + 1,
                lambda i=position, log=log: self._row(log[i]),
            )
            if (position + 1) % _CHECK_EVERY == 0 or position + 1 == self.steps:
                self._check(good)
            self.state.seconds = (
                time.monotonic() - start
            )  # at the end of an epoch the check has waited for the device
            if interruption.signal is not None:
                self._check(good)
                self._interrupt(interruption)
            if self.checkpoint is not None and self.checkpoint.is_due:
                self._check(good)
                self._write_checkpoint()
        self._close(torch.tensor([len(rows) for rows in order]), progress)

    def _order(self) -> tuple[Tensor, ...]:
        """The rows of every step of this epoch; a last batch of one example joins the one before
        it.
        """
        words = np.random.SeedSequence([self.state.seed, self.state.epoch]).generate_state(2)
        generator = torch.Generator().manual_seed(int(words[0]) << 32 | int(words[1]))
        order = self.runtime.share(torch.randperm(len(self.batches), generator=generator))
        size = self.settings.batch_size
        return order.tensor_split(list(range(size, self.steps * size, size)))

    def _close(self, sizes: Tensor, progress: Progress) -> None:
        """Finish an epoch: its row in the history, early stopping, a snapshot."""
        state = self.state
        assert state.log is not None
        weights = (sizes / sizes.sum()).to(state.log)
        row = {
            "epoch": state.epoch + 1.0,
            **({"stage": state.stage + 1.0} if len(self.stages) > 1 else {}),
        }
        row |= self._row(self.runtime.mean(weights @ state.log)) | self.module.close_epoch()
        if self.validation is not None:
            measured = measure(self.module, self._stage.objectives[0].loss, self.validation)
            row |= {f"val_{name}": value for name, value in measured.items()}
        row |= {"learning_rate": self.optimizers[0].learning_rate, "seconds": state.seconds}
        state.history.append(row)
        state.epoch, state.position, state.log, state.seconds = state.epoch + 1, 0, None, 0.0
        self._compare(row)
        self._snapshot()
        progress.epoch(row, state.terms)

    def _compare(self, row: Mapping[str, float]) -> None:
        """Early stopping: keep the best weights by the validation objective, once that has its
        final form.
        """
        state = self.state
        warm = self.ends[-1] - self.stages[-1].epochs + self.warm_epoch
        if self.patience is None or state.epoch < warm or state.stage < len(self.stages) - 1:
            return
        if row["val_objective"] < state.best:
            state.best, state.best_epoch = row["val_objective"], state.epoch
            state.best_weights = {
                name: value.clone() for name, value in self.module.state_dict().items()
            }
        state.stopped = state.epoch - max(state.best_epoch, math.ceil(warm)) >= self.patience

    def _snapshot(self) -> None:
        if self.snapshots is not None:
            assert isinstance(self.module, Autoencoder)  # nothing else has codes to look at
            self.snapshots.take(
                self.module, self.state.epoch, self.state.snapshots, at_end=self.state.stopped
            )

    def _row(self, values: Tensor) -> dict[str, float]:
        return dict(zip(self.state.terms, values.tolist(), strict=True))

    def _check(self, good: Mapping[str, Tensor]) -> None:
        """Stop at the first step whose loss is not finite, with the last good epoch's weights."""
        log = self.state.log
        if log is None or bool(log.isfinite().all()):
            return
        step = int((~log.isfinite()).any(dim=1).nonzero()[0])
        # The objective is bad whenever a term is: name the term.
        bad = [
            name
            for name, value in zip(self.state.terms, log[step].tolist(), strict=True)
            if not math.isfinite(value)
        ]
        self.module.load_state_dict(dict(good))
        raise DivergenceError(
            f"{bad[-1]} is not finite at step {step + 1} of epoch {self.state.epoch + 1}. Likely"
            f" causes: a learning rate that is too large (it is {self.settings.learning_rate:g}:"
            " try a tenth), data that are not scaled, or no clip_norm. The model keeps the weights"
            " from before this epoch."
        )

    def _write_checkpoint(self) -> None:
        if self.checkpoint is not None and self.runtime.is_main:
            self.checkpoint.write(self.state, self.module, self.optimizers)

    def _interrupt(self, interruption: Interruption) -> None:
        assert self.checkpoint is not None
        self._write_checkpoint()
        interruption.leave(
            f"stopped in epoch {self.state.epoch + 1}; everything is kept in"
            f" {self.checkpoint.path}: start the same training again and it goes on from there."
        )


@torch.no_grad()
def measure(
    module: TrainableModule,
    loss_of: Callable[[Any], Loss],
    batches: Batches,
    epoch: float = math.inf,
) -> dict[str, float]:
    """The mean objective and terms of a loss over a batches, in evaluation mode and with the
    weights of a finished warm-up.

    The same noise is drawn at every call, so that epochs can be compared, and the caller's random
    state is left alone.
    """
    module.eval()
    module.anneal(epoch)
    totals: dict[str, float] = {}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for batch in batches.chunks():
            loss = loss_of(batch)
            for name, values in {"objective": loss.objective, **loss.terms}.items():
                totals[name] = totals.get(name, 0.0) + float(values.sum(dtype=torch.float64))
    module.train()
    return {name: total / len(batches) for name, total in totals.items()}


def checkpoint_in(folder: str | Path | None, identity: Mapping[str, object]) -> Checkpoint | None:
    """The checkpoint of a folder, or None where no folder is named."""
    return None if folder is None else Checkpoint(Path(folder), identity)
