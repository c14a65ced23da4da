"""The contractive autoencoder: codes are made to move little when examples do."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from isthmus.core.autoencoder import Autoencoder, Bottleneck, Penalty
from isthmus.core.batch import Batch
from isthmus.core.example import Shape
from isthmus.core.fields import field
from isthmus.core.jacobians import projected
from isthmus.core.objectives import Loss
from isthmus.core.reductions import sum_dimensions
from isthmus.estimators.base import Estimator
from isthmus.estimators.spatial import SpatialCode
from isthmus.estimators.tied import TiedWeights
from isthmus.likelihoods import Likelihood
from isthmus.models.ae import DeterministicBottleneck

_FEW = 16  # dimensions of a code, each of which costs a backward pass


@dataclass(repr=False, eq=False, kw_only=True)
class ContractiveAE(SpatialCode, TiedWeights, Estimator):
    r"""Contractive autoencoder: penalises the derivative of the code with respect to x.

    .. math:: \min_{f, g} \; \mathbb{E}_x \left[ -\log p(x \mid z = f(x))
              + \lambda \lVert J_f(x) \rVert_F^2 \right], \quad
              J_f(x) = \partial f(x) / \partial x

    The history shows the squared norm as ``jacobian``. One layer of sigmoid units
    (``network="mlp", hidden=()``) has it in closed form,
    :math:`\sum_j (z_j (1 - z_j))^2 \sum_i W_{ji}^2`. Deeper encoders get it exactly, by one
    backward pass per dimension of the code, or estimated without bias by ``probes`` random
    projections of Hutchinson's kind, :math:`\mathbb{E} \lVert J^\top v \rVert^2` with
    :math:`v \sim \mathcal{N}(0, I)`.
    ``x: (n, *shape)``, ``z: (n, latent_dim)`` in (0, 1).

    Reference:
        S. Rifai, P. Vincent, X. Muller, X. Glorot and Y. Bengio, Contractive auto-encoders, ICML
        2011.

    Example:
        >>> import isthmus as ist
        >>> data = ist.data.load("digits")
        >>> model = ist.ContractiveAE(latent_dim=32, hidden=(), epochs=1, random_state=0)
        >>> "jacobian" in model.fit(data.train).history_[0]
        True
    """

    contraction: float = field(
        0.1, "weight of the squared norm of the encoder's Jacobian (lambda)", low=0
    )
    jacobian: str = field(
        "auto",
        "how the norm is computed; 'auto' is exact up to 16 dimensions of the code",
        choices=("auto", "exact", "hutchinson"),
    )
    probes: int = field(1, "random projections behind the hutchinson estimate", low=1)

    @property
    def code_space(self) -> str:
        return "unit"

    def _bottleneck(self, features: Shape) -> Bottleneck:
        return DeterministicBottleneck(
            features, self._code_size, "sigmoid", is_map=self._is_map(features)
        )

    def _assembled(
        self, encoder: nn.Module, bottleneck: Bottleneck, decoder: nn.Module, likelihood: Likelihood
    ) -> Autoencoder:
        is_small = math.prod(bottleneck.code_shape) <= _FEW
        exact = self.jacobian == "exact" or (self.jacobian == "auto" and is_small)
        module = super()._assembled(encoder, bottleneck, decoder, likelihood)
        module.penalty = Contraction(self.contraction, None if exact else self.probes)
        return module


class Contraction(Penalty):
    """λ‖∂z/∂x‖², exact where ``probes`` is None, else estimated by so many random projections."""

    def __init__(self, weight: float, probes: int | None) -> None:
        super().__init__()
        self.weight, self.probes = weight, probes

    def forward(self, module: Autoencoder, seen: Batch) -> Loss:
        with _frozen(module):
            norm = self.squared_norm(module, seen)
        return Loss(self.weight * norm, {"jacobian": norm})

    def squared_norm(self, module: Autoencoder, seen: Batch) -> Tensor:
        """The squared Frobenius norm of the encoder's Jacobian at each example, ``(n,)``.

        What was not observed does not count as something that may change.
        """
        if (layer := sigmoid_layer(module)) is not None:
            return layer_norm(layer, module.encode_seen(seen)[0], seen.mask)
        if self.probes is None:
            return jacobian_norm(module, seen)
        return torch.stack([projected_norm(module, seen) for _ in range(self.probes)]).mean(0)


def sigmoid_layer(module: Autoencoder) -> nn.Linear | None:
    """The linear map of an encoder that is one layer of sigmoid units; None for any other."""
    leaves = [
        layer
        for part in (module.encoder, module.bottleneck)
        for layer in part.modules()
        if not list(layer.children())
    ]
    working = [layer for layer in leaves if not isinstance(layer, nn.Flatten)]
    if (
        len(working) == 2
        and isinstance(working[0], nn.Linear)
        and isinstance(working[1], nn.Sigmoid)
    ):
        return working[0]
    return None


def layer_norm(layer: nn.Linear, z: Tensor, mask: Tensor | None = None) -> Tensor:
    """The closed form for sigmoid units z = σ(Wx + b), ``(n,)``; over observed values of x."""
    slopes = (z * (1 - z)).square()
    if mask is None:
        return slopes @ layer.weight.square().sum(1)
    return (slopes * (mask.flatten(1).to(z) @ layer.weight.square().T)).sum(1)


def jacobian_norm(module: Autoencoder, seen: Batch) -> Tensor:
    """The exact norm of any encoder, ``(n,)``: a backward pass for each dimension of the code."""
    if seen.mask is None:
        jacobian = torch.func.vmap(torch.func.jacrev(lambda x: code_of(module, Batch(x))))(seen.x)
        return sum_dimensions(jacobian.square())
    of_one = torch.func.jacrev(lambda x, mask: code_of(module, Batch(x, mask=mask)))
    jacobian = torch.func.vmap(of_one)(seen.x, seen.mask)  # (n, latent_dim, *shape)
    return sum_dimensions((jacobian * seen.mask[:, None]).square())


def projected_norm(module: Autoencoder, seen: Batch) -> Tensor:
    """An unbiased estimate, ``(n,)``: the squared length of Jᵀv with a normal vector v."""
    pulled = projected(lambda x: module.encode_seen(seen._replace(x=x))[0], seen.x)
    return sum_dimensions((pulled if seen.mask is None else pulled * seen.mask).square())


def code_of(module: Autoencoder, one: Batch) -> Tensor:
    """The code of one example ``(*shape)`` as the encoder sees it, and of nothing else."""
    return module.encode_seen(one.each(lambda part: part[None]))[0][0]


@contextmanager
def _frozen(module: Autoencoder) -> Iterator[None]:
    """The encoder as it will be used: batch norm by its kept statistics, which tie no examples."""
    was_training = module.encoder.training
    module.encoder.eval()
    try:
        yield
    finally:
        module.encoder.train(was_training)
