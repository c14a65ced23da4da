"""The normalising flow: an exact density of any shape, from a Gaussian that is bent."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Literal

import torch
from torch import Tensor, nn

from isthmus.core import sharding
from isthmus.core.fields import field
from isthmus.latent_priors.flow import FlowPlan
from isthmus.priors._standardised import StandardisedDensity
from isthmus.priors._trained import Density, TrainedPrior


@dataclass(repr=False, eq=False, kw_only=True)
class Flow(TrainedPrior):
    r"""Normalising flow over codes: an autoregressive map f between codes and a standard normal.

    .. math:: \log p(z) = \log \mathcal N(f(z); 0, I)
              + \log \left| \det \frac{\partial f}{\partial z} \right|

    Codes are standardised first, which is a part of f. With labels f depends on the class.
    ``sample(temperature=t)`` draws from the normal with standard deviation t. Needs the extra
    ``flows``.

    Raises:
        MissingExtraError: where zuko is not installed.

    Reference:
        C. Durkan, A. Bekasov, I. Murray and G. Papamakarios, Neural spline flows, NeurIPS 2019;
        G. Papamakarios, T. Pavlakou and I. Murray, Masked autoregressive flow for density
        estimation, NIPS 2017.
    """

    kind: Literal["spline", "affine"] = field(
        "spline",
        "how a coordinate is bent: rational-quadratic splines, or shifts and scales (MAF)",
    )
    transforms: int = field(3, "autoregressive maps one after another", low=1)
    hidden: tuple[int, ...] = field(
        (64, 64), "units of the hidden layers of each map's network", low=1
    )
    bins: int = field(8, "pieces of a spline", low=2)
    noise: float = field(
        0.05,
        "standard deviation of the noise on the codes in training, in units of theirs; it keeps the"
        " density smooth",
        low=0,
    )

    def _density(self) -> Density:
        size = prod(self.code_shape_)
        # A map that depends on nothing has bare parameters, which learn far more slowly.
        context = max(1, self.condition_size)
        plan = FlowPlan(self.kind, self.transforms, self.hidden, self.bins)
        return StandardisedFlow(plan.build(size, context, "the prior Flow"), size, self.noise)


class StandardisedFlow(StandardisedDensity):
    """A flow of zuko's over standardised codes, on the scale of the codes.

    Args:
        flow: from a context ``(n, context)`` to a distribution over ``(size,)``.
        size: values of a code, all axes taken together.
        noise: standard deviation of what is added in training.
    """

    def __init__(self, flow: nn.Module, size: int, noise: float) -> None:
        super().__init__((size,))
        self.flow, self.noise = flow, noise

    def log_prob(self, codes: Tensor, condition: Tensor | None = None) -> Tensor:
        with torch.autocast(codes.device.type, enabled=False):  # a spline's knots need float32
            u = self.standardised(codes)  # (n, size)
            if self.training:
                u = u + self.noise * sharding.randn_like(u)
            density: Tensor = self.flow(self._context(len(u), condition)).log_prob(u)
        return density - self.log_scale(u)

    def draw(self, n: int, condition: Tensor | None, temperature: float) -> Tensor:
        noise = temperature * torch.randn(n, len(self.mean), device=self.mean.device)
        return self.restored(self.flow(self._context(n, condition)).transform.inv(noise))

    def _context(self, n: int, condition: Tensor | None) -> Tensor:
        """What the maps of n codes depend on, ``(n, context)``."""
        return self.mean.new_ones(n, 1) if condition is None else condition.to(self.mean)
