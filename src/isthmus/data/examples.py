"""Examples as a member trains on them, with what is known of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isthmus.core.digests import of_array
from isthmus.data._mixing import Mixing
from isthmus.data.batches import StoreBatches
from isthmus.data.incoming import incoming
from isthmus.data.preprocessing import Preprocessor
from isthmus.data.stores import Store
from isthmus.errors import InputError


@dataclass(frozen=True)
class Examples:
    """Examples inside a member, and what stands beside them.

    Attributes:
        x: ``(n, *shape)``, as they are kept.
        condition: ``(n, c)``, or None.
        weight: ``(n,)``, 1 on the average, or None.
        label: ``(n, classes)``, zeros for an example without one, or None.
    """

    x: Store
    condition: Tensor | None = None
    weight: Tensor | None = None
    label: Tensor | None = None

    def take(self, rows: np.ndarray | slice) -> Examples:
        """Some of them."""
        beside = [None if part is None else part[rows] for part in self._beside]
        return Examples(self.x.take(rows), *beside)

    @property
    def _beside(self) -> tuple[Tensor | None, ...]:
        return self.condition, self.weight, self.label

    def fingerprint(self) -> str:
        """A short text that changes when any of the examples, or what stands beside it, does."""
        beside = [part.numpy() for part in self._beside if part is not None]
        return " ".join([self.x.fingerprint(), *map(of_array, beside)])


def as_batches(
    preprocessor: Preprocessor,
    device: torch.device,
    examples: Examples,
    *,
    binarize: bool = False,
    mixing: Mixing | None = None,
) -> StoreBatches:
    """Examples in batches that a module can take; under ``mixing`` with labelled ones in each."""
    return preprocessor.batches(
        examples.x,
        device,
        condition=examples.condition,
        weight=examples.weight,
        label=examples.label,
        binarize=binarize,
        mixing=mixing,
    )


def weights_of(sample_weight: Any, n: int) -> Tensor | None:
    """Weights of n examples, 1 on the average; None where none are given."""
    if sample_weight is None:
        return None
    given = incoming(sample_weight, "sample_weight")
    try:
        weight = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"sample_weight holds no numbers ({error}): give one for each.") from error
    if weight.shape != (n,):
        raise InputError(
            f"sample_weight has the shape {weight.shape}, but there are {n} examples: give ({n},)."
        )
    if not np.isfinite(weight).all() or weight.min() < 0 or weight.sum() == 0:
        raise InputError(
            "sample_weight holds a weight that is negative or not finite, or nothing but 0: Sample"
            " weights must contain at least one non-zero number, and finite ones from 0 up."
        )
    return torch.from_numpy((weight / weight.mean()).astype(np.float32))
