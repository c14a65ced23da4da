"""One batch on several processes: each has its rows; what needs the whole batch asks here.

Every process draws the noise of the whole batch from the same random state and keeps its own rows
of it, so that one, two and three processes see the same numbers. In one process everything here is
what torch itself does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Reduce = Callable[[Tensor], Tensor]
"""From a tensor to its sum (or greatest values) over all processes, of the same shape."""


@dataclass(frozen=True)
class Shard:
    """The rows of a batch that this process works on.

    Attributes:
        start, stop: the first of them, and the one behind the last; at least one row.
        total: the rows of the whole batch.
        add: the sum over all processes.
        greatest: the greatest values over all processes.
        reseeds: whether something draws numbers for the rows of this process alone (dropout). Then
            all random states are set alike behind every step; the draws depend on the number of
            processes.
    """

    start: int
    stop: int
    total: int
    add: Reduce
    greatest: Reduce
    reseeds: bool = False


_shard: ContextVar[Shard | None] = ContextVar("shard", default=None)


@contextmanager
def working_on(shard: Shard) -> Iterator[None]:
    """What is computed inside sees rows ``start`` to ``stop`` of a batch."""
    seed = int(torch.randint(2**62, ())) if shard.reseeds else None
    token = _shard.set(shard)
    try:
        yield
    finally:
        _shard.reset(token)
        if seed is not None:
            torch.manual_seed(seed)


def current() -> Shard | None:
    """The rows that this process works on; None where it has the whole batch."""
    return _shard.get()


def randn(*shape: int, like: Tensor, dim: int = 0) -> Tensor:
    """Standard normal noise of ``shape``, whose axis ``dim`` counts this process's examples.

    It has the type of ``like``, and is on its device.
    """
    return _drawn(torch.randn, shape, like, dim)


def randn_like(x: Tensor) -> Tensor:
    """Standard normal noise of the shape of x, ``(n, …)``."""
    return torch.randn_like(x) if _shard.get() is None else _drawn(torch.randn, x.shape, x, 0)


def rand_like(x: Tensor) -> Tensor:
    """Uniform noise in [0, 1) of the shape of x, ``(n, …)``."""
    return torch.rand_like(x) if _shard.get() is None else _drawn(torch.rand, x.shape, x, 0)


def pick(rows: Tensor, count: int) -> Tensor:
    """``count`` rows, drawn with replacement from the whole batch: ``(m, d)`` to ``(count, d)``.

    Every example brings the same number of them.
    """
    shard = _shard.get()
    drawn = torch.randint(total(len(rows)), (count,), device=rows.device)
    if shard is None:
        return rows[drawn]
    places = drawn - shard.start * (len(rows) // (shard.stop - shard.start))
    is_own = (places >= 0) & (places < len(rows))
    own = rows[places.clamp(0, len(rows) - 1)]
    return shard.add(torch.where(is_own[:, None], own, 0.0))


def total(count: int) -> int:
    """How many rows the whole batch has, where this process's examples have ``count`` of them."""
    shard = _shard.get()
    if shard is None:
        return count
    return count // (shard.stop - shard.start) * shard.total


def all_sum(x: Tensor) -> Tensor:
    """The sum of what each process has; gradients flow through it."""
    shard = _shard.get()
    if shard is None:
        return x
    summed: Tensor = _Sum.apply(x, shard.add)
    return summed


def batch_mean(x: Tensor) -> Tensor:
    """The mean over the whole batch, ``(n, …)`` to ``(…)``; gradients flow through it."""
    shard = _shard.get()
    return x.mean(0) if shard is None else all_sum(x.sum(0)) / shard.total


def gather(x: Tensor) -> Tensor:
    """The rows of the whole batch, ``(n, …)``, from this process's; gradients flow through it."""
    shard = _shard.get()
    if shard is None:
        return x
    before = x.new_zeros(shard.start, *x.shape[1:])
    behind = x.new_zeros(shard.total - shard.stop, *x.shape[1:])
    return all_sum(torch.cat([before, x, behind]))


def own(x: Tensor) -> Tensor:
    """This process's rows, from those of the whole batch: the way back from :func:`gather`."""
    shard = _shard.get()
    return x if shard is None else x[shard.start : shard.stop]


def least_and_greatest(x: Tensor) -> tuple[Tensor, Tensor]:
    """The least and the greatest value of the whole batch; no gradient flows through them."""
    least, greatest = x.detach().aminmax()
    shard = _shard.get()
    if shard is None:
        return least, greatest
    return -shard.greatest(-least), shard.greatest(greatest)


def _drawn(draw: Callable[..., Tensor], shape: Any, like: Tensor, dim: int) -> Tensor:
    shard = _shard.get()
    if shard is None:
        return draw(*shape, device=like.device, dtype=like.dtype)
    whole = [*shape[:dim], shard.total, *shape[dim + 1 :]]
    noise = draw(whole, device=like.device, dtype=like.dtype)
    return noise.narrow(dim, shard.start, shard.stop - shard.start)


class _Sum(torch.autograd.Function):
    """The sum over all processes.

    What training makes small is the sum of what each process charges, so a gradient is the sum of
    theirs as well.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, add: Reduce) -> Tensor:
        ctx.add = add
        return add(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return ctx.add(gradients[0]), None
