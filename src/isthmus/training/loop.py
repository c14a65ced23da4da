"""The training loop, the only one: every member is trained by it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.optim import SGD, Adam, AdamW, Optimizer

from isthmus.data.feed import Feed
from isthmus.errors import DivergenceError
from isthmus.module import Autoencoder, Loss
from isthmus.settings import Settings
from isthmus.training.checkpoint import Checkpoint, State
from isthmus.training.interruption import Interruption, listening
from isthmus.training.progress import Progress, showing
from isthmus.training.runtime import Runtime
from isthmus.training.snapshots import Snapshots

_CHECK_EVERY = 100


class Trainer:
    """Trains one module on one feed.

    Args:
        module: what is trained; it must already be on the runtime's device.
        feed: the training examples.
        settings: epochs, batch size, optimiser and the like.
        runtime: where it runs.
        seed: the order of the examples is made from it, epoch by epoch.
        validation: examples that are measured after every epoch; needed for early stopping.
        checkpoint: where the run is kept, if anywhere.
        snapshots: what is recorded while it moves.
        warm_epoch: before this epoch the objective still changes (a warm-up), so that no epoch counts as the best.
    """

    def __init__(
        self, module: Autoencoder, feed: Feed, settings: Settings, runtime: Runtime, seed: int, *,
        validation: Feed | None = None, checkpoint: Checkpoint | None = None, snapshots: Snapshots | None = None,
        warm_epoch: float = 0.0,
    ) -> None:  # fmt: skip
        self.module, self.feed, self.settings, self.runtime = module, feed, settings, runtime
        self.validation, self.checkpoint, self.snapshots, self.warm_epoch = validation, checkpoint, snapshots, warm_epoch
        self.optimizer = make_optimizer(module, settings)
        self.steps = steps_per_epoch(len(feed), settings.batch_size)
        self.state = State(seed=seed)

    def run(self) -> State:
        """Train to the end, or to where it is interrupted; the module then holds the result."""
        if self.checkpoint is not None and (found := self.checkpoint.read(self.module, self.optimizer)) is not None:
            self.state = found
            self.state.log = None if found.log is None else found.log.to(self.runtime.device)
        if self.state.epoch == 0 and self.state.position == 0:
            self._snapshot()
        done = self.state.epoch * self.steps + self.state.position
        with (
            listening(self.checkpoint is not None) as interruption,
            showing(type(self.settings).__name__, self.settings.epochs, self.steps, done, self.settings.batch_size,
                    self.settings.verbose if self.runtime.is_main else 0) as progress,
        ):  # fmt: skip
            while self.state.epoch < self.settings.epochs and not self.state.stopped:
                self._epoch(progress, interruption)
            self._write_checkpoint()
        if self.state.best_weights is not None:
            self.module.load_state_dict(self.state.best_weights)
        self.module.eval()
        return self.state

    def _epoch(self, progress: Progress, interruption: Interruption) -> None:
        good = {name: value.clone() for name, value in self.module.state_dict().items()}
        start = time.monotonic() - self.state.seconds
        batches = self._batches()
        self.module.train()
        for position in range(self.state.position, self.steps):
            terms = self._step(batches[position], self.state.epoch + position / self.steps)
            log = self.state.log
            if log is None:
                log = self.state.log = torch.zeros(self.steps, len(terms), device=terms.device)
            log[position] = terms
            self.state.position = position + 1
            self.state.seconds = time.monotonic() - start
            progress.step(self.state.epoch * self.steps + position + 1, lambda i=position, log=log: self._row(log[i]))
            if (position + 1) % _CHECK_EVERY == 0 or position + 1 == self.steps:
                self._check(good)
            if interruption.signal is not None:
                self._check(good)
                self._interrupt(interruption)
            if self.checkpoint is not None and self.checkpoint.is_due:
                self._check(good)
                self._write_checkpoint()
        self._close(torch.tensor([len(rows) for rows in batches]), progress)

    def _step(self, rows: Tensor, epoch: float) -> Tensor:
        """One update; returns the mean objective and terms of the batch, ``(1 + terms,)``."""
        self.module.anneal(epoch)
        self._set_learning_rate(epoch)
        x = self.feed.batch(rows)
        with self.runtime.autocast():
            loss: Loss = self.module.loss(x)
        objective = loss.objective.mean()
        self.optimizer.zero_grad(set_to_none=True)
        self.runtime.backward(objective, self.module)
        if self.settings.clip_norm is not None:
            self.runtime.clip(self.module, self.settings.clip_norm)
        self.runtime.step(self.optimizer)
        self.state.terms = ["objective", *loss.terms]
        return torch.stack([objective.detach(), *(term.detach().mean() for term in loss.terms.values())])

    def _batches(self) -> tuple[Tensor, ...]:
        """The rows of every step of this epoch; a last batch of one example joins the one before it."""
        words = np.random.SeedSequence([self.state.seed, self.state.epoch]).generate_state(2)
        generator = torch.Generator().manual_seed(int(words[0]) << 32 | int(words[1]))
        order = self.runtime.share(torch.randperm(len(self.feed), generator=generator))
        size = self.settings.batch_size
        return order.tensor_split(list(range(size, self.steps * size, size)))

    def _set_learning_rate(self, epoch: float) -> None:
        if self.settings.schedule == "constant":
            return
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * 0.5 * (1 + math.cos(math.pi * epoch / self.settings.epochs))

    def _close(self, sizes: Tensor, progress: Progress) -> None:
        """Finish an epoch: its row in the history, early stopping, a snapshot."""
        state = self.state
        assert state.log is not None
        weights = (sizes / sizes.sum()).to(state.log)
        row = {"epoch": state.epoch + 1.0, **self._row(self.runtime.mean(weights @ state.log))}
        row |= self.module.bottleneck.close_epoch()
        if self.validation is not None:
            row |= {f"val_{name}": value for name, value in measure(self.module, self.validation).items()}
        row |= {"learning_rate": float(self.optimizer.param_groups[0]["lr"]), "seconds": state.seconds}
        state.history.append(row)
        state.epoch, state.position, state.log, state.seconds = state.epoch + 1, 0, None, 0.0
        self._compare(row)
        self._snapshot()
        progress.epoch(row)

    def _compare(self, row: Mapping[str, float]) -> None:
        """Early stopping: keep the best weights by the validation objective, once that has its final form."""
        state = self.state
        if self.settings.patience is None or state.epoch < self.warm_epoch:
            return
        if row["val_objective"] < state.best:
            state.best, state.best_epoch = row["val_objective"], state.epoch
            state.best_weights = {name: value.clone() for name, value in self.module.state_dict().items()}
        state.stopped = state.epoch - max(state.best_epoch, math.ceil(self.warm_epoch)) >= self.settings.patience

    def _snapshot(self) -> None:
        if self.snapshots is not None:
            self.snapshots.take(self.module, self.state.epoch, self.state.snapshots, at_end=self.state.stopped)

    def _row(self, values: Tensor) -> dict[str, float]:
        return dict(zip(self.state.terms, values.tolist(), strict=True))

    def _check(self, good: Mapping[str, Tensor]) -> None:
        """Stop at the first step whose loss is not finite, with the weights of the last good epoch."""
        log = self.state.log
        if log is None or bool(log.isfinite().all()):
            return
        step = int((~log.isfinite()).any(dim=1).nonzero()[0])
        # The objective is bad whenever a term is: name the term.
        bad = [name for name, value in zip(self.state.terms, log[step].tolist(), strict=True) if not math.isfinite(value)]
        self.module.load_state_dict(dict(good))
        raise DivergenceError(
            f"{bad[-1]} is not finite at step {step + 1} of epoch {self.state.epoch + 1}. Likely causes: a learning rate that "
            f"is too large (it is {self.settings.learning_rate:g}: try a tenth), data that are not scaled, or no clip_norm. "
            f"The model keeps the weights from before this epoch."
        )

    def _write_checkpoint(self) -> None:
        if self.checkpoint is not None and self.runtime.is_main:
            self.checkpoint.write(self.state, self.module, self.optimizer)

    def _interrupt(self, interruption: Interruption) -> None:
        assert self.checkpoint is not None
        self._write_checkpoint()
        interruption.leave(
            f"stopped in epoch {self.state.epoch + 1}; everything is kept in {self.checkpoint.path}: "
            "start the same training again and it goes on from there."
        )


def make_optimizer(module: Autoencoder, settings: Settings) -> Optimizer:
    """The optimiser that the settings name, over all parameters of the module."""
    makers: dict[str, Callable[..., Optimizer]] = {"adam": Adam, "adamw": AdamW, "sgd": SGD}
    extra = {"momentum": 0.9} if settings.optimizer == "sgd" else {}
    return makers[settings.optimizer](
        module.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True, **extra
    )


def steps_per_epoch(n: int, batch_size: int) -> int:
    """How many batches n examples make; a last one of a single example does not count, it joins its neighbour."""
    steps = math.ceil(n / batch_size)
    return steps - 1 if n % batch_size == 1 and steps > 1 else steps


@torch.no_grad()
def measure(module: Autoencoder, feed: Feed, epoch: float = math.inf) -> dict[str, float]:
    """The mean objective and terms over a feed, in evaluation mode and with the weights of a finished warm-up.

    The same noise is drawn at every call, so that epochs can be compared, and the caller's random state is left alone.
    """
    module.eval()
    module.anneal(epoch)
    totals: dict[str, float] = {}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for x in feed.chunks():
            loss = module.loss(x)
            for name, values in {"objective": loss.objective, **loss.terms}.items():
                totals[name] = totals.get(name, 0.0) + float(values.sum(dtype=torch.float64))
    module.train()
    return {name: total / len(feed) for name, total in totals.items()}


def checkpoint_in(folder: str | Path | None, identity: Mapping[str, object]) -> Checkpoint | None:
    """The checkpoint of a folder, or None where no folder is named."""
    return None if folder is None else Checkpoint(Path(folder), identity)
