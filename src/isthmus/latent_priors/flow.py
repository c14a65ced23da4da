"""A prior that a normalising flow makes of a standard normal, learnt with the weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from isthmus.core.example import Shape
from isthmus.core.fields import field
from isthmus.errors import missing_extra
from isthmus.latent_priors.base import LatentPrior, LatentPriorPart


class FlowPlan(NamedTuple):
    """An autoregressive flow, as its settings say it.

    Attributes:
        kind: ``"spline"`` or ``"affine"``.
        transforms: maps one after another.
        hidden: units of the hidden layers of each map's network.
        bins: pieces of a spline.
    """

    kind: str
    transforms: int
    hidden: tuple[int, ...]
    bins: int

    def build(self, size: int, context: int, owner: str) -> nn.Module:
        """zuko's flow, from a context ``(n, context)`` to a distribution over ``(size,)``.

        Raises:
            MissingExtraError: where zuko is not installed, which the ``owner`` needs.
        """
        try:
            from zuko.flows import MAF, NSF
        except ImportError as error:
            raise missing_extra("zuko", "flows", owner) from error
        shared = {"transforms": self.transforms, "hidden_features": self.hidden}
        if self.kind == "spline":
            return NSF(size, context, bins=self.bins, **shared)
        return MAF(size, context, **shared)


class NormalizingFlowPrior(LatentPrior):
    r"""What a flow f makes of a standard normal, f from codes to the normal.

    .. math:: \log p(z) = \log \mathcal N(f(z); 0, I)
              + \log \left| \det \frac{\partial f}{\partial z} \right|

    ``sample(temperature=t)`` draws from the normal with standard deviation t.
    """

    context: Tensor

    def __init__(self, code_shape: Shape, plan: FlowPlan) -> None:
        super().__init__()
        self.code_shape = code_shape
        # a map that depends on nothing has bare parameters, which learn far more slowly
        self.flow = plan.build(math.prod(code_shape), 1, "latent_prior='flow'")
        self.register_buffer("context", torch.ones(1), persistent=False)

    def log_prob(self, z: Tensor) -> Tensor:
        flat = z.flatten(-len(self.code_shape))  # (..., size)
        with torch.autocast(z.device.type, enabled=False):  # a spline's knots need float32
            density: Tensor = self.flow(self.context.expand(*flat.shape[:-1], 1)).log_prob(flat)
        return density

    def sample(self, n: int, temperature: float = 1.0) -> Tensor:
        like = self.context
        noise = torch.randn(n, math.prod(self.code_shape), device=like.device, dtype=like.dtype)
        drawn: Tensor = self.flow(like.expand(n, 1)).transform.inv(temperature * noise)
        return drawn.reshape(n, *self.code_shape)


@dataclass(repr=False)
class FlowPrior(LatentPriorPart):
    r"""A normalising flow over codes that is learnt with the weights.

    .. math:: \log p(z) = \log \mathcal N(f(z); 0, I)
              + \log \left| \det \frac{\partial f}{\partial z} \right|

    See :class:`NormalizingFlowPrior`, which it builds. Needs the extra ``flows``.

    Raises:
        MissingExtraError: where zuko is not installed.

    Reference:
        X. Chen et al., Variational lossy autoencoder, ICLR 2017; C. Durkan, A. Bekasov, I. Murray
        and G. Papamakarios, Neural spline flows, NeurIPS 2019.
    """

    kind: Literal["affine", "spline"] = field(
        "affine",
        "how a coordinate is bent: shifts and scales (MAF), or rational-quadratic splines",
    )
    transforms: int = field(3, "autoregressive maps one after another", low=1)
    hidden: tuple[int, ...] = field(
        (64, 64), "units of the hidden layers of each map's network", low=1
    )
    bins: int = field(8, "pieces of a spline", low=2)

    def _module(self, code_shape: Shape) -> NormalizingFlowPrior:
        return NormalizingFlowPrior(
            code_shape, FlowPlan(self.kind, self.transforms, self.hidden, self.bins)
        )
