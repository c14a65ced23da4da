"""One step of training: every objective moves once on a batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from isthmus.core.objectives import Batches, Objective, Stage, TrainableModule
from isthmus.training.optimizers import Optimizer, set_learning_rates
from isthmus.training.runtimes import Runtime
from isthmus.training.settings import TrainingSettings

Ready = Callable[[Any], Any]


class Gradients:
    """Finds what a batch costs a objective, and the gradients of that.

    Args:
        objective: whose loss and parameters.
        ready: from what it is called with to the batch that the loss takes.
        runtime: where it runs.
        is_alone: whether no other objective has parameters that the loss depends on.

    Attributes:
        terms: the names of the objective's terms, known once a batch was seen.
    """

    def __init__(
        self, objective: Objective, ready: Ready, runtime: Runtime, *, is_alone: bool
    ) -> None:
        self.objective, self.ready, self.runtime = objective, ready, runtime
        self.terms: list[str] = []
        self._toward = (
            None if is_alone else objective.parameters
        )  # to name them takes time at every step

    def __call__(self, batch: Any) -> Tensor:
        """Leave the gradients at the parameters; the mean objective and terms, ``(1 + terms,)``."""
        objective, values = self.loss(batch)
        objective.mean().backward(inputs=self._toward)
        return values

    def loss(self, batch: Any) -> tuple[Tensor, Tensor]:
        """The objective ``(n,)``, and the means ``(1 + terms,)``."""
        batch = self.ready(batch)
        with self.runtime.autocast():
            loss = self.objective.loss(batch)
        self.terms = list(loss.terms)
        values = torch.stack(
            [loss.objective.detach(), *(term.detach() for term in loss.terms.values())]
        )
        if batch.weight is None:
            return loss.objective, values.mean(1)
        return loss.objective * batch.weight, (values * batch.weight).mean(1)


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
        whole = (
            len(batches)
            if steps_per_epoch(len(batches), settings.batch_size) == 1
            else settings.batch_size
        )
        self.gradients = [
            _gradients(module, objective, ready, settings.compile, whole, runtime)
            for objective in stage.objectives
        ]

    @property
    def terms(self) -> list[str]:
        """The columns of a result: the first objective's value, and the terms of all objectives."""
        return ["objective", *(term for gradients in self.gradients for term in gradients.terms)]

    def __call__(self, rows: Tensor, epoch: float) -> Tensor:
        """Move on the examples of some rows; ``epoch`` counts the stage's finished ones. The means,
        ``(1 + terms,)``.
        """
        self.module.anneal(epoch)
        set_learning_rates(self.moves, self.settings, epoch / self.stage.epochs)
        batch = self._take(rows)
        first, *others = [
            self._move(gradients, optimizer, batch)
            for gradients, (_, optimizer) in zip(self.gradients, self.moves, strict=True)
        ]
        return torch.cat([first, *(values[1:] for values in others)]) if others else first

    def _move(self, gradients: Gradients, optimizer: Optimizer, batch: Any) -> Tensor:
        values = gradients(batch)
        self.runtime.agree(optimizer.parameters)
        if self.settings.clip_norm is not None:
            self.runtime.clip(optimizer.parameters, self.settings.clip_norm)
        optimizer.step()
        return values


def steps_per_epoch(n: int, batch_size: int) -> int:
    """How many batches n examples make; a last one of a single example does not count, it joins its
    neighbour.
    """
    steps = math.ceil(n / batch_size)
    return steps - 1 if n % batch_size == 1 and steps > 1 else steps


def _gradients(
    module: TrainableModule,
    objective: Objective,
    ready: Ready,
    is_compiled: bool,
    batch_size: int,
    runtime: Runtime,
) -> Gradients:
    if not is_compiled:
        trained = sum(parameter.requires_grad for parameter in module.parameters())
        return Gradients(objective, ready, runtime, is_alone=trained == len(objective.parameters))
    from isthmus.training._compiled import CompiledGradients  # the compiler takes seconds to import

    return CompiledGradients(module, objective, ready, batch_size, runtime)
