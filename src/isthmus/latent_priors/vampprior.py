"""The VampPrior: a mixture of the posteriors of examples that do not exist, and are learnt."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from isthmus.core.bounds import bounded
from isthmus.core.example import Shape
from isthmus.core.fields import field
from isthmus.errors import InputError
from isthmus.latent_priors.base import LatentPrior, LatentPriorPart
from isthmus.posteriors.base import Posterior

_MEAN, _SPREAD = -0.05, 0.01  # where pseudo-inputs start that are no examples, as published


class VariationalMixturePrior(LatentPrior):
    r"""A mixture of posteriors, of K pseudo-inputs that are learnt with the weights.

    .. math:: p(z) = \frac1K \sum_{k=1}^K q(z \mid u_k)

    The pseudo-inputs :math:`u_k` have the shape of an example, and stay within the range of the
    training examples.
    """

    pseudo_inputs: nn.Parameter

    def __init__(self, code_shape: Shape, components: int, *, from_examples: bool) -> None:
        super().__init__()
        self.code_shape, self.components = code_shape, components
        self.starts_from_examples, self.from_examples = True, from_examples
        self.examples_to_start = components
        self.register_buffer("range", torch.tensor([-torch.inf, torch.inf]))
        self.range: Tensor
        self._makers: tuple[Callable[[Tensor], Tensor], Posterior] | None = None

    def attach(self, encoder: Callable[[Tensor], Tensor], family: Posterior, shape: Shape) -> None:
        if not family.has_density:
            raise InputError(
                "latent_prior='vampprior' is a mixture of posteriors, and asks each for the density"
                " of any code, which a flow does not know: take posterior='diagonal' or 'full'."
            )
        start = _MEAN + _SPREAD * torch.randn(self.components, *shape)
        self.pseudo_inputs = nn.Parameter(start)
        self._makers = (encoder, family)  # in a tuple, or they would be parts of this module too

    def start(self, seen: Tensor) -> None:
        self.range.copy_(torch.stack(seen.aminmax()))
        if self.from_examples:
            rows = torch.arange(self.components, device=seen.device) % len(seen)
            noise = _SPREAD * torch.randn_like(self.pseudo_inputs)
            self.pseudo_inputs.data.copy_(seen[rows] + noise)

    def log_prob(self, z: Tensor) -> Tensor:
        family, chosen = self._components()
        each = family.log_prob_pairs(chosen, z)  # (..., K)
        return each.logsumexp(-1) - math.log(self.components)

    def sample(self, n: int, temperature: float = 1.0) -> Tensor:
        family, chosen = self._components()
        like: Tensor = chosen[0]
        rows = torch.randint(self.components, (n,), device=like.device)
        noise = temperature * torch.randn(n, *self.code_shape, device=like.device, dtype=like.dtype)
        return family.draw(type(chosen)(*(part[rows] for part in chosen)), noise[None])[0][0]

    def _components(self) -> tuple[Posterior, Any]:
        """The family, and the posteriors of the pseudo-inputs."""
        assert self._makers is not None
        encoder, family = self._makers
        return family, family(encoder(bounded(self.pseudo_inputs, *self.range.unbind())))


@dataclass(repr=False)
class VampPrior(LatentPriorPart):
    r"""The variational mixture of posteriors: q(z | u) of K pseudo-inputs u that are learnt.

    .. math:: p(z) = \frac1K \sum_{k=1}^K q(z \mid u_k)

    See :class:`VariationalMixturePrior`, which it builds. It costs the encoder K further examples
    in every step.

    Raises:
        InputError: beside a posterior that is a flow.

    Reference:
        J. M. Tomczak and M. Welling, VAE with a VampPrior, AISTATS 2018.
    """

    components: int = field(100, "pseudo-inputs (K); 500 as published", low=1)
    start: Literal["examples", "noise"] = field(
        "examples", "where pseudo-inputs start: at training examples, or at -0.05 ± 0.01"
    )

    def _module(self, code_shape: Shape) -> VariationalMixturePrior:
        return VariationalMixturePrior(
            code_shape, self.components, from_examples=self.start == "examples"
        )
