"""Spectral regularisation: what convolutions may stretch is charged, at a price that may fall."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from isthmus.core.autoencoder import Autoencoder, Penalty
from isthmus.core.batch import Batch
from isthmus.core.objectives import Loss

_ITERATIONS = 4  # at every step of training; as published
_FIRST = 40  # before the first step


class SpectralPenalty(Penalty):
    r"""The largest singular value of the weights of every convolution, summed.

    .. math:: \lambda \sum_l s_l, \quad s_l = \max_{\lVert v \rVert = 1} \lVert W_l v \rVert

    where :math:`W_l` has a row for each output channel. The directions are found by power
    iteration, :math:`v \leftarrow W^\top u / \lVert W^\top u \rVert`,
    :math:`u \leftarrow W v / \lVert W v \rVert`, which goes on from step to step of training.
    Within a warm-up λ falls from ``start`` to ``weight``, evenly in its logarithm.

    Args:
        parts: the modules whose convolutions count.
        weight: λ.
        start: λ at the start; None for the same.
        warmup: epochs over which it falls.

    References:
        Y. Yoshida and T. Miyato, Spectral norm regularization for improving the generalizability of
        deep learning, 2017; A. Vahdat and J. Kautz, NVAE, NeurIPS 2020.
    """

    def __init__(
        self,
        parts: Iterable[nn.Module],
        weight: float,
        start: float | None = None,
        warmup: float = 0.0,
    ) -> None:
        super().__init__()
        self.final, self.start, self.warmup = weight, start, warmup
        self.register_buffer("weight", torch.tensor(weight), persistent=False)
        self.weight: Tensor
        for shape, matrices in stacked(parts).items():
            u = torch.randn(matrices.shape[:2])
            for _ in range(_FIRST):
                u = iterated(matrices.detach(), u)[0]
            self.register_buffer(_name(shape), u)

    def forward(self, module: Autoencoder, seen: Batch) -> Loss:
        total = self.norms(module).sum()
        # one number for all, carried by every example
        return Loss((self.weight * total).expand(seen.size), {"spectral": total.expand(seen.size)})

    def norms(self, module: Autoencoder) -> Tensor:
        """The largest singular values of all convolutions, ``(layers,)``."""
        found = []
        parts = (module.encoder, module.bottleneck, module.decoder)
        for shape, matrices in stacked(parts).items():
            kept = self.get_buffer(_name(shape))
            u, v = iterated(matrices.detach(), kept, _ITERATIONS if self.training else 1)
            if self.training:
                kept.copy_(u)
            found.append((u[:, None] @ matrices @ v[..., None]).flatten())
        return torch.cat(found)

    def anneal(self, epoch: float) -> None:
        if self.start is None:
            return
        share = min(1.0, epoch / self.warmup)
        self.weight.fill_(
            math.exp((1 - share) * math.log(self.start) + share * math.log(self.final))
        )


def stacked(parts: Iterable[nn.Module]) -> dict[tuple[int, int], Tensor]:
    """The weights of all convolutions as matrices ``(rows, columns)``, stacked by their shape."""
    found: dict[tuple[int, int], list[Tensor]] = {}
    for part in parts:
        for layer in part.modules():
            if isinstance(layer, nn.modules.conv._ConvNd):
                # the output channels of a transposed convolution stand second
                weight = layer.weight.transpose(0, 1) if layer.transposed else layer.weight
                matrix = weight.flatten(1)
                found.setdefault((matrix.shape[0], matrix.shape[1]), []).append(matrix)
    return {shape: torch.stack(matrices) for shape, matrices in found.items()}


def iterated(matrices: Tensor, u: Tensor, iterations: int = 1) -> tuple[Tensor, Tensor]:
    """Left and right directions of matrices ``(k, m, d)`` after some power iterations, from left
    ones ``(k, m)``.
    """
    for _ in range(iterations):
        v = normalize((u[:, None] @ matrices).squeeze(1), dim=1)  # (k, d)
        u = normalize((matrices @ v[..., None]).squeeze(2), dim=1)
    return u, v


def _name(shape: tuple[int, int]) -> str:
    return "u_{}_{}".format(*shape)
