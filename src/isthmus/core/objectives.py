"""What training is made of: stages one after another, with objectives that move in turns."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from isthmus.core.batch import Batch
from isthmus.core.forward import Pass
from isthmus.core.parts import SlotPart


@dataclass(frozen=True)
class Loss:
    """The cost of some examples, each by itself.

    Attributes:
        objective: what training minimises the mean of, ``(n,)``.
        terms: its parts without weights, in nats per example (squared units where the likelihood is
            the squared error), each ``(n,)``; an autoencoder's ``"distortion"`` is there wherever
            something was decoded, and always where nothing is trained.
        made: the forward pass that was judged, which adversaries look at; None where none is kept.
    """

    objective: Tensor
    terms: Mapping[str, Tensor]
    made: Pass | None = None


class Batches(Protocol):
    """What the loop trains on: examples that are handed out in batches, ready for the module."""

    def __len__(self) -> int:
        """How many examples there are."""

    def batch(self, rows: Tensor) -> Batch:
        """The examples of some rows: ``ready(stored(rows))``."""

    def stored(self, rows: Tensor) -> Batch:
        """The same examples as they are kept."""

    def ready(self, stored: Batch) -> Batch:
        """What is kept, as the module takes it; nothing but operations on tensors."""

    def chunks(self, size: int | None = None) -> Iterator[Batch]:
        """All examples in their order."""

    def order(self, seed: int, epoch: int) -> Tensor | None:
        """The rows of an epoch in an order of their own, ``(n,)``; None where any will do."""

    def expect(self, batches: Sequence[Tensor]) -> None:
        """Learn which rows will be asked for next, so that slow ones can be read ahead."""


@dataclass(frozen=True)
class Objective:
    """One side of training: parameters, and the loss that they make small.

    Attributes:
        parameters: what this objective moves; the loop leaves all others alone while it does.
        loss: from a batch to its cost.
        learning_rate: its own step size; None takes the one of the settings.
        optimizer: its own optimiser, a name or a part; None takes the one of the settings.
    """

    parameters: tuple[nn.Parameter, ...]
    loss: Callable[[Batch], Loss]
    learning_rate: float | None = None
    optimizer: str | SlotPart | None = None


@dataclass(frozen=True)
class Adversary:
    """A side that plays against the objective before it, and looks at the pass that this one made.

    Attributes:
        parameters: what it moves, right after the other side has moved.
        loss: from that pass, through which no gradient flows, to its cost.
        learning_rate: its own step size; None takes the one of the settings.
        chance: each term of its loss where it cannot tell its two sides apart, in nats.
    """

    parameters: tuple[nn.Parameter, ...]
    loss: Callable[[Pass], Loss]
    learning_rate: float | None = None
    chance: float = 2 * math.log(2)


Side = Objective | Adversary
"""Who moves in a step, and by which loss."""


@runtime_checkable
class HasAdversaries(Protocol):
    """A part of a member (bottleneck, likelihood, loss function) that is played against."""

    def adversaries(self, module: Any) -> tuple[Adversary, ...]:
        """Who plays against the autoencoder, with parameters of this part."""


@dataclass(frozen=True)
class Stage:
    """A stage of training, with its own optimisers.

    Attributes:
        epochs: how long it lasts.
        objectives: who moves, in their order within a step. The first one's objective is the one
            that is shown, measured on validation examples, and compared by early stopping.
        prepare: a look at the training examples before the first step.
        refresh: a look at them before every epoch.
        resume: a look at them where training is taken up within an epoch, in place of ``refresh``.
        targets: from rows of the training examples to what the loss wants of each, ``(n, …)``,
            which their batches carry; None where x itself is all that is wanted.
    """

    epochs: int
    objectives: tuple[Side, ...]
    prepare: Callable[[Batches], None] | None = None
    refresh: Callable[[Batches], None] | None = None
    resume: Callable[[Batches], None] | None = None
    targets: Callable[[Tensor], Tensor] | None = None


class TrainableModule(nn.Module, ABC):
    """What the loop can train: a module with a loss of a batch."""

    @abstractmethod
    def loss(self, batch: Batch) -> Loss:
        """What a batch costs, per example."""

    def objectives(self) -> tuple[Side, ...]:
        """Who moves in a step; most modules have one objective, with all parameters."""
        return (Objective(tuple(self.parameters()), self.loss),)

    def anneal(self, epoch: float) -> None:
        """Set what changes in a stage; ``epoch`` counts its finished epochs, with fractions."""

    def close_epoch(self) -> dict[str, float]:
        """Look back on an epoch of training; gives what to add to its row in the history.

        Unused units may be renewed here.
        """
        return {}
