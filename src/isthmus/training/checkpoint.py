"""Checkpoints: everything that a run needs to go on as if nothing had happened."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from isthmus.core import claims, editions, files, tensor_files
from isthmus.core.paths import as_path
from isthmus.core.records import Record, unusable
from isthmus.core.weights import load_state, require_fit
from isthmus.errors import RunError
from isthmus.training.optimizers import Optimizer

FILE = "checkpoint.safetensors"
_FORMAT = 3
REMEDY = "remove it to start anew"
_LEAST_INTERVAL = 1.0
_SHARE = 20  # a checkpoint may take a twentieth of the time at the most


@dataclass
class State:
    """How far training has come, beside the weights and the optimiser.

    Attributes:
        epoch: finished epochs; ``position``: finished steps of the next one.
        stage: which stage was entered last, counted from 0; -1 before the first.
        history: one row per finished epoch.
        log: the terms of the steps of the epoch under way, ``(steps, terms)``.
        best, best_epoch, best_weights: the validation objective at its best, for early stopping.
        average: the moving average of the weights, where one is kept.
        snapshots: what snapshots were taken, by name.
        seconds: time spent in the epoch under way.
        stopped: whether training was ended before its last epoch.
        seed: what the order of the examples is made from.
        terms: what the columns of ``log`` are.
    """

    epoch: int = 0
    position: int = 0
    stage: int = -1
    history: list[dict[str, float]] = field(default_factory=list)
    log: Tensor | None = None
    best: float = float("inf")
    best_epoch: int = 0
    best_weights: dict[str, Tensor] | None = None
    average: dict[str, Tensor] | None = None
    snapshots: dict[str, Tensor] = field(default_factory=dict)
    seconds: float = 0.0
    stopped: bool = False
    seed: int = 0
    terms: list[str] = field(default_factory=list)


class Checkpoint:
    """One file, replaced atomically; a run is identified by its settings and its data.

    Args:
        folder: where the file lies, made when first written.
        identity: what must be equal for a run to go on, by name; an unequal entry is named in the
            error.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        self.path = folder / FILE
        self.identity = dict(identity)
        self._written = time.monotonic()
        self._cost = 0.0

    @property
    def is_due(self) -> bool:
        """Whether enough time has passed since the last one, measured by what writing costs."""
        return time.monotonic() - self._written >= max(_LEAST_INTERVAL, _SHARE * self._cost)

    def write(self, state: State, module: nn.Module, optimizers: Sequence[Optimizer]) -> None:
        """Write the run as it stands, between two steps."""
        start = time.monotonic()
        tensors: dict[str, Tensor] = {"generator": torch.get_rng_state()}
        if torch.cuda.is_available():
            tensors["generator.cuda"] = torch.cuda.get_rng_state()
        values = {
            name: tensor_files.pack(part, tensors, name)
            for name, part in (
                ("module", module.state_dict()),
                ("optimizers", [optimizer.state() for optimizer in optimizers]),
                (
                    "state",
                    {**vars(state), "best": None if state.best == float("inf") else state.best},
                ),
            )
        }
        tensor_files.write_tensors(
            self.path,
            tensors,
            {"format": _FORMAT, "identity": self.identity, "seed": state.seed, **values},
        )
        self._written = time.monotonic()
        self._cost = self._written - start

    def read(self, module: nn.Module) -> tuple[State, list[dict[str, Any]]] | None:
        """Take the run up where it stood; gives its state and its optimisers' moments, or None."""
        meta = self._meta()
        if meta is None:
            return None
        self._compare(meta.record("identity").entries())
        with files.reading(self.path, REMEDY):
            tensors, _ = tensor_files.read_tensors(self.path, REMEDY)
            load_state(module, tensor_files.unpack(meta.raw("module"), tensors), self.path)
            state = _state_of(Record(tensor_files.unpack(meta.raw("state"), tensors), "state"))
            for weights in (state.average, state.best_weights):
                if weights is not None:
                    require_fit(module, weights, self.path)
            moments = tensor_files.unpack(meta.raw("optimizers"), tensors)
            torch.set_rng_state(tensors["generator"])
            if "generator.cuda" in tensors and torch.cuda.is_available():
                torch.cuda.set_rng_state(tensors["generator.cuda"])
        return state, moments

    def seed(self, fresh: int) -> int:
        """The seed that the kept run was started with, or ``fresh`` where there is none."""
        meta = self._meta()
        return fresh if meta is None else meta.whole("seed")

    def _meta(self) -> Record | None:
        """What the file says of itself; None where there is none."""
        if not self.path.exists():
            return None
        with files.reading(self.path, REMEDY):
            meta = tensor_files.read_meta(self.path)
            if not isinstance(meta, dict) or meta.get("format") != _FORMAT:
                raise RunError(
                    f"{self.path} is not a checkpoint that this version reads: {REMEDY}."
                )
            found = Record(meta, "checkpoint")
            found.record("identity")
            found.whole("seed")
            return found

    def refuse_fewer(self, state: State, epochs: int) -> None:
        """Refuse to go on to an epoch that lies behind the run already."""
        if state.epoch > epochs:
            raise RunError(
                f"{self.path} has finished {state.epoch} epochs, which is more than the {epochs}"
                " that are asked for: raise epochs, or remove the file to start anew."
            )

    def remove(self) -> None:
        """Forget the run."""
        self.path.unlink(missing_ok=True)

    def _compare(self, identity: Mapping[str, Any]) -> None:
        for name in sorted({*self.identity, *identity}):
            then, now = identity.get(name), self.identity.get(name)
            if then != now:
                raise RunError(
                    f"{self.path} belongs to a run with {name}={then!r}, but now {name}={now!r}: "
                    "use the same value to go on, or remove the file to start anew."
                )


