"""Priors whose indices follow one another: exact densities, drawn position by position."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn
from torch.nn import functional

from isthmus.core.batch import Batch
from isthmus.core.fields import field
from isthmus.core.forward import Level
from isthmus.core.objectives import Loss
from isthmus.core.randomness import drawing_nothing
from isthmus.priors._indices import IndexPrior, LevelNetwork, chosen, places, split_levels
from isthmus.priors._trained import Density
from isthmus.training.runtimes import multiplying


@dataclass(repr=False, eq=False, kw_only=True)
class AutoregressivePrior(IndexPrior, ABC):
    """A network over indices in which each depends on those before it alone."""

    guidance: float = field(
        0.0,
        "how strongly draws of a class avoid what other classes would draw too",
        low=0,
        afterwards=True,
    )

    continues = True

    def complete(self, known: Tensor, *, label: Any = None, temperature: float = 1.0) -> Tensor:
        check_is_fitted(self, "code_shape_")
        self._set_anew()
        device = next(self.module_.parameters()).device
        condition, density = self._one_hot(self._classes_of(len(known), label)), self.module_
        assert isinstance(density, Autoregressive)
        drawn = []
        with multiplying(), torch.inference_mode():
            for rows in torch.arange(len(known)).split(self._rows):
                given = None if condition is None else condition[rows].to(device)
                there = known[rows].to(device)
                drawn.append(density.draw(len(rows), given, temperature, there).cpu())
        return torch.cat(drawn)

    def _density(self) -> Autoregressive:
        networks = [self._network(level, self.levels_[:i]) for i, level in enumerate(self.levels_)]
        return Autoregressive(networks, guidance=self.guidance, top_p=self.top_p)

    @abstractmethod
    def _network(self, level: Level, above: Sequence[Level]) -> CausalNetwork:
        """The untrained network of a level that sees those ``above`` as a whole."""

    @property
    def _rows(self) -> int:
        copies = max(1, self.condition_size) if self.guidance > 0 else 1  # see Guide
        return max(1, super()._rows // copies)


class Steps(Protocol):
    """Goes through positions in their order; what was computed for earlier ones is kept."""

    def logits(self) -> Tensor:
        """Logits of the next position, ``(n, size)``."""

    def accept(self, index: Tensor) -> None:
        """Go on, with the index ``(n,)`` that the next position has."""


class CausalNetwork(LevelNetwork, ABC):
    """The network of a level in which each index depends on those before it."""

    @abstractmethod
    def forward(self, indices: Tensor, above: Sequence[Tensor], condition: Tensor | None) -> Tensor:
        """Logits of each position ``(n, places, size)``, from the indices ``(n, places)`` before.

        ``above`` are the indices of the levels before, each ``(n, places)``, and ``condition`` the
        class of each example, ``(n, c)``.
        """

    @abstractmethod
    def steps(self, n: int, above: Sequence[Tensor], condition: Tensor | None) -> Steps:
        """The same logits one position after another, for n examples whose indices come singly."""


class Autoregressive(Density):
    r"""One network per level, from coarse to fine: an exact density over indices in their order.

    .. math:: p(z) = \prod_l \prod_i p(z_{l,i} \mid z_{l,1}, \dots, z_{l,i-1}, \;
              z_1, \dots, z_{l-1}, \; y)

    Args:
        networks: that of each level.
        guidance, top_p: as the fields of :class:`AutoregressivePrior`.
    """

    def __init__(
        self, networks: Sequence[CausalNetwork], *, guidance: float = 0.0, top_p: float = 1.0
    ) -> None:
        super().__init__()
        self.levels = tuple(network.level for network in networks)
        self.networks, self.guidance, self.top_p = nn.ModuleList(networks), guidance, top_p

    def conditionals(self, indices: Tensor, condition: Tensor | None = None) -> list[Tensor]:
        """The logits of every position, given the indices ``(n, total)`` before it.

        Those of each level are ``(n, places, size)``; their log-softmax at the indices sums up to
        :meth:`log_prob`.
        """
        grids = split_levels(indices, self.levels)
        return [
            network(grid, grids[:i], condition)
            for i, (network, grid) in enumerate(zip(self.networks, grids, strict=True))
        ]

    def stepper(self, n: int, condition: Tensor | None = None) -> Stepper:
        """What gives the same logits one position after another, for n examples."""
        return Stepper(self, n, condition)

    def log_prob(self, codes: Tensor, condition: Tensor | None = None) -> Tensor:
        return torch.stack(self.by_level(codes, condition)).sum(0)

    def loss(self, batch: Batch) -> Loss:
        levels = [-log_prob for log_prob in self.by_level(batch.x, batch.condition)]
        terms = {f"level_{i}": nll for i, nll in enumerate(levels, 1)} if len(levels) > 1 else {}
        return Loss(torch.stack(levels).sum(0), terms)

    def by_level(self, codes: Tensor, condition: Tensor | None = None) -> list[Tensor]:
        """log p of each level given the ones before it, each ``(n,)``."""
        return [
            -functional.cross_entropy(logits.mT, grid, reduction="none").sum(1)
            for logits, grid in zip(
                self.conditionals(codes, condition), split_levels(codes, self.levels), strict=True
            )
        ]

    def draw(
        self,
        n: int,
        condition: Tensor | None,
        temperature: float,
        known: Tensor | None = None,
    ) -> Tensor:
        """n codes, given the condition of each ``(n, c)``; indices that are ``known``,
        ``(n, total)``, are taken where they are 0 or more.
        """
        guide, kept = None, n
        if condition is not None and self.guidance > 0:
            guide = Guide(condition, self.guidance)
            n, condition = len(guide.every), guide.every
        with drawing_nothing():
            stepper = self.stepper(n, condition)
        for place in range(stepper.total):
            with drawing_nothing():
                logits = stepper.logits()
                logits = logits if guide is None else guide.guided(logits)
            index = chosen(logits, temperature, self.top_p)
            if known is not None:
                index = torch.where(known[:, place] < 0, index, known[:, place])
            with drawing_nothing():
                stepper.accept(index if guide is None else guide.follow(index))
        return stepper.accepted[:kept]  # (n, total)


class Stepper:
    """Goes through the positions of all levels in their order, and keeps what it computed.

    Args:
        density: whose logits are given.
        n: how many examples go side by side.
        condition: the class of each, ``(n, c)``.

    Attributes:
        total: how many positions there are.
        accepted: the indices so far, ``(n, positions)``.
    """

    def __init__(self, density: Autoregressive, n: int, condition: Tensor | None = None) -> None:
        self._density, self._n, self._condition = density, n, condition
        self._ends = [0]
        for level in density.levels:
            self._ends.append(self._ends[-1] + places(level))
        self.total, self._position = self._ends[-1], 0
        device = next(density.parameters()).device
        self._indices = torch.zeros(n, self.total, dtype=torch.int64, device=device)
        self._steps = self._of_level(0)

    @property
    def accepted(self) -> Tensor:
        return self._indices[:, : self._position]

    def logits(self) -> Tensor:
        """Logits of the next position, ``(n, size of its level)``."""
        return self._steps.logits()

    def accept(self, index: Tensor) -> None:
        """Go on, with the index ``(n,)`` that the next position has."""
        self._indices[:, self._position] = index
        self._position += 1
        if self._position == self.total:
            return
        if self._position in self._ends:
            self._steps = self._of_level(self._ends.index(self._position))
        else:
            self._steps.accept(index)

    def _of_level(self, level: int) -> Steps:
        network, ends = self._density.networks[level], self._ends
        assert isinstance(network, CausalNetwork)
        above = [self._indices[:, ends[i] : ends[i + 1]] for i in range(level)]
        return network.steps(self._n, above, self._condition)


class Guide:
    """Makes indices likelier that are likely under one class, and less so under others.

    Args:
        condition: the class of each of n draws, one-hot, ``(n, classes)``.
        guidance: the power of the classifier.

    Attributes:
        every: the conditions under which all draws are looked at, ``(classes * n, classes)``.
    """

    def __init__(self, condition: Tensor, guidance: float) -> None:
        (n, classes), self.guidance = condition.shape, guidance
        self.own, self.draws = condition.argmax(1), torch.arange(n, device=condition.device)
        self.seen = torch.zeros(classes, n, device=condition.device)  # log p(z so far | class)
        self.every = torch.eye(classes, device=condition.device).repeat_interleave(n, 0)
        self._under = self.seen[..., None]  # log p of the next index, (classes, n, size)

    def guided(self, logits: Tensor) -> Tensor:
        """What to draw by ``(n, size)``, from logits under every class ``(classes * n, size)``."""
        self._under = logits.float().log_softmax(1).unflatten(0, self.seen.shape)
        mixed = (self._under + self.seen.log_softmax(0)[..., None]).logsumexp(0)  # (n, size)
        own = self._under[self.own, self.draws]  # (n, size)
        return own + self.guidance * (own - mixed)

    def follow(self, index: Tensor) -> Tensor:
        """Take note of the indices ``(n,)`` that were drawn; gives them for every class."""
        self.seen = self.seen + self._under[:, self.draws, index]
        return index.repeat(len(self.seen))
