"""Black or white: independent Bernoulli variables."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from isthmus.core.example import Shape
from isthmus.likelihoods.base import Likelihood, LikelihoodPart, logits


class BernoulliLikelihood(Likelihood):
    r"""Independent Bernoulli variables, given by their logits; for targets in [0, 1].

    .. math:: -\log p(x \mid z) = -\sum_i x_i \log p_i + (1 - x_i) \log (1 - p_i)

    For grey values between 0 and 1 this is the cross-entropy, whose least value is the entropy of
    the grey values and not 0. A mass, of which bits can be told, it is for 0 and 1 alone.
    """

    bins = 2

    def each(self, parameters: Tensor, x: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            return F.binary_cross_entropy_with_logits(parameters, x, reduction="none")
        # The same in two passes over memory; torch's takes seven, and is the faster one with its
        # gradient.
        return F.softplus(parameters).addcmul_(parameters, x, value=-1)

    def mean(self, parameters: Tensor) -> Tensor:
        return parameters.sigmoid()

    def parameters_for(self, mean: Tensor) -> Tensor:
        return logits(mean)

    def draw(self, parameters: Tensor) -> Tensor:
        return torch.bernoulli(parameters.sigmoid())


@dataclass(repr=False)
class Bernoulli(LikelihoodPart):
    r"""Independent Bernoulli variables, for values in [0, 1].

    .. math:: -\log p(x \mid z) = -\sum_i x_i \log p_i + (1 - x_i) \log (1 - p_i)

    See :class:`BernoulliLikelihood`, which it builds.
    """

    def accepts(self, unit_range: bool) -> str | None:
        return None if unit_range else "needs values in [0, 1]: pass scaling='minmax'"

    def _module(self, shape: Shape, unit_range: bool) -> BernoulliLikelihood:
        return BernoulliLikelihood()
