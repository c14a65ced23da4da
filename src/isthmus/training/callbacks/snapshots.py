"""Snapshots: codes of fixed probes and the decoded plane at some moments, for the animation."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from isthmus.core.autoencoder import Autoencoder
from isthmus.core.memory import require
from isthmus.data.batches import StoreBatches
from isthmus.training.callbacks.base import Callback

if TYPE_CHECKING:
    from isthmus.training.loop import Trainer


_BYTES = 4  # of a number in float32


@dataclass(frozen=True)
class Snapshot:
    """What a model did at one moment.

    Attributes:
        epoch: finished epochs (0: before training).
        codes: the codes of the probes, ``(probes, *code_shape)``.
        grid: what the decoder made of a grid over the codes, ``(rows * columns, *shape)``, in the
            user's units.
    """

    epoch: int
    codes: np.ndarray
    grid: np.ndarray


class Snapshots(Callback):
    """Takes snapshots at ``count`` moments, closer together at the start, where most happens.

    Args:
        count: how many, the first before training and the last at its end.
        epochs: how long training lasts.
        module: whose codes they are.
        probes: the examples whose codes are kept.
        plane: from the codes of the probes to the codes whose decoded examples are kept.
        condition: what a conditional member is told of those, ``(1, c)``.
    """

    def __init__(
        self,
        count: int,
        epochs: int,
        module: Autoencoder,
        probes: StoreBatches,
        plane: Callable[[np.ndarray], np.ndarray],
        condition: Tensor | None = None,
    ) -> None:
        kept, code = min(count, epochs + 1), prod(module.bottleneck.code_shape)
        require(kept * len(probes) * code * _BYTES, f"snapshots={count:,}", "ask for fewer")
        self.epochs = snapshot_epochs(count, epochs)
        self.module, self.probes, self.plane = module, probes, plane
        self.condition = condition

    def on_fit_start(self, trainer: Trainer) -> None:
        if trainer.finished_steps == 0:
            self._take(trainer)

    def on_epoch_end(self, trainer: Trainer, row: Mapping[str, float]) -> None:
        self._take(trainer)

    @torch.no_grad()
    def _take(self, trainer: Trainer) -> None:
        """Add this moment where it is one of those to keep, or the end."""
        epoch, kept = trainer.state.epoch, trainer.state.snapshots
        if epoch not in self.epochs and not trainer.state.stopped:
            return
        with trainer.evaluating():
            codes = torch.cat([self.module.encode(batch)[0] for batch in self.probes.chunks()])
            grid = torch.from_numpy(self.plane(codes.float().cpu().numpy())).to(codes)
            known = None if self.condition is None else self.condition.to(codes)
            decoded = self.module.decode(
                grid.reshape(-1, *codes.shape[1:]),
                None if known is None else known.expand(len(grid), -1),
            )
        kept[f"codes.{epoch}"], kept[f"grid.{epoch}"] = codes.float().cpu(), decoded.float().cpu()


def snapshot_epochs(count: int, epochs: int) -> Collection[int]:
    """At most ``count`` epochs from 0 to the last, closer together at the start."""
    if count > 1.5 * epochs + 1:  # they lie less than one apart, also at the end
        return range(epochs + 1)
    if count == 1:
        return {epochs}
    return {round(epochs * (i / (count - 1)) ** 1.5) for i in range(count)} if count else set()
