"""Product quantization: a vector is cut into parts, each with a codebook of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from isthmus.core.fields import field
from isthmus.errors import InputError
from isthmus.quantizers._composed import ComposedQuantizer, See
from isthmus.quantizers.vector import CodebookPart


@dataclass(repr=False)
class ProductVQ(CodebookPart):
    r"""Product quantizer: a vector is cut into parts of one size, each with its own codebook.

    .. math:: h = (h^1, \dots, h^G), \quad e^g = \arg\min_{e \in \mathcal C_g}
              \lVert h^g - e \rVert, \quad \hat h = (e^1, \dots, e^G)

    This is the nearest of :math:`K^G` vectors, of which only :math:`G K` parts are kept. Each
    codebook learns, and is charged, as that of :class:`~isthmus.quantizers.VectorQuantizer`. A
    vector has ``groups`` indices.

    The member's ``latent_dim`` is the size of h, G times that of an entry.

    Raises:
        InputError: at ``fit``, where ``latent_dim`` is no multiple of ``groups``.

    Reference:
        H. Jégou, M. Douze and C. Schmid, Product quantization for nearest neighbor search, IEEE
        TPAMI 2011; on the outputs of an encoder: A. Baevski, S. Schneider and M. Auli, vq-wav2vec,
        ICLR 2020.

    Example:
        >>> import torch
        >>> quantizer = ProductVQ(codebook_size=16, groups=2).build(8, epochs=1)
        >>> quantizer.levels, tuple(quantizer(torch.randn(2, 8, 5, 5)).indices.shape)
        ((16, 16), (2, 5, 5, 2))
    """

    groups: int = field(2, "parts of a vector, each with its own codebook (G)", low=1)

    def _module(self, dim: int, epochs: int) -> ProductQuantizer:
        if dim % self.groups:
            raise InputError(
                f"groups={self.groups} do not divide latent_dim={dim}: take groups that do, or"
                f" latent_dim={self.groups * max(1, round(dim / self.groups))}."
            )
        size = dim // self.groups
        return ProductQuantizer([self._codebook(size, epochs) for _ in range(self.groups)])


class ProductQuantizer(ComposedQuantizer):
    """Codebooks of one entry size, each for its own part of a vector."""

    def show(self, proposed: Tensor, see: See) -> None:
        for book, part in zip(self.books, proposed.chunk(len(self.books), dim=1), strict=True):
            see(book, part)

    def join(self, entries: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(entries), dim=1)
