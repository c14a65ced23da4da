"""The steps of a long series that are unlike those that a member learnt from."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted

from isthmus.data.series import TimeKind, Windows, windows
from isthmus.data.steps import StepScores
from isthmus.errors import InputError
from isthmus.estimators.base import Estimator

_FENCE = 3.0  # quartile distances; Tukey's "far out"
_OVERLAPS = 8  # windows that cover a step where nothing says how they lie


def windows_for(member: Estimator, series: Any, stride: int | None = None) -> Windows:
    """A long series, cut as the windows that a member was trained on.

    Args:
        member: a trained member of signals or sequences.
        series: as for :func:`isthmus.data.windows`.
        stride: steps from one window to the next; that of the training if none is given, or an
            eighth of a window where the member was trained on examples that were no windows.

    Raises:
        InputError: for a member of other examples, and for a series with other channels.
    """
    check_is_fitted(member, "module_")
    spec, trained = member.preprocessor_.spec, member.preprocessor_.stride
    if spec.kind not in ("signal", "sequence"):
        raise InputError(
            f"{type(member).__name__} was trained on {spec}, which no series can be cut into: train"
            " it on ist.data.windows(series, length) (--window on the command line)."
        )
    kind: TimeKind = "signal" if spec.kind == "signal" else "sequence"
    channels, length = spec.shape if kind == "signal" else spec.shape[::-1]
    cut = windows(series, length, stride or trained or max(1, length // _OVERLAPS), kind=kind)
    if cut.x.shape[1:] != spec.shape:
        raise InputError(
            f"the series has {cut.channels} channel{'s' * (cut.channels != 1)}, but"
            f" {type(member).__name__} was trained on {channels}: give the same ones."
        )
    return cut


def step_errors(member: Estimator, cut: Windows) -> np.ndarray:
    """The squared error of each step of each window, ``(n, length)``, summed over the channels.

    It is in the model's units, as :meth:`~isthmus.Estimator.squared_error`.
    """
    channel = 1 if cut.kind == "signal" else 2
    batches = member._batches(cut)
    with member._inference(batches.dtype) as module:
        found = [
            (module(batch) - batch.x).square().sum(channel).cpu() for batch in batches.chunks()
        ]
    return torch.cat(found).numpy()


def score_steps(
    member: Estimator,
    cut: Windows,
    *,
    contamination: float | Literal["auto"] = "auto",
    criterion: Literal["error", "score"] = "error",
) -> StepScores:
    r"""How typical each step of a long series is: minus the mean of its errors in all its windows.

    .. math:: s_t = -\frac{1}{|W_t|} \sum_{w \in W_t} \lVert x_t - \hat x_{w,t} \rVert^2

    over the windows :math:`W_t` that cover step t. A step is an outlier where its score lies below
    the threshold: the quantile of all scores at ``contamination``, or, under ``"auto"``, where
    :math:`\sqrt{-s_t}` lies above Q3 + 3 (Q3 − Q1) of all steps, Tukey's outer fence.

    Args:
        member: a trained member.
        cut: windows, as :func:`windows_for` cuts them.
        contamination: the share of the steps that are outliers, or ``"auto"``.
        criterion: ``"error"``, or ``"score"``, the member's own score of each window, in the place
            of the errors of its steps.

    Raises:
        InputError: for anything but a member and windows.

    Example:
        >>> import numpy as np
        >>> import isthmus as ist
        >>> wave = np.sin(np.arange(600) / 4)
        >>> wave[400:404] = 0  # a pause
        >>> cut = ist.data.windows(wave, length=32, stride=4)
        >>> member = ist.AE(latent_dim=2, network="mlp", epochs=60, random_state=0).fit(cut)
        >>> found = ist.score_steps(member, cut)
        >>> bool(400 <= found.scores.argmin() < 404)
        True
    """
    if not isinstance(member, Estimator):
        raise InputError(
            f"{type(member).__name__} does not judge steps: give a fitted member, such as AE."
        )
    if not isinstance(cut, Windows):
        raise InputError(
            f"cut is a {type(cut).__name__}, but windows are needed: cut the series with"
            " ist.windows_for(member, series)."
        )
    of_windows = (
        -step_errors(member, cut) if criterion == "error" else np.asarray(member.score_samples(cut))
    )
    scores = cut.fold(of_windows)
    every = np.concatenate([np.asarray(one) for one in (scores if cut.is_list else [scores])])
    every = every[~np.isnan(every)]
    given = list(cut.series) if cut.is_list else cut.series[0]
    threshold = _threshold(every, contamination, criterion)
    return StepScores(scores, threshold, given, type(member).__name__)


def _threshold(scores: np.ndarray, contamination: float | str, criterion: str) -> float:
    if not isinstance(contamination, str):
        if not 0 < contamination <= 0.5:
            raise InputError(
                f"contamination={contamination!r} is not usable: give a share of the steps above 0"
                " and up to 0.5, or 'auto'."
            )
        return float(np.quantile(scores, contamination))
    if criterion == "error":
        return -(_upper_fence(np.sqrt(-scores)) ** 2)
    return -_upper_fence(-scores)


def _upper_fence(values: np.ndarray) -> float:
    lower, upper = np.quantile(values, [0.25, 0.75])
    return float(upper + _FENCE * (upper - lower))
