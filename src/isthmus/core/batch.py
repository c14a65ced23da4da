"""What flows through every loss: some examples, and what is known of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Self

from torch import Tensor


class Batch(NamedTuple):
    """Some examples, ready for a module: scaled, and on its device.

    Attributes:
        x: the examples, ``(n, *shape)``.
        condition: what is known beside each, ``(n, c)``: its label as one-hot numbers, or
            covariates. Encoder, decoder and learnt priors see it.
        mask: of the shape of x, true where a value was observed. What was not is 0 in x, and is
            neither read nor charged. None: everything was.
        weight: how much each counts, ``(n,)``, 1 on the average of the training set. None: alike.
    """

    x: Tensor
    condition: Tensor | None = None
    mask: Tensor | None = None
    weight: Tensor | None = None

    @property
    def size(self) -> int:
        """How many examples there are."""
        return len(self.x)

    @property
    def tensors(self) -> list[Tensor]:
        """The tensors that are there."""
        return [part for part in self if part is not None]

    def observed(self, values: Tensor) -> Tensor:
        """Values of the shape of x, with 0 in place of those that were not observed."""
        return values if self.mask is None else values.masked_fill(~self.mask, 0.0)

    def with_tensors(self, tensors: Sequence[Tensor]) -> Self:
        """The same with other tensors, in the order of :attr:`tensors`."""
        remaining = iter(tensors)
        return self.each(lambda _: next(remaining))

    def each(self, change: Callable[[Tensor], Tensor]) -> Self:
        """The same batch with every tensor that is there changed, its rows staying in step."""
        beside = (None if part is None else change(part) for part in self[1:])
        return type(self)(change(self.x), *beside)
