"""The sparse autoencoder: few units of a wide code are active at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from isthmus.core import sharding
from isthmus.core.autoencoder import Bottleneck
from isthmus.core.example import Shape
from isthmus.core.fields import field
from isthmus.core.forward import Code, Point
from isthmus.divergences import bernoulli_kl
from isthmus.estimators.base import Estimator
from isthmus.sparsities.base import keep_largest, require_fewer

_ASLEEP = 0.1  # of the target under kl: a unit that never rises above it is dead


@dataclass(repr=False, eq=False, kw_only=True)
class SparseAE(Estimator):
    r"""Sparse autoencoder: a code, often wider than the data, of which an example uses little.

    .. math:: \min_{f, g} \; \mathbb{E}_x \left[ -\log p(x \mid z = f(x)) \right]
              + \lambda \, \Omega

    ``sparsity`` chooses Ω: ``"l1"`` is :math:`\mathbb{E} \lVert z \rVert_1` over rectified units;
    ``"kl"`` is the divergence
    :math:`\sum_j \rho \log \frac{\rho}{\hat\rho_j}
    + (1 - \rho) \log \frac{1 - \rho}{1 - \hat\rho_j}`,
    which draws the mean activation of each sigmoid unit over a batch to a target ρ; ``"topk"``
    keeps the k largest rectified units of each example and charges nothing. ``x: (n, *shape)``,
    ``z: (n, latent_dim)``.

    The history shows ``active`` (units that an example uses, of all units, a share) and ``dead``
    (units that no example of the epoch used, a share). A unit is used where it is above 0, and
    under ``"kl"`` above its target ρ; there it is dead where it never reached a tenth of ρ. Dead
    units start anew with fresh weights, until the last tenth of the epochs.

    References:
        A. Ng, Sparse autoencoder, CS294A lecture notes, 2011 (``"kl"``).
        A. Makhzani and B. Frey, k-sparse autoencoders, ICLR 2014 (``"topk"``).

    Example:
        >>> import isthmus as ist
        >>> data = ist.data.load("digits")
        >>> model = ist.SparseAE(latent_dim=100, sparsity="topk", k=8, epochs=1, random_state=0)
        >>> int((model.fit(data.train).transform(data.test.x) > 0).sum(1).max())
        8
    """

    latent_dim: int = field(64, "size of the code; it may be wider than the data", low=1)
    sparsity: str = field("l1", "how the code is kept sparse", choices=("l1", "kl", "topk"))
    sparsity_weight: float = field(0.1, "weight of the penalty under l1 and kl (lambda)", low=0)
    target: float = field(0.05, "mean activation of a unit that kl aims at (rho)", above=0, below=1)
    k: int = field(8, "units of an example that topk keeps", low=1)

    @property
    def _batch_estimate(self) -> str | None:
        return "the mean activation of a unit over a batch" if self.sparsity == "kl" else None

    def _bottleneck(self, features: Shape) -> Bottleneck:
        renewed_until = math.floor(0.9 * self._epochs)
        return Sparse(
            features,
            self.latent_dim,
            self.sparsity,
            self.sparsity_weight,
            self.target,
            self.k,
            renewed_until,
        )


class Sparse(Bottleneck):
    """Units of a wide code, few of which are active; dead ones get fresh weights after an epoch."""

    is_sparse = True

    def __init__(
        self,
        features: Shape,
        latent_dim: int,
        kind: str,
        weight: float,
        target: float,
        k: int,
        renewed_until: int,
    ) -> None:
        super().__init__()
        if kind == "topk":
            require_fewer(k, latent_dim)
        self.code_shape = (latent_dim,)
        self.flatten, self.linear = nn.Flatten(), nn.Linear(math.prod(features), latent_dim)
        self.kind, self.weight, self.target, self.k = kind, weight, target, k
        self.renewed_until = renewed_until
        self.register_buffer("fired", torch.zeros(latent_dim))
        self.register_buffer("epochs", torch.zeros(()))
        self.fired: Tensor
        self.epochs: Tensor

    def posterior(self, features: Tensor) -> Point:
        z = self.linear(self.flatten(features))  # (n, latent_dim)
        if self.kind == "kl":
            return Point(z.sigmoid())
        z = z.relu()
        if self.kind == "topk":
            z = keep_largest(z, self.k)
        return Point(z)

    @property
    def _level(self) -> float:
        """Above what a unit is in use."""
        return self.target if self.kind == "kl" else 0.0

    def active(self, code: Tensor) -> Tensor:
        return code > self._level

    def forward(self, features: Tensor, noise: Tensor | None = None) -> Code:
        z = self.posterior(features).z
        active, level = self.active(z).detach(), self._level
        if self.training:
            awake = (z > _ASLEEP * level).detach() if level > 0 else active
            self.fired += sharding.all_sum(awake.sum(0))
        terms = {"active": active.to(z.dtype).mean(1)}
        if self.kind == "topk":
            return Code(z, None, terms)
        charge = (
            z.sum(1)
            if self.kind == "l1"
            else bernoulli_kl(self.target, sharding.batch_mean(z)).sum().expand(len(z))
        )
        return Code(z, self.weight * charge, {"sparsity": charge, **terms})

    @torch.no_grad()
    def close_epoch(self) -> dict[str, float]:
        dead = self.fired == 0
        self.fired.zero_()
        self.epochs += 1
        if bool(dead.any()) and float(self.epochs) <= self.renewed_until:
            fresh = nn.init.xavier_uniform_(torch.empty_like(self.linear.weight))
            self.linear.weight[dead] = fresh[dead]
            self.linear.bias[dead] = 0.0
        return {"dead": float(dead.float().mean())}
