"""What went wrong in a training, in words, judged by its history and by what was learnt."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch

from isthmus.core.autoencoder import Autoencoder
from isthmus.core.batch import Batch
from isthmus.core.findings import Finding

_LEAST_EXPLAINED = 0.05  # of the variance of the examples
_LEARN_MORE = (
    "train for more epochs, lower what is charged beside the reconstruction, give it a larger"
    " latent_dim or learning_rate, or pass scaling='standard' if the values differ little"
)


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


def learnt_little(
    module: Autoencoder, examples: Batch, instead: str | None = None
) -> list[Finding]:
    """A finding where a model rebuilds examples no better than their mean does.

    Args:
        module: the model.
        examples: what it rebuilds.
        instead: the remedy where the objective leaves reconstructions out, which is no fault.
    """
    explained = explained_variance(module, examples)
    if explained >= _LEAST_EXPLAINED:
        return []
    return [
        Finding(
            "worse-than-mean",
            "its reconstructions are hardly better than the mean of the data (they explain"
            f" {max(explained, 0.0):.1%} of the variance)",
            instead or _LEARN_MORE,
            "share of the variance that reconstructions explain",
            explained,
            _LEAST_EXPLAINED,
            "note" if instead else "fault",
        )
    ]


def did_not_fall(
    history: Sequence[Mapping[str, float]], warm_epoch: float, learning_rate: float
) -> list[Finding]:
    """A finding where the objective of the last stage ends no lower than it began."""
    settled = settled_values(history, warm_epoch)
    if len(settled) <= 2 or settled[-1] < settled[0]:
        return []
    return [
        Finding(
            "objective-did-not-fall",
            f"the objective did not fall (from {settled[0]:.4g} to {settled[-1]:.4g})",
            f"try another learning_rate (it is {learning_rate:g}), or look at the data",
            "fall of the objective",
            settled[0] - settled[-1],
            0.0,
            "fault",
        )
    ]


def still_warming(history: Sequence[Mapping[str, float]], warm_epoch: float) -> list[Finding]:
    """A finding where training ended no later than its warm-up, under an objective of its own."""
    done = len(_last_stage(history))
    if done == 0 or done > warm_epoch:
        return []
    return [
        Finding(
            "warm-up-unfinished",
            f"training ended after {done} epoch{'s' * (done > 1)} of a warm-up of {warm_epoch:g},"
            " so the objective that was asked for was never trained on",
            f"train for {math.floor(warm_epoch) + 1} epochs or more, or set a shorter warm-up",
            "epochs trained",
            float(done),
            warm_epoch,
        )
    ]


def settled_values(
    history: Sequence[Mapping[str, float]], warm_epoch: float, name: str = "objective"
) -> list[float]:
    """The values of a term in the last stage, an epoch each, once a warm-up is over."""
    last = _last_stage(history)
    return [
        row[name] for row in last if name in row and row["epoch"] - last[0]["epoch"] >= warm_epoch
    ]


def _last_stage(history: Sequence[Mapping[str, float]]) -> list[Mapping[str, float]]:
    """The epochs of the last stage."""
    return [row for row in history if row.get("stage") == history[-1].get("stage")]
