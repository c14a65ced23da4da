"""Snapshots: the codes of fixed probes and the decoded plane, at some moments of training, for the
animation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from isthmus.core.autoencoder import Autoencoder
from isthmus.data.batches import ArrayBatches


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


class Snapshots:
    """Takes snapshots at ``count`` moments, closer together at the start, where most happens.

    Args:
        count: how many, the first before training and the last at its end.
        epochs: how long training lasts.
        probes: the examples whose codes are kept.
        plane: from the codes of the probes to the codes whose decoded examples are kept.
        condition: what a conditional member is told of those, ``(1, c)``.
    """

    def __init__(
        self,
        count: int,
        epochs: int,
        probes: ArrayBatches,
        plane: Callable[[np.ndarray], np.ndarray],
        condition: Tensor | None = None,
    ) -> None:
        self.epochs = moments(count, epochs)
        self.probes, self.plane, self.condition = probes, plane, condition

    @torch.no_grad()
    def take(
        self, module: Autoencoder, epoch: int, kept: dict[str, Tensor], at_end: bool = False
    ) -> None:
        """Add this moment to ``kept`` where it is one of those to keep, or the end; training is not
        disturbed.
        """
        if epoch not in self.epochs and not at_end:
            return
        module.eval()
        codes = torch.cat([module.encode(batch)[0] for batch in self.probes.chunks()])
        grid = (
            torch.from_numpy(self.plane(codes.float().cpu().numpy()))
            .to(codes)
            .reshape(-1, *codes.shape[1:])
        )
        kept[f"codes.{epoch}"] = codes.float().cpu()
        known = None if self.condition is None else self.condition.to(codes).expand(len(grid), -1)
        kept[f"grid.{epoch}"] = module.decode(grid, known).float().cpu()
        module.train()


def moments(count: int, epochs: int) -> set[int]:
    """At most ``count`` epochs from 0 to the last, closer together at the start."""
    if count == 1:
        return {epochs}
    return {round(epochs * (i / (count - 1)) ** 1.5) for i in range(count)} if count else set()
