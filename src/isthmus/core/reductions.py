"""From values to one number an example: sums over dimensions, never means."""

from __future__ import annotations

import torch
from torch import Tensor


def squared_error(a: Tensor, b: Tensor) -> Tensor:
    """The squared distance of each example of ``a`` to its counterpart in ``b``, ``(n,)``."""
    return sum_dimensions((a - b).square())


def sum_dimensions(values: Tensor) -> Tensor:
    """Sum everything but the first dimension: ``(n, *shape)`` to ``(n,)``."""
    return values.flatten(1).sum(1)


def full(values: Tensor) -> Tensor:
    """At least float32: sums over thousands of dimensions must not run in half precision."""
    return values.float() if values.dtype in (torch.bfloat16, torch.float16) else values


def beside(weights: Tensor, values: Tensor) -> Tensor:
    """What is said of examples, so shaped that it meets the values ``(..., *shape)`` of these."""
    return weights[(..., *[None] * (values.dim() - weights.dim()))]
