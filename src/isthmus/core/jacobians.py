"""Derivatives of networks, estimated by random projections."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from isthmus.core import sharding


def projected(function: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
    r"""Jᵀv of a function's Jacobian J at each point, with a normal vector v; the shape of points.

    The mean of its squared length is the squared Frobenius norm,
    :math:`\mathbb{E} \lVert J^\top v \rVert^2 = \lVert J \rVert_F^2`. The function must treat every
    point by itself.
    """
    pulled = torch.func.vjp(function, points)
    value, pull_back = pulled[0], pulled[1]
    found: Tensor = pull_back(sharding.randn_like(value))[0]
    return found
