"""What went wrong in a training, in words, judged by its history and by what was learnt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from isthmus.core.autoencoder import Autoencoder
from isthmus.core.batch import Batch

_LEAST_EXPLAINED = 0.05  # of the variance of the examples


@torch.inference_mode()
def explained_variance(module: Autoencoder, examples: Batch) -> float:
    r"""The share of the examples' variance that their reconstructions explain.

    .. math:: R^2 = 1 - \frac{\sum \lVert x - \hat x \rVert^2}{\sum \lVert x - \bar x \rVert^2}

    Sums go over observed values; the mean of the data as a reconstruction has 0. It is 1 where
    there is no variance to explain.
    """
    x, restored = examples.x.double(), examples.observed(module(examples)).double()
    known = torch.ones_like(x) if examples.mask is None else examples.mask.double()
    mean = (x * known).sum(0) / known.sum(0).clamp(min=1)
    around = float(((x - mean) * known).square().sum())
    return 1 - float((x - restored).square().sum()) / around if around > 0 else 1.0


def learnt_little(module: Autoencoder, examples: Batch) -> list[str]:
    """A sentence where a model rebuilds examples no better than their mean does."""
    explained = explained_variance(module, examples)
    if explained >= _LEAST_EXPLAINED:
        return []
    return [
        "its reconstructions are hardly better than the mean of the data (they explain"
        f" {max(explained, 0.0):.1%} of the variance): train for more epochs, give it a larger"
        " latent_dim or learning_rate, or pass scaling='standard' if the values differ little."
    ]


def did_not_fall(
    history: Sequence[Mapping[str, float]], warm_epoch: float, learning_rate: float
) -> list[str]:
    """A sentence where the objective of the last stage ends no lower than it began."""
    last = [row for row in history if row.get("stage") == history[-1].get("stage")]
    settled = [row["objective"] for row in last if row["epoch"] - last[0]["epoch"] >= warm_epoch]
    if len(settled) <= 2 or settled[-1] < settled[0]:
        return []
    return [
        f"the objective did not fall (from {settled[0]:.4g} to {settled[-1]:.4g}): try another"
        f" learning_rate (it is {learning_rate:g}), or look at the data."
    ]
