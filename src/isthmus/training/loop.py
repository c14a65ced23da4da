"""The training loop, the only one: members, priors and classifiers are all trained by it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from isthmus.core.memory import is_shortage
from isthmus.core.objectives import Batches, Stage, TrainableModule
from isthmus.errors import InputError
from isthmus.training._steps import (
    Step,
    diverged,
    is_usable,
    measure,
    order_of,
    out_of_memory,
    steps_per_epoch,
)
from isthmus.training.callbacks.base import Callback
from isthmus.training.checkpoint import State
from isthmus.training.optimizers import Optimizer, make_optimizer
from isthmus.training.runtimes import Runtime
from isthmus.training.settings import TrainingSettings

_CHECK_EVERY = 100


class Trainer:
    """Trains one module on one set of batches.

    Args:
        module: what is trained; it must already be on the runtime's device.
        stages: the parts of training, in their order.
        batches: the training examples.
        settings: batch size, optimiser and the like.
        runtime: where it runs.
        seed: the order of the examples is made from it, epoch by epoch.
        validation: examples that are measured after every epoch.
        callbacks: what watches, called in this order.
        warm_epoch: before this epoch of the last stage the objective still changes (a warm-up), so
            that epochs cannot be compared.
        title: what progress calls it; the name of the settings' class if nothing is given.

    Attributes:
        state: how far training has come, and what must be kept of it.
        optimizers: those of the stage under way, one for each objective.
        steps: the steps of an epoch.
        ends: the epoch in which each stage ends, counted from the start of training.
        is_complete: whether training came to its end.
        stop_reason: why training ends before its last epoch, where somebody asked for that.
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
        callbacks: Sequence[Callback] = (),
        warm_epoch: float = 0.0,
        title: str | None = None,
    ) -> None:
        self.module, self.batches, self.settings, self.runtime = module, batches, settings, runtime
        self.stages = [stage for stage in stages if stage.epochs > 0]
        self.ends = list(accumulate(stage.epochs for stage in self.stages))
        self.validation, self.callbacks = validation, list(callbacks)
        self.warm_end = self.ends[-1] - self.stages[-1].epochs + warm_epoch
        self.title = title or type(settings).__name__
        self.steps = steps_per_epoch(len(batches), settings.batch_size)
        self.optimizers: list[Optimizer] = []
        self.step: Step  # made where a stage is entered or taken up
        self.state = State(seed=seed)
        self.is_complete = False
        self.stop_reason: str | None = None
        self._good: dict[str, Tensor] = {}  # the weights from before the epoch under way
        self._earlier: dict[str, Tensor] = {}  # and from before the one ahead of it
        # To call what does nothing would take time at every step.
        self._watchers = [c for c in self.callbacks if type(c).on_step is not Callback.on_step]

    # ------------------------------------------------------------------ what callbacks may use

    @property
    def finished_steps(self) -> int:
        """How many steps are done, counted from the start of training."""
        return self.state.epoch * self.steps + self.state.position

    @property
    def is_over(self) -> bool:
        """Whether no epoch is left to do."""
        return self.state.epoch >= self.ends[-1] or self.state.stopped

    def terms(self) -> dict[str, float]:
        """The mean objective and terms of the last step; empty before the first of an epoch."""
        if self.state.log is None:
            return {}
        return self._row(self.state.log[self.state.position - 1])

    def stop(self, reason: str) -> None:
        """End training once the epoch under way is over."""
        self.stop_reason = reason

    @contextmanager
    def evaluating(self) -> Iterator[TrainableModule]:
        """The module as it will be used: in evaluation mode, with averaged weights if any are kept.

        Its own ones are back afterwards.
        """
        own = None
        if self.state.average is not None:
            own = {name: value.clone() for name, value in self.module.state_dict().items()}
            self.module.load_state_dict(self.state.average)
        self.module.eval()
        try:
            yield self.module
        finally:
            if own is not None:
                self.module.load_state_dict(own)
            self.module.train()

    def check(self) -> None:
        """Stop at the first step whose loss is not finite, with the last good epoch's weights."""
        log = self.state.log
        if log is None or bool(log.isfinite().all()):
            return
        step = int((~log.isfinite()).any(dim=1).nonzero()[0])
        # The objective is bad whenever a term is: name the term.
        bad = [name for name, value in self._row(log[step]).items() if not math.isfinite(value)]
        # What is bad at the first step was left behind by the last one of the epoch before.
        is_old = step == 0 and bool(self._earlier)
        self.module.load_state_dict(self._earlier if is_old else self._good)
        raise diverged(f"{bad[-1]} is not finite at step {step + 1}", self, is_old)

    # ------------------------------------------------------------------ the loop

    def take_up(
        self, state: State, moments: Sequence[Mapping[str, Any]], *, strict: bool = False
    ) -> None:
        """Go on from a state and its optimisers' ``moments``; those of another kind start anew, or
        are refused where ``strict``.
        """
        if state.log is not None and not 0 < state.position <= len(state.log) == self.steps:
            raise InputError(
                f"it stands at step {state.position} of an epoch of {len(state.log)} steps, which"
                f" has {self.steps} now: start anew."
            )
        self.state = state
        state.log = None if state.log is None else state.log.to(self.runtime.device)
        if state.stage >= 0:
            self._make_step()
            kinds = [sorted(optimizer.state()) for optimizer in self.optimizers]
            if strict and [sorted(kept) for kept in moments] != kinds:
                raise InputError("the optimizers are others than those that it keeps: start anew.")
            for optimizer, kept in zip(self.optimizers, moments, strict=False):
                if kept.keys() == optimizer.state().keys():
                    optimizer.restore(kept)

    def run(self) -> State:
        """Train to the end, or to where it is interrupted; the module then holds the result."""
        self.runtime.same([self.state.epoch, self.state.position], "checkpoint")
        started: list[Callback] = []
        try:
            for callback in self.callbacks:
                started.append(callback)
                callback.on_fit_start(self)
            while not self.is_over:
                if self.state.stage < 0 or self.state.epoch >= self.ends[self.state.stage]:
                    self._enter_stage()
                self._epoch()
            self.is_complete = True
        except Exception as error:
            if not is_shortage(error):
                raise
            self._undo_epoch()
            raise out_of_memory(self) from error
        finally:
            self.batches.expect(())
            for callback in started:
                callback.on_fit_end(self)
        self.module.eval()
        return self.state

    def _undo_epoch(self) -> None:
        """Put the weights back that were there before the epoch under way."""
        if self._good:
            self.module.load_state_dict(self._good)

    @property
    def _stage(self) -> Stage:
        return self.stages[self.state.stage]

    @property
    def _stage_epoch(self) -> int:
        """Finished epochs of the stage under way."""
        return self.state.epoch - (self.ends[self.state.stage] - self._stage.epochs)

    def _enter_stage(self) -> None:
        self.state.stage += 1
        self._make_step()
        self._look(self._stage.prepare)

    def _make_step(self) -> None:
        objectives = self._stage.objectives
        self.optimizers = [make_optimizer(objective, self.settings) for objective in objectives]
        self.step = Step(
            self.module, self._stage, self.optimizers, self.batches, self.settings, self.runtime
        )

    def _look(self, look: Callable[[Batches], None] | None) -> None:
        """Let the module see the training examples as a whole, where the stage asks for it."""
        if look is not None:
            self.module.eval()
            with torch.no_grad():
                look(self.batches)
            self.runtime.adopt(self.module)

    def _epoch(self) -> None:
        state = self.state
        self._look(self._stage.refresh if state.position == 0 else self._stage.resume)
        self._earlier = self._good
        self._good = {name: value.clone() for name, value in self.module.state_dict().items()}
        start = time.monotonic() - state.seconds
        own = self.batches.order(state.seed, state.epoch)
        order = order_of(len(self.batches), state.seed, state.epoch, self.settings.batch_size, own)
        self.step.expect(order[state.position :])
        self.module.train()
        for position in range(state.position, self.steps):
            terms = self.step(order[position], self._stage_epoch + position / self.steps)
            if state.log is None:
                state.log = torch.zeros(self.steps, len(terms), device=terms.device)
                state.terms = self.step.terms
            state.log[position] = terms
            state.position = position + 1
            if (position + 1) % _CHECK_EVERY == 0 or position + 1 == self.steps:
                self.check()
            # At the end of an epoch the check has waited for the device.
            state.seconds = time.monotonic() - start
            for callback in self._watchers:
                callback.on_step(self)
        # No later step would notice what the very last one did.
        if state.epoch + 1 == self.ends[-1] and not is_usable(
            self.module, self._stage.objectives[0].loss, self.batches.batch(order[-1])
        ):
            self.module.load_state_dict(self._good)
            raise diverged("the loss is not finite after the last step", self)
        self._close(torch.tensor([len(rows) for rows in order]))

    def _close(self, sizes: Tensor) -> None:
        """Finish an epoch: its row in the history, and what callbacks make of it."""
        state = self.state
        assert state.log is not None
        means = (sizes / sizes.sum()).to(state.log) @ state.log
        row = {"epoch": state.epoch + 1.0}
        if len(self.stages) > 1:
            row["stage"] = state.stage + 1.0
        row |= self._row(means) | self.module.close_epoch()
        if self.validation is not None:
            with self.evaluating():
                measured = measure(self.module, self._stage.objectives[0].loss, self.validation)
            row |= {f"val_{name}": value for name, value in measured.items()}
        row |= {"learning_rate": self.optimizers[0].learning_rate, "seconds": state.seconds}
        row = dict(zip(row, self.runtime.agreed(list(row.values())), strict=True))
        self.runtime.same([], "random state")
        state.history.append(row)
        state.epoch, state.position, state.log, state.seconds = state.epoch + 1, 0, None, 0.0
        for callback in self.callbacks:
            callback.on_epoch_end(self, row)
            state.stopped = state.stopped or self.stop_reason is not None
        state.stopped = bool(self.runtime.agreed([state.stopped])[0])

    def _row(self, values: Tensor) -> dict[str, float]:
        return dict(zip(self.state.terms, values.tolist(), strict=True))
