"""How the rate is charged in the course of training: warm-ups, cycles of them, a capacity."""

from __future__ import annotations

from typing import NamedTuple


class RateSchedule(NamedTuple):
    r"""The weight of the rate R, or the capacity that it is held to, in the course of training.

    .. math:: \beta \, a(t) \, R, \quad \text{or with a capacity C} \quad
              \beta \, \lvert R - C \, a(t) \rvert, \quad
              a(t) = \min(1, (t \bmod P) / W)

    with the epoch t, a warm-up of W epochs, and cycles of P epochs.

    Attributes:
        beta: the weight.
        warmup: epochs of a warm-up (W); 0 for none.
        cycles: how often it is done.
        epochs: of the whole training, which the cycles share.
        capacity: nats that the rate is held to (C); None for a weight alone.

    References:
        C. P. Burgess et al., Understanding disentangling in β-VAE, 2018 (capacity);
        H. Fu et al., Cyclical annealing schedule, NAACL 2019 (cycles).
    """

    beta: float = 1.0
    warmup: float = 0.0
    cycles: int = 1
    epochs: int = 1
    capacity: float | None = None

    @property
    def is_still(self) -> bool:
        """Whether nothing changes in the course of training."""
        return self.warmup <= 0

    @property
    def settled(self) -> float:
        """The epoch from which on nothing changes any more."""
        return (self.cycles - 1) * self._period + self.warmup

    def share(self, epoch: float) -> float:
        """How far the warm-up of this cycle has come at an epoch, from 0 to 1."""
        # behind the end, where an objective is measured, the last cycle goes on
        done = min(epoch // self._period, self.cycles - 1) if self.cycles > 1 else 0.0
        return min(1.0, (epoch - done * self._period) / self.warmup)

    @property
    def _period(self) -> float:
        return self.epochs / self.cycles
