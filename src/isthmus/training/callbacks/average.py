"""The moving average of the weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from isthmus.training.callbacks.base import Callback

if TYPE_CHECKING:
    from isthmus.training.loop import Trainer


class MovingAverage(Callback):
    r"""Averages the weights over training; the average is measured, pictured and kept.

    .. math:: \bar\theta \leftarrow \gamma_t \bar\theta + (1 - \gamma_t) \theta, \quad
              \gamma_t = \min\left(\gamma, \frac{1 + t}{10 + t}\right)

    after step t, so that the first steps are soon forgotten. Everything floating that the module
    keeps is averaged, such as codebooks; whole numbers are taken as they stand.

    Reference:
        B. T. Polyak and A. B. Juditsky, Acceleration of stochastic approximation by averaging,
        SIAM Journal on Control and Optimization, 1992.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay

    def on_fit_start(self, trainer: Trainer) -> None:
        state = trainer.state
        own = trainer.module.state_dict()
        if state.average is None:
            state.average = {k: v.clone() for k, v in own.items()}
        state.average = {k: value.to(own[k]) for k, value in state.average.items()}
        pairs = [(state.average[k], v) for k, v in own.items()]
        self._moving = _columns([pair for pair in pairs if pair[0].is_floating_point()])
        self._standing = [pair for pair in pairs if not pair[0].is_floating_point()]

    @torch.no_grad()
    def on_step(self, trainer: Trainer) -> None:
        steps = trainer.finished_steps
        decay = min(self.decay, (1 + steps) / (10 + steps))
        torch._foreach_lerp_(*self._moving, 1 - decay)
        for kept, value in self._standing:
            kept.copy_(value)

    def on_fit_end(self, trainer: Trainer) -> None:
        if trainer.is_complete and trainer.state.average is not None:
            trainer.module.load_state_dict(trainer.state.average)


def _columns(pairs: list[tuple[Tensor, Tensor]]) -> tuple[list[Tensor], list[Tensor]]:
    return [kept for kept, _ in pairs], [value for _, value in pairs]
