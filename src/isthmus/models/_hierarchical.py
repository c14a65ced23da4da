"""What members with a hierarchy of codes share: the weight of the rate, and draws of the priors."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass

import torch
from torch import Tensor

from isthmus.core.fields import field
from isthmus.models._hierarchy import HierarchicalBottleneck
from isthmus.models._variational import Variational

_ROWS = 1024  # codes that are drawn at once
_WARM_SHARE = 0.3  # of the epochs; as published of NVAE


@dataclass(repr=False, eq=False, kw_only=True)
class HierarchicalVAE(Variational, ABC):
    """A member whose bottleneck is a hierarchy of groups, with priors that it learns."""

    learns_prior = True

    beta: float = field(
        1.0, "weight of the rate, KL(q(z|x) || p(z)); 1 is the evidence bound", low=0
    )
    kl_warmup: float | None = field(
        None,
        "epochs over which the weight of the rate grows from 0 to beta; none: three tenths of all",
        low=0,
    )

    @property
    def code_space(self) -> str:
        return "data"

    @property
    def warm_epoch(self) -> float:
        return _WARM_SHARE * self._epochs if self.kl_warmup is None else self.kl_warmup

    def _prior(self, n: int, temperature: float, condition: Tensor | None = None) -> Tensor:
        with self._inference() as module:
            bottleneck = module.bottleneck
            assert isinstance(bottleneck, HierarchicalBottleneck)
            found = []
            for rows in torch.arange(n).split(_ROWS):
                given = None if condition is None else condition[rows].to(self._device)
                codes = bottleneck.sample(len(rows), temperature, **module.context(given))
                found.append(codes.cpu())
            return torch.cat(found)
