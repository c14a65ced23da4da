"""Blocks of attention over the places of a grid, and sines that say where a place is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from isthmus.core.example import Shape
from isthmus.networks.base import activation

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From queries, keys and values, each ``(n, heads, places, size)``, to what was attended to."""
Turn = Callable[[Tensor], Tensor]
"""What is done to queries and to keys ``(n, heads, places, size)`` by their places."""

_LONGEST = 10_000.0  # wave, as a multiple of the shortest


class AttentionBlock(nn.Module):
    """Attention and two linear layers, each behind a normalisation and added to what it sees.

    Args:
        channels: size of the vector at each place.
        heads: attentions side by side, each of ``channels / heads``.
        dropout: share of what is added that is left out at random in training.
        nonlinearity: the name of the activation between the two linear layers.
    """

    def __init__(
        self, channels: int, heads: int, dropout: float = 0.0, nonlinearity: str | None = "gelu"
    ) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.between = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.project = nn.Linear(channels, 3 * channels, bias=False)
        self.out = nn.Linear(channels, channels)
        self.mlp = nn.Sequential(
            nn.Linear(channels, 4 * channels),
            activation(nonlinearity),
            nn.Linear(4 * channels, channels),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, attend: Attend, turn: Turn | None = None) -> Tensor:
        """From ``(n, places, channels)`` to the same."""
        parts = self.project(self.before(x)).unflatten(2, (3, self.heads, -1))
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)  # (n, heads, places, size)
        if turn is not None:
            queries, keys = turn(queries), turn(keys)
        seen = attend(queries, keys, values)
        x = x + self.dropout(self.out(seen.transpose(1, 2).flatten(2)))
        added: Tensor = self.dropout(self.mlp(self.between(x)))
        return x + added


class Blocks(nn.Module):
    """A block of attention for every width, and a normalisation; a linear map where widths change.

    Args:
        widths: channels of each block.
        heads: attentions side by side, by the channels.
        nonlinearity: the name of the activation in the blocks.
    """

    def __init__(
        self, widths: Sequence[int], heads: Callable[[int], int], nonlinearity: str | None
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, width in pairwise([widths[0], *widths]):
            if before != width:
                layers.append(nn.Linear(before, width))
            layers.append(AttentionBlock(width, heads(width), nonlinearity=nonlinearity))
        self.layers, self.norm = nn.ModuleList(layers), nn.LayerNorm(widths[-1])

    def forward(self, x: Tensor, attend: Attend) -> Tensor:
        """From ``(n, places, widths[0])`` to ``(n, places, widths[-1])``."""
        for layer in self.layers:
            x = layer(x, attend) if isinstance(layer, AttentionBlock) else layer(x)
        normalised: Tensor = self.norm(x)
        return normalised


def everywhere(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Every place attends to all."""
    return functional.scaled_dot_product_attention(queries, keys, values)


def among(seen: Tensor) -> Attend:
    """Every place attends to those that are seen, ``(n, places)``; to all where none is."""
    allowed = seen | ~seen.any(1, keepdim=True)

    def attend(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        return functional.scaled_dot_product_attention(
            queries, keys, values, attn_mask=allowed[:, None, None, :]
        )

    return attend


def sines(grid: Shape, width: int) -> Tensor:
    r"""What is added to the vector at each place of a grid, ``(places, width)``.

    .. math:: \left[ \sin(p \, \omega_i), \; \cos(p \, \omega_i) \right]_{i < m}, \quad
              \omega_i = 10000^{-i / m}

    for the place p along each axis, one axis behind the other, m numbers of each kind.

    References:
        A. Vaswani et al., Attention is all you need, NeurIPS 2017; of two axes: K. He, X. Chen,
        S. Xie, Y. Li, P. Dollár and R. Girshick, Masked autoencoders are scalable vision learners,
        CVPR 2022.
    """
    count = -(-width // (2 * len(grid)))
    waves = _LONGEST ** (-torch.arange(count, dtype=torch.float64) / count)
    sides = [torch.arange(side, dtype=torch.float64) for side in grid]
    along = torch.cartesian_prod(*sides).view(-1, len(grid))  # (places, axes)
    angles = along[:, :, None] * waves  # (places, axes, count)
    return torch.cat([angles.sin(), angles.cos()], 2).flatten(1)[:, :width].float()
