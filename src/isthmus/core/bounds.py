"""Bounds whose gradient still leads back to where it may go."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor


def bounded(x: Tensor, low: float | Tensor = -math.inf, high: float | Tensor = math.inf) -> Tensor:
    """x within bounds, which are both numbers or both tensors; of what lies beyond one, a gradient
    passes that descends towards it.

    ``clamp`` stops all gradients out there, so that what once got there stays.
    """
    if not torch.is_grad_enabled():
        return x.clamp(low, high)  # type: ignore[arg-type]  # both are of one kind
    found: Tensor = _Bounded.apply(x, low, high)
    return found


class _Bounded(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, low: Any, high: Any) -> Tensor:
        ctx.save_for_backward(x)
        ctx.low, ctx.high = low, high
        return x.clamp(low, high)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (x,), (gradient,) = ctx.saved_tensors, gradients
        leads_back = ((x >= ctx.low) | (gradient < 0)) & ((x <= ctx.high) | (gradient > 0))
        return gradient * leads_back, None, None
