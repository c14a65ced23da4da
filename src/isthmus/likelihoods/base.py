"""p(x | z): what a decoder's parameters say about the data.

Every likelihood gives −log p(x | z) as a **sum over the dimensions of one example, in nats**;
nothing is averaged or rescaled, so that distortion and rate add up to −ELBO.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor, nn

from isthmus.core.batch import Batch
from isthmus.core.example import ExampleSpec, Shape
from isthmus.core.parts import SlotPart
from isthmus.registry import LIKELIHOODS


class Likelihood(nn.Module, ABC):
    """A family of distributions over x, given the parameters that a decoder returns."""

    normalised: bool = True
    """Whether :meth:`nll` is a true −log density (or mass), so that an evidence bound can be made
    of it.
    """

    bins: int | None = None
    """How many values have a probability mass, which are then 0, 1/(bins − 1), …, 1; None for a
    density. Bits per dimension are those of masses.
    """

    counts: bool = False
    """Whether every whole number from 0 on has a probability mass."""

    def parameter_shape(self, shape: Shape) -> Shape:
        """The shape of the decoder's output for an example of ``shape``, with as many axes."""
        return shape

    def encoded(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Examples ``(n, *shape)`` as an encoder should see them; x itself for most."""
        return x

    def settle(self, examples: Batch) -> None:
        """Take from training examples what is not learnt by steps, before the first of them."""

    def sized(self, parameters: Tensor, seen: Batch | None = None) -> Tensor:
        """The decoder's output as the parameters of the methods below: mostly the same.

        A likelihood for which the size of an example is known beside z takes it from the examples
        that were ``seen``, of which there may be several draws one after another, and else takes
        what is typical.
        """
        return parameters

    @abstractmethod
    def each(self, parameters: Tensor, x: Tensor) -> Tensor:
        """−log p of every value in nats, ``(n, *shape)``; of ``(n, *parameter_shape)`` and x."""

    def nll(self, parameters: Tensor, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """−log p(x | parameters) in nats, ``(n,)``, of parameters ``(n, *parameter_shape)``.

        Where ``mask`` is false, a value was not observed, and costs nothing. Parameters of several
        draws, ``(s, n, *parameter_shape)``, give ``(s, n)``.
        """
        first = parameters.dim() - x.dim() + 1  # the first axis of an example
        axes = tuple(range(first, parameters.dim()))
        each = self.each(parameters, x.expand(*parameters.shape[:first], *x.shape[1:]))
        return (each if mask is None else each.masked_fill(~mask, 0.0)).sum(axes)

    @abstractmethod
    def mean(self, parameters: Tensor) -> Tensor:
        """The expected x, ``(n, *shape)``."""

    @abstractmethod
    def parameters_for(self, mean: Tensor) -> Tensor:
        """The inverse of :meth:`mean`: parameters ``(..., *parameter_shape)`` of an expected x."""

    @abstractmethod
    def draw(self, parameters: Tensor) -> Tensor:
        """One x drawn from p(x | parameters), ``(n, *shape)``."""


@dataclass(repr=False)
class LikelihoodPart(SlotPart, ABC):
    """A likelihood as it is chosen: its settings, from which :meth:`build` makes the module."""

    @property
    def required_bins(self) -> int | None:
        """How many values 0, 1/(bins − 1), …, 1 the data may have; None where any will do."""
        return None

    @property
    def requires_counts(self) -> bool:
        """Whether the data must be whole numbers from 0 on, which are left unscaled."""
        return False

    def accepts(self, spec: ExampleSpec) -> str | None:
        """What it needs of the data, where they do not have it; None where they fit."""
        return None

    def build(self, spec: ExampleSpec) -> Likelihood:
        """The module for such examples.

        Raises:
            InputError: for fields that cannot be used.
        """
        self.validate()
        return self._module(spec)

    @abstractmethod
    def _module(self, spec: ExampleSpec) -> Likelihood:
        """What :meth:`build` gives, from fields that were checked."""


def that_fit(spec: ExampleSpec) -> list[str]:
    """The names of the likelihoods that fit such examples."""
    return [name for name in LIKELIHOODS if LIKELIHOODS[name]().accepts(spec) is None]


def logits(mean: Tensor) -> Tensor:
    """The inverse of the sigmoid, kept finite: a mean of 0 or 1 counts as 0.001 away from it."""
    return mean.clamp(1e-3, 1 - 1e-3).logit()
