"""What priors that are networks share: they are trained by the project's own loop, as the members
are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from isthmus.core import files
from isthmus.core.fields import field
from isthmus.core.objectives import Batches, Loss, Stage, TrainableModule
from isthmus.data.batches import TensorBatches
from isthmus.priors.base import Prior
from isthmus.training.loop import Trainer
from isthmus.training.runtimes import PlainRuntime, tuned, useful_threads
from isthmus.training.settings import TrainingSettings

_ROWS = 512


class Density(TrainableModule, ABC):
    """A density over codes with parameters; what it minimises is −log p, in nats."""

    @abstractmethod
    def log_prob(self, codes: Tensor, kinds: Tensor | None = None) -> Tensor:
        """log p of codes ``(n, *code_shape)``, given the classes ``kinds`` ``(n,)`` where there are
        classes; ``(n,)``.
        """

    @abstractmethod
    def draw(self, n: int, kinds: Tensor | None, temperature: float) -> Tensor:
        """n codes, of the classes ``kinds`` ``(n,)`` where there are classes."""

    def look(self, batches: Batches) -> None:
        """See the codes before the first step."""

    def loss(self, batch: Any) -> Loss:
        """−log p of ``(codes,)`` or ``(codes, kinds)``."""
        return Loss(-self.log_prob(*batch), {})


@dataclass(repr=False, eq=False, kw_only=True)
class TrainedPrior(Prior, TrainingSettings, ABC):
    """A prior that is a network; ``history_`` has a row for each epoch."""

    learning_rate: float = field(3e-3, "step size of the optimiser", above=0)
    schedule: str = field(
        "cosine", "how the learning rate changes over training", choices=("constant", "cosine")
    )

    @abstractmethod
    def _density(self) -> Density:
        """The untrained network, for ``code_shape_``, ``levels_`` and ``classes_``."""

    @property
    def _kinds(self) -> int:
        """How many classes there are; 0 without labels."""
        return 0 if self.classes_ is None else len(self.classes_.names)

    def _learn(self, codes: Tensor, kinds: Tensor | None, seed: int) -> None:
        runtime = PlainRuntime(self.device, self.precision)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            module = runtime.place(self._density())
            batches = TensorBatches((codes,) if kinds is None else (codes, kinds), runtime.device)
            stage = Stage(self.epochs, module.objectives(), module.look)
            trainer = Trainer(
                module, [stage], batches, self, runtime, seed, title=f"{type(self).__name__} prior"
            )
            with tuned(self.precision, useful_threads(module, self.batch_size)):
                self.history_ = trainer.run().history
        self.module_ = module.eval()

    def _draw(self, n: int, kinds: Tensor | None, temperature: float) -> Tensor:
        device = next(self.module_.parameters()).device
        drawn = []
        with torch.inference_mode():
            for rows in torch.arange(n).split(_ROWS):
                drawn.append(
                    self.module_.draw(
                        len(rows), None if kinds is None else kinds[rows].to(device), temperature
                    ).cpu()
                )
        return torch.cat(drawn)

    def _log_prob(self, codes: Tensor, kinds: Tensor | None) -> Tensor:
        batches = TensorBatches(
            (codes,) if kinds is None else (codes, kinds), next(self.module_.parameters()).device
        )
        with torch.inference_mode():
            return torch.cat(
                [self.module_.log_prob(*batch).cpu() for batch in batches.chunks(_ROWS)]
            )

    def _state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        return self.module_.state_dict(), {"history": self.history_}

    def _restore(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        with torch.random.fork_rng():
            module = self._density()
        files.load_state(module, tensors, Path(type(self).__name__))
        self.module_ = PlainRuntime(self.device).place(module).eval()
        self.history_ = [dict(row) for row in values["history"]]
