"""What priors that are networks share: the project's own loop trains them, as it does members."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from isthmus.core import allocations
from isthmus.core.batch import Batch
from isthmus.core.fields import field, slot
from isthmus.core.objectives import Batches, Loss, Stage, TrainableModule
from isthmus.core.randomness import alone, own_draws
from isthmus.core.weights import load_state
from isthmus.data.batches import StoreBatches
from isthmus.data.stores import ArrayStore
from isthmus.priors.base import Prior
from isthmus.registry import SCHEDULES
from isthmus.training.callbacks import assembled
from isthmus.training.history import History
from isthmus.training.loop import Trainer
from isthmus.training.runtimes import SingleProcess, multiplying, tuned, useful_threads
from isthmus.training.schedules import Schedule
from isthmus.training.settings import TrainingSettings


class Sampler(TrainableModule, ABC):
    """A distribution over codes with parameters, from which can be drawn."""

    @abstractmethod
    def draw(self, n: int, condition: Tensor | None, temperature: float) -> Tensor:
        """n codes, given the condition of each ``(n, c)`` where there are classes."""

    def look(self, batches: Batches) -> None:
        """See the codes before the first step."""


class Density(Sampler, ABC):
    """One with a density; what it minimises is −log p, in nats."""

    @abstractmethod
    def log_prob(self, codes: Tensor, condition: Tensor | None = None) -> Tensor:
        """log p of codes ``(n, *code_shape)``, ``(n,)``; of their classes ``(n, c)``, if any."""

    def loss(self, batch: Batch) -> Loss:
        """−log p of codes, which are a batch's examples."""
        return Loss(-self.log_prob(batch.x, batch.condition), {})


@dataclass(repr=False, eq=False, kw_only=True)
class TrainedPrior(Prior, TrainingSettings, ABC):
    """A prior that is a network; ``history_`` has a row for each epoch."""

    learning_rate: float = field(3e-3, "step size of the optimiser", above=0)
    schedule: str | Schedule = slot(
        "cosine", SCHEDULES, "how the learning rate changes over training"
    )

    @abstractmethod
    def _density(self) -> Sampler:
        """The untrained network, for ``code_shape_``, ``levels_`` and ``classes_``."""

    @property
    def _rows(self) -> int:
        """How many codes are drawn or scored at once."""
        return 512

    @property
    def condition_size(self) -> int:
        """How many numbers say of which class a code is; 0 without labels."""
        return 0 if self.classes_ is None else len(self.classes_.names)

    def _epochs_for(self, n: int) -> int:
        """How often training goes through n codes."""
        return self._epochs

    def _one_hot(self, classes: Tensor | None) -> Tensor | None:
        return None if classes is None else one_hot(classes, self.condition_size).float()

    def _learn(self, codes: Tensor, classes: Tensor | None, seed: int) -> None:
        runtime = SingleProcess(self.device, self.precision)  # alike in every process
        with alone(seed):
            with allocations.for_training(lambda: allocations.asked_by(self)):
                density = self._density()
            module = runtime.place(density)
            batches = StoreBatches(
                ArrayStore(codes.numpy()), runtime.device, condition=self._one_hot(classes)
            )
            with torch.no_grad():  # before the first weights go into a moving average
                module.look(batches)
            stage = Stage(self._epochs_for(len(codes)), module.objectives())
            trainer = Trainer(
                module,
                [stage],
                batches,
                self,
                runtime,
                seed,
                callbacks=assembled(self, runtime),
                title=f"{type(self).__name__} prior",
            )
            with tuned(self.precision, useful_threads(module, self.batch_size)):
                self.history_ = History(trainer.run().history)
        self.module_ = module.eval()

    def _draw(self, n: int, classes: Tensor | None, temperature: float) -> Tensor:
        device, condition = next(self.module_.parameters()).device, self._one_hot(classes)
        drawn = []
        with torch.inference_mode(), multiplying():
            for rows in torch.arange(n).split(self._rows):
                given = None if condition is None else condition[rows].to(device)
                drawn.append(self.module_.draw(len(rows), given, temperature).cpu())
        return torch.cat(drawn)

    def _log_prob(self, codes: Tensor, classes: Tensor | None) -> Tensor:
        density = self.module_
        assert isinstance(density, Density)
        device = next(density.parameters()).device
        batches = StoreBatches(ArrayStore(codes.numpy()), device, condition=self._one_hot(classes))
        with torch.inference_mode(), multiplying():
            found = [
                density.log_prob(batch.x, batch.condition).cpu()
                for batch in batches.chunks(self._rows)
            ]
        return torch.cat(found)

    def _state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        return self.module_.state_dict(), {"history": self.history_}

    def _restore(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        with own_draws(0):  # the weights that it starts with are replaced
            module = self._density()
        load_state(module, tensors, Path(type(self).__name__))
        self.module_ = SingleProcess(self.device).place(module).eval()
        self.history_ = History(dict(row) for row in values["history"])
