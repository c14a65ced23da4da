"""Values on a grid, such as the pixels of an image: a mixture of logistics, cut into masses."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from isthmus.core.example import ExampleSpec, Shape
from isthmus.core.fields import field
from isthmus.likelihoods.base import Likelihood, LikelihoodPart

_NARROWEST = 1 / 16  # of a step: the mass of one value can then still reach 0.999
_WIDEST = 30.0  # the logarithm of a scale, beyond which gradients would leave float32
_FEW = 32  # values whose mean is summed up; of more of them, an integral is as good
_HALVINGS = 40


class LogisticMixtureLikelihood(Likelihood):
    r"""Independent mixtures of logistics for values on the grid :math:`x = j / (B - 1)`, as masses.

    .. math:: p(x = \tfrac{j}{B - 1} \mid z) = \sum_{k=1}^{K} \pi_k \left[ \sigma\!\left(
        \frac{j + \frac12 - \mu_k}{s_k} \right) - \sigma\!\left( \frac{j - \frac12 - \mu_k}{s_k}
        \right) \right]

    with the weights :math:`\pi`, means :math:`\mu` and scales :math:`s`, both in steps of the grid,
    that the decoder gives for each value; the lowest and the highest value take the tails, so that
    the masses sum to one. The difference is computed as :math:`\sigma(b) \, \sigma(-a) \, (1 -
    e^{a - b})`, which neither cancels nor overflows. Values are independent given z, colours of one
    pixel too: the coupling of colours in PixelCNN++ is left out.

    A decoder that puts out zeros says that all values are about equally likely: what it gives moves
    means that are spread over the grid, and scales that fit between them. Values are read as the
    nearest of the grid.

    Args:
        components: K.
        bins: B, the number of values of the grid; 256 for uint8.
        axis: where an example ``(n, *shape)`` has the numbers of a value beside each other, counted
            from the end.

    Reference:
        T. Salimans, A. Karpathy, X. Chen and D. P. Kingma, PixelCNN++, ICLR 2017.
    """

    def __init__(self, components: int = 5, bins: int = 256, axis: int = -1) -> None:
        super().__init__()
        self.components, self.axis = components, axis
        self.bins: int = bins
        centres = (torch.arange(components, dtype=torch.float64) + 0.5) / components
        self.register_buffer("centres", centres.float(), persistent=False)  # (K,), in [0, 1]
        self.centres: Tensor

    def parameter_shape(self, shape: Shape) -> Shape:
        axis = self.axis % len(shape)
        return (*shape[:axis], 3 * self.components * shape[axis], *shape[axis + 1 :])

    def each(self, parameters: Tensor, x: Tensor) -> Tensor:
        log_weight, mean, scale = self.mixture(parameters)
        step = (x * (self.bins - 1)).round().unsqueeze(self.axis - 1)  # (n, ..., 1, values, ...)
        above, below = (step + 0.5 - mean) / scale, (step - 0.5 - mean) / scale
        is_lowest, is_highest = step <= 0, step >= self.bins - 1
        log_mass = (
            F.logsigmoid(above).masked_fill(is_highest, 0.0)
            + F.logsigmoid(-below).masked_fill(is_lowest, 0.0)
            + (-torch.expm1(-1 / scale)).log().masked_fill(is_lowest | is_highest, 0.0)
        )
        return -(log_weight + log_mass).logsumexp(self.axis - 1)

    def mean(self, parameters: Tensor) -> Tensor:
        """The expected x, ``(n, *shape)``.

        Of more than 32 values it is that of the mixture before its values are rounded to the grid:
        the two are less than half a step apart, and next to equal where a scale spans a step.
        """
        log_weight, mean, scale = self.mixture(parameters)
        return (log_weight.exp() * self._means(mean, scale)).sum(self.axis - 1)

    @torch.no_grad()
    def parameters_for(self, mean: Tensor) -> Tensor:
        """Parameters whose expected x is given, ``(..., *shape)`` to ``(..., *parameter_shape)``.

        Weights and scales are those of zeros; the means keep their distances and are moved together
        until the expected x is right. A mean of 0 or 1 counts as 0.001 away from it.
        """
        wanted = mean.clamp(1e-3, 1 - 1e-3)
        low, high = torch.full_like(mean, -2.0), torch.full_like(mean, 2.0)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            falls_short = self.mean(self._moved(middle)) < wanted
            low, high = middle.where(falls_short, low), high.where(falls_short, middle)
        return self._moved((low + high) / 2)

    def draw(self, parameters: Tensor) -> Tensor:
        log_weight, mean, scale = self.mixture(parameters)
        gumbel = -torch.empty_like(mean).exponential_().log()
        chosen = (log_weight + gumbel).argmax(self.axis - 1, keepdim=True)
        mean, scale = (
            values.gather(self.axis - 1, chosen).squeeze(self.axis - 1) for values in (mean, scale)
        )
        drawn = mean + scale * torch.rand_like(mean).logit(1e-7)
        return drawn.round().clamp(0, self.bins - 1) / (self.bins - 1)

    def mixture(self, parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logarithms of weights, means and scales, each ``(n, ..., K, values, ...)``.

        Means and scales are in steps of the grid.
        """
        values = parameters.shape[self.axis] // (3 * self.components)
        # (n, ..., 3 * K * values, ...) -> (n, ..., 3, K, values, ...)
        split = parameters.unflatten(self.axis, (3, self.components, values))
        weight, shift, log_scale = split.unbind(self.axis - 2)
        centres = self.centres.to(shift).view(-1, *[1] * -self.axis)  # (K, 1, ...)
        step = 1 / (self.bins - 1)
        mean = (centres + shift) / step
        width = 1 / (4 * self.components * step)
        scale = _NARROWEST + width * log_scale.clamp(max=_WIDEST).exp()
        return weight.log_softmax(self.axis - 1), mean, scale

    def _means(self, mean: Tensor, scale: Tensor) -> Tensor:
        """The expected x of each component: the sum of P(x > j) over steps j, or the integral."""
        last = self.bins - 1
        if self.bins <= _FEW:
            exceeds = (((mean - j - 0.5) / scale).sigmoid() for j in range(last))
            return sum(exceeds, torch.zeros_like(mean)) / last
        rises = F.softplus(mean / scale) - F.softplus((mean - last) / scale)
        return scale * rises / last

    def _moved(self, shift: Tensor) -> Tensor:
        """Zeros, but for means that are moved by ``shift``, in units of x."""
        shifts = shift.unsqueeze(self.axis - 1).unsqueeze(self.axis - 2)
        zeros = torch.zeros_like(shifts)
        moved = torch.cat([zeros, shifts, zeros], self.axis - 2)  # (..., 3, 1, values, ...)
        sizes = [-1] * moved.dim()
        sizes[self.axis - 1] = self.components
        start = moved.dim() + self.axis - 2
        return moved.expand(sizes).flatten(start, start + 2)


