"""Batches in which labelled examples stand beside the others, where few have a label."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Mixing:
    """How labelled examples stand in every batch.

    Attributes:
        batch_size: how many examples a batch has in all.
        share: the share of them that have a label, at the most: none stands in a batch twice.
    """

    batch_size: int
    share: float


class Mixed:
    """The rows of epochs in which labelled examples come again and again.

    An epoch goes once through all n examples, as if none had a label, and fills every batch up with
    labelled ones. Row r < n is example r without its label, row n + r the same with it.

    Args:
        label: ``(n, classes)``, zeros for an example without one.
        n: how many examples there are.
        mixing: how many of a batch have a label.
    """

    def __init__(self, label: Tensor | None, n: int, mixing: Mixing) -> None:
        found = torch.zeros(0, dtype=torch.long) if label is None else label.any(1).nonzero()[:, 0]
        self.labelled, self.n, self.size = found.cpu(), n, mixing.batch_size
        wanted = max(1, round(mixing.share * mixing.batch_size))
        self.beside = min(len(self.labelled), wanted, mixing.batch_size - 1)
        self.steps = math.ceil(n / (self.size - self.beside))

    def __len__(self) -> int:
        return self.n + self.steps * self.beside

    def examples(self, rows: Tensor) -> Tensor:
        """The examples that rows stand for."""
        return torch.where(rows < self.n, rows, rows - self.n)

    def are_beside(self, rows: Tensor) -> Tensor:
        """Which rows stand for an example with its label."""
        return rows >= self.n

    def order(self, seed: int, epoch: int, own: Tensor | None) -> Tensor:
        """The rows of an epoch, batch by batch, ``(len(self),)``; the examples in an order of their
        ``own`` if they have one.
        """
        words = np.random.SeedSequence([seed, epoch, self.beside]).generate_state(2)
        generator = torch.Generator().manual_seed(int(words[0]) << 32 | int(words[1]))
        order = torch.randperm(self.n, generator=generator) if own is None else own
        if self.beside == 0:
            return order
        rounds = math.ceil(self.steps * self.beside / len(self.labelled))
        again = [torch.randperm(len(self.labelled), generator=generator) for _ in range(rounds)]
        beside = self.n + self.labelled[torch.cat(again)]
        fresh = order.split(self.size - self.beside)
        mixed = zip(fresh, beside[: self.steps * self.beside].split(self.beside), strict=True)
        return torch.cat([part for pair in mixed for part in pair])
