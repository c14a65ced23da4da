"""What losses with a few labels share: what the labelled examples of a batch cost."""

from __future__ import annotations

import torch
from torch import Tensor

from isthmus.core import sharding

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
