"""Learning by heart: examples that were trained on are known, others are not."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from isthmus.core.findings import Finding
from isthmus.diagnosis._codes import Findings
from isthmus.diagnosis._examination import Examination

_TIMES, _EXPLAINED = 1.5, 0.1  # the error of new examples, and the variance that is lost on them
_ERRORS = 3.0  # standard errors
_NEAR = 0.5  # of the distance of new examples from the training examples


def test_error(seen: Examination) -> Findings:
    """Whether examples that were trained on are rebuilt far better than others."""
    train, test = seen.train, seen.test
    known, new = float(train.errors.mean()), float(test.errors.mean())
    variance = float(test.variance.sum())
    if variance == 0 or len(train.x) < 2 or len(test.x) < 2:
        return None
    times = new / known if known > 0 else (math.inf if new > 0 else 1.0)
    doubt = math.sqrt(_squared_error_of_mean(train.errors) + _squared_error_of_mean(test.errors))
    is_large = times > _TIMES and new - known > max(_EXPLAINED * variance, _ERRORS * doubt)
    if not is_large:
        return []
    return [
        Finding(
            "learnt-by-heart",
            f"the squared error of new examples is {times:.3g} times that of the training examples"
            f" ({new:.3g} and {known:.3g})",
            "give it more examples, a smaller latent_dim or hidden, weight_decay, or fewer epochs"
            " (patience=10 with validation=0.1)",
            "squared error of new examples, times that of training examples",
            times,
            _TIMES,
        )
    ]


def copies(seen: Examination) -> Findings:
    """Whether samples lie far closer to training examples than new examples do."""
    train, test, samples = seen.train, seen.test, seen.samples
    if samples is None or not (train.is_whole and test.is_whole):
        return None
    usual, found = (float(_nearest(x, train.x).median()) for x in (test.x, samples))
    if usual == 0:  # new examples are copies themselves
        return None
    near = found / usual
    if near >= _NEAR:
        return []
    return [
        Finding(
            "samples-are-copies",
            f"samples lie at {near:.0%} of the distance from the nearest training example at which"
            " new examples lie, so they are copies",
            "give it more examples, a smaller network, or a larger weight of the rate (beta)",
            "distance of samples from the nearest training example, as a share of that of new"
            " examples",
            near,
            _NEAR,
        )
    ]


def _nearest(x: Tensor, others: Tensor) -> Tensor:
    """The distance of each example to the nearest of others, ``(n,)``; of ``(n, values)``."""
    return torch.cat([torch.cdist(rows, others).min(1).values for rows in x.split(256)])


def _squared_error_of_mean(values: Tensor) -> float:
    return float(values.double().var()) / len(values)
