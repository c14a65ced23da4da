"""How encoder and decoder see a condition: what is known of an example beside its values."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from isthmus.core.example import Shape
from isthmus.errors import InputError


class ConditionShift(nn.Module):
    r"""How an encoder of any kind sees a condition c: x is moved by a learnt :math:`E c`.

    In front of a linear layer this is the same as putting c beside x:
    :math:`A (x + E c) = A x + (A E) c`. ``c: (n, c)`` to ``(n, *shape)``.
    """

    def __init__(self, size: int, shape: Shape) -> None:
        super().__init__()
        self.shift = nn.Linear(size, math.prod(shape), bias=False)
        nn.init.zeros_(self.shift.weight)  # at first, a condition changes nothing
        self.shape = shape

    def forward(self, condition: Tensor) -> Tensor:
        shift: Tensor = self.shift(condition)
        return shift.unflatten(1, self.shape)


def conditioned_shape(shape: Shape, size: int) -> Shape:
    """The shape of what a decoder gets where a condition of ``size`` numbers stands behind it."""
    return (shape[0] + size, *shape[1:])


def with_condition(passed: Tensor, condition: Tensor) -> Tensor:
    """What a bottleneck passes, with the condition behind it at every place.

    What is passed, ``(n, d, *grid)``, and the condition, ``(n, c)``, make ``(n, d + c, *grid)``.
    """
    rows, known = passed.shape[0], condition.shape[0]  # numbers that a trace does not fix
    if rows != known:  # draws of the same examples, one after another
        condition = condition.repeat(rows // known, 1)
    places = condition[(..., *[None] * (passed.dim() - 2))].expand(-1, -1, *passed.shape[2:])
    return torch.cat([passed, places.to(passed.dtype)], 1)


def required(condition: Tensor | None) -> Tensor:
    """The condition, which a conditional module cannot do without."""
    if condition is None:
        raise InputError("this model was trained under a condition: pass condition=... here too.")
    return condition
