"""What likelihoods of counts share: rates by their logarithms, and the size of an example."""

from __future__ import annotations

import math
from abc import ABC
from dataclasses import dataclass

import torch
from torch import Tensor

from isthmus.core.batch import Batch
from isthmus.core.example import ExampleSpec, Shape
from isthmus.core.fields import field
from isthmus.likelihoods.base import Likelihood, LikelihoodPart

_STEEP = 20.0  # from e²⁰ times what is typical on, a rate grows in a straight line
_LEAST = 1e-4  # the mean that stands for what was never counted


class CountLikelihood(Likelihood, ABC):
    r"""Counts, whole numbers from 0 on, given by the logarithms of their rates λ.

    .. math:: \lambda_i = t_i \, e^{\eta_i} \qquad\text{or, under library,}\qquad
              \lambda_i = \ell \, \frac{e^{\eta_i}}{\sum_j e^{\eta_j}}

    where η is what the decoder puts out, t what is typical, and the library size
    :math:`\ell = \sum_j x_j` how much was counted in the example: the decoder then says the
    composition alone. Only observed values stand in both sums. t, and the ℓ of examples that were
    not seen, are the means of the training examples (:meth:`settle`), and 1 before. An encoder sees
    log (1 + x).

    Under library, :meth:`sized` makes logarithms of rates of what a decoder puts out, and the other
    methods take these.

    Args:
        shape: the shape of t, which broadcasts to an example; by default and for an image, one
            number for all values.
        library: whether rates are shares of the library size.

    Reference:
        R. Lopez, J. Regier, M. B. Cole, M. I. Jordan and N. Yosef, Deep generative modeling for
        single-cell transcriptomics, Nature Methods 2018.
    """

    def __init__(self, shape: Shape = (), library: bool = False) -> None:
        super().__init__()
        self.library = library
        self.counts = not library  # the mass of x given ℓ is none of x alone
        is_one = library or len(shape) == 3  # an image has one scale
        self.register_buffer("log_typical", torch.zeros(() if is_one else shape))
        self.log_typical: Tensor

    def encoded(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return x.clamp(min=0).log1p()

    @torch.no_grad()
    def settle(self, examples: Batch) -> None:
        shape = tuple(examples.x.shape[1:] if self.library else self.log_typical.shape)
        mean = examples.averaged(examples.x, shape)
        self.log_typical.copy_((mean.sum() if self.library else mean).clamp(min=_LEAST).log())

    def sized(self, parameters: Tensor, seen: Batch | None = None) -> Tensor:
        if not self.library:
            return parameters
        axes = tuple(range(1, parameters.dim()))
        if seen is None:
            return parameters - parameters.logsumexp(axes, keepdim=True) + self.log_typical
        drawn = parameters.unflatten(0, (-1, seen.size))  # (draws, n, *shape)
        observed = drawn
        if seen.mask is not None:  # of an example without any value, all count
            shown = seen.mask | ~seen.mask.any(axes, keepdim=True)
            observed = drawn.masked_fill(~shown, -math.inf)
        shares = drawn - observed.logsumexp([1 + axis for axis in axes], keepdim=True)
        counted = seen.x if seen.mask is None else seen.x.masked_fill(~seen.mask, 0.0)
        size = counted.sum(axes, keepdim=True).clamp(min=_LEAST)
        return (shares + size.log()).flatten(0, 1)

    def mean(self, parameters: Tensor) -> Tensor:
        return self._log_rate(parameters).exp()

    def parameters_for(self, mean: Tensor) -> Tensor:
        log_rate = mean.clamp(min=_LEAST).log()
        return log_rate if self.library else log_rate - self.log_typical

    def _log_rate(self, parameters: Tensor) -> Tensor:
        if self.library:
            return parameters
        beyond = (parameters - _STEEP).clamp(min=0)
        return parameters.clamp(max=_STEEP) + beyond.log1p() + self.log_typical


@dataclass(repr=False)
class CountPart(LikelihoodPart, ABC):
    """The choice of a likelihood of counts."""

    library: bool = field(
        False,
        "whether rates are shares of the library size, which is all that was counted in an example",
    )

    @property
    def requires_counts(self) -> bool:
        return True

    def accepts(self, spec: ExampleSpec) -> str | None:
        if spec.support in ("count", "binary"):
            return None
        return "needs whole numbers from 0 on: give counts"


def scale_shape(spec: ExampleSpec) -> Shape:
    """The shape of what differs by the unit of a value, and broadcasts to an example.

    It is one number a column of a table, a channel of a signal, a feature of a sequence, and a
    value of an image.
    """
    match spec.kind:
        case "signal":
            return (spec.shape[0], 1)
        case "sequence":
            return spec.shape[-1:]
        case _:
            return spec.shape


def widened(values: Tensor) -> Tensor:
    """The same in float64, where large logarithms may cancel; mps has none."""
    return values if values.device.type == "mps" else values.double()
