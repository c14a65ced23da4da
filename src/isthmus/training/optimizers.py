"""Optimisers and the learning rate, by the settings."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from torch.optim import SGD, Adam, AdamW, Optimizer

from isthmus.settings import TrainingSettings
from isthmus.stages import Player


def make_optimizer(player: Player, settings: TrainingSettings) -> Optimizer:
    """The optimiser that the settings name, over the parameters of a player."""
    makers: dict[str, Callable[..., Optimizer]] = {"adam": Adam, "adamw": AdamW, "sgd": SGD}
    extra = {"momentum": 0.9} if settings.optimizer == "sgd" else {}
    return makers[settings.optimizer](
        player.parameters,
        lr=player.learning_rate or settings.learning_rate,
        weight_decay=settings.weight_decay,
        fused=True,
        **extra,
    )


def set_learning_rates(moves: Iterable[tuple[Player, Optimizer]], settings: TrainingSettings, share: float) -> None:
    """Set the learning rates of a moment; ``share`` is how much of the stage is done, from 0 to 1."""
    if settings.schedule == "constant":
        return
    factor = 0.5 * (1 + math.cos(math.pi * share))
    for player, optimizer in moves:
        for group in optimizer.param_groups:
            group["lr"] = factor * (player.learning_rate or settings.learning_rate)
