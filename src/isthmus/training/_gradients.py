"""What a batch costs, and the gradients of that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from isthmus.core import sharding
from isthmus.core.batch import Batch
from isthmus.core.forward import Pass
from isthmus.core.objectives import Loss, Side
from isthmus.errors import InputError
from isthmus.training.runtimes import Runtime

Seen = Batch | Pass
Ready = Callable[[Any], Any]


class Gradients:
    """Finds what a batch costs an objective, or a forward pass an adversary, and the gradients.

    Args:
        objective: whose loss and parameters.
        ready: from what it is called with to what the loss takes.
        runtime: where it runs.
        is_alone: whether no other objective has parameters that the loss depends on.
        keeps_pass: whether an adversary waits for the forward pass.

    Attributes:
        terms: the names of the objective's terms, known once a batch was seen.
        made: the forward pass of the last batch, where it is kept.
    """

    def __init__(
        self,
        objective: Side,
        ready: Ready,
        runtime: Runtime,
        *,
        is_alone: bool,
        keeps_pass: bool = False,
    ) -> None:
        self.objective, self.ready, self.runtime = objective, ready, runtime
        self.keeps_pass = keeps_pass
        self.made: Pass | None = None
        self.terms: list[str] = []
        # To name the parameters takes time at every step.
        self._toward = None if is_alone else objective.parameters

    def __call__(self, seen: Seen) -> Tensor:
        """Leave the gradients at the parameters; the mean objective and terms, ``(1 + terms,)``."""
        objective, values = self.loss(seen)
        mean(objective).backward(inputs=self._toward)
        return values

    def loss(self, seen: Seen) -> tuple[Tensor, Tensor]:
        """The objective ``(n,)``, and the means ``(1 + terms,)``."""
        ready = self.ready(seen)
        with self.runtime.autocast():
            judge: Callable[[Any], Loss] = self.objective.loss
            loss = judge(ready)
        self.terms = list(loss.terms)
        if self.keeps_pass:
            self.made = required_pass(loss)
        values = torch.stack(
            [loss.objective.detach(), *(term.detach() for term in loss.terms.values())]
        )
        if ready.weight is None:
            return loss.objective, mean(values)
        return loss.objective * ready.weight, mean(values * ready.weight)


def required_pass(loss: Loss) -> Pass:
    """The forward pass behind a loss, without gradients, for an adversary."""
    if loss.made is None:
        raise InputError(
            "an adversary needs the forward pass, but the loss before it keeps none: return it as"
            " Loss(..., made=Pass(...))."
        )
    return loss.made.with_tensors(loss.made.tensors)


def mean(values: Tensor) -> Tensor:
    """The mean over examples, the last axis; of several processes, this one's share in the mean."""
    shard = sharding.current()
    return values.mean(-1) if shard is None else values.sum(-1) / shard.total
