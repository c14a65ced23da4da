"""The training that another one goes on from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from isthmus.core.autoencoder import Autoencoder
from isthmus.core.digests import of_values
from isthmus.core.objectives import Stage
from isthmus.core.weights import load_state
from isthmus.data.preprocessing import Preprocessor
from isthmus.data.stores import Store
from isthmus.errors import InputError, RunError
from isthmus.training.callbacks.snapshots import Snapshot
from isthmus.training.checkpoint import State


@dataclass(frozen=True)
class Earlier:
    """What a member knows of its last training.

    Attributes:
        preprocessor: the layout and the scaling that it settled.
        weights: where it ended.
        history: its rows.
        snapshots: what was pictured.
        moments: what its optimisers remembered; empty where the member was loaded.
        seed: what its random numbers started from; None where the member was loaded.
    """

    preprocessor: Preprocessor
    weights: Mapping[str, Tensor]
    history: Sequence[Mapping[str, float]]
    snapshots: Sequence[Snapshot]
    moments: Sequence[Mapping[str, Any]]
    seed: int | None

    @property
    def epochs(self) -> int:
        """How many epochs it had, without pretraining."""
        last = max((row.get("stage", 0.0) for row in self.history), default=0.0)
        return sum(row.get("stage", last) == last for row in self.history)

    @property
    def was_staged(self) -> bool:
        """Whether it began with pretraining."""
        return any("stage" in row for row in self.history)

    @property
    def fingerprint(self) -> str:
        """A short text that changes when the weights do."""
        return of_values(value.detach().cpu().numpy() for value in self.weights.values())

    def reseeded(self, seed: int) -> int:
        """Where random numbers go on, so that none is drawn again."""
        return int(np.random.SeedSequence([seed, len(self.history)]).generate_state(1)[0])

    def opened(self, x: Any) -> tuple[Preprocessor, Store]:
        """The same layout and scaling, and further examples as they are inside."""
        return self.preprocessor, self.preprocessor.transform(x)

    def load_into(self, module: Autoencoder) -> None:
        """Start a module from the weights."""
        try:
            load_state(module, self.weights, Path("the last training"))
        except RunError as error:
            raise InputError(
                f"warm_start=True cannot go on with these settings ({error}): set back what was"
                " changed, or pass warm_start=False."
            ) from error

    def state(self, stages: Sequence[Stage], seed: int) -> State:
        """Where the longer training stands: in its last stage."""
        before = sum(stage.epochs for stage in stages[:-1])
        epoch = before + self.epochs
        history = [dict(row) for row in self.history]
        return State(epoch, stage=len(stages) - 1, history=history, seed=seed, best_epoch=epoch)
