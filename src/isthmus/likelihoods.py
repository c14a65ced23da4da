"""p(x | z): what a decoder's parameters say about the data.

Every likelihood gives −log p(x | z) as a **sum over the dimensions of one example, in nats**; nothing is averaged
or rescaled, so that distortion and rate add up to −ELBO.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Shape = tuple[int, ...]


class Likelihood(nn.Module, ABC):
    """A family of distributions over x, given the parameters that a decoder puts out."""

    normalised: bool = True
    """Whether :meth:`nll` is a true −log density (or mass), so that an evidence bound can be made of it."""

    padded: bool = False
    """Whether NaN marks what an example does not have (the steps behind the end of a sequence); it costs nothing."""

    def parameter_shape(self, shape: Shape) -> Shape:
        """The shape that the decoder must put out for one example of ``shape``."""
        return shape

    @abstractmethod
    def each(self, parameters: Tensor, x: Tensor) -> Tensor:
        """−log p of every value in nats, ``(n, *shape)``, from two tensors of that shape."""

    def nll(self, parameters: Tensor, x: Tensor) -> Tensor:
        """−log p(x | parameters) in nats, ``(n,)``, from two tensors of shape ``(n, *shape)``.

        Parameters of several draws, ``(s, n, *shape)``, give ``(s, n)``.
        """
        axes, x = range(parameters.dim() - x.dim() + 1, parameters.dim()), x.expand_as(parameters)
        if not self.padded:
            return self.each(parameters, x).sum(tuple(axes))
        return self.each(parameters, x.nan_to_num()).masked_fill(x.isnan(), 0.0).sum(tuple(axes))

    @abstractmethod
    def mean(self, parameters: Tensor) -> Tensor:
        """The expected x, ``(n, *shape)``."""

    @abstractmethod
    def parameters_for(self, mean: Tensor) -> Tensor:
        """The inverse of :meth:`mean`: the parameters, of the same shape, whose expected x is given."""

    @abstractmethod
    def draw(self, parameters: Tensor) -> Tensor:
        """One x drawn from p(x | parameters), ``(n, *shape)``."""


class Bernoulli(Likelihood):
    r"""Independent Bernoulli variables, given by their logits; for targets in [0, 1].

    .. math:: -\log p(x \mid z) = -\sum_i x_i \log p_i + (1 - x_i) \log (1 - p_i)

    For grey values between 0 and 1 this is the cross-entropy, whose least value is the entropy of the grey values
    and not 0.
    """

    def each(self, parameters: Tensor, x: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            return F.binary_cross_entropy_with_logits(parameters, x, reduction="none")
        # The same in two passes over memory; torch's takes seven, and is the faster one with its gradient.
        return F.softplus(parameters).addcmul_(parameters, x, value=-1)

    def mean(self, parameters: Tensor) -> Tensor:
        return parameters.sigmoid()

    def parameters_for(self, mean: Tensor) -> Tensor:
        return logits(mean)

    def draw(self, parameters: Tensor) -> Tensor:
        return torch.bernoulli(parameters.sigmoid())


class Gaussian(Likelihood):
    r"""Independent Gaussians of one common scale, fixed or learnt with the weights.

    .. math:: -\log p(x \mid z) = \sum_i \frac{(x_i - \mu_i)^2}{2 \sigma^2} + \log \sigma + \tfrac12 \log 2\pi

    Args:
        scale: σ in units of x (after scaling); None learns it, starting at 1 and kept above e⁻⁶.
        unit_range: whether the mean is squashed into (0, 1).
    """

    def __init__(self, scale: float | None = None, unit_range: bool = False) -> None:
        super().__init__()
        self.unit_range = unit_range
        start = torch.tensor(0.0 if scale is None else math.log(scale))
        if scale is None:
            self.log_scale = nn.Parameter(start)
        else:
            self.register_buffer("log_scale", start)

    def each(self, parameters: Tensor, x: Tensor) -> Tensor:
        log_scale = self.log_scale.clamp(min=-6.0)
        squares = F.mse_loss(self.mean(parameters), x, reduction="none")
        return 0.5 * squares * (-2 * log_scale).exp() + (log_scale + 0.5 * math.log(2 * math.pi))

    def mean(self, parameters: Tensor) -> Tensor:
        return parameters.sigmoid() if self.unit_range else parameters

    def parameters_for(self, mean: Tensor) -> Tensor:
        return logits(mean) if self.unit_range else mean

    def draw(self, parameters: Tensor) -> Tensor:
        mean = self.mean(parameters)
        return mean + self.log_scale.clamp(min=-6.0).exp() * torch.randn_like(mean)


class SquaredError(Likelihood):
    r"""The plain squared error, for members that want no probability: :math:`\sum_i (x_i - \hat x_i)^2`.

    Up to a constant it is a Gaussian of variance ½. It is no density, so no evidence bound is made of it.
    """

    normalised = False

    def __init__(self, unit_range: bool = False) -> None:
        super().__init__()
        self.unit_range = unit_range

    def each(self, parameters: Tensor, x: Tensor) -> Tensor:
        return F.mse_loss(self.mean(parameters), x, reduction="none")  # one pass each way, and not three

    def mean(self, parameters: Tensor) -> Tensor:
        return parameters.sigmoid() if self.unit_range else parameters

    def parameters_for(self, mean: Tensor) -> Tensor:
        return logits(mean) if self.unit_range else mean

    def draw(self, parameters: Tensor) -> Tensor:
        return self.mean(parameters)


def logits(mean: Tensor) -> Tensor:
    """The inverse of the sigmoid, kept finite: a mean of 0 or 1 counts as 0.001 away from it."""
    return mean.clamp(1e-3, 1 - 1e-3).logit()


def squared_error(a: Tensor, b: Tensor) -> Tensor:
    """The squared distance of each example of ``a`` to its counterpart in ``b``, ``(n,)``."""
    return sum_dimensions((a - b).square())


def sum_dimensions(values: Tensor) -> Tensor:
    """Sum everything but the first dimension: ``(n, *shape)`` to ``(n,)``."""
    return values.flatten(1).sum(1)


def full(values: Tensor) -> Tensor:
    """At least float32: sums over thousands of dimensions must not run in the half precision of a network."""
    return values.float() if values.dtype in (torch.bfloat16, torch.float16) else values
