"""How the learning rate changes in a stage; :data:`isthmus.registry.SCHEDULES` lists the ways."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

from isthmus.core.fields import field
from isthmus.core.parts import SlotPart


@dataclass(repr=False)
class Schedule(SlotPart, ABC):
    """A function from how much of a stage is done to a factor on the learning rate."""

    @abstractmethod
    def factor(self, share: float) -> float:
        """The factor at a ``share`` of the stage, from 0 to 1."""


@dataclass(repr=False)
class Constant(Schedule):
    """The learning rate stays as it is."""

    def factor(self, share: float) -> float:
        return 1.0


@dataclass(repr=False)
class Cosine(Schedule):
    r"""Half a cosine, from the learning rate down to a share of it, perhaps after a warm-up.

    .. math:: f(t) = f_1 + (1 - f_1) \, \tfrac12 (1 + \cos \pi t)

    where t is the share of the stage after the warm-up, in which the factor rises from 0 to 1 on a
    straight line.

    Reference:
        I. Loshchilov and F. Hutter, SGDR: stochastic gradient descent with warm restarts, ICLR
        2017.
    """

    final: float = field(0.0, "share of the learning rate that is left at the end", low=0, high=1)
    warmup: float = field(
        0.0, "share of the stage over which the learning rate rises from 0", low=0, below=1
    )

    def factor(self, share: float) -> float:
        if share < self.warmup:
            return share / self.warmup
        done = (share - self.warmup) / (1 - self.warmup)
        return self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * done))


@dataclass(repr=False)
class Linear(Schedule):
    r"""The learning rate stays as it is, and then falls on a straight line, down to a share of it.

    .. math:: f(t) = 1 - (1 - f_1) \max\left(0, \frac{t - t_0}{1 - t_0}\right)

    where t is the share of the stage that is done, and :math:`t_0` that from which on it falls.
    """

    final: float = field(0.0, "share of the learning rate that is left at the end", low=0, high=1)
    start: float = field(
        2 / 3, "share of the stage after which the learning rate falls", low=0, below=1
    )

    def factor(self, share: float) -> float:
        return 1 - (1 - self.final) * max(0.0, (share - self.start) / (1 - self.start))
