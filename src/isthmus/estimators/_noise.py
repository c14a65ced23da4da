"""Noise for a bound: the same draws for every example."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from isthmus.core.autoencoder import Bottleneck

DRAWS = 16


def shared_noise(bottleneck: Bottleneck, like: Tensor) -> list[Tensor | None]:
    """Noise for a bound, ``(1, *noise_shape)`` a draw, or a single None where nothing is drawn.

    Every example gets the same draws, so that its score does not depend on the others. They come in
    pairs ε, −ε and have unit variance (and, while there are enough of them, no correlation), so
    that the mean of anything quadratic
    in ε is exact: draws that are shared do not average out by numbers.
    """
    if not bottleneck.is_random:
        return [None]
    half = torch.randn(
        DRAWS // 2, math.prod(bottleneck.noise_shape), generator=torch.Generator().manual_seed(0)
    )
    half = torch.linalg.qr(half)[0] if half.shape[1] <= len(half) else half / half.norm(dim=0)
    draws = torch.cat([half, -half]) * math.sqrt(DRAWS // 2)
    return list(draws.reshape(DRAWS, 1, *bottleneck.noise_shape).to(like))
