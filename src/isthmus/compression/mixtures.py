"""A prior that knows classes, as one over all of them: what codes are charged without a label."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from isthmus.compression.indices import Conditionals, IndexStepper


class ClassMixture:
    r"""The mixture of a prior over its classes, place by place.

    .. math:: p(z_i \mid z_{<i}) = \sum_y p(y \mid z_{<i}) \, p(z_i \mid z_{<i}, y), \quad
              p(y \mid z_{<i}) \propto p(y) \, p(z_{<i} \mid y)

    The prior is asked once for each class, which takes as many times as long.

    Args:
        prior: what is told a class of each example.
        shares: p(y).
        device: where the prior computes.
    """

    def __init__(
        self, prior: Conditionals, shares: Sequence[float], device: torch.device | str = "cpu"
    ) -> None:
        self.prior = prior
        self.log_share = torch.tensor(shares, dtype=torch.float64, device=device).log()  # (Y,)

    def conditionals(self, indices: Tensor, condition: Tensor | None) -> list[Tensor]:
        """Logits of every place ``(n, places, size)`` of each level; ``condition`` is None."""
        each = [
            [logits.double().log_softmax(2) for logits in self.prior.conditionals(indices, told)]
            for told in self._conditions(len(indices))
        ]
        seen = self.log_share[:, None].expand(-1, len(indices))  # (Y, n)
        found = []
        for levels in zip(*each, strict=True):
            under = torch.stack(levels)  # (Y, n, places, size)
            places = under.shape[2]
            part, indices = indices.split([places, indices.shape[1] - places], 1)
            chosen = part[None, :, :, None].expand(len(under), -1, -1, -1)
            own = under.gather(3, chosen)[..., 0]  # (Y, n, places)
            before = seen[..., None] + own.cumsum(2) - own
            found.append((under + before[..., None]).logsumexp(0))
            seen = seen + own.sum(2)
        return found

    def stepper(self, n: int, condition: Tensor | None) -> MixtureStepper:
        """The same place by place; ``condition`` is None."""
        every = torch.cat(self._conditions(n))  # (Y * n, Y)
        seen = self.log_share[:, None].expand(-1, n)
        return MixtureStepper(self.prior.stepper(len(every), every), seen)

    def _conditions(self, n: int) -> list[Tensor]:
        """For each class, what the prior is told of n examples of it, ``(n, Y)``."""
        hot = torch.eye(len(self.log_share), dtype=torch.float64, device=self.log_share.device)
        return [row.expand(n, -1) for row in hot]


class MixtureStepper:
    """Answers for the mixture, place by place.

    Args:
        each: answers for every class, class by class.
        seen: log p(y) of each class and example, ``(Y, n)``.
    """

    def __init__(self, each: IndexStepper, seen: Tensor) -> None:
        self.each, self.seen = each, seen
        self.under: Tensor | None = None

    def logits(self) -> Tensor:
        """Of the values of the next place, ``(n, size)``."""
        classes, n = self.seen.shape
        self.under = self.each.logits().double().log_softmax(1).unflatten(0, (classes, n))
        return (self.under + self.seen[..., None]).logsumexp(0)

    def accept(self, index: Tensor) -> None:
        """Go on after the index of each example there, ``(n,)``."""
        assert self.under is not None
        classes = len(self.seen)
        chosen = index[None, :, None].expand(classes, -1, -1)
        self.seen = self.seen + self.under.gather(2, chosen)[..., 0]
        self.each.accept(index.repeat(classes))
