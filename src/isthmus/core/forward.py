"""What one way through an autoencoder makes, from the code to the parameters of the likelihood."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from torch import Tensor

from isthmus.core.batch import Batch
from isthmus.core.example import Shape


class Point(NamedTuple):
    """What a deterministic encoder says of an example: one code, ``z: (n, *code_shape)``."""

    z: Tensor


@dataclass(frozen=True)
class Code:
    """What the bottleneck passes on while a loss is computed.

    Attributes:
        z: what the decoder gets, ``(n, *passed_shape)``.
        penalty: what the bottleneck adds to the objective, weighted, ``(n,)``; None adds nothing.
        terms: what it reports, unweighted, each ``(n,)``.
    """

    z: Tensor
    penalty: Tensor | None = None
    terms: Mapping[str, Tensor] = field(default_factory=dict)


class Level(NamedTuple):
    """Integer codes of one level: a grid of indices, and how many entries they choose from."""

    grid: Shape
    size: int


@dataclass(frozen=True)
class Pass:
    """What one forward pass made, for whatever judges it: losses, penalties, adversaries.

    Attributes:
        batch: the examples, as they were before any damage.
        features: what the encoder made.
        code: what the bottleneck passed on.
        parameters: what the decoder says of x, ``(n, *parameter_shape)``.
    """

    batch: Batch
    features: Tensor
    code: Code
    parameters: Tensor

    @property
    def size(self) -> int:
        """How many examples went through."""
        return self.batch.size

    @property
    def weight(self) -> Tensor | None:
        """How much each of them counts, ``(n,)``."""
        return self.batch.weight

    @property
    def made(self) -> list[Tensor]:
        """What the pass made, without its gradients: features, code and parameters."""
        return [made.detach() for made in (self.features, self.code.z, self.parameters)]

    @property
    def tensors(self) -> list[Tensor]:
        """The tensors of the batch, and what was made of it."""
        return [*self.batch.tensors, *self.made]

    def with_tensors(self, tensors: Sequence[Tensor]) -> Pass:
        """The same with other tensors, in the order of :attr:`tensors`."""
        *given, features, z, parameters = tensors
        return Pass(self.batch.with_tensors(given), features, Code(z), parameters)
