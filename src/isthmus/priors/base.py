"""What every prior over codes offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from torch import Tensor

from isthmus import fields
from isthmus.errors import InputError
from isthmus.module import Level
from isthmus.registry import PRIORS


@dataclass(repr=False, eq=False, kw_only=True)
class Prior(BaseEstimator, ABC):
    """A distribution over codes: fitted once, then drawn from by ``sample``."""

    takes_indices: ClassVar[bool] = False
    """Whether codes are indices on grids; else they are vectors."""

    @abstractmethod
    def fit(self, codes: Tensor, labels: np.ndarray | None, levels: Sequence[Level], *, seed: int) -> Self:
        """Learn from codes ``(n, *code_shape)``, and labels ``(n,)`` where there are any."""

    @abstractmethod
    def sample(self, n: int, *, label: Any = None, temperature: float = 1.0) -> Tensor:
        """n codes, ``(n, *code_shape)``, by torch's random state; of one class, or of one each ``(n,)``."""

    @abstractmethod
    def log_prob(self, codes: Tensor, labels: np.ndarray | None = None) -> Tensor:
        """log p of codes ``(n, *code_shape)``, in nats, ``(n,)``."""

    @abstractmethod
    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """What was learnt, to be saved: tensors, and values that JSON holds."""

    @abstractmethod
    def restore(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> Self:
        """Become fitted with what :meth:`state` gave."""


def fitted(prior: str | Prior, codes: Tensor, labels: np.ndarray | None, levels: Sequence[Level], *, seed: int) -> Prior:
    """A prior that fits the codes, fitted to them; the names stand in :data:`isthmus.registry.PRIORS`."""
    if prior == "auto":
        prior = "pixelcnn" if levels else "mixture"
    chosen: Prior = PRIORS[prior]() if isinstance(prior, str) else prior
    fields.validate(chosen.get_params(deep=False), fields.declared(type(chosen)))
    if chosen.takes_indices != bool(levels):
        held, remedy = ("indices", "pixelcnn") if levels else ("vectors", "mixture' or 'flow")
        raise InputError(f"{type(chosen).__name__} does not fit codes that are {held}: pass prior='{remedy}'.")
    return chosen.fit(codes, labels, levels, seed=seed)
