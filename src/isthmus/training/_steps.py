"""What is done with batches: a step, in which every objective moves once, and a measurement."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from isthmus.core import sharding
from isthmus.core.forward import Pass
from isthmus.core.objectives import Adversary, Batches, Loss, Side, Stage, TrainableModule
from isthmus.core.randomness import alone
from isthmus.errors import DivergenceError, InputError, MemoryLimitError
from isthmus.training._gradients import Gradients, Ready, Seen
from isthmus.training.optimizers import Optimizer, set_learning_rates
from isthmus.training.runtimes import Runtime
from isthmus.training.settings import TrainingSettings

if TYPE_CHECKING:
    from isthmus.training.loop import Trainer


class Step:
    """One update of every objective of a stage.

    Args:
        module: what is trained.
        stage: the part of training.
        optimizers: one for each objective.
        batches: where the batches come from.
        settings: the learning rate and the like.
        runtime: where it runs.
    """

    def __init__(
        self,
        module: TrainableModule,
        stage: Stage,
        optimizers: Sequence[Optimizer],
        batches: Batches,
        settings: TrainingSettings,
        runtime: Runtime,
    ) -> None:
        self.module, self.stage, self.settings, self.runtime = module, stage, settings, runtime
        self.moves = list(zip(stage.objectives, optimizers, strict=True))
        # A batch is made ready where its gradients are found, so that this can be compiled with
        # them; not for several objectives, who must see the same draws.
        is_single = len(stage.objectives) == 1
        self._take: Callable[[Tensor], Any] = batches.stored if is_single else batches.batch
        ready: Ready = batches.ready if is_single else lambda batch: batch
        self._targets = stage.targets
        self._expect = batches.expect
        whole = (
            len(batches)
            if steps_per_epoch(len(batches), settings.batch_size) == 1
            else settings.batch_size
        )
        waited_for = [isinstance(other, Adversary) for other in stage.objectives[1:]]
        self.gradients = [
            _gradients(
                module,
                objective,
                ready,
                settings.compile,
                whole,
                runtime,
                keeps_pass=place == 0 and any(waited_for),
            )
            for place, objective in enumerate(stage.objectives)
        ]

    @property
    def terms(self) -> list[str]:
        """The columns of a result: the first objective's value, and the terms of all objectives."""
        return ["objective", *(term for gradients in self.gradients for term in gradients.terms)]

    def __call__(self, rows: Tensor, epoch: float) -> Tensor:
        """Move on the examples of some rows; gives the means, ``(1 + terms,)``.

        ``epoch`` counts the stage's finished ones.
        """
        self.module.anneal(epoch)
        set_learning_rates(self.moves, self.settings, epoch / self.stage.epochs)
        shard = self.runtime.shard(len(rows))
        if shard is None:
            return self._moved(rows)
        with sharding.working_on(shard):
            return self._moved(rows[shard.start : shard.stop])

    def _moved(self, rows: Tensor) -> Tensor:
        batch = self._take(rows)
        if self._targets is not None:
            batch = batch._replace(target=self._targets(rows))
        moved = []
        for gradients, (objective, optimizer) in zip(self.gradients, self.moves, strict=True):
            is_adversary = isinstance(objective, Adversary)
            moved.append(self._move(gradients, optimizer, self._made if is_adversary else batch))
        first, *others = moved
        return torch.cat([first, *(values[1:] for values in others)]) if others else first

    def expect(self, steps: Sequence[Tensor]) -> None:
        """Say which rows the next steps will move on, of which this process asks for its own."""
        shards = (self.runtime.shard(len(rows)) for rows in steps)
        self._expect(
            [
                rows if shard is None else rows[shard.start : shard.stop]
                for rows, shard in zip(steps, shards, strict=True)
            ]
        )

    @property
    def _made(self) -> Pass:
        """The forward pass of the stage's first objective."""
        made = self.gradients[0].made
        if made is None:
            raise InputError("an adversary stands first in a stage: put an objective before it.")
        return made

    def _move(self, gradients: Gradients, optimizer: Optimizer, seen: Seen) -> Tensor:
        values = self.runtime.agree(optimizer.parameters, gradients(seen))
        if self.settings.clip_norm is not None:
            self.runtime.clip(optimizer.parameters, self.settings.clip_norm)
        optimizer.step()
        return values


