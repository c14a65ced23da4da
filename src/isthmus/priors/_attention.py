"""How transformers over indices attend: rotary positions, a window."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from isthmus.networks.attention import Attend


class Rotary(nn.Module):
    r"""Cosines and sines by which pairs of numbers are turned at each position of a grid.

    The product of a turned query and a turned key depends on how far apart they are: along rows and
    columns, for which each half of the pairs stands, or along the one axis.

    Args:
        shape: height and width of the grid.
        size: numbers of a query; a multiple of 4.

    Reference:
        J. Su, Y. Lu, S. Pan, B. Wen and Y. Liu, RoFormer: enhanced transformer with rotary position
        embedding, 2021.
    """

    cos: Tensor
    sin: Tensor

    def __init__(self, shape: tuple[int, int], size: int) -> None:
        super().__init__()
        height, width = shape
        rows, columns = (
            torch.arange(side, dtype=torch.float64) for side in (height, width)
        )  # an angle of thousands of radians needs the digits
        if height == 1:
            angles = torch.outer(columns, _frequencies(size // 2, 10_000))
        else:
            frequencies = _frequencies(size // 4, 100)  # sides are short
            angles = torch.cat(
                [
                    torch.outer(rows.repeat_interleave(width), frequencies),
                    torch.outer(columns.repeat(height), frequencies),
                ],
                1,
            )
        # (positions, size / 2)
        self.register_buffer("cos", angles.cos().float(), persistent=False)
        self.register_buffer("sin", angles.sin().float(), persistent=False)

    def forward(self, start: int = 0, stop: int | None = None) -> tuple[Tensor, Tensor]:
        """Those of some positions."""
        return self.cos[start:stop], self.sin[start:stop]


def _frequencies(count: int, longest: float) -> Tensor:
    return longest ** (-torch.arange(count, dtype=torch.float64) / count)


def turned(x: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
    """Pairs of x ``(n, heads, positions, size)`` turned by an angle of their position."""
    (first, second), (cos, sin) = x.chunk(2, -1), turns
    return torch.cat([first * cos - second * sin, first * sin + second * cos], -1).to(x.dtype)


def backwards(window: int) -> Attend:
    """Every position attends to itself and the ``window - 1`` before it.

    More positions than that are cut in blocks as long as the window, each of which attends to
    itself and the one before: the cost grows with the length alone.
    """

    def attend(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        length = queries.shape[2]
        first = functional.scaled_dot_product_attention(
            queries[:, :, :window], keys[:, :, :window], values[:, :, :window], is_causal=True
        )
        if length <= window:
            return first
        blocks = math.ceil(length / window)
        missing = blocks * window - length
        queries, keys, values = (
            functional.pad(part, (0, 0, 0, missing)) for part in (queries, keys, values)
        )
        later = functional.scaled_dot_product_attention(
            queries[:, :, window:].unflatten(2, (blocks - 1, window)).flatten(1, 2),
            _pairs_of_blocks(keys, window),
            _pairs_of_blocks(values, window),
            attn_mask=_band(window, queries.device),
        )  # (n, heads * (blocks - 1), window, size)
        later = later.unflatten(1, (-1, blocks - 1)).flatten(2, 3)
        return torch.cat([first, later], 2)[:, :, :length]

    return attend


def _pairs_of_blocks(x: Tensor, window: int) -> Tensor:
    """Each block but the first with the one before it, ``(n, heads * (blocks - 1), 2 * window,
    size)``.
    """
    return x.unfold(2, 2 * window, window).mT.flatten(1, 2)


def _band(window: int, device: torch.device) -> Tensor:
    """Which of the places of two blocks those of the second may see, ``(window, 2 * window)``."""
    place = torch.arange(window, device=device)[:, None]
    other = torch.arange(2 * window, device=device)
    return (other > place) & (other <= place + window)
