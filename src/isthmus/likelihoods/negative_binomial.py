"""Counts that vary more than a Poisson variable does: independent negative binomial variables."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from isthmus.core.example import ExampleSpec, Shape
from isthmus.likelihoods.counts import (
    CountLikelihood,
    CountPart,
    scale_shape,
    widened,
)

_WIDEST = 20.0  # of the logarithm of an inverse dispersion
_PACE = 10.0  # how much faster than weights it is learnt: it has further to go


class NegativeBinomialLikelihood(CountLikelihood):
    r"""Independent negative binomial variables of mean λ and inverse dispersion θ; for counts.

    .. math:: -\log p(x \mid z) = -\sum_i \log \frac{\Gamma(x_i + \theta_i)}{\Gamma(\theta_i) \,
              x_i!} + \theta_i \log \frac{\theta_i}{\theta_i + \lambda_i}
              + x_i \log \frac{\lambda_i}{\theta_i + \lambda_i}

    It is a Poisson variable whose rate follows a gamma distribution. The variance is
    :math:`\lambda + \lambda^2 / \theta`; for a large θ it is the Poisson variable itself. θ is
    learnt for every value, or for those that share one, and does not depend on z; it starts at 1,
    and moves ten times as fast as a weight. It is computed in float64, so that large counts and a
    large θ lose nothing.

    Args:
        shape: of θ and of what is typical, which broadcasts to an example: ``(columns,)`` for one
            each a column.
        library: whether rates are shares of the library size, see
            :class:`~isthmus.likelihoods.counts.CountLikelihood`.

    Example:
        >>> import torch
        >>> import isthmus as ist
        >>> counts = ist.likelihoods.NegativeBinomialLikelihood((2,))
        >>> counts.nll(torch.zeros(1, 2), torch.tensor([[0.0, 3.0]])).detach()  # 1/2 · 1/16
        tensor([3.4657])
    """

    def __init__(self, shape: Shape = (), library: bool = False) -> None:
        super().__init__(shape, library)
        self.paced = nn.Parameter(torch.zeros(shape))  # (log θ) / 10

    @property
    def inverse_dispersion(self) -> Tensor:
        """θ, of the shape that was given."""
        return self._log_inverse_dispersion.exp()

    def each(self, parameters: Tensor, x: Tensor) -> Tensor:
        log_rate, counted = widened(self._log_rate(parameters)), widened(x)
        log_theta = widened(self._log_inverse_dispersion)
        theta = log_theta.exp()
        total = counted + theta
        choices = (counted + 1).lgamma() + theta.lgamma() - total.lgamma()
        shares = total * torch.logaddexp(log_rate, log_theta)
        nats = choices + shares - theta * log_theta - counted * log_rate
        return nats.to(parameters.dtype)

    @torch.no_grad()
    def draw(self, parameters: Tensor) -> Tensor:
        mean = self.mean(parameters)
        theta = self.inverse_dispersion.expand_as(mean)
        drawn = torch.distributions.Gamma(theta, torch.ones_like(theta)).sample()
        return torch.poisson(drawn * (mean / theta))

    @property
    def _log_inverse_dispersion(self) -> Tensor:
        return (_PACE * self.paced).clamp(-_WIDEST, _WIDEST)


@dataclass(repr=False)
class NegativeBinomial(CountPart):
    r"""Independent negative binomial variables, for counts that vary more than Poisson variables.

    .. math:: -\log p(x \mid z) = -\sum_i \log \frac{\Gamma(x_i + \theta_i)}{\Gamma(\theta_i) \,
              x_i!} + \theta_i \log \frac{\theta_i}{\theta_i + \lambda_i}
              + x_i \log \frac{\lambda_i}{\theta_i + \lambda_i}

    The inverse dispersion θ is learnt, one a value (one a feature of a sequence and a channel of a
    signal, for all its steps). See :class:`NegativeBinomialLikelihood`, which it builds.
    """

    def _module(self, spec: ExampleSpec) -> NegativeBinomialLikelihood:
        return NegativeBinomialLikelihood(scale_shape(spec), self.library)
