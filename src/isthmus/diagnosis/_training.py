"""What went wrong in the training: too short, too long, or a game that one side wins."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import fmean, pstdev

from isthmus.core.findings import Finding
from isthmus.diagnosis._codes import Findings
from isthmus.diagnosis._examination import Examination
from isthmus.estimators._verdict import did_not_fall, settled_values, still_warming

_FEWEST = 3  # epochs of which a trend can be seen
_LATE, _LAST = 0.15, 0.01  # of the whole fall, in the second half and in the last tenth of epochs
_NOISE = 3.0  # standard errors of what an epoch changes
_RISEN = 0.05  # of the whole fall of the validation objective, since its least value
_WINNING = 0.18  # of the loss of guessing: an adversary that is hardly ever wrong
_FOOLING = ("adversary_weight", "gamma")


def objective(seen: Examination) -> Findings:
    """Whether the objective fell at all, as at the end of a training."""
    model = seen.model
    if model._is_moving or not seen.history:
        return None
    return did_not_fall(seen.history, model.warm_epoch, model.learning_rate)


def warm_up(seen: Examination) -> Findings:
    """Whether the warm-up was over when training ended, as at the end of a training."""
    model = seen.model
    if model.warm_epoch == 0 or not seen.history:
        return None
    return still_warming(seen.history, model.warm_epoch)


def too_short(seen: Examination) -> Findings:
    """Whether the objective was still falling when training ended."""
    model = seen.model
    if model._is_moving or not seen.history:
        return None
    values = settled_values(seen.history, model.warm_epoch)
    if len(values) < _FEWEST or (whole := values[0] - values[-1]) <= 0:
        return None
    part, middle = max(1, round(len(values) / 10)), (len(values) - 1) // 2
    end = fmean(values[-part:])
    late = (fmean(values[middle : middle + part]) - end) / whole
    last = (fmean(values[-2 * part : -part]) - end) / whole
    steps = [before - after for before, after in pairwise(values[middle:])]
    noise = pstdev(steps) / math.sqrt(part) / whole
    # under a schedule that ends at 0, it stands still by then
    if late <= max(_LATE, _NOISE * noise) or last <= _LAST:
        return []
    return [
        Finding(
            "stopped-too-early",
            f"{late:.0%} of the fall of the objective came in the second half of the {len(values)}"
            " epochs, so it was still falling when training ended",
            "train for more epochs, or raise learning_rate",
            "share of the fall of the objective in the second half of the epochs",
            late,
            _LATE,
        )
    ]


def too_long(seen: Examination) -> Findings:
    """Whether the validation objective rose again, and its best weights were not brought back."""
    model = seen.model
    if not seen.history or model.patience is not None:
        return None
    values = settled_values(seen.history, model.warm_epoch, "val_objective")
    if len(values) < _FEWEST:
        return None
    best = min(range(len(values)), key=values.__getitem__)
    part = max(1, round(len(values) / 10))
    fall = values[0] - values[best]
    share = (fmean(values[-part:]) - values[best]) / fall if fall > 0 else float("inf")
    if share <= _RISEN or best >= len(values) - part:
        return []
    return [
        Finding(
            "trained-too-long",
            f"the validation objective was least after {best + 1} of {len(values)} epochs"
            f" ({values[best]:.4g}) and rose to {values[-1]:.4g}",
            "pass patience=10, which keeps the weights of the best epoch, or lower epochs",
            "rise of the validation objective from its least value, as a share of its fall",
            share,
            _RISEN,
        )
    ]


def critic(seen: Examination) -> Findings:
    """Whether an adversary tells its two sides apart nearly always."""
    if not seen.critics:
        return None
    loss, chance = min(seen.critics.values(), key=lambda pair: pair[0] / pair[1])
    if loss >= _WINNING * chance:
        return []
    own = [name for name in _FOOLING if hasattr(seen.model, name)]
    weight = f" ({own[0]})" if own else ""
    return [
        Finding(
            "critic-too-strong",
            f"the loss of the adversary is {loss:.2g} nats ({chance:.3f} where it cannot tell its"
            " two sides apart), so it wins nearly always and teaches little",
            f"lower its learning rate, raise the weight of fooling it{weight}, or make it smaller",
            "loss of the adversary, share of that of guessing",
            loss / chance,
            _WINNING,
        )
    ]