@dataclass(repr=False)
class LogisticMixture(LikelihoodPart):
    r"""Mixtures of logistics cut into the masses of single values, for values on a grid, as pixels.

    .. math:: p(x = \tfrac{j}{B - 1} \mid z) = \sum_{k=1}^{K} \pi_k \left[ \sigma\!\left(
        \frac{j + \frac12 - \mu_k}{s_k} \right) - \sigma\!\left( \frac{j - \frac12 - \mu_k}{s_k}
        \right) \right]

    The decoder gives 3 K numbers a value: along the channels of an image, ``(3 K c, h, w)``, else
    along the last axis, ``(3 K d,)`` or ``(time, 3 K features)``. See
    :class:`LogisticMixtureLikelihood`, which it builds.
    """

    components: int = field(5, "logistics in the mixture of each value", low=1)
    bins: int = field(
        256,
        "values of the grid 0, 1/(bins - 1), ..., 1 of the data; 256 for uint8",
        low=2,
    )

    @property
    def required_bins(self) -> int:
        return self.bins

    def accepts(self, spec: ExampleSpec) -> str | None:
        if spec.unit_range:
            return None
        return (
            "needs uint8 pixels, or values in [0, 1] on a grid of as many values as its field bins"
            " says: divide whole numbers by their greatest value"
        )

    def _module(self, spec: ExampleSpec) -> LogisticMixtureLikelihood:
        axis = -3 if len(spec.shape) == 3 else -1
        return LogisticMixtureLikelihood(self.components, self.bins, axis)