def _state_of(given: Record) -> State:
    """The state that a file holds, each part of its type."""
    values = given.entries()
    log, terms = values["log"], list(given.texts("terms"))
    if log is not None and (log.ndim != 2 or log.shape[1] != len(terms)):
        raise unusable("state.log of shape", tuple(log.shape), f"a column for each of {terms}")
    snapshots: dict[str, Tensor] = given.record("snapshots").entries()
    epochs = {name.removeprefix("codes.") for name in snapshots if name.startswith("codes.")}
    pictured = {name for name in snapshots if not name.startswith(("weights.", "box."))}
    others = {name.split(".")[1] for name in set(snapshots) - pictured}
    boxes = [value for name, value in snapshots.items() if name.startswith("box.")]
    if (
        pictured != {f"{part}.{epoch}" for part in ("codes", "grid") for epoch in epochs}
        or not others <= epochs
        or any(box.shape != (4,) for box in boxes)
    ):
        raise unusable("state.snapshots", sorted(snapshots), "codes and grids")
    best = given.optional("best", given.number)
    return State(
        epoch=given.whole("epoch"),
        position=given.whole("position"),
        stage=given.whole("stage", -1),
        history=[_row_of(row) for row in given.items("history")],
        log=log,
        best=float("inf") if best is None else best,
        best_epoch=given.whole("best_epoch"),
        best_weights=values["best_weights"],
        average=values["average"],
        snapshots=snapshots,
        seconds=given.number("seconds"),
        stopped=given.flag("stopped"),
        seed=given.whole("seed"),
        terms=terms,
    )


def _row_of(values: Any) -> dict[str, float]:
    """A row of the history that a file holds."""
    row = Record(values, "a row of the history")
    for name in ("epoch", "objective", "seconds"):
        row.number(name)
    for name, value in row.entries().items():
        if type(value) not in (int, float):  # a measure may be NaN
            raise unusable(f"{name} of a row of the history", value, "a number")
    return row.entries()


def checkpoint_in(
    folder: str | Path | None, identity: Callable[[], Mapping[str, object]]
) -> Checkpoint | None:
    """The checkpoint of a folder, or None where no folder is named; only for one are the data
    looked at, which ``identity`` does.
    """
    return None if folder is None else Checkpoint(as_path(folder, "checkpoint_dir"), identity())


@contextmanager
def held(checkpoint: Checkpoint | None) -> Iterator[None]:
    """Keep other trainings out of a checkpoint's folder; refused at once where there is another.

    What a killed one left half written goes.
    """
    if checkpoint is None:
        yield
        return
    with claims.claimed(checkpoint.path.parent, wait=0):
        editions.settle(checkpoint.path.parent)
        yield
