"""Black or white: independent Bernoulli variables, and what lies outside [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

from isthmus.core.example import ExampleSpec
from isthmus.likelihoods.base import Likelihood, LikelihoodPart, logits


class BernoulliLikelihood(Likelihood):
    r"""Independent Bernoulli variables, given by their logits; for targets in [0, 1].

    .. math:: -\log p(x \mid z) = -\sum_i x_i \log p_i + (1 - x_i) \log (1 - p_i)

    For grey values between 0 and 1 this is the cross-entropy, whose least value is the entropy of
    the grey values and not 0. A mass, of which bits can be told, it is for 0 and 1 alone.

    Outside [0, 1] there is no probability, and the formula above would reward what lies far out. A
    value at a distance d from the nearest end costs what that end costs, and :math:`-d \log p (1 -
    p)` more. For every real x this is

    .. math:: \max(1, |2 x - 1|) \, \log(1 + e^l) - |x| \, l, \qquad l = \log \frac{p}{1 - p},

    which is continuous and convex in x, is the cross-entropy within [0, 1], and grows outwards:
    a distance of 1 costs more than any value within.
    """

    bins = 2

    def each(self, parameters: Tensor, x: Tensor) -> Tensor:
        if _may_lie_outside(x):
            stretch = (2 * x - 1).abs_().clamp_(min=1)
            return torch.addcmul(F.softplus(parameters) * stretch, parameters, x.abs(), value=-1)
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


def _may_lie_outside(x: Tensor) -> bool:
    """Whether any value lies outside [0, 1], or nobody can look.

    Looking at values would wait for another device, and cannot be recorded in a compiled step.
    """
    if x.device.type != "cpu" or is_in_torch_dispatch_mode():
        return True
    low, high = x.aminmax()
    return bool(low < 0) or bool(high > 1)


@dataclass(repr=False)
class Bernoulli(LikelihoodPart):
    r"""Independent Bernoulli variables, for values in [0, 1].

    .. math:: -\log p(x \mid z) = -\sum_i x_i \log p_i + (1 - x_i) \log (1 - p_i)

    See :class:`BernoulliLikelihood`, which it builds.
    """

    def accepts(self, spec: ExampleSpec) -> str | None:
        return None if spec.unit_range else "needs values in [0, 1]: pass scaling='minmax'"

    def _module(self, spec: ExampleSpec) -> BernoulliLikelihood:
        return BernoulliLikelihood()
