"""Residual vector quantization: each codebook quantises what those before it left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from isthmus.core.fields import field
from isthmus.quantizers._composed import ComposedQuantizer, See
from isthmus.quantizers.codebooks import Codebook
from isthmus.quantizers.vector import CodebookPart


@dataclass(repr=False)
class ResidualVQ(CodebookPart):
    r"""Residual vector quantizer: each codebook quantises what those before it left.

    .. math:: r_1 = h, \quad e_l = \arg\min_{e \in \mathcal C_l} \lVert r_l - e \rVert, \quad
              r_{l+1} = r_l - \mathrm{sg}[e_l], \quad \hat h = \sum_{l=1}^{\text{depth}} e_l

    The codebooks learn, and are charged, as that of :class:`~isthmus.quantizers.VectorQuantizer`,
    each for its own :math:`r_l`; they start from data one after another. A vector has ``depth``
    indices, the coarsest first, which tell apart as many vectors as one codebook of
    :math:`K^{\text{depth}}` entries. The gradient goes straight through to h, once.

    The member's ``latent_dim`` is the size of h and of all entries.

    The first few indices of a vector stand for it too, only more coarsely: ``decode`` takes
    ``(n, *grid, k)`` for any k from 1 to ``depth``, so that one model has several rates. Under
    ``quantizer_dropout`` the decoder is trained for that: of a share of the examples it gets the
    first k entries alone, k drawn evenly.

    Reference:
        N. Zeghidour, A. Luebs, A. Omran, J. Skoglund and M. Tagliasacchi, SoundStream: an
        end-to-end neural audio codec, IEEE/ACM TASLP 2021.

    Example:
        >>> import torch
        >>> quantizer = ResidualVQ(codebook_size=16, depth=3).build(8, epochs=1)
        >>> quantizer.levels, tuple(quantizer(torch.randn(2, 8, 5, 5)).indices.shape)
        ((16, 16, 16), (2, 5, 5, 3))
    """

    depth: int = field(4, "codebooks, each for what those before it left", low=1)
    quantizer_dropout: float = field(
        0.0,
        "share of the examples of a step of which the decoder gets a random number of the first"
        " codebooks' entries alone",
        low=0,
        high=1,
    )

    def _module(self, dim: int, epochs: int) -> ResidualQuantizer:
        books = [self._codebook(dim, epochs) for _ in range(self.depth)]
        return ResidualQuantizer(books, self.quantizer_dropout)


class ResidualQuantizer(ComposedQuantizer):
    """Codebooks for vectors of one size, of which each sees what those before it left.

    Args:
        codebooks: in their order.
        dropout: the share of the examples that are thinned in training.
    """

    is_nested = True

    def __init__(self, codebooks: Sequence[Codebook], dropout: float = 0.0) -> None:
        super().__init__(codebooks)
        self.dropout = dropout

    def thinned(self, entries: Sequence[Tensor]) -> Sequence[Tensor]:
        if not self.training or self.dropout == 0:
            return entries
        n, depth, like = entries[0].shape[0], len(entries), entries[0]
        kept = torch.randint(1, depth + 1, (n,), device=like.device)
        kept = torch.where(torch.rand(n, device=like.device) < self.dropout, kept, depth)
        shape = (n, *[1] * (like.dim() - 1))
        return [entry * (kept > i).view(shape) for i, entry in enumerate(entries)]

    def show(self, proposed: Tensor, see: See) -> None:
        rest = proposed
        for book in self.books:
            rest = rest - see(book, rest)

    def join(self, entries: Sequence[Tensor]) -> Tensor:
        return torch.stack(list(entries)).sum(0)
