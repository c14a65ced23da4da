"""The hierarchical vector-quantised autoencoder: a coarse grid of entries and a fine one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from isthmus.core.autoencoder import Bottleneck
from isthmus.core.example import Shape
from isthmus.models._quantised import Quantised, QuantizedBottleneck, to_vectors
from isthmus.networks.conv import Crop, Pad, convolutions
from isthmus.networks.residual import Block
from isthmus.quantizers.base import Quantizer


class Grids(NamedTuple):
    """Indices of two levels: ``top: (n, h / 2, w / 2)``, rounded up, and ``bottom: (n, h, w)``."""

    top: np.ndarray
    bottom: np.ndarray


@dataclass(repr=False, eq=False, kw_only=True)
class VQVAE2(Quantised):
    r"""Hierarchical vector-quantised autoencoder (VQ-VAE-2): a coarse grid and a fine one given it.

    The encoder's features f are the fine grid. A further halving makes the coarse one, which is
    quantised first:

    .. math:: e^{\mathrm{top}} = \mathrm{VQ}(\mathrm{down}(f)), \quad
              e^{\mathrm{bottom}} = \mathrm{VQ}(f, \mathrm{up}(e^{\mathrm{top}})), \quad
              p(x \mid \mathrm{up}'(e^{\mathrm{top}}), e^{\mathrm{bottom}})

    Each level has a quantizer of its own. The loss is that of
    :class:`~isthmus.models.vqvae.VQVAE` with both levels' commitments added up, and ``rate`` that
    of a uniform prior over both grids. The history shows ``usage_top``, ``perplexity_top``,
    ``usage_bottom`` and ``perplexity_bottom``.

    ``x: (n, *shape)``; ``encode`` gives ``top: (n, h / 2, w / 2)`` and ``bottom: (n, h, w)`` as a
    named tuple, which ``decode`` takes; for signals ``(n, places / 2)`` and ``(n, places)``; for
    tables, and under ``network="mlp"``, ``(n, tokens / 2)`` and ``(n, tokens)``. ``transform``
    gives the entries of both as rows, top first.

    Raises:
        InputError: at ``decode``, for indices that the codebooks do not have; at ``sample``, before
            ``fit_prior``.

    Reference:
        A. Razavi, A. van den Oord and O. Vinyals, Generating diverse high-fidelity images with
        VQ-VAE-2, NeurIPS 2019.

    Example:
        >>> import isthmus as ist
        >>> data = ist.data.load("digits")
        >>> quantizer = ist.quantizers.VectorQuantizer(codebook_size=32)
        >>> model = ist.VQVAE2(quantizer=quantizer, epochs=1, random_state=0)
        >>> model = model.fit(data.train)
        >>> grids = model.encode(data.test.x)
        >>> grids.top.shape, grids.bottom.shape, model.decode(grids).shape
        ((359, 1, 1), (359, 2, 2), (359, 1, 8, 8))
    """

    def encode(self, X: Any, condition: Any = None) -> Grids:
        """The indices of each example's entries at both levels, whole numbers from 0."""
        return Grids(*self._grids(X, condition))

    def _bottleneck(self, features: Shape) -> Bottleneck:
        quantizers, dim = self._quantizers(2)
        if len(features) > 1:
            return GridBottleneck(features, quantizers, dim, self.activation)
        return TokenBottleneck(features, quantizers, dim, self.tokens)


class TwoLevelBottleneck(QuantizedBottleneck):
    """The way through two levels; what leads between them depends on what features look like.

    Attributes:
        down: from features to the vectors of the top.
        hint: from the quantised top to something like the features, for the bottom to know.
        beside: from features and hint, ``(n, 2 * features[0], …)``, to the vectors of the bottom.
        lift: from the quantised top to what the decoder gets of it.
        flat: from the bottom to what the decoder gets of it, and from features to what stands
            beside the hint.
    """

    down: nn.Module
    hint: nn.Module
    beside: nn.Module
    lift: nn.Module
    flat: nn.Module

    def __init__(self, quantizers: Sequence[Quantizer], grids: Sequence[Shape], dim: int) -> None:
        super().__init__(quantizers, grids, dim, ("_top", "_bottom"))

    def propose(self, features: Tensor, coarser: Sequence[Tensor]) -> Tensor:
        if not coarser:
            return self.down(features)
        return self.beside(torch.cat([self.flat(features), self.hint(coarser[0])], dim=1))

    def join(self, vectors: Sequence[Tensor]) -> Tensor:
        top, bottom = vectors
        return torch.cat([self.lift(top), self.flat(bottom)], dim=1)  # (n, *passed_shape)


class GridBottleneck(TwoLevelBottleneck):
    """Grids: ``features: (n, channels, h, w)``, of signals ``(n, channels, places)``.

    The top has half as many places along each side, rounded up.
    """

    def __init__(
        self,
        features: Shape,
        quantizers: Sequence[Quantizer],
        dim: int,
        nonlinearity: str = "relu",
    ) -> None:
        channels, *sides = features
        halves, (convolution, _) = [math.ceil(side / 2) for side in sides], convolutions(features)
        super().__init__(quantizers, [tuple(halves), tuple(sides)], dim)
        self.passed = (2 * dim, *sides)
        self.down = nn.Sequential(
            Pad(tuple(2 * half for half in halves)),
            convolution(channels, channels, 4, stride=2, padding=1),
            Block(features, nonlinearity),
            convolution(channels, dim, 1),
        )
        self.hint, self.lift = _doubling(dim, channels, sides), _doubling(dim, dim, sides)
        self.beside, self.flat = convolution(2 * channels, dim, 1), nn.Identity()

    @property
    def passed_shape(self) -> Shape:
        return self.passed


class TokenBottleneck(TwoLevelBottleneck):
    """Rows of ``tokens`` vectors, and half as many at the top, from features of any shape."""

    def __init__(
        self, features: Shape, quantizers: Sequence[Quantizer], dim: int, tokens: int
    ) -> None:
        size, few = math.prod(features), max(1, tokens // 2)
        super().__init__(quantizers, [(few,), (tokens,)], dim)
        self.down, self.beside = (
            to_vectors(features, dim, few)[0],
            to_vectors((2 * size,), dim, tokens)[0],
        )
        self.hint = nn.Sequential(nn.Flatten(), nn.Linear(dim * few, size))
        self.lift, self.flat = nn.Flatten(), nn.Flatten()


def _doubling(inputs: int, outputs: int, sides: Sequence[int]) -> nn.Module:
    """A transposed convolution that doubles a grid, cut to ``sides``."""
    _, transposed = convolutions((inputs, *sides))
    return nn.Sequential(transposed(inputs, outputs, 4, stride=2, padding=1), Crop(tuple(sides)))
