"""What flows through every loss: some examples, and what is known of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Self

import torch
from torch import Tensor

from isthmus.core.example import Shape


class Batch(NamedTuple):
    """Some examples, ready for a module: scaled, and on its device.

    Attributes:
        x: the examples, ``(n, *shape)``.
        condition: what is known beside each, ``(n, c)``: its label as one-hot numbers, or
            covariates. Encoder, decoder and learnt priors see it.
        mask: of the shape of x, true where a value was observed. In place of what was not x holds
            what says nothing, 0 or the mean of the training examples; it is not charged. None:
            everything was.
        weight: how much each counts, ``(n,)``, 1 on the average of the training set. None: alike.
        target: what a stage of training wants of each, ``(n, …)``, beside x itself; see
            :attr:`isthmus.core.objectives.Stage.targets`.
        label: the class of each, ``(n, classes)``, as one-hot numbers, for members that learn to
            tell classes; zeros for an example without one. None: no labels at all.
    """

    x: Tensor
    condition: Tensor | None = None
    mask: Tensor | None = None
    weight: Tensor | None = None
    target: Tensor | None = None
    label: Tensor | None = None

    @property
    def size(self) -> int:
        """How many examples there are."""
        return self.x.shape[0]

    @property
    def tensors(self) -> list[Tensor]:
        """The tensors that are there."""
        return [part for part in self if part is not None]

    def observed(self, values: Tensor) -> Tensor:
        """Values of the shape of x, with what x holds in place of those that were not observed."""
        return values if self.mask is None else values.where(self.mask, self.x)

    def filled(self, values: Tensor) -> Tensor:
        """x, with values of its shape in place of those that were not observed."""
        return self.x if self.mask is None else self.x.where(self.mask, values)

    def averaged(self, values: Tensor, shape: Shape) -> Tensor:
        """The mean of values of the shape of x where x was observed, by the weights of examples.

        It has a ``shape`` that broadcasts to an example, with one mean for all that shares a number
        of it. It is 0 where nothing was observed.
        """
        counted = torch.ones_like(self.x) if self.mask is None else self.mask.to(self.x)
        if self.weight is not None:
            counted = counted * self.weight.view(-1, *[1] * (self.x.dim() - 1))
        sums, counts = (
            each.sum(0).sum_to_size(shape) if shape else each.sum()
            for each in (values * counted, counted)
        )
        return sums / counts.clamp(min=torch.finfo(counts.dtype).tiny)

    def with_tensors(self, tensors: Sequence[Tensor]) -> Self:
        """The same with other tensors, in the order of :attr:`tensors`."""
        remaining = iter(tensors)
        return self.each(lambda _: next(remaining))

    def each(self, change: Callable[[Tensor], Tensor]) -> Self:
        """The same batch with every tensor that is there changed, its rows staying in step."""
        beside = (None if part is None else change(part) for part in self[1:])
        return type(self)(change(self.x), *beside)
