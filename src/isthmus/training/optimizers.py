"""Optimisers and the learning rate, by the settings.

The updates are torch's own fused ones. ``torch.optim`` is left out, because what it does in Python
around them takes as long as the update of a small network, and because its first use imports the
compiler, which takes longer than many a training.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from isthmus.core.fields import field
from isthmus.core.objectives import Objective, Side
from isthmus.core.parts import SlotPart, part_of
from isthmus.errors import InputError
from isthmus.registry import OPTIMIZERS, SCHEDULES
from isthmus.training.schedules import Schedule
from isthmus.training.settings import TrainingSettings


class Optimizer(ABC):
    """Moves the parameters of one objective by their gradients; one without a gradient stays.

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
        _take_up(self.first, state["first"])


def _take_up(kept: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    """Take over moments, which must be those of as many parameters of the same shapes."""
    shapes = [[tuple(value.shape) for value in each] for each in (kept, values)]
    if shapes[0] != shapes[1] or not all(bool(value.isfinite().all()) for value in values):
        raise InputError("the moments of an optimizer are those of other parameters: start anew.")
    for own, value in zip(kept, values, strict=True):
        own.copy_(value)


class SGDOptimizer(Optimizer):
    """Gradient descent with momentum."""

    def __init__(
        self,
        parameters: Sequence[nn.Parameter],
        learning_rate: float,
        weight_decay: float,
        momentum: float = 0.9,
        nesterov: bool = False,
    ) -> None:
        super().__init__(parameters, learning_rate, weight_decay)
        self.momentum, self.nesterov = momentum, nesterov

    def _move(self, moved: Sequence[int], gradients: list[Tensor]) -> None:
        torch._fused_sgd_(
            [self.parameters[i] for i in moved],
            gradients,
            # torch takes no moments where there is no momentum
            [self.first[i] for i in moved] if self.momentum > 0 else [],
            lr=self.learning_rate,
            weight_decay=self.weight_decay,
            momentum=self.momentum,
            dampening=0.0,
            nesterov=self.nesterov,
            maximize=False,
            is_first_step=False,
        )


class AdamOptimizer(Optimizer):
    """Steps by running means of gradients, each divided by the root of that of its square."""

    update: ClassVar[Callable[..., None]] = staticmethod(torch._fused_adam_)

    def __init__(
        self,
        parameters: Sequence[nn.Parameter],
        learning_rate: float,
        weight_decay: float,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
    ) -> None:
        super().__init__(parameters, learning_rate, weight_decay)
        self.betas, self.epsilon = betas, epsilon
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
            beta1=self.betas[0],
            beta2=self.betas[1],
            weight_decay=self.weight_decay,
            eps=self.epsilon,
            amsgrad=False,
            maximize=False,
        )

    def state(self) -> dict[str, Any]:
        return {**super().state(), "second": self.second, "count": self.count}

    def restore(self, state: Mapping[str, Any]) -> None:
        super().restore(state)
        _take_up([*self.second, self.count], [*state["second"], state["count"]])


class AdamWOptimizer(AdamOptimizer):
    """Adam with weight decay that is taken off the weights themselves."""

    update = staticmethod(torch._fused_adamw_)


@dataclass(repr=False)
class OptimizerPart(SlotPart, ABC):
    """An optimiser as it is chosen; step size and weight decay are settings of what is trained."""

    @abstractmethod
    def build(
        self, parameters: Sequence[nn.Parameter], learning_rate: float, weight_decay: float
    ) -> Optimizer:
        """What moves some parameters."""


@dataclass(repr=False)
class SGD(OptimizerPart):
    r"""Stochastic gradient descent with momentum.

    .. math:: v \leftarrow \mu v + g, \quad \theta \leftarrow \theta - \eta v
    """

    momentum: float = field(0.9, "share of the last step that goes on (mu)", low=0, below=1)
    nesterov: bool = field(False, "whether the gradient is that of where momentum leads")

    def build(
        self, parameters: Sequence[nn.Parameter], learning_rate: float, weight_decay: float
    ) -> SGDOptimizer:
        if self.nesterov and self.momentum == 0:
            raise InputError("nesterov=True needs momentum: set momentum above 0, such as 0.9.")
        return SGDOptimizer(parameters, learning_rate, weight_decay, self.momentum, self.nesterov)


@dataclass(repr=False)
class Adam(OptimizerPart):
    r"""Adam: adaptive moment estimation.

    .. math:: m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad
              v \leftarrow \beta_2 v + (1 - \beta_2) g^2, \quad
              \theta \leftarrow \theta - \eta \, \hat m / (\sqrt{\hat v} + \epsilon)

    Reference:
        D. P. Kingma and J. Ba, Adam: a method for stochastic optimization, ICLR 2015.
    """

    beta1: float = field(0.9, "share of the past in the mean of the gradients", low=0, below=1)
    beta2: float = field(0.999, "share of the past in the mean of their squares", low=0, below=1)
    epsilon: float = field(1e-8, "what is added to the root before it divides", above=0)

    def build(
        self, parameters: Sequence[nn.Parameter], learning_rate: float, weight_decay: float
    ) -> AdamOptimizer:
        return AdamOptimizer(
            parameters, learning_rate, weight_decay, (self.beta1, self.beta2), self.epsilon
        )


@dataclass(repr=False)
class AdamW(Adam):
    """Adam with weight decay that is taken off the weights themselves, not added to the gradients.

    Reference:
        I. Loshchilov and F. Hutter, Decoupled weight decay regularization, ICLR 2019.
    """

    def build(
        self, parameters: Sequence[nn.Parameter], learning_rate: float, weight_decay: float
    ) -> AdamWOptimizer:
        return AdamWOptimizer(
            parameters, learning_rate, weight_decay, (self.beta1, self.beta2), self.epsilon
        )


def make_optimizer(objective: Side, settings: TrainingSettings) -> Optimizer:
    """The optimiser that an objective has, or that the settings name, over its parameters."""
    if not objective.parameters:
        raise InputError("there is nothing to train: none of the parameters asks for a gradient.")
    own = objective.optimizer if isinstance(objective, Objective) else None
    part: OptimizerPart = part_of(
        cast("str | OptimizerPart", own or settings.optimizer), OPTIMIZERS
    )
    return part.build(
        objective.parameters,
        objective.learning_rate or settings.learning_rate,
        settings.weight_decay,
    )


def set_learning_rates(
    moves: Iterable[tuple[Side, Optimizer]], settings: TrainingSettings, share: float
) -> None:
    """Set the learning rates of a moment; ``share`` of the stage, from 0 to 1, is done."""
    if settings.schedule == "constant":
        return  # the rates stay as they were made: nothing to do at each of many small steps
    schedule: Schedule = part_of(settings.schedule, SCHEDULES)
    factor = schedule.factor(share)
    for objective, optimizer in moves:
        optimizer.learning_rate = factor * (objective.learning_rate or settings.learning_rate)
