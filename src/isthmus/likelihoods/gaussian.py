"""Real values: independent Gaussians, and the squared error, which is no probability."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from isthmus.core.bounds import bounded
from isthmus.core.example import ExampleSpec, Shape
from isthmus.core.fields import field
from isthmus.likelihoods.base import Likelihood, LikelihoodPart, logits

_LEAST = -6.0  # the logarithm of a scale that is learnt: below it, gradients would blow up


class GaussianLikelihood(Likelihood):
    r"""Independent Gaussians of one common scale, or one for each value, fixed or learnt.

    .. math:: -\log p(x \mid z) = \sum_i \frac{(x_i - \mu_i)^2}{2 \sigma^2} + \log \sigma
              + \tfrac12 \log 2\pi

    Args:
        scale: σ in units of x (after scaling), taken as it is; None learns it, starting at 1 and
            kept above e⁻⁶.
        unit_range: whether the mean is squashed into (0, 1).
        shape: of σ, which broadcasts to an example: ``(columns,)`` for one each a column.
    """

    def __init__(
        self, scale: float | None = None, unit_range: bool = False, shape: Shape = ()
    ) -> None:
        super().__init__()
        self.unit_range = unit_range
        self.least = _LEAST if scale is None else -math.inf
        start = torch.full(shape, 0.0 if scale is None else math.log(scale))
        if scale is None:
            self.log_scale = nn.Parameter(start)
        else:
            self.register_buffer("log_scale", start)

    def each(self, parameters: Tensor, x: Tensor) -> Tensor:
        log_scale = self.log_scale.clamp(min=self.least)
        squares = F.mse_loss(self.mean(parameters), x, reduction="none")
        return 0.5 * squares * (-2 * log_scale).exp() + (log_scale + 0.5 * math.log(2 * math.pi))

    def mean(self, parameters: Tensor) -> Tensor:
        return parameters.sigmoid() if self.unit_range else parameters

    def parameters_for(self, mean: Tensor) -> Tensor:
        return logits(mean) if self.unit_range else mean

    def draw(self, parameters: Tensor) -> Tensor:
        mean = self.mean(parameters)
        return mean + self.log_scale.clamp(min=self.least).exp() * torch.randn_like(mean)


class SquaredErrorLikelihood(Likelihood):
    r"""The plain squared error, :math:`\sum_i (x_i - \hat x_i)^2`, which is no probability.

    Up to a constant it is a Gaussian of variance ½. It is no density, so no evidence bound is made
    of it.

    Args:
        unit_range: whether the mean is squashed into (0, 1).
        clipped: whether it is cut off at 0 and 1.
    """

    normalised = False

    def __init__(self, unit_range: bool = False, clipped: bool = False) -> None:
        super().__init__()
        self.unit_range, self.clipped = unit_range, clipped

    def each(self, parameters: Tensor, x: Tensor) -> Tensor:
        # one pass each way, and not three
        return F.mse_loss(self.mean(parameters), x, reduction="none")

    def mean(self, parameters: Tensor) -> Tensor:
        if self.clipped:
            return bounded(parameters, 0.0, 1.0)
        return parameters.sigmoid() if self.unit_range else parameters

    def parameters_for(self, mean: Tensor) -> Tensor:
        return logits(mean) if self.unit_range else mean

    def draw(self, parameters: Tensor) -> Tensor:
        return self.mean(parameters)


@dataclass(repr=False)
class Gaussian(LikelihoodPart):
    r"""Independent Gaussians of one common scale, fixed or learnt with the weights.

    .. math:: -\log p(x \mid z) = \sum_i \frac{(x_i - \mu_i)^2}{2 \sigma^2} + \log \sigma
              + \tfrac12 \log 2\pi

    See :class:`GaussianLikelihood`, which it builds. Learnt, σ² becomes the mean squared error, and
    a VAE weighs distortion against rate by it, without a β: the σ-VAE.

    Reference:
        O. Rybkin, K. Daniilidis and S. Levine, Simple and effective VAE training with calibrated
        decoders, ICML 2021 (a learnt scale).
    """

    scale: float | None = field(
        None, "standard deviation, in units of x after scaling; none: learnt", above=0
    )
    output: str = field(
        "auto",
        "last activation; 'auto' is sigmoid for data in [0, 1]",
        choices=("auto", "linear", "sigmoid"),
    )

    def _module(self, spec: ExampleSpec) -> GaussianLikelihood:
        return GaussianLikelihood(self.scale, _squashes(self.output, spec))


@dataclass(repr=False)
class SquaredError(LikelihoodPart):
    r"""The plain squared error, which is no probability: :math:`\sum_i (x_i - \hat x_i)^2`.

    See :class:`SquaredErrorLikelihood`, which it builds.
    """

    output: str = field(
        "auto",
        "last activation; 'auto' is sigmoid for data in [0, 1]; 'clipped' is linear, and cut off at"
        " 0 and 1",
        choices=("auto", "linear", "sigmoid", "clipped"),
    )

    def _module(self, spec: ExampleSpec) -> SquaredErrorLikelihood:
        return SquaredErrorLikelihood(_squashes(self.output, spec), self.output == "clipped")


def _squashes(output: str, spec: ExampleSpec) -> bool:
    """Whether the mean is squashed into (0, 1), by the last activation that was asked for."""
    return spec.unit_range if output == "auto" else output == "sigmoid"
