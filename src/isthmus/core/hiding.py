"""Values that were not observed: an encoder that is told which, and training that hides more."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from isthmus.core import sharding
from isthmus.core.batch import Batch
from isthmus.core.example import ExampleSpec, Shape


class Hiding(nn.Module):
    r"""What an encoder is shown in training: examples of which a share of the values is hidden.

    .. math:: m_i \sim \operatorname{Bernoulli}(1 - h), \qquad
              \mathcal{L} = -\log p(x \mid z), \quad z = f(m \odot x, \, m)

    The draw is a fresh one at every step, and all values are still asked for, so that a member
    learns to say of each what the others tell. The cells of a table are hidden whole. Values that
    were not observed stay hidden.

    Args:
        share: of the values that are hidden, h in [0, 1).
        spec: what an example is.

    Reference:
        P. Vincent, H. Larochelle, I. Lajoie, Y. Bengio and P.-A. Manzagol, Stacked denoising
        autoencoders, JMLR 2010 (masking noise).
    """

    def __init__(self, share: float, spec: ExampleSpec) -> None:
        super().__init__()
        self.share = share
        cells = [] if spec.columns is None else [column.size for column in spec.columns]
        self.register_buffer("first", _firsts(cells) if cells else None, persistent=False)
        self.first: Tensor | None

    def forward(self, batch: Batch) -> Batch:
        """A batch as the encoder sees it: 0 in place of what is hidden, and a mask without it."""
        drawn = sharding.rand_like(batch.x)
        if self.first is not None:
            drawn = drawn.index_select(1, self.first)
        shown = drawn >= self.share
        if batch.mask is not None:
            shown = shown & batch.mask
        return batch._replace(x=batch.x.where(shown, 0.0), mask=shown)


class GapEncoder(nn.Sequential):
    """An encoder that receives a mask of the observed values.

    It sees 0 in place of the others, and the mask behind x: ``(n, d, ...)`` becomes
    ``(n, 2 d, ...)``. Without a mask everything was observed.
    """

    reads_mask = True

    def __init__(self, encoder: nn.Module) -> None:
        layers = encoder if type(encoder) is nn.Sequential else [encoder]
        super().__init__(BesideMask(), *layers)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        beside, *layers = self
        h: Tensor = beside(x, mask)
        for layer in layers:
            h = layer(h)
        return h


class BesideMask(nn.Module):
    """x ``(n, d, ...)`` with its mask behind it, ``(n, 2 d, ...)``."""

    reads_mask = True

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        if mask is None:
            return torch.cat([x, torch.ones_like(x)], 1)
        return torch.cat([x.where(mask, 0.0), mask.to(x)], 1)


def with_mask(shape: Shape) -> Shape:
    """The shape of an example with its mask behind it."""
    return (2 * shape[0], *shape[1:])


def _firsts(sizes: list[int]) -> Tensor:
    """For every value of a row the place of the first of its cell: sizes 1, 3 give 0, 1, 1, 1."""
    counts = torch.tensor(sizes)
    return (counts.cumsum(0) - counts).repeat_interleave(counts)
