"""The classes of examples: labels of any kind as indices into their names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from isthmus.core.records import Record, unusable
from isthmus.data.rows import number_labels, read_labels
from isthmus.errors import InputError, unknown

_ROUNDING = 1e-6  # what a sum of shares may be off


@dataclass(frozen=True)
class LabelSet:
    """The classes of some examples, and how often each stands among them.

    Attributes:
        names: the labels as text, so that 3 and "3" name the same class.
        shares: the share of the examples that each class has; they sum to 1.
    """

    names: tuple[str, ...]
    shares: tuple[float, ...]

    @classmethod
    def of(cls, labels: Any, n: int) -> tuple[Self, Tensor]:
        """The classes of n examples' labels, and the index of each example's class, ``(n,)``."""
        given = read_labels(labels)
        if given.shape != (n,):
            raise InputError(
                f"labels have the shape {given.shape}, but there are {n} examples: give one label"
                " for each."
            )
        indices, names = number_labels(given, "y")
        return cls(names, tuple((np.bincount(indices) / n).tolist())), torch.from_numpy(indices)

    @classmethod
    def from_json(cls, values: Record) -> Self:
        """The classes that a file holds; refused where shares and names do not fit each other."""
        names, shares = values.texts("names"), values.array("shares")
        if shares.shape != (len(names),) or shares.min() < 0 or abs(shares.sum() - 1) > _ROUNDING:
            raise unusable("shares", shares.tolist(), f"{len(names)} shares that sum to 1")
        return cls(names, tuple(shares.tolist()))

    def indices(self, labels: Any, n: int) -> Tensor:
        """The index of one label's class, n times, or of one label for each example, ``(n,)``."""
        given = read_labels(labels)
        if given.shape not in ((), (n,)):
            raise InputError(
                f"label has the shape {given.shape}: give one label, or one for each of the {n}"
                " examples."
            )
        order, names = number_labels(np.atleast_1d(given), "label")
        for name in names:
            if name not in self.names:
                raise unknown("label", name, self.names)
        return torch.tensor([self.names.index(name) for name in names])[order].expand(n)

    def draw(self, n: int) -> Tensor:
        """The classes of n examples, drawn by their shares, ``(n,)``."""
        return torch.multinomial(
            torch.tensor(self.shares, dtype=torch.float64), n, replacement=True
        )
