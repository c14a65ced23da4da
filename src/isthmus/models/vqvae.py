"""The vector-quantised variational autoencoder: the code is a grid of codebook entries."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from isthmus.core.autoencoder import Bottleneck
from isthmus.core.example import Shape
from isthmus.models._quantised import Quantised, QuantizedBottleneck, to_vectors
from isthmus.quantizers.base import Quantizer


@dataclass(repr=False, eq=False, kw_only=True)
class VQVAE(Quantised):
    r"""Vector-quantised autoencoder: each place of a grid holds the nearest entry of a codebook.

    .. math:: \mathcal{L} = -\log p(x \mid e) + \beta \sum_i \lVert h_i - \mathrm{sg}[e_i] \rVert^2
              + \sum_i \lVert \mathrm{sg}[h_i] - e_i \rVert^2, \quad
              e_i = \arg\min_{e \in \mathcal{C}} \lVert h_i - e \rVert

    where :math:`h_i` are the encoder's vectors and sg stops gradients; the decoder's gradient goes
    straight through to :math:`h_i`. The last term stands for ``codebook="gradient"``; under
    ``"ema"`` moving averages take its place. This is the ``quantizer`` ``"vq"``; others
    (:mod:`isthmus.quantizers`) charge what they say in place of the sums over i.

    All terms are sums over one example. The commitment is a squared length, in units that the
    encoder chooses: where its weight β is large beside the distortion, encoder and codebook shrink
    together. The distortion that it is weighed against is in nats under bernoulli and gaussian, and
    the squared error under mse. ``rate`` is :math:`\sum_i \log K`, what a uniform prior over the K
    entries charges (over those of each index, where a vector has several), the same for every
    example; distortion + rate is then a true bound of -log p(x), and a prior that ``fit_prior``
    learns makes it smaller.

    Codebooks start at k-means of the encoder's outputs. The history shows ``usage`` (entries that
    an epoch used, a share) and ``perplexity`` (the entries that, used equally often, would say as
    much). Unused entries start anew after each epoch, until the last tenth of them.

    ``x: (n, *shape)``; ``encode`` gives indices ``(n, h, w)`` for images, whose sides every layer
    of the encoder halves, ``(n, places)`` for signals, whose time is halved likewise, and
    ``(n, tokens)`` for anything else; ``decode`` takes them. ``transform`` gives the entries as
    rows of latent_dim · h · w.

    Raises:
        InputError: at ``decode``, for indices that the codebook does not have; at ``sample``,
            before ``fit_prior``.

    Reference:
        A. van den Oord, O. Vinyals and K. Kavukcuoglu, Neural discrete representation learning,
        NeurIPS 2017.

    Example:
        >>> import isthmus as ist
        >>> data = ist.data.load("digits")
        >>> quantizer = ist.quantizers.VectorQuantizer(codebook_size=32)
        >>> model = ist.VQVAE(quantizer=quantizer, epochs=1, random_state=0)
        >>> model = model.fit(data.train)
        >>> indices = model.encode(data.test.x)
        >>> indices.shape, model.decode(indices).shape
        ((359, 2, 2), (359, 1, 8, 8))
    """

    def encode(self, X: Any, condition: Any = None) -> np.ndarray:
        """The indices of each example's entries, ``(n, h, w)`` or ``(n, tokens)``, counted from 0.

        Under a quantizer that gives k of them for a vector they are ``(n, h, w, k)`` or
        ``(n, tokens, k)``.
        """
        return self._grids(X, condition)[0]

    def _bottleneck(self, features: Shape) -> Bottleneck:
        (quantizer,), dim = self._quantizers(1)
        return SingleLevelBottleneck(features, quantizer, dim, self.tokens)


class SingleLevelBottleneck(QuantizedBottleneck):
    """One level: a linear map at each place of a grid, or to ``tokens`` vectors; then quantised."""

    def __init__(self, features: Shape, quantizer: Quantizer, dim: int, tokens: int) -> None:
        project, grid = to_vectors(features, dim, tokens)
        super().__init__([quantizer], [grid], dim)
        self.project, self.is_grid = project, len(features) > 1

    @property
    def passed_shape(self) -> Shape:
        return self.code_shape if self.is_grid else (math.prod(self.code_shape),)

    def propose(self, features: Tensor, coarser: Sequence[Tensor]) -> Tensor:
        return self.project(features)

    def join(self, vectors: Sequence[Tensor]) -> Tensor:
        return vectors[0].reshape(-1, *self.passed_shape)
