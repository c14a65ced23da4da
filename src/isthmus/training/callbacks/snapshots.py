"""Snapshots: codes of fixed probes and the decoded plane at some moments, for the animation."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil, prod
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from isthmus.core.autoencoder import Autoencoder
from isthmus.core.latent_grid import Box, LatentGrid
from isthmus.core.memory import require
from isthmus.data.batches import StoreBatches
from isthmus.training.callbacks.base import Callback

if TYPE_CHECKING:
    from isthmus.training.loop import Trainer


_BYTES = 4  # of a number in float32
_WEIGHTS = 24 * 2**20  # bytes that the weights of all moments of a run may take
_STEPS = 127  # of 8 bits, to the largest weight of a row
_TINY = 2.0**-24  # the smallest number above 0 in half precision
_NO_GRID = np.empty((0,), np.float32)


@dataclass(frozen=True)
class Snapshot:
    """What a model did at one moment.

    Attributes:
        epoch: finished epochs (0: before training).
        codes: the codes of the probes, ``(probes, *code_shape)``.
        grid: what the decoder made of a grid over the codes, ``(rows * columns, *shape)``, in the
            user's units.
        weights: the model's own, in half precision, by name; empty where those of so many moments
            would take too much.
        box: the part of the code plane that the tiles of the grid cover: left, right, bottom, top;
            None in runs of before, whose grids lay at quantiles.
    """

    epoch: int
    codes: np.ndarray
    grid: np.ndarray
    weights: Mapping[str, np.ndarray] = field(default_factory=dict)
    box: Box | None = None

    def __repr__(self) -> str:
        weights = f", weights={len(self.weights)}" if self.weights else ""
        return (
            f"Snapshot(epoch={self.epoch}, codes={self.codes.shape}, grid={self.grid.shape}"
            f"{weights})"
        )


class Snapshots(Callback):
    """Takes snapshots at ``count`` moments, closer together at the start, where most happens.

    Args:
        count: how many, the first before training and the last at its end.
        epochs: how long training lasts.
        module: whose codes they are.
        probes: the examples whose codes are kept.
        plane: from the codes of the probes to the grid of codes whose decoded examples are kept.
        condition: what a conditional member is told of those, ``(1, c)``.
    """

    def __init__(
        self,
        count: int,
        epochs: int,
        module: Autoencoder,
        probes: StoreBatches,
        plane: Callable[[np.ndarray], LatentGrid],
        condition: Tensor | None = None,
    ) -> None:
        kept, code = min(count, epochs + 1), prod(module.bottleneck.code_shape)
        require(kept * len(probes) * code * _BYTES, f"snapshots={count:,}", "ask for fewer")
        self.epochs = snapshot_epochs(count, epochs)
        self.weighed = _weighed(self.epochs, sum(v.numel() for v in _floating(module).values()))
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
            decoded, box = pictured(self.module, codes, self.plane, self.condition)
            if epoch in self.weighed or (self.weighed and trainer.state.stopped):
                for name, value in _floating(self.module).items():
                    kept[f"weights.{epoch}.{name}"] = value.half().cpu()
        kept[f"codes.{epoch}"], kept[f"grid.{epoch}"] = codes.float().cpu(), decoded.float().cpu()
        kept[f"box.{epoch}"] = torch.tensor(box)


def pictured(
    module: Autoencoder,
    codes: Tensor,
    plane: Callable[[np.ndarray], LatentGrid],
    condition: Tensor | None = None,
) -> tuple[Tensor, Box]:
    """What a decoder makes of a grid over codes, ``(rows * columns, *shape)``, and its place."""
    lattice = plane(codes.float().cpu().numpy())
    grid = torch.from_numpy(lattice.codes).to(codes)
    known = None if condition is None else condition.to(codes).expand(len(grid), -1)
    return module.decode(grid.reshape(-1, *codes.shape[1:]), known), lattice.box


def completed(
    snapshots: Sequence[Snapshot],
    module: Autoencoder,
    plane: Callable[[np.ndarray], LatentGrid],
    outer: Callable[[np.ndarray], np.ndarray],
    condition: Tensor | None = None,
) -> list[Snapshot]:
    """Snapshots with the grids that were left out: what the module makes of them, with the weights
    of their moments; ``outer`` brings examples into the user's units.
    """
    if all(len(snapshot.grid) for snapshot in snapshots):
        return list(snapshots)
    then, place = copy.deepcopy(module).eval(), next(module.parameters()).device

    def whole(snapshot: Snapshot) -> Snapshot:
        state = {name: torch.from_numpy(value) for name, value in snapshot.weights.items()}
        then.load_state_dict(state, strict=False)
        codes = torch.from_numpy(snapshot.codes).to(place)
        with torch.inference_mode():
            grid, box = pictured(then, codes, plane, condition)
        return replace(snapshot, grid=outer(grid.float().cpu().numpy()), box=box)

    return [snapshot if len(snapshot.grid) else whole(snapshot) for snapshot in snapshots]


def to_tensors(snapshots: Iterable[Snapshot]) -> dict[str, Tensor]:
    """Snapshots as named tensors."""
    kept: dict[str, Tensor] = {}
    for snapshot in snapshots:
        parts = {"codes": snapshot.codes, "grid": snapshot.grid}
        for name, values in parts.items():
            kept[f"{name}.{snapshot.epoch}"] = torch.from_numpy(np.ascontiguousarray(values))
        if snapshot.box is not None:
            kept[f"box.{snapshot.epoch}"] = torch.tensor(snapshot.box)
        for name, values in snapshot.weights.items():
            kept[f"weights.{snapshot.epoch}.{name}"] = torch.from_numpy(values)
    return kept


def packed(snapshots: Iterable[Snapshot]) -> dict[str, Tensor]:
    """Snapshots with their weights as named tensors of a seventh of the size, for
    :func:`from_tensors`: codes in half precision, weights in 8 bits with a scale for each row, and
    no grids, which the weights make again.
    """
    kept: dict[str, Tensor] = {}
    for snapshot in snapshots:
        epoch = snapshot.epoch
        kept[f"codes.{epoch}"] = torch.from_numpy(snapshot.codes).half()
        for name, values in snapshot.weights.items():
            weights = torch.from_numpy(values).float()
            largest = weights.abs().amax(-1, keepdim=True) if weights.ndim else weights.abs()
            scale = (largest / _STEPS).half().clamp(min=_TINY)
            kept[f"scales.{epoch}.{name}"] = scale
            steps = (weights / scale.float()).round().clamp(-_STEPS, _STEPS)
            kept[f"weights.{epoch}.{name}"] = steps.to(torch.int8)
    return kept


def from_tensors(kept: Mapping[str, Tensor]) -> list[Snapshot]:
    """The inverse of :func:`to_tensors`, in the order of their epochs; of :func:`packed` but for
    the grids, which are empty.
    """
    weights: dict[int, dict[str, np.ndarray]] = {}
    for name, value in kept.items():
        kind, _, rest = name.partition(".")
        if kind == "weights":
            epoch, _, weight = rest.partition(".")
            if (scale := kept.get(f"scales.{rest}")) is not None:
                value = (value * scale.float()).half()
            weights.setdefault(int(epoch), {})[weight] = value.numpy()
    epochs = sorted(int(name.partition(".")[2]) for name in kept if name.startswith("codes."))
    return [
        Snapshot(
            epoch,
            kept[f"codes.{epoch}"].float().numpy(),
            _NO_GRID
            if f"grid.{epoch}" not in kept and epoch in weights
            else kept[f"grid.{epoch}"].numpy(),
            weights.get(epoch, {}),
            _box(kept.get(f"box.{epoch}")),
        )
        for epoch in epochs
    ]


def _box(kept: Tensor | None) -> Box | None:
    """The edges of a grid; None where they were not kept."""
    if kept is None:
        return None
    left, right, bottom, top = kept.tolist()
    return left, right, bottom, top


def _floating(module: Autoencoder) -> dict[str, Tensor]:
    """What a module computes with, and training changes."""
    state = module.state_dict()
    return {name: value for name, value in state.items() if value.is_floating_point()}


def _weighed(epochs: Collection[int], size: int) -> set[int]:
    """The moments whose weights, so many numbers each, are kept: all, or every few, the last one
    among them; none where a single one would take too much.
    """
    if not epochs or 2 * size > _WEIGHTS:
        return set()
    every = ceil(len(epochs) * 2 * size / _WEIGHTS)
    return set(sorted(epochs)[::-1][::every])


def snapshot_epochs(count: int, epochs: int) -> Collection[int]:
    """At most ``count`` epochs from 0 to the last, closer together at the start."""
    if count > 1.5 * epochs + 1:  # they lie less than one apart, also at the end
        return range(epochs + 1)
    if count == 1:
        return {epochs}
    return {round(epochs * (i / (count - 1)) ** 1.5) for i in range(count)} if count else set()
