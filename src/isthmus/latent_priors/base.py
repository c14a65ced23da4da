"""What every prior offers that is part of the model, and learns with its weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from isthmus.core.example import Shape
from isthmus.core.parts import SlotPart
from isthmus.posteriors.base import Posterior


class LatentPrior(nn.Module, ABC):
    """A distribution p(z) over codes, by which a bound charges them while it is trained."""

    code_shape: Shape
    """The shape of the code of one example."""
    starts_from_examples: bool = False
    """Whether :meth:`start` looks at training examples before the first step."""
    examples_to_start: int = 0
    """How many of them it wants to see."""

    @abstractmethod
    def log_prob(self, z: Tensor) -> Tensor:
        """log p of codes ``(..., *code_shape)``, ``(...)``, in nats."""

    @abstractmethod
    def sample(self, n: int, temperature: float = 1.0) -> Tensor:
        """n codes, ``(n, *code_shape)``, by torch's random state; below a ``temperature`` of 1
        closer to what is likely.
        """

    def kl(self, chosen: Any) -> Tensor | None:
        """KL(q(z | x) ‖ p(z)) of posteriors, ``(n,)``, in nats; None where no formula is known."""
        return None

    def attach(self, encoder: Callable[[Tensor], Tensor], family: Posterior, shape: Shape) -> None:
        """Take note of what makes posteriors of examples ``(n, *shape)``, for priors made of such:
        the encoder, and the family.

        Raises:
            InputError: where they are no use to this prior.
        """

    def start(self, seen: Tensor) -> None:
        """Start from training examples as the encoder sees them, ``(n, *shape)``."""


@dataclass(repr=False)
class LatentPriorPart(SlotPart, ABC):
    """A prior as it is chosen: its settings, from which :meth:`build` makes the module."""

    def build(self, code_shape: Shape) -> LatentPrior:
        """The module for codes of a shape.

        Raises:
            InputError: for fields that cannot be used.
        """
        self.validate()
        return self._module(code_shape)

    @abstractmethod
    def _module(self, code_shape: Shape) -> LatentPrior:
        """What :meth:`build` gives, from fields that were checked."""
