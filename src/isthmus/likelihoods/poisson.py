"""Counts whose variance is their mean: independent Poisson variables."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from isthmus.core.example import ExampleSpec
from isthmus.likelihoods.counts import CountLikelihood, CountPart, scale_shape, widened


class PoissonLikelihood(CountLikelihood):
    r"""Independent Poisson variables, given by the logarithms of their rates; for counts.

    .. math:: -\log p(x \mid z) = \sum_i \lambda_i - x_i \log \lambda_i + \log x_i!

    It is computed in float64, so that counts in the millions lose nothing. See
    :class:`~isthmus.likelihoods.counts.CountLikelihood` for the rates and the arguments.

    Example:
        >>> import torch
        >>> import isthmus as ist
        >>> counts = ist.likelihoods.PoissonLikelihood()
        >>> counts.nll(torch.tensor([[3.0]]).log(), torch.tensor([[2.0]]))
        tensor([1.4959])
    """

    def each(self, parameters: Tensor, x: Tensor) -> Tensor:
        log_rate, counted = widened(self._log_rate(parameters)), widened(x)
        nats = log_rate.exp() - counted * log_rate + (counted + 1).lgamma()
        return nats.to(parameters.dtype)

    def draw(self, parameters: Tensor) -> Tensor:
        return torch.poisson(self.mean(parameters))


@dataclass(repr=False)
class Poisson(CountPart):
    r"""Independent Poisson variables, for counts whose variance is their mean.

    .. math:: -\log p(x \mid z) = \sum_i \lambda_i - x_i \log \lambda_i + \log x_i!

    See :class:`PoissonLikelihood`, which it builds.
    """

    def _module(self, spec: ExampleSpec) -> PoissonLikelihood:
        return PoissonLikelihood(scale_shape(spec), self.library)
