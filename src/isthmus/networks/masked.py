"""Fully connected layers whose masks let each output see only the values that come before it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from isthmus.core.example import ExampleSpec, Shape
from isthmus.networks.base import activation


class MaskedLinear(nn.Linear):
    """A linear map of which some weights count as 0: which, depends on the ordering.

    The number of the ordering may be a tensor ``(1,)``, as a compiled step needs it that draws one.

    Args:
        masks: true where a weight counts, ``(orderings, outputs, inputs)``.
    """

    def __init__(self, masks: Tensor) -> None:
        super().__init__(masks.shape[2], masks.shape[1])
        self.register_buffer("masks", masks, persistent=False)
        self.masks: Tensor

    def forward(self, x: Tensor, ordering: int | Tensor = 0) -> Tensor:
        return F.linear(x, self.weight * self._mask(ordering), self.bias)

    def _mask(self, ordering: int | Tensor) -> Tensor:
        if isinstance(ordering, int):
            return self.masks[ordering]
        return self.masks.index_select(0, ordering).squeeze(0)


class MaskedLayers(nn.Sequential):
    """Layers one after another, of which those with masks are told the ordering."""

    def forward(self, x: Tensor, ordering: int | Tensor = 0) -> Tensor:
        for layer in self:
            x = layer(x, ordering) if isinstance(layer, MaskedLinear) else layer(x)
        return x


class MaskedEncoder(nn.Module):
    """The layers up to the code, which do not read what lies behind the end of an example.

    Args:
        layers: one after another.
        reads_mask: whether examples have an end; where they have none, what stands in place of a
            missing value says nothing already.
    """

    def __init__(self, layers: MaskedLayers, *, reads_mask: bool) -> None:
        super().__init__()
        self.layers, self.reads_mask = layers, reads_mask

    def forward(self, x: Tensor, mask: Tensor | None = None, ordering: int | Tensor = 0) -> Tensor:
        if mask is not None and self.reads_mask:
            x = x.where(mask, 0.0)
        code: Tensor = self.layers(x, ordering)
        return code


class Orderings:
    r"""In which order the values of an example follow one another, and the masks of that.

    A unit of degree m may see the values whose place in the order is at most m, and the output for
    a value the units whose degree is below its place:

    .. math:: M^l_{ji} = [m^l(j) \ge m^{l-1}(i)], \quad M^{out}_{di} = [d > m^L(i)]

    The first ordering is the one in which the values lie; the others are drawn, the same ones at
    every call. The values of one category of a table, which are one-hot, have one place.

    Args:
        spec: what an example is.
        count: how many orderings.
    """

    def __init__(self, spec: ExampleSpec, count: int) -> None:
        self.shape, self.has_time = spec.shape, spec.has_time
        sizes = [column.size for column in spec.columns or ()] or [1] * math.prod(spec.shape)
        cells = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
        ranks = [np.arange(len(sizes))]
        ranks += [np.random.default_rng(k).permutation(len(sizes)) for k in range(1, count)]
        self.length = len(sizes)
        self.places = 1 + torch.from_numpy(np.stack(ranks))[:, cells]  # (orderings, values)

    def encoder(self, widths: Sequence[int], nonlinearity: str | None) -> MaskedEncoder:
        """From x ``(n, *shape)`` to the last of some hidden layers, ``(n, widths[-1])``."""
        degrees = [self.places, *(self._degrees(width) for width in widths)]
        layers: list[nn.Module] = [nn.Flatten()]
        for below, above in pairwise(degrees):
            seen = above[:, :, None] >= below[:, None, :]
            layers += [MaskedLinear(seen), activation(nonlinearity)]
        return MaskedEncoder(MaskedLayers(*layers), reads_mask=self.has_time)

    def decoder(self, width: int, parameters: Shape) -> MaskedLayers:
        """From the last hidden layer to the parameters of a likelihood, ``(n, *parameters)``."""
        owners = self._owners(parameters)
        seen = self.places[:, owners, None] > self._degrees(width)[:, None, :]
        return MaskedLayers(MaskedLinear(seen), nn.Unflatten(1, parameters))

    def _degrees(self, width: int) -> Tensor:
        """The degrees of a layer's units, ``(orderings, width)``: spread over all places but the
        last, which nothing may see.
        """
        spread = 1 + torch.arange(width) * max(0, self.length - 1) // width
        return spread.expand(len(self.places), -1)

    def _owners(self, parameters: Shape) -> Tensor:
        """The value of x that each parameter is about; those of a value lie along one axis."""
        values = torch.arange(math.prod(self.shape)).view(self.shape)
        copies = [of // size for of, size in zip(parameters, self.shape, strict=True)]
        return values.repeat(copies).flatten()
