"""Optimisers and the learning rate, by the settings.

The updates are torch's own fused ones. ``torch.optim`` is left out, because what it does in Python
around them takes as long as the update of a small network, and because its first use imports the
compiler, which takes longer than many a training.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from isthmus.core.objectives import Objective
from isthmus.errors import InputError
from isthmus.training.settings import TrainingSettings


class Optimizer(ABC):
    """Moves the parameters of one objective by their gradients; a parameter without a gradient
    stays where it is.

    Args:
        parameters: what is moved.
        learning_rate: the step size; it may be set anew before every step.
        weight_decay: the weight decay.
    """

    def __init__(
        self, parameters: Sequence[nn.Parameter], learning_rate: float, weight_decay: float
    ) -> None:
        self.parameters = list(parameters)
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.first = [
            torch.zeros_like(parameter, requires_grad=False) for parameter in self.parameters
        ]
        for parameter in self.parameters:  # a module of the user's own may bring gradients along
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Move the parameters, and forget their gradients."""
        gradients = [parameter.grad for parameter in self.parameters]
        moved = [place for place, gradient in enumerate(gradients) if gradient is not None]
        self._move(moved, [gradient for gradient in gradients if gradient is not None])
        for parameter in self.parameters:
            parameter.grad = None

    @abstractmethod
    def _move(self, moved: Sequence[int], gradients: list[Tensor]) -> None:
        """Move the parameters at some places by their gradients."""

    def state(self) -> dict[str, Any]:
        """What it remembers between steps."""
        return {"first": self.first}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what :meth:`state` gave."""
        for kept, value in zip(self.first, state["first"], strict=True):
            kept.copy_(value)


class SGD(Optimizer):
    """Gradient descent with a momentum of 0.9."""

    def _move(self, moved: Sequence[int], gradients: list[Tensor]) -> None:
        torch._fused_sgd_(
            [self.parameters[i] for i in moved],
            gradients,
            [self.first[i] for i in moved],
            lr=self.learning_rate,
            weight_decay=self.weight_decay,
            momentum=0.9,
            dampening=0.0,
            nesterov=False,
            maximize=False,
            is_first_step=False,
        )


class Adam(Optimizer):
    """Adam: steps by the running mean of the gradients, each divided by the root of the running
    mean of its square.

    Reference:
        D. P. Kingma and J. Ba, Adam: a method for stochastic optimization, ICLR 2015.
    """

    update: ClassVar[Callable[..., None]] = staticmethod(torch._fused_adam_)

    def __init__(
        self, parameters: Sequence[nn.Parameter], learning_rate: float, weight_decay: float
    ) -> None:
        super().__init__(parameters, learning_rate, weight_decay)
        self.second = [torch.zeros_like(moment) for moment in self.first]
        self.count = torch.zeros((), device=self.first[0].device)

    def _move(self, moved: Sequence[int], gradients: list[Tensor]) -> None:
        self.count += 1
        self.update(
            [self.parameters[i] for i in moved],
            gradients,
            [self.first[i] for i in moved],
            [self.second[i] for i in moved],
            [],
            [self.count] * len(moved),
            lr=self.learning_rate,
            beta1=0.9,
            beta2=0.999,
            weight_decay=self.weight_decay,
            eps=1e-8,
            amsgrad=False,
            maximize=False,
        )

    def state(self) -> dict[str, Any]:
        return {**super().state(), "second": self.second, "count": self.count}

    def restore(self, state: Mapping[str, Any]) -> None:
        super().restore(state)
        for kept, value in zip(
            [*self.second, self.count], [*state["second"], state["count"]], strict=True
        ):
            kept.copy_(value)


class AdamW(Adam):
    """Adam with weight decay that is taken off the weights themselves, and not added to the
    gradients.

    Reference:
        I. Loshchilov and F. Hutter, Decoupled weight decay regularization, ICLR 2019.
    """

    update = staticmethod(torch._fused_adamw_)


_OPTIMIZERS: dict[str, type[Optimizer]] = {"adam": Adam, "adamw": AdamW, "sgd": SGD}


def make_optimizer(objective: Objective, settings: TrainingSettings) -> Optimizer:
    """The optimiser that the settings name, over the parameters of a objective."""
    if not objective.parameters:
        raise InputError("there is nothing to train: none of the parameters asks for a gradient.")
    kind = _OPTIMIZERS[settings.optimizer]
    return kind(
        objective.parameters,
        objective.learning_rate or settings.learning_rate,
        settings.weight_decay,
    )


def set_learning_rates(
    moves: Iterable[tuple[Objective, Optimizer]], settings: TrainingSettings, share: float
) -> None:
    """Set the learning rates of a moment; ``share`` of the stage, from 0 to 1, is done."""
    if settings.schedule == "constant":
        return
    factor = 0.5 * (1 + math.cos(math.pi * share))
    for objective, optimizer in moves:
        optimizer.learning_rate = factor * (objective.learning_rate or settings.learning_rate)
