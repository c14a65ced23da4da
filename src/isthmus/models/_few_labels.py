"""What members with a few labels share: what the labelled examples of a batch cost, and new
examples of a class.
"""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from isthmus.core import sharding
from isthmus.errors import InputError, unknown
from isthmus.estimators.few_labels import FewLabels

_LEAST = 1e-12  # of a share that is divided by


def labelled_cost(
    logits: Tensor, label: Tensor, told: Tensor | None = None
) -> tuple[Tensor, dict[str, Tensor]]:
    r"""The cross-entropy of the labelled examples, and what is reported of them, each ``(n,)``.

    .. math:: -\frac{n}{\sum_i [y_i \text{ is known}]} \log \mathrm{softmax}(l_i)_{y_i}

    where y is known, and 0 where it is not: the mean over the batch is the mean over the labelled.

    Args:
        logits: of the classes, ``(n, classes)``.
        label: one-hot, ``(n, classes)``; zeros for an example without a label.
        told: the logits by which classes are told, where they are others: of examples without
            noise.
    """
    told = logits if told is None else told
    known = label.sum(1)  # (n,): 1 or 0
    scale = 1 / sharding.batch_mean(known).clamp(min=_LEAST)
    entropy = -(label * logits.log_softmax(1)).sum(1) * scale
    with torch.no_grad():
        wrong = (told.argmax(1) != label.argmax(1)).to(entropy.dtype) * known * scale
    return entropy, {"cross_entropy": entropy, "error": wrong}


@dataclass(repr=False, eq=False, kw_only=True)
class SamplesClasses(FewLabels, ABC):
    """A member whose code is a style of N(0, I), and the class as numbers behind it."""

    @property
    def code_space(self) -> str:
        return "normal"

    def _normal_part(self, codes: np.ndarray) -> np.ndarray:
        return codes[:, : self._sizes[0]]

    def _prior(self, n: int, temperature: float, condition: Tensor | None = None) -> Tensor:
        classes = self._sizes[1]
        return self._styled(torch.randint(classes, (n,)), temperature)

    def _new_codes(self, n: int, label: Any, given: Tensor | None, temperature: float) -> Tensor:
        if self.prior_ is not None or label is None:
            return super()._new_codes(n, label, given, temperature)
        return self._styled(self._places(label, n), temperature)

    @property
    def _sizes(self) -> tuple[int, int]:
        """The numbers of a style, and the classes."""
        bottleneck: Any = self.module_.bottleneck
        return cast("tuple[int, int]", (bottleneck.latent_dim, bottleneck.classes))

    def _styled(self, places: Tensor, temperature: float) -> Tensor:
        """Codes of some classes, each with a style that is drawn."""
        latent_dim, classes = self._sizes
        style = temperature * torch.randn(len(places), latent_dim)
        return torch.cat([style, one_hot(places, classes).to(style)], 1)

    def _places(self, label: Any, n: int) -> Tensor:
        """The class of each new example, of one label or of n, among the known ones, ``(n,)``."""
        known, given = [str(each) for each in self.classes_.tolist()], np.asarray(label)
        if given.shape not in ((), (n,)):
            raise InputError(
                f"label has the shape {given.shape}: give one label, or one for each of the {n}"
                " examples."
            )
        wanted = [str(each) for each in np.broadcast_to(given, (n,)).tolist()]
        for name in sorted(set(wanted)):
            if name not in known:
                raise unknown("label", name, known)
        return torch.tensor([known.index(name) for name in wanted])
