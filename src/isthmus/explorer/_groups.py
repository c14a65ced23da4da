"""Deep hierarchies in the page: the finer groups of a code, drawn anew from the learnt prior."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from isthmus.core.autoencoder import Autoencoder
from isthmus.models._hierarchy import HierarchicalBottleneck
from isthmus.models._variational import DiagonalGaussian


class Redrawing(nn.Module):
    """From a code, noise, and a mask of what stays, each ``(n, code)``, and the condition of a
    member that takes one, to a code whose other groups are drawn from the prior given those above.

    Args:
        module: with a hierarchy of codes.
    """

    def __init__(self, module: Autoencoder) -> None:
        super().__init__()
        self.module = module

    def forward(
        self, code: Tensor, noise: Tensor, keep: Tensor, condition: Tensor | None = None
    ) -> Tensor:
        bottleneck = self.module.bottleneck
        assert isinstance(bottleneck, HierarchicalBottleneck)
        sizes = [math.prod(shape) for shape in bottleneck.shapes]
        parts = [values.split(sizes, 1) for values in (code, noise, keep)]
        found: list[Tensor] = []

        def pick(number: int, prior: DiagonalGaussian, state: Tensor) -> Tensor:
            given, draw, stays = (
                part[number].reshape(-1, *bottleneck.shapes[number]) for part in parts
            )
            drawn = prior.mu + (0.5 * prior.log_var).exp() * draw
            found.append(stays * given + (1 - stays) * drawn)
            return found[-1]

        bottleneck.descend(len(code), pick, self.module.context(condition).get("condition"))
        return torch.cat([part.flatten(1) for part in found], 1)


def hierarchy_of(module: Autoencoder) -> dict[str, Any] | None:
    """The sizes of the groups of a hierarchical member, coarsest first; None for other members."""
    bottleneck = module.bottleneck
    if not isinstance(bottleneck, HierarchicalBottleneck):
        return None
    return {"sizes": [math.prod(shape) for shape in bottleneck.shapes]}