def steps_per_epoch(n: int, batch_size: int) -> int:
    """How many batches n examples make; a single last example joins the batch before it."""
    steps = math.ceil(n / batch_size)
    return steps - 1 if n % batch_size == 1 and steps > 1 else steps


def order_of(
    n: int, seed: int, epoch: int, batch_size: int, own: Tensor | None = None
) -> tuple[Tensor, ...]:
    """The rows of every step of an epoch; a last batch of one example joins the one before it.

    They are shuffled, but where the examples have an order of their ``own``, ``(n,)``.
    """
    words = np.random.SeedSequence([seed, epoch]).generate_state(2)
    generator = torch.Generator().manual_seed(int(words[0]) << 32 | int(words[1]))
    order = torch.randperm(n, generator=generator) if own is None else own
    ends = range(batch_size, steps_per_epoch(n, batch_size) * batch_size, batch_size)
    return order.tensor_split(list(ends))


@torch.no_grad()
def measure(
    module: TrainableModule,
    loss_of: Callable[[Any], Loss],
    batches: Batches,
    epoch: float = math.inf,
) -> dict[str, float]:
    """The mean objective and terms of a loss over all batches, in evaluation mode.

    Examples count by their weights, as in training. The weights of the loss's terms are those of a
    finished warm-up, unless ``epoch`` says otherwise.

    The same noise is drawn at every call, so that epochs can be compared, and the caller's random
    state is left alone.
    """
    module.eval()
    module.anneal(epoch)
    totals: dict[str, float] = {}
    count = 0.0
    with alone(0):
        for batch in batches.chunks():
            loss, weight = loss_of(batch), batch.weight
            count += batch.size if weight is None else float(weight.sum(dtype=torch.float64))
            for name, values in {"objective": loss.objective, **loss.terms}.items():
                counted = values if weight is None else values * weight
                totals[name] = totals.get(name, 0.0) + float(counted.sum(dtype=torch.float64))
    module.train()
    return {name: total / count for name, total in totals.items()}


@torch.no_grad()
def is_usable(module: TrainableModule, loss_of: Callable[[Any], Loss], batch: Any) -> bool:
    """Whether weights are finite, and the loss of a batch under them; the caller's random state is
    left alone.
    """
    if not bool(torch.stack([weight.isfinite().all() for weight in module.parameters()]).all()):
        return False
    module.eval()
    with alone(0):
        objective = loss_of(batch).objective
    module.train()
    return bool(objective.isfinite().all())


def diverged(what: str, trainer: Trainer, is_old: bool = False) -> DivergenceError:
    """The error for a loss that is not finite; ``is_old`` where its weights are an epoch older."""
    when = f"epoch {trainer.state.epoch}" if is_old else "this epoch"
    return DivergenceError(
        f"{what} of epoch {trainer.state.epoch + 1}. Likely causes: a learning rate that is too"
        f" large (it is {trainer.settings.learning_rate:g}: try a tenth), data that are not scaled,"
        f" or no clip_norm. The model keeps the weights from before {when}."
    )


def out_of_memory(trainer: Trainer) -> MemoryLimitError:
    """The error for a step that does not fit into the memory of its device."""
    kept = "; the model keeps the weights from before this epoch" if trainer.state.epoch else ""
    return MemoryLimitError(
        f"memory ran out in epoch {trainer.state.epoch + 1}, with batch_size="
        f"{trainer.settings.batch_size}: give a smaller one, or choose a smaller network{kept}."
    )


def _gradients(
    module: TrainableModule,
    objective: Side,
    ready: Ready,
    is_compiled: bool,
    batch_size: int,
    runtime: Runtime,
    *,
    keeps_pass: bool,
) -> Gradients:
    if not is_compiled:
        trained = sum(parameter.requires_grad for parameter in module.parameters())
        is_alone = trained == len(objective.parameters)
        return Gradients(objective, ready, runtime, is_alone=is_alone, keeps_pass=keeps_pass)
    if runtime.processes > 1:
        raise InputError(
            f"compile=True is not usable in {runtime.processes} processes, whose gradients are"
            " summed between the pieces of a step: pass compile=False."
        )
    from isthmus.training._compiled import CompiledGradients  # the compiler takes seconds to import

    return CompiledGradients(module, objective, ready, batch_size, runtime, keeps_pass)
